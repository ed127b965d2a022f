"""The decision: everything a report shows, as data. HTML, JSON and Markdown are views of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from advisor.explanation.wording import listed, share
from advisor.ranking.findings import (
    AnyRequirement,
    Caution,
    Coverage,
    Flip,
    LeaveOneOut,
    MethodResult,
    Missing,
    Plane,
    Sampling,
    Sentence,
    Stability,
    Sway,
    WeightedCriterion,
)
from advisor.ranking.methods import METHODS
from advisor.records import Candidate, Excluded, ScenarioRecord, StudyRecord
from profiles_db.errors import InputError

FORMAT = 6
"""Version of the layout of `Decision.to_json`."""

READABLE = (4, 5, FORMAT)
"""Layouts that are read: the fields that the latest has more take their defaults."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was chosen, why, how sure that is, and what would change it.

    Parameters
    ----------
    choice : str or None
        Name of the chosen candidate; None where none meets the requirements.
    ranking : tuple of str
        All candidates that have a score: the eligible by score, then the others by score.
    priorities_ranking : tuple of str
        The same candidates by score alone, as if there were no requirement.
    confidence : float or None
        Share of the draws in which the same choice comes out, the requirements checked again in
        each; None without a choice.
    tie_groups : tuple of tuple of str
        The eligible in groups that the evidence cannot tell apart, best group first.
    beats : mapping from candidate to float
        Share of the draws in which the choice scores above that eligible candidate.
    candidates : tuple of Candidate
        In the order of `ranking`, then those without a score.
    criteria : tuple of WeightedCriterion
        The scored criteria, in the order of the aspects.
    criteria_titles : mapping from criterion to str
        Of every criterion that a figure, a requirement or a sentence names.
    sways : tuple of Sway
        Which single measurement would change the choice, likeliest first.
    coverage : tuple of Coverage
        For each kind of speech that the application will hear, which corpora hold it.
    cautions : tuple of Caution
        What its setting and the people it judges make one ask.
    hash : str
        SHA-256 over the canonical JSON of all the rest.

    Notes
    -----
    The other fields are described with their records in `advisor.ranking.findings` and
    `advisor.records`.
    """

    format: int
    choice: str | None
    ranking: tuple[str, ...]
    priorities_ranking: tuple[str, ...]
    confidence: float | None
    scenario: ScenarioRecord
    study: StudyRecord
    sampling: Sampling
    criteria: tuple[WeightedCriterion, ...]
    criteria_titles: Mapping[str, str]
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    requirements: tuple[AnyRequirement, ...]
    tie_groups: tuple[tuple[str, ...], ...]
    beats: Mapping[str, float]
    methods: tuple[MethodResult, ...]
    stability: tuple[Stability, ...]
    flip: Flip | None
    leave_one_out: tuple[LeaveOneOut, ...]
    plane: Plane
    sways: tuple[Sway, ...]
    missing: tuple[Missing, ...]
    explanation: tuple[Sentence, ...]
    versions: Mapping[str, str]
    coverage: tuple[Coverage, ...] = ()
    cautions: tuple[Caution, ...] = ()
    hash: str = ""

    @property
    def summary(self) -> str:
        """The first sentence of the explanation."""
        return self.explanation[0].text

    def candidate(self, name: str) -> Candidate:
        """The candidate called `name`; KeyError if there is none."""
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def sentences(self, topic: str) -> tuple[str, ...]:
        """Texts of the explanation on one topic."""
        return tuple(sentence.text for sentence in self.explanation if sentence.topic == topic)

    def to_dict(self) -> dict[str, Any]:
        """The decision as plain dictionaries, lists, strings and numbers."""
        return dataclasses.asdict(self)

    def to_json(self, *, indent: int | None = None) -> str:
        """Strict JSON, keys in a fixed order: equal decisions give equal text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=indent)

    def sealed(self) -> Decision:
        """The same decision with its `hash` filled in."""
        return dataclasses.replace(self, hash=self.digest())

    def digest(self) -> str:
        """SHA-256 over the canonical JSON of everything but `hash`."""
        content = self.to_dict() | {"hash": ""}
        return "sha256:" + hashlib.sha256(canonical_json(content).encode()).hexdigest()

    def to_records(self) -> list[dict[str, Any]]:
        """The ranking as plain rows, for a data frame: one per candidate, scores by criterion."""
        return [_record(candidate) for candidate in self.candidates]

    @staticmethod
    def from_json(text: str) -> Decision:
        """Read back what `to_json` wrote.

        Raises
        ------
        InputError
            The text is not the JSON of a decision of this layout.
        """
        # Only `verify` reads decisions; advising need not wait for pydantic to build this.
        from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

        try:
            decision = TypeAdapter(Decision).validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"]) or "decision"
            raise InputError(
                f"not a decision of this program: {first['msg']}", where=where
            ) from error
        named = {decision.scenario.method, *(result.method for result in decision.methods)}
        if unknown := sorted(named - METHODS.keys()):
            raise InputError(f"not a decision of this program: ranking method {unknown[0]!r:.60}")
        if not _is_finite(decision.to_dict()):
            raise InputError("not a decision of this program: a number that is not finite")
        if decision.format not in READABLE:
            raise InputError(
                f"decision of layout {decision.format}",
                rule=f"this version reads layouts {listed([str(one) for one in READABLE])}",
                remedy="use the version of trustser that wrote it",
            )
        return decision

    def _repr_html_(self) -> str:
        """The summary and the ranking, for notebooks."""
        rows = "".join(_html_row(candidate) for candidate in self.candidates)
        return (
            f"<p><strong>{escape(self.scenario.title)}</strong>: {escape(self.summary)}</p>"
            "<table><thead><tr><th>#</th><th>candidate</th><th>score</th><th>first place</th>"
            f"<th>meets the requirements</th></tr></thead><tbody>{rows}</tbody></table>"
        )


def _is_finite(content: object) -> bool:
    if isinstance(content, Mapping):
        return all(map(_is_finite, content.values()))
    if isinstance(content, list | tuple):
        return all(map(_is_finite, content))
    return not isinstance(content, float) or math.isfinite(content)


def canonical_json(content: object) -> str:
    """JSON with sorted keys and no spaces, the text that digests are taken over."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _record(candidate: Candidate) -> dict[str, Any]:
    probabilities = candidate.rank_probabilities
    return {
        "candidate": candidate.name,
        "eligible": candidate.eligible,
        "position": candidate.position,
        "score": candidate.score,
        "probability_first": probabilities[0] if probabilities else None,
        **{f"score_{name}": score for name, score in candidate.scores.items()},
        **{name: figure.value for name, figure in candidate.figures.items()},
    }


def _html_row(candidate: Candidate) -> str:
    first = candidate.rank_probabilities
    cells = (
        str(candidate.position or ""),
        candidate.title + "".join(f" ({mark})" for mark in candidate.marks),
        "unknown" if candidate.score is None else f"{candidate.score:.3f}",
        share(first[0]) if first else "",
        "yes" if candidate.eligible else "no",
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
