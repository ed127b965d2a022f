"""One figure from several corpora: a weighted mean, its interval combined in quadrature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Final

from advisor.records import Across, Figure, Part
from profiles_db.criteria import CRITERIA
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile

_SHARED: Final = {field.name for field in fields(Figure)} & {
    field.name for field in fields(Measurement)
}

WORST: Final = "Each figure is that of the corpus on which it is worst, not a mean over corpora."


def figure_of(measurement: Measurement) -> Figure:
    """A measurement as a figure of the decision: all of it but whose it is."""
    return Figure(**{name: getattr(measurement, name) for name in _SHARED})


def as_figure(figure: Figure | Measurement) -> Figure:
    """A figure as it is; a measurement as one."""
    return figure if isinstance(figure, Figure) else figure_of(figure)


def combine(
    criterion: str,
    by_corpus: Mapping[str, Profile],
    weights: Mapping[str, float],
    across: Across = "mean",
) -> Figure:
    """The figure of a candidate over all corpora of the decision.

    Parameters
    ----------
    criterion : str
    by_corpus : mapping from corpus to Profile
        The candidate's profiles.
    weights : mapping from corpus to float
        Share of each corpus, summing to 1.
    across : 'mean' or 'worst'
        What stands for all of them.

    Returns
    -------
    Figure
        Unknown where a corpus lacks it: a mean over fewer corpora would not compare.
    """
    found = {corpus: profile.pooled(criterion) for corpus, profile in by_corpus.items()}
    lacking = [corpus for corpus in weights if found.get(corpus) is None]
    if lacking:
        return Figure(criterion, None, unknown="not measured on " + ", ".join(lacking))
    measurements = {corpus: m for corpus, m in found.items() if m is not None}
    if len(weights) == 1:
        (only,) = measurements.values()
        return figure_of(only)
    unknown = [f"{m.unknown} ({corpus})" for corpus, m in measurements.items() if m.unknown]
    if unknown:
        return Figure(criterion, None, unknown="; ".join(unknown))
    if across == "worst":
        return _worst(criterion, measurements, weights)
    return _mean(criterion, measurements, weights)


def _worst(
    criterion: str, measurements: Mapping[str, Measurement], weights: Mapping[str, float]
) -> Figure:
    """The figure of the corpus on which it is worst.

    The worst of several truths lies between the worst of their lower and the worst of their upper
    ends where each lies in its own interval. Flags of all corpora stay: what is flagged may be the
    worst.
    """
    mean = _mean(criterion, measurements, weights)
    worst = min if CRITERIA[criterion].direction == "maximise" else max
    values = {corpus: m.value for corpus, m in measurements.items() if m.value is not None}
    corpus = worst(values, key=values.__getitem__)
    lows = [part.low for part in mean.parts if part.low is not None]
    highs = [part.high for part in mean.parts if part.high is not None]
    whole = len(lows) == len(highs) == len(mean.parts)
    return replace(
        mean,
        value=values[corpus],
        low=worst(lows) if whole else None,
        high=worst(highs) if whole else None,
        source=f"worst of {', '.join(measurements)}: {corpus}",
        n=measurements[corpus].n,
        baseline=measurements[corpus].baseline,
    )


def _mean(
    criterion: str, measurements: Mapping[str, Measurement], weights: Mapping[str, float]
) -> Figure:
    parts = tuple(
        Part(corpus, weights[corpus], m.value, m.low, m.high) for corpus, m in measurements.items()
    )
    values = [part.value for part in parts if part.value is not None]
    value = values[0] if len(set(values)) == 1 else _weighted(parts, values)
    low, high = _interval(value, parts)
    first = next(iter(measurements.values()))
    chances = [m.baseline for m in measurements.values() if m.baseline is not None]
    counts = [m.n for m in measurements.values() if m.n is not None]
    return Figure(
        criterion=criterion,
        value=value,
        low=low,
        high=high,
        interval="none" if low is None else first.interval,
        origin=first.origin,
        source="weighted mean over " + ", ".join(measurements),
        flags=tuple(f"{flag} ({c})" for c, m in measurements.items() for flag in m.flags),
        notes=tuple(f"{note} ({c})" for c, m in measurements.items() for note in m.notes),
        n=sum(counts) if len(counts) == len(parts) else None,
        baseline=_weighted(parts, chances) if len(chances) == len(parts) else None,
        device=first.device,
        parts=parts,
    )


def _weighted(parts: tuple[Part, ...], values: list[float]) -> float:
    return math.fsum(part.weight * value for part, value in zip(parts, values, strict=True))


def _interval(value: float, parts: tuple[Part, ...]) -> tuple[float | None, float | None]:
    """Half-widths add in quadrature, each side by itself: the corpora are independent."""
    below, above = [], []
    for part in parts:
        if part.value is None or part.low is None or part.high is None:
            return None, None
        below.append(part.weight * (part.value - part.low))
        above.append(part.weight * (part.high - part.value))
    return value - math.hypot(*below), value + math.hypot(*above)
