"""Published figures measured again: what can be measured here, and whether it agrees.

A published figure is held against the measured one by their intervals. Each is uncertain: the
published one by how it was printed or read, and by the spread that its study states for it, the
measured one by the speakers and trainings it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from profiles_db.criteria import CRITERIA, Aspect
from profiles_db.errors import InputError
from profiles_db.measurement import Measurement
from profiles_db.published_studies import PublishedStudy, load_published

if TYPE_CHECKING:
    from advisor.records import Figure
    from profiler.protocol import Protocol
    from profiles_db.profile import Profile

Verdict: TypeAlias = Literal[
    "agrees", "differs", "cannot be told", "not comparable", "not measurable here"
]

FOLLOWED: Final = ("trustser-2023",)
"""The studies whose protocol the defaults of this program follow."""

COSTS: Final = frozenset({"paper_macs", "macs", "parameters"})
"""What the architecture alone determines, so that neither corpus nor weights are needed."""

_MEASURE: Final[Mapping[Aspect, str]] = {
    "system_performance": "performance",
    "privacy": "privacy",
    "safety": "safety",
    "fairness": "fairness",
}
_NO_DEPARTURE: Final = frozenset({"repetitions", "resamples"})
"""Settings that say how well a figure is measured, not what is."""
_ROUNDING: Final = 1e-9
"""Relative: ends of intervals are products of decimal numbers."""


@dataclass(frozen=True, slots=True)
class Target:
    """A published figure, and what measuring it takes.

    Parameters
    ----------
    published : Measurement
        Its `low` and `high` hold how far the figure is known.
    corpora : tuple of str
        Those that it is a mean over; empty where it depends on the architecture alone.
    weights : str
        `pretrained`, `random` or a path; empty where it depends on none.
    lacks : tuple of str
        The corpora that are not at hand. Where there are any it is not measurable here.
    """

    published: Measurement
    corpora: tuple[str, ...]
    weights: str
    lacks: tuple[str, ...]

    @property
    def encoder(self) -> str:
        """The backbone that it is of."""
        return self.published.backbone

    @property
    def criterion(self) -> str:
        """Of what it is the figure."""
        return self.published.criterion


@dataclass(frozen=True, slots=True)
class Reproduced:
    """A published figure beside the measured one.

    All figures are in the criterion's unit. `why` gives the reason of every verdict that is
    neither `agrees` nor `differs`.
    """

    encoder: str
    criterion: str
    published: float
    published_low: float
    published_high: float
    origin: str
    source: str
    measured: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    why: str
    notes: tuple[str, ...]


def followed(name: str) -> PublishedStudy:
    """The published study called `name`, whose protocol this program follows.

    Raises
    ------
    EvidenceError
        If no such study ships.
    InputError
        If its figures were measured in a way that this program does not follow.
    """
    study = load_published(name)
    if name not in FOLLOWED:
        raise InputError(
            "was measured under a protocol that this program does not follow",
            where=name,
            rule="one of " + ", ".join(FOLLOWED),
            remedy=f"`trustser studies {name}` shows its figures",
        )
    return study


def targets(
    study: PublishedStudy,
    *,
    encoders: Sequence[str] = (),
    criteria: Sequence[str] = (),
    at_hand: Iterable[str] = (),
    weights: Mapping[str, str] | str = "pretrained",
) -> list[Target]:
    """The figures that the study publishes, each with what it takes to measure it here.

    What this project counted itself is left out, since it would be held against itself; so are
    models that the study tuned.

    Parameters
    ----------
    study : PublishedStudy
        Of means over its corpora.
    encoders, criteria : sequence of str, optional
        Only these; all if empty.
    at_hand : iterable of str, optional
        Names of the corpora that are there.
    weights : mapping from encoder to str, or str, optional

    Raises
    ------
    InputError
        If the study has no such encoder or criterion.

    Examples
    --------
    >>> found = targets(load_published("trustser-2023"), encoders=["apc"])
    >>> [(one.criterion, len(one.lacks)) for one in found]  # doctest: +NORMALIZE_WHITESPACE
    [('uar', 4), ('gender_accuracy', 4), ('attack_success_rate', 4),
     ('conditional_total_variation', 4), ('paper_macs', 0), ('parameters', 0)]
    """
    every = [
        figure
        for profile in study.profiles
        if profile.backbone not in study.optional
        for figure in profile.measurements
        if figure.value is not None and figure.origin != "counted"
    ]
    _require_known("--backbones", encoders, [figure.backbone for figure in every], study.name)
    _require_known("--criteria", criteria, [figure.criterion for figure in every], study.name)
    there = set(at_hand)
    found = []
    for figure in every:
        if figure.backbone not in (encoders or [figure.backbone]):
            continue
        if figure.criterion not in (criteria or [figure.criterion]):
            continue
        cost = figure.criterion in COSTS
        corpora = () if cost else study.corpora
        given = weights if isinstance(weights, str) else weights.get(figure.backbone, "pretrained")
        lacks = tuple(corpus for corpus in corpora if corpus not in there)
        found.append(Target(figure, corpora, "" if cost else given, lacks))
    return found


def _require_known(option: str, asked: Sequence[str], known: Sequence[str], study: str) -> None:
    names = list(dict.fromkeys(known))
    for name in asked:
        if name not in names:
            raise InputError(
                f"{study} has no figure of {name!r:.60}", where=option, rule=", ".join(names)
            )


def measures_for(found: Iterable[Target]) -> tuple[str, ...]:
    """The measures that give the figures of `found`, in a fixed order.

    Examples
    --------
    >>> measures_for(targets(load_published("trustser-2023"), criteria=["uar", "parameters"]))
    ('performance',)
    """
    aspects = {CRITERIA[one.criterion].aspect for one in found if one.corpora}
    return tuple(measure for aspect, measure in _MEASURE.items() if aspect in aspects)


def departures(protocol: Protocol, criterion: str) -> tuple[str, ...]:
    """The settings that `criterion` depends on and that are not those of the study.

    How often heads are trained and intervals resampled says how well a figure is measured, not
    what is, and counts as none.
    """
    from profiler.protocol import Protocol as Settings  # noqa: PLC0415 - pydantic

    if criterion in COSTS:
        return ()
    usual, here = Settings.of().as_record(), protocol.as_record()
    own = _MEASURE[CRITERIA[criterion].aspect]
    return tuple(
        f"{section}.{name} = {here[section][name]}"
        for section in ("study", "training", own)
        for name in here[section]
        if name not in _NO_DEPARTURE and here[section][name] != usual[section][name]
    )


def corpora_at_hand(texts: Sequence[str], study: PublishedStudy) -> dict[str, Path]:
    """The folders that `--data-root NAME=PATH` names, by corpus.

    Raises
    ------
    InputError
        If a text names no corpus of the study, or one twice.

    Examples
    --------
    >>> sorted(corpora_at_hand(["crema_d=here", "iemocap=there"], load_published("trustser-2023")))
    ['crema_d', 'iemocap']
    """
    found: dict[str, Path] = {}
    rule = "NAME=PATH, NAME one of " + ", ".join(study.corpora)
    for text in texts:
        name, _, path = (part.strip() for part in text.partition("="))
        if name not in study.corpora or not path:
            what = f"{text!r:.100} names no corpus of {study.name}"
            raise InputError(what, where="--data-root", rule=rule)
        if name in found:
            raise InputError(f"{name} is named twice", where="--data-root", rule=rule)
        found[name] = Path(path)
    return found


def weights_by_encoder(
    texts: Sequence[str], encoders: Sequence[str], others: Sequence[str] = ()
) -> dict[str, str]:
    """The weights that `--weights` names, for each encoder.

    Parameters
    ----------
    texts : sequence of str
        Each `pretrained`, `random` or a path, for all encoders, or `NAME=` one of these for one.
    encoders : sequence of str
    others : sequence of str
        Encoders of the study that are not asked for.

    Raises
    ------
    InputError
        If a path is given for several encoders or for one that is not asked for, or an encoder is
        given two.

    Examples
    --------
    >>> weights_by_encoder(["random", "apc=apc.ckpt"], ["apc", "tera"])
    {'apc': 'apc.ckpt', 'tera': 'random'}
    """
    own: dict[str, str] = {}
    general: list[str] = []
    for text in texts:
        name, equals, weights = (part.strip() for part in text.partition("="))
        if equals and name in encoders:
            if name in own or not weights:
                what = f"{name} is named twice" if weights else f"{text!r:.100} names no weights"
                raise InputError(what, where="--weights", rule="NAME=WEIGHTS, once for each")
            own[name] = weights
        elif equals and name in others:
            raise InputError(
                f"{name} is not among the encoders that are asked for",
                where="--weights",
                rule=f"one of {', '.join(encoders)}",
                remedy="leave it out, or name the encoder in --backbones",
            )
        else:
            general.append(text.strip())
    if len(general) > 1 or "" in general:
        raise InputError("names weights for all encoders twice, or none", where="--weights",
                         rule="pretrained, random, or NAME=PATH for each encoder")  # fmt: skip
    rest = general[0] if general else "pretrained"
    unnamed = [name for name in encoders if name not in own]
    if rest not in ("pretrained", "random") and len(unnamed) > 1:
        raise InputError(
            f"{rest!r:.100} cannot be the weights of {len(unnamed)} encoders",
            where="--weights",
            rule="pretrained, random, or NAME=PATH for each encoder, NAME one of "
            + ", ".join(encoders),
        )
    return {name: own.get(name, rest) for name in encoders}


def mean_over_corpora(criterion: str, by_corpus: Mapping[str, Profile]) -> Figure:
    """The mean of a figure over the corpora, all counting alike, as the study takes it."""
    from advisor.evidence.averaging import combine  # noqa: PLC0415 - not for a plan

    return combine(criterion, by_corpus, dict.fromkeys(by_corpus, 1 / len(by_corpus)))


def counted(criterion: str, value: float | None) -> Figure:
    """A cost as counted from the architecture, which is exact; None where it cannot be counted."""
    from advisor.records import Figure  # noqa: PLC0415 - not for a plan

    if value is None:
        return Figure(criterion, None, unknown="cannot be counted")
    return Figure(criterion, value, value, value, interval="exact", origin="counted")


def held_against(
    target: Target, measured: Figure | None, *, differs_in: Sequence[str] = (), why_not: str = ""
) -> Reproduced:
    """A published figure beside the measured one, and whether they agree.

    They agree where the published figure lies in the measured interval, widened on each side by
    how far the published one is known: where the two intervals meet.

    Parameters
    ----------
    target : Target
    measured : Figure or None
        None where it could not be measured, for the reason `why_not`.
    differs_in : sequence of str, optional
        Settings that are not those of the study.

    Examples
    --------
    >>> (target,) = targets(
    ...     load_published("trustser-2023"), encoders=["apc"], criteria=["paper_macs"]
    ... )
    >>> held_against(target, counted("paper_macs", 2_461_348_864)).verdict
    'agrees'
    >>> held_against(target, counted("paper_macs", 2_600_000_000)).verdict
    'differs'
    """
    figure = target.published
    assert figure.value is not None  # noqa: S101 - `targets` takes no others
    low, high = _ends(figure.value, figure.low, figure.high)
    verdict, why = _verdict(target, measured, (low, high), differs_in, why_not)
    return Reproduced(
        encoder=target.encoder,
        criterion=target.criterion,
        published=figure.value,
        published_low=low,
        published_high=high,
        origin=figure.origin,
        source=figure.source,
        measured=measured.value if measured else None,
        low=measured.low if measured else None,
        high=measured.high if measured else None,
        verdict=verdict,
        why=why,
        notes=(*figure.notes, *(measured.notes if measured else ())),
    )


def _ends(value: float, low: float | None, high: float | None) -> tuple[float, float]:
    return value if low is None else low, value if high is None else high


def _verdict(
    target: Target,
    measured: Figure | None,
    published: tuple[float, float],
    differs_in: Sequence[str],
    why_not: str,
) -> tuple[Verdict, str]:
    if measured is None:
        return "not measurable here", why_not or "lacks " + ", ".join(target.lacks)
    if target.weights == "random":
        return "not comparable", "random weights"
    if differs_in:
        return "not comparable", "measured with " + ", ".join(differs_in)
    if measured.value is None or measured.flags:
        return "cannot be told", measured.unknown or "; ".join(measured.flags)
    if measured.low is None or measured.high is None:
        return "cannot be told", "the measured figure has no interval"
    slack = _ROUNDING * max(map(abs, (*published, measured.low, measured.high)))
    meet = measured.low <= published[1] + slack and published[0] - slack <= measured.high
    return ("agrees" if meet else "differs"), ""


def counts(rows: Iterable[Reproduced]) -> dict[Verdict, int]:
    """How many figures have each verdict, for those that occur."""
    found: dict[Verdict, int] = {}
    for row in rows:
        found[row.verdict] = found.get(row.verdict, 0) + 1
    return found


def as_record(target: Target) -> dict[str, Any]:
    """A target as plain data, for `--dry-run --json`."""
    return {
        "encoder": target.encoder,
        "criterion": target.criterion,
        "published": target.published.value,
        "corpora": list(target.corpora),
        "weights": target.weights or None,
        "lacks": list(target.lacks),
        "measurable": not target.lacks,
    }


def as_row(row: Reproduced) -> dict[str, Any]:
    """A compared figure as plain data."""
    return asdict(row) | {"notes": list(row.notes)}
