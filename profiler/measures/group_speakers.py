"""How differently single speakers are served, who have enough clips to tell.

As Wagner et al. (IEEE TPAMI 2023, doi:10.1109/TPAMI.2023.3263585): of each speaker with more than
so many clips, the mean UAR of 1,000 bootstraps of so many clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from profiler.measures.base import Figure
from profiler.measures.fairness import FAIR_ENOUGH, Comparison
from profiler.measures.group_clips import Clips, exchanged
from profiler.measures.statistics import (
    Floats,
    Ints,
    bootstrap,
    mean_of_defined,
    ratio,
    reaching_zero,
    widened_downwards,
)
from profiler.measures.tables import record
from profiles_db.measurement import Measurement
from profiles_db.speakers import SPEAKER, SPEAKER_UAR

if TYPE_CHECKING:
    from profiler.measures.groups import GroupsSettings

DEVIATION: Final = "speaker_uar_deviation"
WORST: Final = "speaker_uar_worst"
ONE_STRATUM: Final = "all"
NEEDED: Final = 2
"""Speakers that can be compared."""


def individual(clips: Clips, measure: Figure, settings: GroupsSettings) -> list[Measurement]:
    """Of each speaker with more than so many clips the UAR; how they differ, and the worst.

    By bootstraps of equally many clips of each, as Wagner et al. (2023) do. What clips alone make
    speakers differ by is what stands as the baseline: all clips of one emotion exchange their
    speakers.
    """
    enough = _often_heard(clips, settings)
    if len(enough) < NEEDED:
        who = "no speaker has" if not len(enough) else "one speaker alone has"
        reason = (
            f"{who} more than {settings.speaker_clips} test clips, "
            f"{settings.least_clips} of each class"
        )
        return [
            measure(criterion=criterion, value=None, unknown=reason)
            for criterion in (DEVIATION, WORST)
        ]
    drawn = np.stack([_drawn_uars(clips, speaker, settings) for speaker in enough])
    values = drawn.mean(axis=1)
    names = [clips.speakers[speaker] for speaker in enough]
    heard = clips.only(np.isin(clips.speaker, enough))
    dealt = _fair_uars(heard, np.searchsorted(enough, heard.speaker), settings.permutations)
    n = len(heard.names)
    return [
        _deviation(values, dealt, n, measure, settings),
        _least(values, drawn, names, dealt, measure, settings),
        *_each(values, drawn, names, clips, enough, measure),
    ]


def _often_heard(clips: Clips, settings: GroupsSettings) -> Ints:
    kinds = len(clips.classes)
    counts = np.bincount(
        clips.speaker * kinds + clips.label, minlength=len(clips.speakers) * kinds
    ).reshape(-1, kinds)
    enough = counts.sum(axis=1) > settings.speaker_clips
    found: Ints = np.flatnonzero(enough & (counts >= settings.least_clips).all(axis=1))
    return found


def _drawn_uars(clips: Clips, speaker: int, settings: GroupsSettings) -> Floats:
    """UAR of each bootstrap of a speaker's clips, mean over the repetitions, shape (draws,)."""
    own = np.flatnonzero(clips.speaker == speaker)
    rng = np.random.default_rng([0, int(speaker)])
    shares = np.full(len(own), 1 / len(own))
    times = rng.multinomial(settings.speaker_clips, shares, size=settings.draws).astype(float)
    of_class = np.eye(len(clips.classes))[clips.label[own]]
    right = times @ (of_class * clips.mean_hits[own, None])
    return mean_of_defined(ratio(right, times @ of_class))


def _fair_uars(clips: Clips, speaker: Ints, permutations: int) -> Floats:
    """UARs of the speakers when clips of one emotion exchange theirs, (permutations, speakers)."""
    rng = np.random.default_rng(0)
    number = int(speaker.max()) + 1
    return np.stack(
        [clips.uar(exchanged(speaker, clips.label, rng), number) for _ in range(permutations)]
    )


def _deviation(
    values: Floats, dealt: Floats, n: int, measure: Figure, settings: GroupsSettings
) -> Measurement:
    def deviation(weights: Floats) -> Floats:
        whole = weights.sum(axis=1)
        mean = weights @ values / whole
        squares = (weights * (values - mean[:, None]) ** 2).sum(axis=1)
        return np.sqrt(ratio(squares, whole - 1))

    found = Comparison(
        widened_downwards(
            bootstrap(deviation, [ONE_STRATUM] * len(values), resamples=settings.permutations)
        ),
        dealt.std(axis=1, ddof=1),
    )
    estimate = found.estimate if found.found else reaching_zero(found.estimate)
    notes = (f"{len(values)} speakers", *(() if found.found else (FAIR_ENOUGH,)))
    return record(measure, DEVIATION, estimate, n=n, baseline=found.baseline, notes=notes)


def _least(
    values: Floats,
    drawn: Floats,
    names: Sequence[str],
    dealt: Floats,
    measure: Figure,
    settings: GroupsSettings,
) -> Measurement:
    worst = int(values.argmin())
    low, high = _middle(drawn[worst])
    return measure(
        criterion=WORST,
        value=float(values[worst]),
        low=low,
        high=high,
        interval="bootstrap",
        n=settings.speaker_clips,
        baseline=float(dealt.min(axis=1).mean()),
        notes=(f"speaker {names[worst]}, of {len(names)}",),
    )


def _each(
    values: Floats,
    drawn: Floats,
    names: Sequence[str],
    clips: Clips,
    enough: Ints,
    measure: Figure,
) -> list[Measurement]:
    found = []
    for index, name in enumerate(names):
        low, high = _middle(drawn[index])
        found.append(
            measure(
                criterion=SPEAKER_UAR,
                statistic=f"{SPEAKER}={name}",
                value=float(values[index]),
                low=low,
                high=high,
                interval="bootstrap",
                n=int((clips.speaker == enough[index]).sum()),
                baseline=1 / len(clips.classes),
            )
        )
    return found


def _middle(drawn: Floats) -> tuple[float, float]:
    """The middle 95 % of the bootstraps of a speaker's clips."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
