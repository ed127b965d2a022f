"""Whether a decision still comes out the same from the evidence and the scenario it carries.

What this finds: figures and results that were changed after the decision was made, each by name.
What it cannot find: a decision that someone recomputed throughout from other measured evidence;
only published evidence is held against what ships with the program.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any, Final

from advisor.choosing import MOST_SEED, decide, digest_of
from advisor.decision import FORMAT, Decision, canonical_json
from advisor.evidence.gathering import Evidence, gather
from advisor.ranking.findings import Sampling
from advisor.ranking.uncertainty import DRAWS, WEIGHT_FACTOR
from advisor.records import Figure
from advisor.scenario.loading import Scenario, parse_scenario
from profiles_db.criteria import ASPECTS, CRITERIA, OPTIONAL_ASPECTS
from profiles_db.encoder_facts import encoder_facts
from profiles_db.errors import EvidenceError, InputError, ScenarioError

TOLERANCE: Final = 1e-9
DRAWN_TOLERANCE: Final = 5e-4
"""Other machines round a few of the 10,000 draws to the other side; the hash finds less."""

MOST_SHOWN: Final = 12
MOST_VALUE: Final = 1e100
"""No figure of any criterion is as large; arithmetic with larger ones would overflow."""

_DRAWN: Final = frozenset(
    {"confidence", "beats", "rank_probabilities", "meets_probability", "probability",
     "score_low", "score_high"}
)  # fmt: skip
_SENTENCE: Final = re.compile(r"explanation\.\d+\.text|candidates\..*\.why")
_NOT_RECOMPUTED: Final = frozenset({"hash", "versions", "format"})
_NAMES: Final = ("name", "id", "requirement", "method", "criterion", "to")


@dataclass(frozen=True, slots=True)
class Alteration:
    """A value that is not what it should be; `where` leads to it, `candidates.x.scores.uar`."""

    where: str
    found: Any
    expected: Any

    @property
    def is_sentence(self) -> bool:
        """Whether it is a sentence of the explanation."""
        return _SENTENCE.fullmatch(self.where) is not None

    def __str__(self) -> str:
        return f"{self.where}: {_shown(self.found)}, should be {_shown(self.expected)}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What recomputing a decision showed.

    `holds` says that nothing was altered. `evidence` lists altered figures and study records,
    `results` what follows otherwise from the evidence as it stands, `hash_matches` whether the
    decision is the very one that was sealed.
    """

    holds: bool
    hash_matches: bool
    choice: str | None
    recomputed_choice: str | None
    evidence: tuple[Alteration, ...]
    results: tuple[Alteration, ...]

    def lines(self) -> tuple[str, ...]:
        """The finding in words, one thing to a line."""
        if self.holds:
            chosen = self.choice or "no candidate"
            return (f"The decision comes out the same: {chosen}.",)
        lines = _listed("Altered evidence", self.evidence)
        said = [one for one in self.results if one.is_sentence]
        lines += _sentences(said)
        others = [one for one in self.results if not one.is_sentence]
        lines += _listed("Does not follow from what the report carries", others)
        if not lines:
            lines.append("The hash does not match: something was altered that changes no figure.")
        if self.choice != self.recomputed_choice:
            lines.append(
                f"The report says {self.choice or 'no candidate'}; from what it carries, "
                f"{self.recomputed_choice or 'no candidate'} is chosen."
            )
        return tuple(lines)


def _listed(kind: str, alterations: Sequence[Alteration]) -> list[str]:
    lines = [f"{kind}: {alteration}." for alteration in alterations[:MOST_SHOWN]]
    more = len(alterations) - MOST_SHOWN
    return [*lines, f"{kind}: {more} more."] if more > 0 else lines


def _sentences(alterations: Sequence[Alteration]) -> list[str]:
    """What sentences say that no longer hold, each once, and what the figures make of them."""
    pairs = dict.fromkeys((str(one.found), str(one.expected)) for one in alterations)
    lines = [f"Does not hold: “{found}” By the figures: “{right}”" for found, right in pairs]
    more = len(lines) - MOST_SHOWN
    return [*lines[:MOST_SHOWN], f"Does not hold: {more} sentences more."] if more > 0 else lines


def verify(text: str) -> Verification:
    """Recompute a decision from the JSON it was written as, and compare.

    Parameters
    ----------
    text : str
        What `Decision.to_json` gave, perhaps altered since.

    Raises
    ------
    InputError
        The text is no decision.
    ScenarioError, EvidenceError
        What it carries does not make a decision any more.

    Examples
    --------
    >>> from advisor import advise
    >>> verify(advise("edge").to_json()).holds
    True
    """
    carried = readable(Decision.from_json(text))
    scenario = parse_scenario(carried.scenario.texts)
    evidence = Evidence(carried.study, carried.candidates, carried.excluded)
    recomputed = decide(scenario, evidence, _sampling(carried))
    stated = None if carried.format == FORMAT else _plain(text)
    altered = tuple(_altered_evidence(carried, scenario, stated))
    results = tuple(_altered_results(carried, recomputed, stated))
    hash_matches = (carried.digest() if stated is None else _digest(stated)) == carried.hash
    return Verification(
        holds=hash_matches and not altered and not results,
        hash_matches=hash_matches,
        choice=carried.choice,
        recomputed_choice=recomputed.choice,
        evidence=altered,
        results=results,
    )


def _plain(text: str) -> dict[str, Any]:
    """An older decision as it is written, without the fields that have come since."""

    def refuse(constant: str) -> float:
        raise InputError(f"not a decision of this program: {constant} is not finite")

    content: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return content


def _digest(content: Mapping[str, Any]) -> str:
    written = canonical_json({**content, "hash": ""})
    return "sha256:" + hashlib.sha256(written.encode()).hexdigest()


def _sampling(carried: Decision) -> Sampling:
    """The one way this program draws; the seed is the carried one."""
    return Sampling(DRAWS, carried.sampling.seed, WEIGHT_FACTOR)


def readable(decision: Decision) -> Decision:
    """The decision, if it can be computed with at all."""
    names = [candidate.name for candidate in decision.candidates]
    if not names or len(set(names)) < len(names):
        raise InputError("not a decision of this program: candidates are not told apart")
    if not 0 <= decision.sampling.seed <= MOST_SEED:
        raise InputError(f"not a decision of this program: seed {decision.sampling.seed}")
    if not set(ASPECTS) - OPTIONAL_ASPECTS <= set(decision.study.aspect_criterion) <= set(ASPECTS):
        raise InputError("not a decision of this program: an aspect has no criterion")
    known = {(name, name) for name in CRITERIA}
    figures = [item for c in decision.candidates for item in c.figures.items()]
    stated = {(key, figure.criterion) for key, figure in figures}
    stated |= {(name, name) for name in decision.study.aspect_criterion.values()}
    if not stated <= known:
        raise InputError("not a decision of this program: a criterion that does not exist")
    if any(not _is_possible(figure) for _, figure in figures):
        raise InputError("not a decision of this program: an impossible figure")
    return decision


def _is_possible(figure: Figure) -> bool:
    numbers = [n for n in (figure.value, figure.low, figure.high) if n is not None]
    return all(abs(number) < MOST_VALUE for number in numbers)  # NaN is not below anything


def _altered_evidence(
    decision: Decision, scenario: Scenario, stated: Mapping[str, Any] | None
) -> Iterator[Alteration]:
    for candidate in decision.candidates if stated is None else ():
        facts = encoder_facts(candidate.backbone, candidate.weights_kind, candidate.weights_origin)
        known = {name: asdict(fact) for name, fact in facts.items()}
        where = f"candidates.{candidate.name}.facts"
        yield from _differences(where, asdict(candidate)["facts"], known)
    original = _original(scenario)
    if original is not None:
        record = asdict(original.study)
        known = record if stated is None else _shared(record, stated["study"])
        found = asdict(decision.study)
        found = found if stated is None else _shared(found, stated["study"])
        yield from _differences("study", found, known)
        expected = {a.name: asdict(a)["figures"] for a in original.alternatives}
        for candidate in decision.candidates:
            where = f"candidates.{candidate.name}.figures"
            known = expected.get(candidate.name, {})
            yield from _differences(where, asdict(candidate)["figures"], known)
        return
    for candidate in decision.candidates:
        for criterion, figure in candidate.figures.items():
            digest = candidate.digests.get(criterion)
            if digest != digest_of(figure):
                where = f"candidates.{candidate.name}.figures.{criterion}"
                yield Alteration(where, figure.value, f"what has the digest {digest}")


def _original(scenario: Scenario) -> Evidence | None:
    """The published evidence as it ships; None where the decision rests on measured profiles."""
    if scenario.spec.evidence.measured is not None:
        return None
    try:
        return gather(scenario)
    except (EvidenceError, ScenarioError):
        # A study or candidate that this version does not ship: its digests are all there is.
        return None


def _altered_results(
    carried: Decision, recomputed: Decision, stated: Mapping[str, Any] | None
) -> Iterator[Alteration]:
    """What follows otherwise; of a decision of an older layout, in the fields that it has."""
    found, expected = asdict(_without_evidence(carried)), asdict(_without_evidence(recomputed))
    if stated is not None:
        found, expected = _shared(found, stated), _shared(expected, stated)
    for key in (field for field in found if field not in _NOT_RECOMPUTED):
        yield from _differences(key, found[key], expected[key])


def _shared(content: Any, stated: Any) -> Any:
    """The part of `content` whose keys `stated` has too."""
    if isinstance(content, Mapping) and isinstance(stated, Mapping):
        return {k: _shared(v, stated[k]) for k, v in content.items() if k in stated}
    if isinstance(content, list | tuple) and isinstance(stated, list):
        pairs = zip_longest(content, stated[: len(content)])
        return [_shared(item, known) for item, known in pairs]
    return content


def _without_evidence(decision: Decision) -> Decision:
    bare = [replace(c, figures={}, digests={}, facts={}) for c in decision.candidates]
    return replace(decision, candidates=tuple(bare))


def _differences(where: str, found: Any, expected: Any) -> Iterator[Alteration]:
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in sorted(found.keys() | expected.keys()):
            yield from _differences(f"{where}.{key}", found.get(key), expected.get(key))
    elif isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        yield from _sequence_differences(where, list(found), list(expected))
    elif not _same(where, found, expected):
        yield Alteration(where, found, expected)


def _sequence_differences(
    where: str, found: list[Any], expected: list[Any]
) -> Iterator[Alteration]:
    if not all(isinstance(item, Mapping | list | tuple | float) for item in found + expected):
        if found != expected:
            yield Alteration(where, found, expected)
        return
    if len(found) != len(expected):
        yield Alteration(where, f"{len(found)} entries", f"{len(expected)} entries")
    for index, (one, other) in enumerate(zip(found, expected, strict=False)):
        yield from _differences(f"{where}.{_name(other, index)}", one, other)


def _name(item: Any, index: int) -> str:
    if isinstance(item, Mapping):
        for key in _NAMES:
            if key in item:
                return str(item[key])
    return str(index)


def _same(where: str, found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float | int):
        drawn = not _DRAWN.isdisjoint(where.split("."))
        return math.isclose(
            found, expected, rel_tol=TOLERANCE, abs_tol=DRAWN_TOLERANCE if drawn else TOLERANCE
        )
    return bool(found == expected)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    text = str(value)
    return text if len(text) <= 80 else text[:80] + "..."  # noqa: PLR2004
