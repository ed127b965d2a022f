"""Fairness between any groups: against fairlearn, published thresholds, and simulated truths."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats
from sklearn import metrics

from profiler.measures.group_clips import Clips
from profiler.measures.group_gaps import fair_gaps, groups_of_speakers, permuted
from profiler.measures.groups import GroupsSettings, groups
from profiler.measures.statistics import Floats, Ints
from profiler.measures.tables import Table
from profiles_db.measurement import Measurement
from profiles_db.profile import Measured, Profile
from profiles_db.records import ClipGroup, Prediction
from profiles_db.speakers import speaker_agreement, spearman
from tests.profiler.aspects.rows import CLASSES, emotion_rows, figure, measure

FEW = GroupsSettings(least_clips=5, permutations=200)
ROWS = emotion_rows(speakers=12, clips=20)
"""Of each speaker five clips of each class."""


def _accent(row: Prediction) -> str:
    return ("north", "south", "west")[int(row.speaker) % 3]


def _language(row: Prediction) -> str:
    """Changes from clip to clip of a speaker."""
    return "de" if int(row.utterance.partition("-")[2]) // 4 % 2 else "en"


def _said(rows: Sequence[Prediction], **attributes: Callable[[Prediction], str]) -> list[ClipGroup]:
    return [
        ClipGroup(0, row.fold, row.utterance, name, value(row))
        for name, value in attributes.items()
        for row in rows
        if row.repetition == 0
    ]


def _found(
    rows: Sequence[Prediction],
    settings: GroupsSettings = FEW,
    **attributes: Callable[[Prediction], str],
) -> list[Measurement]:
    return groups(Table(rows, CLASSES), _said(rows, **attributes), measure, settings)


FOUND = _found(ROWS, accent=_accent, language=_language)


@pytest.mark.parametrize(
    ("name", "of_row"),
    [("gender", lambda r: r.gender), ("accent", _accent), ("language", _language),
     ("speaker", lambda r: r.speaker)],
)  # fmt: skip
def test_the_metric_frame_is_fairlearns(name: str, of_row: Callable[[Prediction], str]) -> None:
    truth, predicted = ([getattr(row, side) for row in ROWS] for side in ("label", "predicted"))
    told: dict[tuple[str, str], Any] = {("group_uar", ""): metrics.balanced_accuracy_score}
    for one in CLASSES:
        for criterion, score in (
            ("group_recall", metrics.recall_score),
            ("group_precision", metrics.precision_score),
        ):
            told[criterion, one] = lambda t, p, score=score, one=one: score(
                t, p, labels=[one], average="macro", zero_division=np.nan
            )
    frame = MetricFrame(
        metrics={f"{criterion} {label}": score for (criterion, label), score in told.items()},
        y_true=truth,
        y_pred=predicted,
        sensitive_features=[of_row(row) for row in ROWS],
    )
    known = 0
    for group in frame.by_group.index:
        for criterion, label in told:
            variant = ",".join([*([f"class={label}"] if label else []), f"{name}={group}"])
            ours = figure(FOUND, criterion, variant)
            theirs = frame.by_group.loc[group, f"{criterion} {label}"]
            if ours.value is None:
                assert criterion == "group_precision", "each group has its five clips of a class"
                assert ours.n is not None
                assert ours.n < FEW.least_clips
                assert ours.unknown is not None
            else:
                known += 1
                assert ours.value == pytest.approx(theirs)
    assert known > 5 * len(frame.by_group)
    gap = frame.difference(method="between_groups")["group_uar "]
    assert figure(FOUND, "group_uar_gap", name).value == pytest.approx(gap)


def test_an_intersection_is_fairlearns_with_two_features() -> None:
    settings = FEW.model_copy(update={"intersections": ("gender+accent",)})
    found = _found(ROWS, settings, accent=_accent)
    frame = MetricFrame(
        metrics=metrics.balanced_accuracy_score,
        y_true=[row.label for row in ROWS],
        y_pred=[row.predicted for row in ROWS],
        sensitive_features={
            "gender": [row.gender for row in ROWS],
            "accent": [_accent(row) for row in ROWS],
        },
    )
    for (gender, accent), value in frame.by_group.items():
        ours = figure(found, "group_uar", f"gender+accent={gender}+{accent}")
        assert ours.value == pytest.approx(value)


@pytest.mark.parametrize("pairs", [("gender+gender",), ("speaker+gender",), ("a+b", "b+a"), ("a",)])
def test_pairs_that_say_nothing_are_refused(pairs: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        GroupsSettings(intersections=pairs)


def test_too_small_a_group_is_unknown_with_the_reason_and_never_zero() -> None:
    def accent(row: Prediction) -> str:
        return "rare" if row.speaker == "3" else _accent(row)

    found = _found(ROWS, accent=accent)
    rare = [m for m in found if m.statistic == "accent=rare"]
    assert len(rare) == 1 + 2 * len(CLASSES)
    assert {(m.value, m.unknown) for m in rare} == {(None, "1 speaker, 2 needed")}
    assert figure(found, "group_uar_gap", "accent").value is not None
    assert any("1 group with" in note for note in figure(found, "group_uar_gap", "accent").notes)
    without = _found(ROWS, GroupsSettings(permutations=100), accent=lambda _: "one")
    assert figure(without, "group_uar_gap", "accent").unknown == "one group only: one"
    reason = figure(without, "group_uar", "speaker=0").unknown
    assert reason == "5 test clips of neutral, 10 needed"
    many = _found(ROWS, FEW.model_copy(update={"most_groups": 5}), accent=_accent)
    reason = figure(many, "group_uar_gap", "speaker").unknown
    assert reason == "12 groups, at most 5 are compared"
    nobody = [dataclasses.replace(row, gender=None) for row in ROWS]
    asked = FEW.model_copy(update={"intersections": ("gender+accent", "gender+age")})
    found = groups(Table(nobody, CLASSES), [], measure, asked)
    unknown = figure(found, "excess_group_uar_gap").unknown or ""
    assert "gender: the corpus gives no gender labels" in unknown
    lacking = figure(_found(ROWS, asked), "group_uar_gap", "gender+accent")
    assert lacking.unknown == "the corpus says no group_accent"


def _answers(
    rng: np.random.Generator,
    skill: Callable[[int, int], float],
    *,
    speakers: int = 24,
    clips: int = 24,
    classes: Sequence[str] = CLASSES,
) -> list[Prediction]:
    """Answers right with the probability `skill` of speaker and clip, and otherwise any other."""
    rows = []
    for speaker in range(speakers):
        for clip in range(clips):
            truth = clip % len(classes)
            right = rng.random() < skill(speaker, clip)
            other = (truth + int(rng.integers(1, len(classes)))) % len(classes)
            answer = classes[truth if right else other]
            rows.append(
                Prediction(
                    0, speaker % 5 + 1, f"{speaker}-{clip}", str(speaker),
                    "male" if speaker % 2 else "female", classes[truth], answer, (1.0,),
                )
            )  # fmt: skip
    return rows


def _of_speaker(skills: Floats) -> Callable[[int, int], float]:
    return lambda speaker, _: float(skills[speaker])


def test_a_fair_random_models_largest_gap_is_the_stress_tests_threshold() -> None:
    """With arXiv:2203.07378: 7.5 points of UAR, 1,000 models guessing, 1,000 clips a group."""
    rng = np.random.default_rng(0)
    rows = _answers(rng, lambda *_: 0.25, speakers=20, clips=100)
    found = _found(rows, GroupsSettings(permutations=1000))
    most = figure(found, "largest_fair_group_uar_gap", "gender")
    assert most.value == pytest.approx(0.075, abs=0.02)
    assert most.notes == ("of 1,000 permutations",)


@pytest.mark.parametrize("within", [False, True])
def test_fair_gaps_rule_out_a_fair_model_as_often_as_the_test_says(within: bool) -> None:
    """Speakers differ in how well they are recognised, groups do not: 5 % are found."""
    rng, found, times = np.random.default_rng(1), 0, 100
    for _ in range(times):
        of_speaker = rng.uniform(0.4, 0.9, 12)
        rows = _answers(rng, _of_speaker(of_speaker), speakers=12, clips=24)
        clips = Clips.of(Table(rows, CLASSES))
        places = [int(name.partition("-")[2]) // 4 % 2 for _, name in clips.names]
        by_clip = np.array(places) if within else clips.speaker % 2
        gap = np.ptp(clips.uar(by_clip, 2))
        fair = fair_gaps(clips, by_clip, 2, "any", 99)
        found += (1 + (fair >= gap - 1e-12).sum()) <= 0.05 * (1 + len(fair))
    assert stats.binomtest(found, times, 0.05).pvalue > 0.01, found


def test_a_gap_is_found_where_it_is_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(2)
    rows = _answers(rng, lambda s, _: (0.75, 0.75, 0.35)[s % 3])
    found = _found(rows, accent=_accent, language=_language)
    accent = figure(found, "group_uar_gap", "accent")
    assert None not in (accent.low, accent.high, accent.baseline, accent.value)
    assert accent.low <= 0.4 <= accent.high  # type: ignore[operator]
    assert 0 < accent.baseline < accent.value  # type: ignore[operator]
    assert accent.notes[0].endswith("lowest: west")
    assert len(accent.notes) == 1
    language = figure(found, "group_uar_gap", "language")
    assert any("fair model" in note for note in language.notes)
    assert language.low == 0
    worst = figure(found, "excess_group_uar_gap")
    assert worst.value == figure(found, "excess_group_uar_gap", "accent").value
    assert "accent, highest:" in worst.notes[0]
    assert "the worst of gender, accent, language" in worst.notes[0]
    assert not any("fair model" in note for note in worst.notes)
    assert figure(found, "group_uar_gap").value == accent.value


def test_a_fair_model_is_said_to_be_fair_over_all_attributes() -> None:
    found = _found(_answers(np.random.default_rng(5), lambda *_: 0.6), accent=_accent)
    worst = figure(found, "excess_group_uar_gap")
    assert any("fair model" in note for note in worst.notes)
    assert (worst.low, worst.flags) == (0, ())


def test_repetitions_are_averaged_before_groups_are_compared() -> None:
    """Two trainings whose groups differ in opposite directions serve them alike on the whole."""
    rows = []
    for repetition in range(2):
        for row in _answers(np.random.default_rng(3), lambda *_: 1.0):
            right = (int(row.speaker) + repetition) % 2
            answer = row.label if right else CLASSES[(CLASSES.index(row.label) + 1) % 4]
            rows.append(dataclasses.replace(row, repetition=repetition, predicted=answer))
    found = _found(rows)
    assert figure(found, "group_uar", "gender=male").value == pytest.approx(0.5)
    assert figure(found, "group_uar_gap", "gender").value == pytest.approx(0)


def test_whose_group_changes_from_clip_to_clip_is_told() -> None:
    clips = Clips.of(Table(ROWS, CLASSES))
    alike = groups_of_speakers(clips, clips.speaker % 2)
    assert alike.tolist() == [index % 2 for index in range(len(clips.speakers))]
    group = clips.speaker % 2
    group[np.flatnonzero(clips.speaker == 4)[0]] = 1
    assert groups_of_speakers(clips, group)[4] == -2


@settings(deadline=None)
@given(st.integers(0, 100))
def test_permuting_keeps_what_a_fair_model_may_not_depend_on(seed: int) -> None:
    """Clips of each speaker, emotion and group, where speakers are in both; else speakers a group;
    where the speakers are the groups, clips of each emotion and group."""
    rng = np.random.default_rng(seed)
    clips = Clips.of(Table(ROWS, CLASSES))

    def counts(group: Ints, *by: Ints) -> list[tuple[int, ...]]:
        return sorted(zip(*(kind.tolist() for kind in (*by, group)), strict=True))

    mixed = rng.integers(0, 2, len(clips.names))
    dealt = permuted(clips, mixed, groups_of_speakers(clips, mixed), rng)
    assert counts(dealt, clips.speaker, clips.label) == counts(mixed, clips.speaker, clips.label)
    one = clips.speaker % 3 % 2
    own = groups_of_speakers(clips, one)
    dealt = permuted(clips, one, own, rng)
    assert sorted(groups_of_speakers(clips, dealt)) == sorted(own)
    dealt = permuted(clips, clips.speaker, None, rng)
    assert counts(dealt, clips.label) == counts(clips.speaker, clips.label)
    assert not np.array_equal(dealt, clips.speaker)


# Single speakers

MANY = GroupsSettings(least_clips=5, speaker_clips=100, permutations=200, draws=300)


def test_single_speakers_are_unknown_where_none_has_enough_clips() -> None:
    reason = "no speaker has more than 200 test clips, 5 of each class"
    assert figure(FOUND, "speaker_uar_deviation").unknown == reason
    assert figure(FOUND, "speaker_uar_worst").unknown == reason
    assert not [m for m in FOUND if m.criterion == "speaker_uar"]


def test_speakers_who_are_served_differently_are_told_apart_and_fair_ones_are_not() -> None:
    rng = np.random.default_rng(4)
    skills = np.linspace(0.4, 0.9, 8)
    unfair = _found(_answers(rng, lambda s, _: skills[s], speakers=8, clips=240), MANY)
    deviation = figure(unfair, "speaker_uar_deviation")
    assert deviation.value == pytest.approx(skills.std(ddof=1), abs=0.05)
    assert deviation.low is not None
    assert 0 < deviation.low < skills.std(ddof=1) < (deviation.high or 0)
    worst = figure(unfair, "speaker_uar_worst")
    assert worst.value == pytest.approx(0.4, abs=0.08)
    assert worst.notes == ("speaker 0, of 8",)
    fair = _found(_answers(rng, lambda *_: 0.6, speakers=8, clips=240), MANY)
    deviation = figure(fair, "speaker_uar_deviation")
    assert deviation.value == pytest.approx(deviation.baseline, abs=0.02)
    assert deviation.low == 0
    assert any("fair model" in note for note in deviation.notes)


def test_a_speakers_figure_is_the_mean_of_bootstraps_of_so_many_clips() -> None:
    """By a second hand: audible clips drawn one by one, UAR by scikit-learn."""
    rows = _answers(np.random.default_rng(6), lambda *_: 0.6, speakers=3, clips=120)
    found = _found(rows, MANY)
    own = [(row.label, row.predicted) for row in rows if row.speaker == "1"]
    rng = np.random.default_rng(9)
    drawn = []
    for _ in range(300):
        truth, answer = zip(*(own[i] for i in rng.integers(0, len(own), 100)), strict=True)
        drawn.append(metrics.balanced_accuracy_score(truth, answer))
    ours = figure(found, "speaker_uar", "speaker=1")
    assert ours.value == pytest.approx(np.mean(drawn), abs=3 * np.std(drawn) / np.sqrt(150))
    ends = [ours.low, ours.high]
    assert ends == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.03)


# Whether two models order the speakers alike


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=30))
def test_spearman_is_scipys(pairs: list[tuple[int, int]]) -> None:
    first, second = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    ours = spearman(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert ours is None
    else:
        assert ours == pytest.approx(stats.spearmanr(first, second).statistic)


def _profile(found: Sequence[Measurement], basis: str = "b") -> Profile:
    taken = Measured("groups", 1, {}, basis, "2026")
    own = tuple(dataclasses.replace(one, measure="groups") for one in found)
    return Profile(
        "s", "m", "c", "none", "none", "", False, 1, 1, 1, "", measurements=own, measured=(taken,)
    )


def test_two_profiles_agree_on_who_is_served_best_or_the_reason_is_said() -> None:
    rng = np.random.default_rng(7)
    skills = np.linspace(0.3, 0.95, 6)
    first, second, reverse = (
        _profile(_found(_answers(rng, _of_speaker(order), speakers=6, clips=160), MANY))
        for order in (skills, skills, skills[::-1])
    )
    assert speaker_agreement(first, first).rho == pytest.approx(1)
    found = speaker_agreement(first, second)
    assert found.speakers == 6
    assert (found.rho or 0) > 0.8
    assert (speaker_agreement(first, reverse).rho or 0) < -0.8
    other = dataclasses.replace(second, measured=(Measured("groups", 1, {}, "other", "2026"),))
    assert speaker_agreement(first, other).unknown == (
        "the profiles were measured with other settings"
    )
    nothing = speaker_agreement(first, _profile(FOUND))
    assert nothing == dataclasses.replace(nothing, rho=None, speakers=0)
    assert "no speaker" in str(nothing.unknown)
