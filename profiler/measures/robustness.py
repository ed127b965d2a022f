"""Robustness: what phones and rooms cost, clip by clip, on all test clips.

Every test clip goes through every corruption; the answer to the clip as it is, is the stored
prediction. Of each kind and level: the UAR lost, and the share of answers unchanged, right or
wrong. The stress tests published with Wagner et al. (arXiv:2203.07378) say which pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeAlias

import numpy as np
from pydantic import Field

from profiler.measures.base import ClipTask, Evidence, Figure, OnWaveforms
from profiler.measures.performance import FEW_SPEAKERS, ONE_TRAINING
from profiler.measures.sound_folders import SoundFolder
from profiler.measures.statistics import (
    Estimate,
    Floats,
    jackknife,
    mean_of_defined,
    ratio,
    unweighted_average_recall,
)
from profiler.measures.tables import Table, over_folds, record, weighted
from profiler.settings import Settings
from profiles_db.corruptions import Corruption, said
from profiles_db.measurement import Measurement
from profiles_db.records import CorruptedAnswer, Prediction

if TYPE_CHECKING:
    from profiler.pipeline.context import Context
    from profiler.protocol import Protocol
    from profiler.training.head import Head

Ratio = Annotated[float, Field(ge=-20, le=100)]
Share = Annotated[float, Field(gt=0, lt=1)]
Samples = Annotated[int, Field(ge=1, le=160_000)]
Level: TypeAlias = float | None
Condition: TypeAlias = tuple[Corruption, Level]
_MOST: Final = 20
"""Levels of one kind, at most: each is a pass over all test clips."""


class RobustnessSettings(Settings):
    """Kinds of corruption and their levels; a kind without levels is left out."""

    background: SoundFolder | None = None
    """Folder of background sounds; without one, `background_snr_db` has nothing to mix."""
    rooms: SoundFolder | None = None
    """Folder of measured impulse responses; without one, simulated rooms are the only ones."""
    background_snr_db: tuple[Ratio, ...] = Field(default=(0, 10, 20), max_length=_MOST)
    """Signal-to-noise ratios of background sounds, over the whole clip."""
    babble_snr_db: tuple[Ratio, ...] = Field(default=(10, 20), max_length=_MOST)
    """Of four to seven other speakers of the corpus at once."""
    white_noise_snr_db: tuple[Ratio, ...] = Field(default=(20, 35, 40, 45), max_length=_MOST)
    """Of Gaussian noise."""
    tone_snr_db: tuple[Ratio, ...] = Field(default=(40, 45, 50), max_length=_MOST)
    """Of a sine between 5 and 7 kHz."""
    gain_db: tuple[Annotated[float, Field(ge=-60, le=60)], ...] = Field(
        default=(-2, -1, 1, 2), max_length=_MOST
    )
    """Louder or quieter by so many dB."""
    clipping: tuple[Share, ...] = Field(default=(0.001, 0.002, 0.003), max_length=_MOST)
    """Share of the samples that is clipped."""
    append: tuple[Samples, ...] = Field(default=(100, 500, 1000), max_length=_MOST)
    """Samples of silence behind the clip, at 16 kHz."""
    prepend: tuple[Samples, ...] = Field(default=(100, 500, 1000), max_length=_MOST)
    """Before it."""
    crop_start: tuple[Samples, ...] = Field(default=(100, 500, 1000), max_length=_MOST)
    """Samples cut off at the start, at 16 kHz."""
    crop_end: tuple[Samples, ...] = Field(default=(100, 500, 1000), max_length=_MOST)
    """At the end."""
    high_pass_hz: tuple[Annotated[float, Field(gt=0, lt=8000)], ...] = Field(
        default=(50, 100, 150), max_length=_MOST
    )
    """-3 dB frequency of a first-order filter."""
    low_pass_hz: tuple[Annotated[float, Field(gt=0, lt=8000)], ...] = Field(
        default=(7500, 7000, 6500), max_length=_MOST
    )
    """-3 dB frequency of a first-order filter."""
    telephone_kbits: tuple[Literal[13, 64], ...] = Field(default=(13, 64), max_length=2)
    """Codec of the telephone: 13 kbit/s is GSM full rate, 64 kbit/s is G.711 mu-law."""
    tilt_db_per_octave: tuple[Annotated[float, Field(ge=-12, le=12)], ...] = Field(
        default=(-3, 3), max_length=_MOST
    )
    """Slope of the spectral tilt."""
    reverberation_s: tuple[Annotated[float, Field(ge=0.05, le=10)], ...] = Field(
        default=(0.3, 0.6, 1.0), max_length=_MOST
    )
    """Reverberation time of simulated rooms."""
    speed_up: tuple[Annotated[float, Field(gt=1, le=4)], ...] = Field(
        default=(1.25,), max_length=_MOST
    )
    """How much faster a random 10 to 20 % of the clip is played."""
    fade_per_second: tuple[Annotated[float, Field(ge=-1, le=1)], ...] = Field(
        default=(-0.02, 0.02), max_length=_MOST
    )
    """Share of full loudness by which the clip fades in (above 0) or out each second."""

    def changed(self, *, rows_only: bool = False) -> dict[str, Any]:
        """As for all settings; folders by what they hold, not by where they lie."""
        found = super().changed(rows_only=rows_only)
        return {k: v["digest"] if isinstance(v, dict) else v for k, v in found.items()}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Each kind with each of its levels, once."""
        levels: dict[Corruption, Sequence[Level]] = {
            "background": self.background_snr_db if self.background else (),
            "babble": self.babble_snr_db,
            "white_noise": self.white_noise_snr_db,
            "tone": self.tone_snr_db,
            "gain": self.gain_db,
            "clipping": self.clipping,
            "append": self.append,
            "prepend": self.prepend,
            "crop_start": self.crop_start,
            "crop_end": self.crop_end,
            "high_pass": self.high_pass_hz,
            "low_pass": self.low_pass_hz,
            "telephone": self.telephone_kbits,
            "tilt": self.tilt_db_per_octave,
            "reverberation": self.reverberation_s,
            "room": (None,) if self.rooms else (),
            "speed_up": self.speed_up,
            "fade": self.fade_per_second,
        }
        pairs = [(k, level) for k, own in levels.items() for level in own]
        return tuple(dict.fromkeys((k, None if v is None else float(v)) for k, v in pairs))


@dataclass(frozen=True, slots=True)
class StressTest:
    """What passes: less than `lost` of the UAR, and at least `unchanged` of the answers."""

    lost: float | None
    unchanged: float

    def passes(self, lost: float, unchanged: float) -> bool:
        """Whether a condition with these figures passes."""
        return unchanged >= self.unchanged and (self.lost is None or lost < self.lost)

    @property
    def rule(self) -> str:
        """In words."""
        lost = "" if self.lost is None else f"less than {100 * self.lost:g} points of UAR lost, "
        return f"{lost}at least {100 * self.unchanged:g} % of the answers unchanged"


_SMALL = StressTest(None, 0.95)
_NOISE = StressTest(0.05, 0.9)
_PLACE = StressTest(0.02, 0.8)
STRESS_TESTS: Final[Mapping[Condition, StressTest]] = {
    **{("tone", level): _SMALL for level in (40, 45, 50)},
    **{
        (kind, level): _SMALL
        for kind in ("append", "prepend", "crop_start", "crop_end")
        for level in (100, 500, 1000)
    },
    **{("clipping", level): _SMALL for level in (0.001, 0.002, 0.003)},
    **{("gain", level): _SMALL for level in (-2, -1, 1, 2)},
    **{("high_pass", level): _SMALL for level in (50, 100, 150)},
    **{("low_pass", level): _SMALL for level in (7500, 7000, 6500)},
    **{("white_noise", level): _SMALL for level in (35, 40, 45)},
    **{(kind, 20): _NOISE for kind in ("background", "babble", "white_noise")},
    **{("telephone", level): StressTest(0.05, 0.5) for level in (13, 64)},
    **{("tilt", level): _PLACE for level in (-3, 3)},
    **{("reverberation", level): _PLACE for level in (0.3, 0.6, 1.0)},
    ("room", None): _PLACE,
}
"""The thresholds of the stress tests, for the conditions that they have in common with these. Their
own codec, rooms and tilts are others: see `docs/figures.md`."""
STRESS_SOURCE: Final = "stress tests published with arXiv:2203.07378"


class Robustness(OnWaveforms):
    """What phones and rooms cost."""

    name = "robustness"
    title = "Robustness"
    aspect = "robustness"
    settings = RobustnessSettings
    rows: ClassVar[tuple[type, ...]] = (CorruptedAnswer,)
    by_default = False

    def tasks(
        self,
        fold: int,  # noqa: ARG002 - all folds alike
        predictions: Mapping[int, Sequence[Prediction]],
        protocol: Protocol,  # noqa: ARG002
        settings: RobustnessSettings,  # noqa: ARG002
    ) -> list[ClipTask]:
        """Every test clip."""
        return [ClipTask(row.utterance, r) for r, rows in predictions.items() for row in rows]

    def listen(
        self,
        context: Context,
        fold: int,
        heads: Mapping[int, Head],
        tasks: Sequence[ClipTask],
        settings: RobustnessSettings,
    ) -> list[CorruptedAnswer]:
        """The answers to every corruption of the clips, one pass for all heads."""
        from profiler.measures.robustness_work import answers  # noqa: PLC0415 - needs torch

        return answers(context, fold, heads, tasks, settings)

    def figures(self, evidence: Evidence, settings: RobustnessSettings) -> list[Measurement]:
        """UAR lost and answers unchanged, of each condition, of each kind, and over the kinds."""
        return robustness(
            evidence.rows(Prediction),
            evidence.rows(CorruptedAnswer),
            evidence.classes,
            settings.conditions,
            evidence.figure,
        )


NOT_APPLIED: Final[Mapping[str, str]] = {
    "babble": "the corpus has fewer than 4 other speakers to mix",
}
"""Why a kind that was asked for has no answers."""


def robustness(
    predictions: Sequence[Prediction],
    answers: Sequence[CorruptedAnswer],
    classes: Sequence[str],
    conditions: Sequence[Condition],
    measure: Figure,
) -> list[Measurement]:
    """Figures of each condition, of each kind, and over all kinds, from rows.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of the emotion head, on the clips as they are.
    answers : sequence of CorruptedAnswer
    classes : sequence of str
    conditions : sequence of (corruption, level)
        What was asked for.
    measure : callable
    """
    found = _Answers(Table(predictions, classes), answers)
    known = [one for one in conditions if one in found.conditions]
    kinds: dict[Corruption, list[Condition]] = {}
    for condition in known:
        kinds.setdefault(condition[0], []).append(condition)
    if not kinds:
        reason = "no corruption was applied to any clip"
        names = ("robustness_mean_change", "robustness_worst_change", "unchanged_predictions")
        return [measure(criterion=name, value=None, unknown=reason) for name in names]
    make = partial(measure, n=found.clean.n)
    flags, notes = _flags(found.clean), _notes(found.clean)
    figures: list[Measurement] = []
    for condition in conditions:
        of_condition = partial(make, corruption=condition[0], level=condition[1])
        if condition in found.conditions:
            figures += _of_condition(found, condition, of_condition, flags)
        else:
            reason = NOT_APPLIED.get(condition[0], "no clip went through it")
            figures += [
                of_condition(criterion=name, value=None, unknown=reason, n=None)
                for name in ("uar_lost", "unchanged_predictions")
            ]
    each = {kind: found.lost([own]) for kind, own in kinds.items()}
    for kind, own in kinds.items():
        if len(own) > 1:
            of_kind = partial(make, corruption=kind)
            figures.append(record(of_kind, "uar_lost", each[kind], flags=flags))
            unchanged = found.unchanged([own])
            figures.append(record(of_kind, "unchanged_predictions", unchanged, flags=flags))
    worst = max(each, key=lambda kind: each[kind].value or 0.0)
    groups = list(kinds.values())
    lacking = sorted({kind for kind, _ in conditions} - set(kinds))
    notes = (*notes, *(f"without {kind}: {NOT_APPLIED[kind]}" for kind in lacking))
    over = (f"mean over {len(kinds)} kinds of corruption, {len(known)} levels in all", *notes)
    worst_is = (f"the worst kind: {worst}", *notes)
    figures += [
        record(make, "robustness_mean_change", found.lost(groups), flags=flags, notes=over),
        record(make, "robustness_worst_change", each[worst], flags=flags, notes=worst_is),
        record(make, "unchanged_predictions", found.unchanged(groups), flags=flags, notes=over),
    ]
    return figures + list(_stress_tests(figures, measure))


class _Answers:
    """All answers, counted per cell (a fold of a repetition) and speaker."""

    def __init__(self, clean: Table, answers: Sequence[CorruptedAnswer]) -> None:
        self.clean = clean
        speaker = {name: index for index, name in enumerate(clean.speakers)}
        cell = {pair: index for index, pair in enumerate(clean.cells)}
        label = {name: index for index, name in enumerate(clean.classes)}
        before = {(r.repetition, r.fold, r.utterance): r.predicted for r in clean.rows}
        shape = (len(cell), len(speaker), len(label), len(label))
        self._counts: dict[Condition, Floats] = {}
        self._alike: dict[Condition, Floats] = {}
        for row in answers:
            condition: Condition = (row.corruption, row.level)
            if condition not in self._counts:
                self._counts[condition] = np.zeros(shape)
                self._alike[condition] = np.zeros(shape[:3])
            place = cell[row.repetition, row.fold], speaker[row.speaker]
            self._counts[condition][(*place, label[row.label], label[row.predicted])] += 1
            alike = before[row.repetition, row.fold, row.utterance] == row.predicted
            self._alike[condition][(*place, label[row.label])] += alike

    @property
    def conditions(self) -> frozenset[Condition]:
        """The conditions of which there are answers."""
        return frozenset(self._counts)

    def lost(self, groups: Sequence[Sequence[Condition]]) -> Estimate:
        """UAR lost: mean over the conditions of each group, over the groups, folds, repetitions.

        UAR changes by no more than the mean over the classes of the share of answers changed, so
        the interval ends where that share's does: where gains and losses cancel, or nothing
        changes, the variance of the loss alone says little.
        """
        cells = self.clean.cells_of_repetition

        def half(weights: Floats) -> Floats:  # of [-1, 1], as a share of it
            lost = self._lost(groups, weights, lambda counts: counts)
            return np.stack([mean_of_defined(0.5 + lost[:, own] / 2) for own in cells], axis=-1)

        def spread(weights: Floats) -> Floats:
            pooled = self._lost(groups, weights, self._pooled)
            return 0.5 + pooled / 2

        found = jackknife(half, self.clean.strata, spread=spread)
        if found.value is None:
            return found
        value, changed = 2 * found.value - 1, self._alike_by_class(groups).low
        if found.low is None or found.high is None or changed is None:
            return Estimate(value, None, None)
        most = max(abs(value), 1 - changed)
        return Estimate(value, max(2 * found.low - 1, -most), min(2 * found.high - 1, most))

    def unchanged(self, groups: Sequence[Sequence[Condition]]) -> Estimate:
        """Share of answers unchanged, averaged likewise."""
        alike = self._alike_in(groups).sum(axis=2)
        clips = self.clean.confusions.sum(axis=(2, 3))
        return self._share(alike[..., None], clips[..., None])

    def _alike_by_class(self, groups: Sequence[Sequence[Condition]]) -> Estimate:
        """The same share of each class's clips, averaged over the classes."""
        return self._share(self._alike_in(groups), self.clean.confusions.sum(axis=3))

    def _alike_in(self, groups: Sequence[Sequence[Condition]]) -> Floats:
        """Answers unchanged, shape (cells, speakers, classes), as a mean over `groups`."""
        means = [np.mean([self._alike[c] for c in own], axis=0) for own in groups]
        found: Floats = np.mean(means, axis=0)
        return found

    def _share(self, part: Floats, whole: Floats) -> Estimate:
        """Shares of shape (cells, speakers, classes), averaged over classes, folds, repetitions."""
        cells = self.clean.cells_of_repetition

        def shares(part: Floats, whole: Floats, weights: Floats) -> Floats:
            parts, wholes = (np.einsum("ds,csk->dck", weights, one) for one in (part, whole))
            return mean_of_defined(ratio(parts, wholes))

        def statistic(weights: Floats) -> Floats:
            by_cell = shares(part, whole, weights)
            return np.stack([mean_of_defined(by_cell[:, own]) for own in cells], axis=-1)

        def spread(weights: Floats) -> Floats:
            return shares(self._pooled(part), self._pooled(whole), weights)

        return jackknife(statistic, self.clean.strata, spread=spread)

    def _lost(
        self,
        groups: Sequence[Sequence[Condition]],
        weights: Floats,
        over: Callable[[Floats], Floats],
    ) -> Floats:
        """UAR lost of shape (draws, cells), or (draws, repetitions) where `over` pools folds."""
        before = unweighted_average_recall(weighted(over(self.clean.confusions), weights))
        after = np.zeros_like(before)
        for own in groups:
            for condition in own:
                counts = weighted(over(self._counts[condition]), weights)
                after += unweighted_average_recall(counts) / len(own) / len(groups)
        return before - after

    def _pooled(self, counts: Floats) -> Floats:
        """Counts over all folds, by repetition."""
        return np.stack([counts[own].sum(axis=0) for own in self.clean.cells_of_repetition])


def _of_condition(
    found: _Answers, condition: Condition, measure: Figure, flags: tuple[str, ...]
) -> list[Measurement]:
    """One kind at one level, beside white noise of the same ratio where there is any."""
    noise: Condition = ("white_noise", condition[1])
    beside = condition[0] in ("background", "babble") and noise in found.conditions
    return [
        record(
            measure,
            criterion,
            figure([[condition]]),
            baseline=figure([[noise]]).value if beside else None,
            flags=flags,
        )
        for criterion, figure in (
            ("uar_lost", found.lost),
            ("unchanged_predictions", found.unchanged),
        )
    ]


def _stress_tests(figures: Sequence[Measurement], measure: Figure) -> Iterator[Measurement]:
    """Which conditions pass the published stress tests (1) and which fail (0), and their share."""
    by_condition: dict[tuple[str | None, Level], dict[str, Measurement]] = {}
    for one in figures:
        by_condition.setdefault((one.corruption, one.level), {})[one.criterion] = one
    failed, tests = [], 0
    for condition, test in STRESS_TESTS.items():
        own = by_condition.get(condition, {})
        lost, unchanged = own.get("uar_lost"), own.get("unchanged_predictions")
        if lost is None or unchanged is None or lost.value is None or unchanged.value is None:
            continue
        tests += 1
        passed = test.passes(lost.value, unchanged.value)
        failed += [] if passed else [said(*condition)]
        yield measure(
            criterion="stress_test_passed",
            corruption=condition[0],
            level=condition[1],
            value=float(passed),
            n=lost.n,
            flags=lost.flags,
            notes=(f"passes with {test.rule}",),
        )
    if tests:
        names = (f"failed: {', '.join(failed)}",) if failed else ()
        passes = 1 - len(failed) / tests
        notes = (f"{tests} tests, thresholds of the {STRESS_SOURCE}", *names)
        yield measure(criterion="stress_tests_passed", value=passes, notes=notes)


def _flags(clean: Table) -> tuple[str, ...]:
    """Reasons why a loss that is small says little."""
    flags = []
    if len(clean.speakers) < FEW_SPEAKERS:
        flags.append(f"only {len(clean.speakers)} speakers: the interval may be too narrow")
    uar = over_folds(clean, unweighted_average_recall)
    guessed = 1 / len(clean.classes)
    low = uar.value if uar.low is None else uar.low
    if low is not None and low <= guessed:
        flags.append("UAR on the clips as they are is within guessing: there is little to lose")
    return (*flags, *clean.one_answer)


def _notes(clean: Table) -> tuple[str, ...]:
    return (ONE_TRAINING,) if len(clean.repetitions) == 1 else ()
