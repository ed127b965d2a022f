"""Fairness between any groups: the metric frame, UAR gaps beyond chance, and single speakers.

Groups are the genders, the speakers, and whatever a manifest's columns `group_...` say (age band,
accent, language), and combinations of two of these where they are asked for. Of each group stand
its UAR, and recall and precision of each class: the metric frame of Bird et al. (Fairlearn: A
toolkit for assessing and improving fairness in AI, 2020).

The largest gap in UAR between the groups of an attribute is a maximum, which noise can only raise.
So beside it stands what fair models score on the same clips: the same gap with the groups permuted.
Which permutation is fair depends on what the attribute is one of. A speaker's (accent) is permuted
over the speakers; one that changes from clip to clip of a speaker (language) within each speaker
and emotion, as is the attribute `speaker` within each emotion. Published stress tests (those with
arXiv:2203.07378) allow the largest gap of 1,000 such models, which stands there too.

How single speakers differ stands in `profiler.measures.group_speakers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import numpy as np
from pydantic import Field, field_validator

from profiler.measures.base import Evidence, Figure, OnCorpus
from profiler.measures.fairness import FAIR_ENOUGH, Comparison, beyond, little_shown, uar_gap
from profiler.measures.fairness_power import power_of, rules_out_fair
from profiler.measures.group_clips import Clips
from profiler.measures.group_gaps import SEVERAL, fair_gaps, gap_statistic, groups_of_speakers
from profiler.measures.group_speakers import DEVIATION, ONE_STRATUM, WORST, individual
from profiler.measures.statistics import (
    MIN_SPEAKERS,
    Estimate,
    Floats,
    Ints,
    bootstrap,
    jackknife,
    ratio,
    reaching_zero,
    recall_of,
    unweighted_average_recall,
    widened_downwards,
)
from profiler.measures.tables import Score, Table, record, weighted
from profiler.settings import FiguresOnly, Resamples, Settings
from profiles_db.measurement import Measurement
from profiles_db.records import ClipGroup, Prediction
from profiles_db.speakers import SPEAKER

if TYPE_CHECKING:
    from profiler.corpora.base import Utterance
    from profiles_db.row_tables import Row

EXCESS: Final = "excess_group_uar_gap"
GAP: Final = "group_uar_gap"
SIMULATIONS: Final = 1000
"""Fair models whose largest gap the published stress tests allow."""
NEEDED: Final = 2
"""Groups that can be compared."""
_JOIN: Final = "+"
_UNKNOWN: Final = -1

Attribute = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}\+[a-z0-9_]{1,60}$")]


class GroupsSettings(Settings):
    """Which groups are compared, and how many clips they need. Stored rows suffice for all."""

    intersections: Annotated[tuple[Attribute, ...], FiguresOnly(), Field(max_length=20)] = ()
    """Pairs of attributes whose combinations are groups too, such as `gender+age_band`."""
    least_clips: Annotated[int, FiguresOnly(), Field(ge=1, le=1_000_000)] = 10
    """Test clips of each class that a group needs."""
    least_speakers: Annotated[int, FiguresOnly(), Field(ge=1, le=1_000_000)] = 2
    """Speakers that a group needs, unless the speakers are the groups."""
    most_groups: Annotated[int, FiguresOnly(), Field(ge=2, le=10_000)] = 200
    """An attribute with more groups is unknown."""
    speaker_clips: Annotated[int, FiguresOnly(), Field(ge=10, le=1_000_000)] = 200
    """Individual fairness is that of the speakers with more test clips, by so many of each."""
    draws: Annotated[int, FiguresOnly(), Field(ge=100, le=100_000)] = 1000
    """Bootstraps of each speaker's clips."""
    permutations: Resamples = 2000
    """Permutations of the groups, and bootstrap resamples over speakers."""

    @field_validator("intersections")
    @classmethod
    def _two_of_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            first, second = one.split(_JOIN)
            if first == second or SPEAKER in (first, second):
                raise ValueError(f"{one}: two different attributes, none of them {SPEAKER}")
        if len({frozenset(one.split(_JOIN)) for one in value}) < len(value):
            raise ValueError("one pair stands twice")
        return value


class Groups(OnCorpus):
    """How differently any groups of speakers or clips are served, and single speakers."""

    name = "groups"
    title = "Groups"
    aspect = "fairness"
    settings = GroupsSettings
    rows: ClassVar[tuple[type, ...]] = (ClipGroup,)
    by_default = False
    criteria = (EXCESS, GAP, DEVIATION, WORST)

    def said(self, fold: int, tested: Sequence[Utterance]) -> Sequence[Row]:
        """The groups of each clip."""
        return [
            ClipGroup(0, fold, clip.id, attribute, value)
            for clip in tested
            for attribute, value in clip.groups
        ]

    def figures(self, evidence: Evidence, settings: GroupsSettings) -> list[Measurement]:
        """The metric frame, gaps between groups, and between speakers."""
        table = Table(evidence.rows(Prediction), evidence.classes)
        return groups(table, evidence.rows(ClipGroup), evidence.figure, settings)


def groups(
    table: Table, said: Sequence[ClipGroup], measure: Figure, settings: GroupsSettings
) -> list[Measurement]:
    """All figures of the measure, from the predictions and the groups that the corpus says."""
    clips = Clips.of(table)
    named = attributes_of(clips, said)
    figures: list[Measurement] = []
    gaps: dict[str, _Gap] = {}
    reasons: dict[str, str] = {}
    wanted = [*named, *settings.intersections]
    for name in wanted:
        values = _values(named, name)
        if isinstance(values, str):
            reasons[name] = values
            continue
        frame = Frame(table, clips, name, values, settings)
        figures += frame.figures(measure)
        found = frame.gap(settings)
        if isinstance(found, str):
            reasons[name] = found
        else:
            gaps[name] = found
    for gap in gaps.values():
        figures += gap.figures(measure)
    for name, reason in reasons.items():
        figures += [
            measure(criterion=criterion, statistic=name, value=None, unknown=reason)
            for criterion in (GAP, EXCESS)
        ]
    return [
        *_worst_attribute(gaps, reasons, measure),
        *figures,
        *individual(clips, measure, settings),
    ]


def attributes_of(clips: Clips, said: Sequence[ClipGroup]) -> dict[str, dict[int, str]]:
    """Of each attribute the value of each clip (by its place) that has one."""
    place = {name: index for index, name in enumerate(clips.names)}
    speaker = [clips.speakers[index] for index in clips.speaker]
    found: dict[str, dict[int, str]] = {
        "gender": {
            index: gender for index, who in enumerate(speaker) if (gender := clips.gender[who])
        },
        SPEAKER: dict(enumerate(speaker)),
    }
    for row in said:
        found.setdefault(row.attribute, {})[place[row.fold, row.utterance]] = row.group_name
    return found


def _values(named: Mapping[str, dict[int, str]], name: str) -> dict[int, str] | str:
    """The value of each clip in an attribute or an intersection, or why there is none."""
    parts = name.split(_JOIN)
    for part in parts:
        if part not in named:
            return f"the corpus says no group_{part}"
        if not named[part]:
            return f"the corpus gives no {part} labels"
    if len(parts) == 1:
        return named[name]
    first, second = (named[part] for part in parts)
    return {clip: f"{first[clip]}{_JOIN}{second[clip]}" for clip in first if clip in second}


class Frame:
    """All groups of one attribute, with what is known of each.

    Parameters
    ----------
    table : Table
    clips : Clips
    name : str
        The attribute, or two joined by +.
    values : mapping from a clip's place to its value
    settings : GroupsSettings
    """

    def __init__(
        self,
        table: Table,
        clips: Clips,
        name: str,
        values: Mapping[int, str],
        settings: GroupsSettings,
    ) -> None:
        self.name, self._table, self._clips, self._settings = name, table, clips, settings
        self.groups = sorted(set(values.values()))
        number = {value: index for index, value in enumerate(self.groups)}
        self.group = np.full(len(clips.names), _UNKNOWN, dtype=np.int64)
        for clip, value in values.items():
            self.group[clip] = number[value]
        shape = len(self.groups), len(clips.classes)
        known = self.group >= 0
        self.support = np.zeros(shape, dtype=np.int64)
        np.add.at(self.support, (self.group[known], clips.label[known]), 1)

    @property
    def too_many(self) -> str | None:
        """Why no group is told from the others, or None."""
        if len(self.groups) <= self._settings.most_groups:
            return None
        return f"{len(self.groups)} groups, at most {self._settings.most_groups} are compared"

    @cached_property
    def members(self) -> list[list[str]]:
        """The speakers of each group, sorted."""
        pairs = sorted(set(zip(self.group.tolist(), self._clips.speaker.tolist(), strict=True)))
        found: list[list[str]] = [[] for _ in self.groups]
        for group, speaker in pairs:
            if group >= 0:
                found[group].append(self._clips.speakers[speaker])
        return found

    @cached_property
    def reasons(self) -> list[str | None]:
        """Why a group's UAR is unknown, or None."""
        return [self._why(index) for index in range(len(self.groups))]

    def _few_speakers(self, index: int) -> str | None:
        speakers, needed = len(self.members[index]), self._settings.least_speakers
        if self.name == SPEAKER or speakers >= needed:
            return None
        return f"{_counted(speakers, 'speaker')}, {needed} needed"

    def _why(self, index: int) -> str | None:
        if few := self._few_speakers(index):
            return few
        for name, clips in zip(self._clips.classes, self.support[index], strict=True):
            if clips < self._settings.least_clips:
                return _few(int(clips), f"test clips of {name}", self._settings)
        return None

    def figures(self, measure: Figure) -> list[Measurement]:
        """UAR, recall and precision of each group."""
        if self.too_many:
            return []
        number = {name: index for index, name in enumerate(self._clips.names)}
        rows: list[list[Prediction]] = [[] for _ in self.groups]
        for row in self._table.rows:
            group = self.group[number[row.fold, row.utterance]]
            if group >= 0 and isinstance(row, Prediction):
                rows[group].append(row)
        return [
            one
            for index, own in enumerate(rows)
            for one in self._of_group(index, Table(own, self._table.classes), measure)
        ]

    def _of_group(self, index: int, own: Table, measure: Figure) -> list[Measurement]:
        classes, statistic = self._clips.classes, f"{self.name}={self.groups[index]}"
        why, few = self.reasons[index], self._few_speakers(index)
        found = [
            _of(measure, "group_uar", own, unweighted_average_recall, why, statistic=statistic,
                n=own.n, baseline=1 / len(classes))
        ]  # fmt: skip
        answered = own.pooled.sum(axis=(1, 2)).mean(axis=0)
        for place, name in enumerate(classes):
            clips = int(self.support[index, place])
            why = few or self._short(clips, f"test clips of {name}")
            about = {"label": name, "statistic": statistic}
            recall = partial(recall_of, place)
            found.append(_of(measure, "group_recall", own, recall, why, n=clips, **about))
            times = float(answered[place])
            why = few or self._short(times, f"answers {name} (mean over the repetitions)")
            precision = partial(precision_of, place)
            n = round(times)
            found.append(_of(measure, "group_precision", own, precision, why, n=n, **about))
        return found

    def _short(self, clips: float, what: str) -> str | None:
        return _few(clips, what, self._settings) if clips < self._settings.least_clips else None

    def gap(self, settings: GroupsSettings) -> _Gap | str:
        """The largest gap between the groups that are known, or why there is none."""
        if self.too_many:
            return self.too_many
        known = [index for index, reason in enumerate(self.reasons) if reason is None]
        if len(self.groups) < NEEDED:
            return f"one group only: {self.groups[0]}"
        if len(known) < NEEDED:
            some = [f"{self.groups[i]}: {why}" for i, why in enumerate(self.reasons) if why]
            more = f"; and {len(some) - 3} more" if len(some) > 3 else ""  # noqa: PLR2004
            return f"fewer than two groups can be compared ({'; '.join(some[:3])}{more})"
        renumbered = np.full(len(self.groups) + 1, _UNKNOWN, dtype=np.int64)
        renumbered[known] = np.arange(len(known))
        place = renumbered[self.group]  # the last, which stays unknown, where the group is -1
        clips, group = self._clips.only(place >= 0), place[place >= 0]
        uar = clips.uar(group, len(known))
        fair = fair_gaps(clips, group, len(known), self.name, settings.permutations)
        kept = [self.groups[index] for index in known]
        value = float(uar.max() - uar.min())
        found = Comparison(Estimate(value, None, None), fair)
        if self.name != SPEAKER:
            found = dataclasses.replace(found, estimate=self._estimate(clips, group, len(known)))
        return _Gap(
            self.name,
            found,
            n=len(group),
            best=kept[int(uar.argmax())],
            worst=kept[int(uar.argmin())],
            left_out=len(self.groups) - len(known),
            without=int((self.group < 0).sum()),
            flags=self._table.one_answer,
            little=self._little(clips, group, len(known), found),
        )

    def _estimate(self, clips: Clips, group: Ints, groups: int) -> Estimate:
        """The gap with its interval, by resampling speakers."""
        present, speaker = np.unique(clips.speaker, return_inverse=True)
        statistic = gap_statistic(
            speaker, group, clips.label, clips.hits, groups=groups, classes=len(clips.classes)
        )
        own = groups_of_speakers(clips, group)[present]
        several = bool((own == SEVERAL).any())
        strata = [ONE_STRATUM if several else str(one) for one in own]
        return widened_downwards(
            bootstrap(statistic, strata, resamples=self._settings.permutations)
        )

    def _little(self, clips: Clips, group: Ints, groups: int, found: Comparison) -> str | None:
        """What to say where no gap was found between two groups, and few would be."""
        own = groups_of_speakers(clips, group)
        if found.found or groups != NEEDED or (own == SEVERAL).any() or self.name == SPEAKER:
            return None
        inside = {
            speaker: str(value)
            for speaker, value in zip(clips.speakers, own, strict=True)
            if value >= 0
        }
        named = set(clips.names)
        table = self._table.only(lambda row: (row.fold, row.utterance) in named)
        strata = [inside[speaker] for speaker in table.speakers]
        power = power_of(table.pooled, strata, uar_gap, draws=self._settings.permutations)
        return little_shown(power, len(strata)) if power.low else None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _few(clips: float, what: str, settings: GroupsSettings) -> str:
    return f"{clips:.3g} {what}, {settings.least_clips} needed"


def _of(
    measure: Figure, criterion: str, own: Table, score: Score, why: str | None, **details: Any
) -> Measurement:
    """A figure of one group, or that it is unknown."""
    if why is not None:
        details.pop("baseline", None)
        return measure(criterion=criterion, value=None, unknown=why, **details)
    counts = own.strata
    enough = min(counts.count(one) for one in set(counts)) >= MIN_SPEAKERS
    strata = counts if enough else [ONE_STRATUM] * len(counts)
    estimate = jackknife(lambda weights: score(weighted(own.pooled, weights)), strata)
    return record(measure, criterion, estimate, **details)


def precision_of(index: int, confusion: Floats) -> Floats:
    """Share of the answers of one class that are right, shape (...); NaN where it is never given.

    Examples
    --------
    >>> float(precision_of(0, np.array([[3.0, 1.0], [1.0, 5.0]])))
    0.75
    """
    answered = confusion[..., :, index].sum(axis=-1)
    return ratio(confusion[..., index, index], answered)


@dataclass(frozen=True)
class _Gap:
    """The largest gap between the groups of one attribute, and what to say of it."""

    name: str
    found: Comparison
    n: int
    best: str
    worst: str
    left_out: int
    without: int
    flags: tuple[str, ...]
    little: str | None

    @property
    def excess(self) -> float | None:
        """The gap beyond what a fair model would score, at least 0."""
        if self.found.baseline is None or self.found.estimate.value is None:
            return None
        return max(0.0, self.found.estimate.value - self.found.baseline)

    @property
    def fair_excesses(self) -> Floats:
        """The same of each fair model."""
        excesses: Floats = np.maximum(0.0, self.found.fair - (self.found.baseline or 0.0))
        return excesses

    @property
    def notes(self) -> tuple[str, ...]:
        """Between which groups, who is left out, and whether a fair model would score the same."""
        lost = {
            f"{_counted(self.left_out, 'group')} with too few clips or speakers left out": (
                self.left_out
            ),
            f"{_counted(self.without, 'clip')} without a group left out": self.without,
            FAIR_ENOUGH: not self.found.found,
            "no interval: the speakers are the groups": self.name == SPEAKER,
        }
        between = f"highest: {self.best}, lowest: {self.worst}"
        return (between, *(words for words, true in lost.items() if true))

    def record(
        self, measure: Figure, criterion: str, statistic: str | None, notes: tuple[str, ...]
    ) -> Measurement:
        """The gap, or the excess, for its attribute or (without `statistic`) for all of them."""
        found, floor = self.found, self.found.baseline
        if criterion == EXCESS:
            if self.excess is None or floor is None:
                reason = "no permutation leaves each group all classes"
                return measure(
                    criterion=criterion, statistic=statistic, value=None, unknown=reason, n=self.n
                )
            estimate = dataclasses.replace(beyond(floor, found), value=self.excess)
            baseline: float | None = float(self.fair_excesses.mean())
        else:
            estimate = found.estimate if found.found else reaching_zero(found.estimate)
            baseline = floor
        details: dict[str, Any] = {
            "n": self.n,
            "baseline": baseline,
            "notes": notes,
            "flags": self.flags,
        }
        if self.name == SPEAKER:
            return measure(
                criterion=criterion, statistic=statistic, value=estimate.value, **details
            )
        return record(measure, criterion, estimate, statistic=statistic, **details)

    def figures(self, measure: Figure) -> list[Measurement]:
        """The gap, its excess, and the largest gap of 1,000 fair models."""
        little = () if self.little is None else (self.little,)
        gap = self.record(measure, GAP, self.name, self.notes)
        excess = self.record(measure, EXCESS, self.name, (*self.notes[:1], *little))
        some = self.found.fair[:SIMULATIONS]
        if len(some) == 0:
            return [gap, excess]
        most = measure(
            criterion="largest_fair_group_uar_gap",
            statistic=self.name,
            value=float(some.max()),
            n=self.n,
            notes=(f"of {len(some):,} permutations",),
        )
        return [gap, excess, most]


def _worst_attribute(
    gaps: Mapping[str, _Gap], reasons: Mapping[str, str], measure: Figure
) -> list[Measurement]:
    """The excess of the attribute whose groups lie farthest apart beyond chance, and its gap.

    The speakers, whose gaps are no group's, are not among the attributes. Its baseline is what the
    worst of so many attributes would show of a fair model, were they independent of each other.
    """
    others = {name: gap for name, gap in gaps.items() if name != SPEAKER and gap.excess is not None}
    if not others:
        why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if name != SPEAKER)
        return [
            measure(criterion=criterion, value=None, unknown=why or "no groups are known")
            for criterion in (EXCESS, GAP)
        ]
    worst = max(others.values(), key=lambda gap: gap.excess or 0.0)
    among = min(len(gap.found.fair) for gap in others.values())
    fair = np.max([gap.fair_excesses[:among] for gap in others.values()], axis=0)
    found = bool(rules_out_fair(np.array(worst.excess), fair))
    about = f"{worst.name}, {worst.notes[0]}"
    if len(others) > 1:
        about += f"; the worst of {', '.join(others)}"
    notes = (about, *(() if found else (FAIR_ENOUGH,)))
    little = () if worst.little is None or found else (worst.little,)
    excess = worst.record(measure, EXCESS, None, (*notes, *little))
    gap = worst.record(measure, GAP, None, (about, *worst.notes[1:]))
    if not found and excess.low is not None:
        excess = dataclasses.replace(excess, low=0.0)
    return [dataclasses.replace(excess, baseline=float(fair.mean())), gap]
