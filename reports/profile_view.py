"""What the profile report needs to know of a profile, gathered from its measurements."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from profiles_db.candidate_names import split_depth
from profiles_db.corruptions import KINDS, level_text
from profiles_db.criteria import (
    ASPECT_CRITERION,
    ASPECT_TITLES,
    ASPECTS,
    CRITERIA,
    DIMENSIONAL_CRITERIA,
    Aspect,
    Unit,
    shown_aspects,
)
from profiles_db.dimensions import DIMENSIONS, ERROR, PEARSON, TESTS
from profiles_db.measurement import POOLED, Measurement
from profiles_db.profile import Profile, without_paths
from profiles_db.run_rows import RunRows
from profiles_db.speakers import SPEAKER, SPEAKER_UAR
from reports.embedding_picture import EmbeddingPicture, embedding_picture
from reports.trust_axis import TrustAxis

_ATTACK_CRITERIA: Final = ("attack_success_rate", "accuracy_under_attack", "reached_snr_db")
_CORRUPTION_CRITERIA: Final = ("uar_lost", "unchanged_predictions", "stress_test_passed")
_GAP_CRITERIA: Final = ("group_uar_gap", "excess_group_uar_gap", "largest_fair_group_uar_gap")
_FRAME_CRITERIA: Final = ("group_uar", "group_recall", "group_precision")
_TABLED: Final = frozenset(
    {
        *("recall", "confusion", "layer_weight", "uar_by_data", SPEAKER_UAR),
        *(*_ATTACK_CRITERIA, *_CORRUPTION_CRITERIA, *_GAP_CRITERIA, *_FRAME_CRITERIA),
    }
)
_EMBEDDING_CRITERIA: Final = ("neighbour_agreement", "silhouette", "variance_shown")
_IN_PERCENT: Final = frozenset(
    {"cross_corpus_recall", "cross_corpus_uar_restricted", "uar_on_shared_classes", "words_uar",
     "words_share", "words_ceiling"}
)  # fmt: skip
"""Details that are no criteria, and are shown in percent."""
GENDERS: Final = ("female", "male")
NO_ROWS: Final = RunRows()
_SHADES: Final = (0.005, 0.1, 0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class Attack:
    """One perturbation at one signal-to-noise ratio: what it was asked for and what it did."""

    kind: str
    snr_db: float
    success: Measurement | None
    accuracy: Measurement | None
    reached: Measurement | None


@dataclass(frozen=True, slots=True)
class Corrupted:
    """One kind of corruption at one level, None for the mean over its levels: what it did."""

    kind: str
    level: float | None
    lost: Measurement | None
    unchanged: Measurement | None
    passed: Measurement | None

    @property
    def said(self) -> str:
        """The level with its unit; empty where there is none."""
        return level_text(self.kind, self.level)


@dataclass(frozen=True, slots=True)
class CorruptionKind:
    """One kind of corruption: each of its levels, and the mean over them."""

    name: str
    levels: tuple[Corrupted, ...]
    mean: Corrupted

    @property
    def title(self) -> str:
        """The kind in words."""
        return KINDS[self.name].title if self.name in KINDS else self.name.replace("_", " ")

    @property
    def said(self) -> str:
        """Its levels."""
        return ", ".join(one.said for one in self.levels if one.said)

    @property
    def tests(self) -> str:
        """How many of the stress tests on its levels are passed; empty where there is none."""
        values = [one.passed.value for one in self.levels if one.passed is not None]
        return f"{sum(value == 1 for value in values)} of {len(values)}" if values else ""


@dataclass(frozen=True, slots=True)
class Rated:
    """How well one dimension of emotion is predicted, or all of them on average."""

    title: str
    agreement: Measurement
    correlation: Measurement | None
    error: Measurement | None
    of_gender: dict[str, Measurement]
    gap: Measurement | None
    tests: Measurement | None


@dataclass(frozen=True, slots=True)
class Group:
    """One group of an attribute: its UAR, and recall and precision by class."""

    value: str
    uar: Measurement
    recall: dict[str, Measurement]
    precision: dict[str, Measurement]


@dataclass(frozen=True, slots=True)
class Attribute:
    """All groups of one attribute, and the largest gap between them.

    `most` is the largest gap of many fair models.
    """

    name: str
    gap: Measurement | None
    excess: Measurement | None
    most: Measurement | None
    groups: tuple[Group, ...]

    @property
    def title(self) -> str:
        """The attribute in words."""
        return " and ".join(part.replace("_", " ") for part in self.name.split("+"))

    @property
    def classes(self) -> list[str]:
        """The classes that have a recall."""
        return list(dict.fromkeys(label for group in self.groups for label in group.recall))


@dataclass(frozen=True, slots=True)
class EpochScore:
    """The dev UAR of the emotion heads after one epoch: mean over the folds, then over the
    repetitions, and its deviation over these, None with a single one."""

    epoch: int
    mean: float
    deviation: float | None


class ProfileView:
    """One profile with its tables at hand; `name` tells it apart from the others of a page."""

    def __init__(self, profile: Profile, name: str, rows: RunRows = NO_ROWS) -> None:
        self.profile = profile
        self.name = name
        self.rows = rows
        self.title = profile.backbone
        self._pooled = [m for m in profile.measurements if m.fold == POOLED]
        self._headline = {m.criterion: m for m in self._pooled if m.stands_for_criterion}

    @property
    def marks(self) -> tuple[str, ...]:
        """What must be said beside the name wherever it is shown."""
        profile = self.profile
        partial = profile.folds < profile.folds_total
        found = {
            "untrained weights": profile.weights_kind == "random",
            "synthetic speech": profile.synthetic,
            f"{profile.folds} of {profile.folds_total} folds": partial,
        }
        return tuple(words for words, true in found.items() if true)

    @cached_property
    def axes(self) -> list[TrustAxis]:
        """The aspects, each by its usual criterion or else the first that was measured."""
        return self.axes_of(shown_aspects(self._headline))

    def axes_of(self, aspects: Iterable[Aspect]) -> list[TrustAxis]:
        """These aspects."""
        return [self._axis(aspect) for aspect in aspects]

    @property
    def criteria(self) -> list[Measurement]:
        """The figure of each criterion, in the order of the aspects."""
        return [self._headline[name] for name in CRITERIA if name in self._headline]

    @property
    def protocol(self) -> dict[str, Any]:
        """Every setting, without where folders lie on the machine that made it."""
        return without_paths(self.profile.protocol)

    @property
    def provenance(self) -> dict[str, Any]:
        """What is noted of the run, without where files lay on the machine that made it."""
        return {name: value for name, value in self.profile.provenance.items() if name != "request"}

    @cached_property
    def recalls(self) -> dict[str, Measurement]:
        """Recall of each class."""
        return {
            m.label: m
            for m in self._pooled
            if m.criterion == "recall" and m.label is not None and m.gender is None
        }

    @cached_property
    def genders(self) -> list[str]:
        """The genders that recalls are told apart by."""
        return self._genders_of(lambda m: m.criterion not in DIMENSIONAL_CRITERIA)

    @cached_property
    def rated_genders(self) -> list[str]:
        """The genders that agreement with ratings is told apart by."""
        return self._genders_of(lambda m: m.criterion in DIMENSIONAL_CRITERIA)

    def _genders_of(self, wanted: Callable[[Measurement], bool]) -> list[str]:
        found = {m.gender for m in self._pooled if wanted(m)}
        return [gender for gender in GENDERS if gender in found]

    def by_gender(
        self, criterion: str, gender: str, label: str | None = None
    ) -> Measurement | None:
        """A figure for one gender, of one class where `label` names one."""
        wanted = (criterion, gender, label)
        return next((m for m in self._pooled if (m.criterion, m.gender, m.label) == wanted), None)

    @cached_property
    def confusion(self) -> dict[tuple[str, str], Measurement]:
        """Counts of (true class, predicted class)."""
        return {
            (m.label, m.predicted): m
            for m in self._pooled
            if m.label is not None and m.predicted is not None
        }

    @property
    def confused(self) -> list[str]:
        """The classes of the confusion matrix."""
        return list(dict.fromkeys(true for true, _ in self.confusion))

    def shade(self, true: str, predicted: str) -> int:
        """Step of the heat scale for one cell: its share of the clips of the true class."""
        counts = {p: m.value or 0.0 for (t, p), m in self.confusion.items() if t == true}
        total = sum(counts.values())
        share = counts.get(predicted, 0.0) / total if total else 0.0
        return sum(share >= step for step in _SHADES)

    @cached_property
    def attacks(self) -> list[Attack]:
        """Every perturbation, by kind and signal-to-noise ratio."""
        kinds = {
            (m.attack, m.snr_db)
            for m in self._pooled
            if m.criterion in _ATTACK_CRITERIA and m.attack is not None and m.snr_db is not None
        }
        return [self._attack(kind, snr_db) for kind, snr_db in sorted(kinds)]

    @cached_property
    def corruptions(self) -> list[CorruptionKind]:
        """Every kind of corruption with its levels."""
        found: dict[str, dict[float | None, dict[str, Measurement]]] = {}
        for m in self._pooled:
            if m.corruption is not None:
                found.setdefault(m.corruption, {}).setdefault(m.level, {})[m.criterion] = m
        return [_corruption(kind, levels) for kind, levels in found.items()]

    @cached_property
    def dimensions(self) -> list[Rated]:
        """Each dimension of emotion that clips are rated on, then their mean where several are."""
        found = [self._rated(name, name) for name in DIMENSIONS]
        known = [one for one in found if one is not None and one.agreement.value is not None]
        mean = self._rated("mean", None)
        return [*known, *([mean] if mean is not None and len(known) > 1 else [])]

    def _rated(self, name: str, gap: str | None) -> Rated | None:
        criterion = f"ccc_{name}"
        agreement = self._headline.get(criterion)
        if agreement is None:
            return None
        beside = {m.statistic: m for m in self._pooled if m.criterion == criterion}
        gaps = {m.statistic: m for m in self._pooled if m.criterion == "ccc_gender_gap"}
        genders = {gender: self.by_gender(criterion, gender) for gender in self.rated_genders}
        return Rated(
            name.capitalize(),
            agreement,
            beside.get(PEARSON),
            beside.get(ERROR),
            {gender: one for gender, one in genders.items() if one is not None},
            gaps.get(gap),
            beside.get(TESTS),
        )

    @cached_property
    def attributes(self) -> list[Attribute]:
        """What groups are compared by, in the order of its figures; speakers last."""
        gaps: dict[str, dict[str, Measurement]] = {}
        groups: dict[str, dict[str, list[Measurement]]] = {}
        for m in self._pooled:
            if m.criterion in _GAP_CRITERIA and m.statistic is not None:
                gaps.setdefault(m.statistic, {})[m.criterion] = m
            elif m.criterion in _FRAME_CRITERIA and m.statistic is not None:
                name, _, value = m.statistic.partition("=")
                groups.setdefault(name, {}).setdefault(value, []).append(m)
        return [
            Attribute(
                name,
                own.get(_GAP_CRITERIA[0]),
                own.get(_GAP_CRITERIA[1]),
                own.get(_GAP_CRITERIA[2]),
                tuple(_group(value, some) for value, some in groups.get(name, {}).items()),
            )
            for name, own in sorted(gaps.items(), key=lambda item: item[0] == SPEAKER)
        ]

    @cached_property
    def speakers(self) -> dict[str, Measurement]:
        """UAR of each speaker who has enough clips, the lowest first."""
        found = {
            m.statistic.partition("=")[2]: m
            for m in self._pooled
            if m.criterion == SPEAKER_UAR and m.statistic is not None
        }
        return dict(sorted(found.items(), key=lambda item: item[1].value or 0.0))

    @cached_property
    def amounts(self) -> dict[float, Measurement]:
        """UAR by the share of the training speakers that heads are trained on, rising."""
        found = {
            m.level: m for m in self._pooled if m.criterion == "uar_by_data" and m.level is not None
        }
        return dict(sorted(found.items()))

    @cached_property
    def epochs(self) -> list[EpochScore]:
        """How the trainings went, epoch by epoch."""
        scores: dict[int, dict[int, list[float]]] = {}
        for row in self.rows.epochs:
            scores.setdefault(row.epoch, {}).setdefault(row.repetition, []).append(row.dev_score)
        found = []
        for epoch, by_repetition in sorted(scores.items()):
            means = [statistics.fmean(folds) for folds in by_repetition.values()]
            deviation = statistics.stdev(means) if len(means) > 1 else None
            found.append(EpochScore(epoch, statistics.fmean(means), deviation))
        return found

    @cached_property
    def embeddings(self) -> EmbeddingPicture | None:
        """Where the clips lie, None where that was not measured."""
        settings = {one.measure: dict(one.settings) for one in self.profile.measured}
        own = [m for m in self._pooled if m.criterion in _EMBEDDING_CRITERIA]
        return embedding_picture(self.rows.points, own, settings.get("embeddings", {}))

    @cached_property
    def layers(self) -> dict[int, Measurement]:
        """Softmax weight of each hidden state, by its number."""
        found = {m.layer: m for m in self._pooled if m.layer is not None}
        return dict(sorted(found.items()))

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds that have figures of their own."""
        return sorted({m.fold for m in self.profile.measurements if m.fold != POOLED})

    @property
    def fold_criteria(self) -> list[str]:
        """Criteria that have figures per fold."""
        found = {m.criterion for m in self.profile.measurements if m.fold != POOLED}
        return [name for name in CRITERIA if name in found]

    def of_fold(self, criterion: str, fold: int) -> Measurement | None:
        """The figure of one fold."""
        for m in self.profile.measurements:
            if (m.criterion, m.fold) == (criterion, fold) and m.stands_for_criterion:
                return m
        return None

    @property
    def further(self) -> list[Measurement]:
        """Figures that no table of the report holds."""
        return [
            m
            for m in self._pooled
            if not (m.criterion in CRITERIA and m.stands_for_criterion)
            and m.criterion not in _TABLED
            and not (self.embeddings and m.criterion in _EMBEDDING_CRITERIA)
            and m.gender is None
            and not _among_dimensions(m)
        ]

    def unit_of(self, criterion: str) -> Unit | None:
        """The unit that a figure is shown in; None for a bare number."""
        if criterion in CRITERIA:
            return CRITERIA[criterion].unit
        return "fraction" if criterion in _IN_PERCENT else None

    def _attack(self, kind: str, snr_db: float) -> Attack:
        own = {m.criterion: m for m in self._pooled if (m.attack, m.snr_db) == (kind, snr_db)}
        return Attack(kind, snr_db, *(own.get(criterion) for criterion in _ATTACK_CRITERIA))

    def _axis(self, aspect: Aspect) -> TrustAxis:
        criterion = CRITERIA[self._stands_for(aspect)]
        figure = self._headline.get(criterion.name)
        number, title = ASPECTS.index(aspect), ASPECT_TITLES[aspect]
        return TrustAxis(number, title, criterion.name, figure, criterion.unit, criterion.scale)

    def _stands_for(self, aspect: Aspect) -> str:
        usual = ASPECT_CRITERION[aspect]
        if usual in self._headline:
            return usual
        others = (m.criterion for m in self.criteria if CRITERIA[m.criterion].aspect == aspect)
        return next(others, usual)


def _among_dimensions(m: Measurement) -> bool:
    """Whether the table of dimensions holds a statistic; a gap's error it does not."""
    if m.criterion == "ccc_gender_gap":
        return m.statistic in DIMENSIONS
    return m.criterion in DIMENSIONAL_CRITERIA and m.statistic in (PEARSON, ERROR, TESTS)


def _group(value: str, figures: Iterable[Measurement]) -> Group:
    found: dict[str, dict[str, Measurement]] = {name: {} for name in _FRAME_CRITERIA}
    for m in figures:
        found[m.criterion][m.label or ""] = m
    uar, recall, precision = (found[name] for name in _FRAME_CRITERIA)
    return Group(value, uar[""], recall, precision)


def _corruption(kind: str, levels: dict[float | None, dict[str, Measurement]]) -> CorruptionKind:
    found = {
        level: Corrupted(kind, level, *(own.get(name) for name in _CORRUPTION_CRITERIA))
        for level, own in levels.items()
    }
    several = tuple(one for level, one in found.items() if level is not None)
    each = several or tuple(found.values())
    return CorruptionKind(kind, each, found.get(None, each[0]))


@dataclass(frozen=True, slots=True)
class Depth:
    """One depth of an encoder (None for the whole) with what it costs and how well it does."""

    layers: int | None
    macs: Measurement
    uar: Measurement

    @property
    def title(self) -> str:
        """What the depth is called in a picture of one encoder."""
        return "whole" if self.layers is None else str(self.layers)


@dataclass(frozen=True, slots=True)
class Depths:
    """The depths of one encoder whose figures compare, the cheapest first."""

    first: ProfileView
    encoder: str
    members: tuple[Depth, ...]


@dataclass(frozen=True, slots=True)
class ComparableProfiles:
    """Profiles of one study whose heads were trained with the same settings.

    `training` counts from 1 where the page holds several trainings of the study.
    """

    study: str
    training: int | None
    members: tuple[ProfileView, ...]

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """The aspects that any of them has, and those that all are expected to have."""
        return shown_aspects(m.criterion for view in self.members for m in view.criteria)

    def differs(self, view: ProfileView, criterion: str) -> bool:
        """Whether a figure was measured otherwise than that of the group's first profile."""
        first = self.members[0].profile
        if first.pooled(criterion) is None or view.profile.pooled(criterion) is None:
            return False
        return first.basis(criterion) != view.profile.basis(criterion)

    @property
    def depths(self) -> list[Depths]:
        """The encoders of which there are several depths."""
        found: dict[tuple[str, ...], list[tuple[ProfileView, Depth]]] = {}
        for view in self.members:
            profile = view.profile
            encoder, layers = split_depth(profile.backbone)
            weights, same = split_depth(profile.weights_id)
            if layers is None or same != layers:  # a whole encoder, whatever it is called
                encoder, weights, layers = profile.backbone, profile.weights_id, None
            macs, uar = profile.pooled("macs"), profile.pooled("uar")
            if macs and uar and macs.value is not None and uar.value is not None:
                key = (encoder, weights, profile.corpus, profile.basis("uar"))
                found.setdefault(key, []).append((view, Depth(layers, macs, uar)))
        return [
            Depths(
                members[0][0],
                encoder,
                tuple(sorted((depth for _, depth in members), key=lambda one: one.macs.value or 0)),
            )
            for (encoder, *_), members in found.items()
            if len({depth.layers for _, depth in members}) > 1
        ]


class ProfilesView:
    """All profiles of a page."""

    def __init__(
        self, profiles: Iterable[Profile], rows: Mapping[str, RunRows] | None = None
    ) -> None:
        own = rows or {}
        self.profiles = [
            ProfileView(profile, f"profile-{number}", own.get(profile.run, NO_ROWS))
            for number, profile in enumerate(profiles, 1)
        ]
        self._numbers = {view.name: number for number, view in enumerate(self.profiles)}

    @cached_property
    def studies(self) -> list[ComparableProfiles]:
        """The profiles by study and settings of training; only those of one group compare."""
        found: dict[tuple[str, str], list[ProfileView]] = {}
        for view in self.profiles:
            protocol = view.profile.protocol
            training = json.dumps(protocol.get("training", protocol), sort_keys=True, default=str)
            found.setdefault((view.profile.study, training), []).append(view)
        trainings: dict[str, int] = {}
        for study, _ in found:
            trainings[study] = trainings.get(study, 0) + 1
        groups, numbers = [], dict.fromkeys(trainings, 0)
        for (study, _), members in found.items():
            numbers[study] += 1
            several = trainings[study] > 1
            groups.append(
                ComparableProfiles(study, numbers[study] if several else None, tuple(members))
            )
        return groups

    @property
    def most_aspects(self) -> int:
        """How many aspects the table of a group has at most."""
        return max(len(group.aspects) for group in self.studies)

    @property
    def untrained(self) -> bool:
        """Whether any of the profiles is of random weights."""
        return any(view.profile.weights_kind == "random" for view in self.profiles)

    @property
    def synthetic(self) -> bool:
        """Whether any of the profiles rests on synthetic speech."""
        return any(view.profile.synthetic for view in self.profiles)

    def aspect_number(self, aspect: Aspect) -> int:
        """Number of the aspect's colour."""
        return ASPECTS.index(aspect)

    def color(self, name: str) -> int:
        """Number of the profile's colour."""
        return self._numbers[name] % 8
