"""Generalisation: closed forms of the figures, what has no counterpart, intervals that hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from profiler.measures.generalisation import (
    CrossCorpusAnswer,
    CrossCorpusLeftOut,
    Generalisation,
    generalisation,
)
from profiler.measures.other_corpora import OtherCorpus
from profiler.measures.statistics import trained_on
from profiles_db.measurement import Measurement
from profiles_db.records import Prediction
from tests.profiler.aspects.rows import CLASSES, emotion_rows, figure, gender_of, measure

HERE = emotion_rows(skill=0.8)
HEADS = [(0, 1), (0, 2), (0, 3)]


def _corpus(clips: dict[str, int], labels: dict[str, str | None] | None = None) -> OtherCorpus:
    return OtherCorpus(
        dataset="other", digest=f"sha256:{'0' * 64}", clips=clips, labels=labels or {}
    )


ALL = _corpus(dict.fromkeys(CLASSES, 60))


def _answers(
    *,
    classes: Sequence[str] = CLASSES,
    skill: float = 0.4,
    speakers: int = 12,
    clips: int = 20,
    name: str = "other",
    seed: int = 1,
) -> list[CrossCorpusAnswer]:
    """What three heads answer, each another; right with probability about `skill`."""
    rng = np.random.default_rng(seed)
    found = []
    for speaker in range(speakers):
        for clip in range(clips):
            label = classes[clip % len(classes)]
            for repetition, fold in HEADS:
                scores = rng.random(4)
                scores[CLASSES.index(label)] += rng.random() < skill
                found.append(
                    CrossCorpusAnswer(
                        repetition, fold, name, f"{speaker}-{clip}", f"s{speaker}",
                        gender_of(speaker), label.upper(), label,
                        CLASSES[int(scores.argmax())], tuple(scores / scores.sum()),
                    )
                )  # fmt: skip
    return found


def _recall(
    rows: Sequence[Prediction | CrossCorpusAnswer],
    classes: Sequence[str],
    answer: Callable[[Prediction | CrossCorpusAnswer], str] = lambda row: row.predicted,
) -> float:
    """Mean over the heads of scikit-learn's macro recall over `classes`."""
    folds = [
        [r for r in rows if (r.repetition, r.fold) == head and r.label in classes] for head in HEADS
    ]
    scores = [
        metrics.recall_score(
            [r.label for r in own], [answer(r) for r in own], labels=list(classes),
            average="macro", zero_division=0,
        )
        for own in folds
    ]  # fmt: skip
    return float(np.mean(scores))


def _figures(
    answers: Sequence[CrossCorpusAnswer],
    left_out: Sequence[CrossCorpusLeftOut] = (),
    corpus: OtherCorpus = ALL,
    here: Sequence[Prediction] = HERE,
) -> list[Measurement]:
    return generalisation(here, answers, left_out, CLASSES, {"other": corpus}, measure)


def test_the_recall_is_scikit_learns_mean_over_heads_and_the_drop_relative_to_it_here() -> None:
    answers = _answers()
    found = _figures(answers)
    there, here = _recall(answers, CLASSES), _recall(HERE, CLASSES)
    for variant in ("", "on other"):
        uar = figure(found, "cross_corpus_uar", variant)
        assert uar.value == pytest.approx(there)
        assert (uar.n, uar.baseline) == (240, 0.25)
        drop = figure(found, "cross_corpus_drop", variant)
        assert drop.value == pytest.approx(1 - there / here)
        for one in (uar, drop):
            assert one.low is not None
            assert one.high is not None
            assert one.value is not None
            assert one.low < one.value < one.high
            assert not one.flags
    for label in CLASSES:
        recall = figure(found, "cross_corpus_recall", f"class={label},on other")
        assert recall.value == pytest.approx(_recall(answers, [label]))
        assert recall.n == 60
    assert not [m for m in found if m.criterion == "cross_corpus_uar_restricted"]


def test_classes_that_one_side_lacks_are_left_out_and_named_never_counted_wrong() -> None:
    shared = ["happy", "sad"]
    answers = _answers(classes=shared)
    corpus = _corpus({"happy": 120, "weary": 120, "fearful": 7}, {"weary": "sad"})
    found = _figures(answers, corpus=corpus)
    uar = figure(found, "cross_corpus_uar")
    there = _recall(answers, shared)
    assert uar.value == pytest.approx(there)
    assert "other: has no clip of neutral, angry, which answers may be all the same" in uar.notes
    assert "other: left out, having no class here: fearful (7)" in uar.notes
    here = _recall(HERE, shared)
    assert figure(found, "uar_on_shared_classes", "on other").value == pytest.approx(here)
    assert figure(found, "cross_corpus_drop").value == pytest.approx(1 - there / here)

    def likelier(row: Prediction | CrossCorpusAnswer) -> str:
        return max(shared, key=lambda name: row.probabilities[CLASSES.index(name)])

    restricted = figure(found, "cross_corpus_uar_restricted", "on other")
    assert restricted.value == pytest.approx(_recall(answers, shared, likelier))
    assert restricted.baseline == 0.5
    assert restricted.value is not None
    assert restricted.value > there


def test_fewer_than_two_classes_in_common_are_unknown_with_the_reason() -> None:
    left_out = [CrossCorpusLeftOut(*head, "other", "a", "too quiet") for head in HEADS]
    found = _figures(_answers(classes=["sad"]), left_out)
    assert {m.criterion for m in found} == set(Generalisation.criteria)
    for one in found:
        assert one.value is None
        assert "classes that both have: sad; 1 clips left out: too quiet (1)" in str(one.unknown)
    (uar, _) = generalisation(HERE, [], [], CLASSES, {}, measure)
    assert uar.unknown == "no other corpus was named to test on"


def test_the_mean_over_corpora_stands_for_the_criterion_and_lacks_none() -> None:
    parts = {"a": _answers(name="a"), "b": _answers(name="b", skill=0.7, seed=2, speakers=8)}
    every = [row for rows in parts.values() for row in rows]
    corpora = dict.fromkeys(parts, ALL)
    found = generalisation(HERE, every, [], CLASSES, corpora, measure)
    there = [_recall(rows, CLASSES) for rows in parts.values()]
    assert figure(found, "cross_corpus_uar").value == pytest.approx(np.mean(there))
    assert figure(found, "cross_corpus_uar").n == 240 + 160
    drop = figure(found, "cross_corpus_drop").value
    assert drop == pytest.approx(1 - np.mean(there) / _recall(HERE, CLASSES))
    lacking = generalisation(HERE, parts["a"], [], CLASSES, corpora, measure)
    assert figure(lacking, "cross_corpus_uar").value is None
    assert figure(lacking, "cross_corpus_uar", "on a").value == pytest.approx(there[0])


def test_the_same_answers_there_as_here_lose_nothing() -> None:
    """Every head answers every clip here too, so that both sides are the same table."""
    answers = _answers()
    here = [
        Prediction(r.repetition, r.fold, r.utterance, r.speaker, r.gender, r.label, r.predicted,
                   r.probabilities)
        for r in answers
    ]  # fmt: skip
    drop = figure(_figures(answers, here=here), "cross_corpus_drop")
    assert drop.value == pytest.approx(0)
    assert drop.low is not None
    assert drop.low < 0


def test_few_speakers_and_heads_that_recognise_nothing_are_flagged() -> None:
    found = _figures(_answers(speakers=4), here=emotion_rows(skill=0.0))
    drop = figure(found, "cross_corpus_drop")
    assert "only 4 speakers in other: the interval may be too narrow" in drop.flags
    assert "UAR in the corpus itself is within guessing: there is little to lose" in drop.flags
    uar = figure(found, "cross_corpus_uar")
    assert uar.flags == ("only 4 speakers in other: the interval may be too narrow",)


def test_heads_of_few_speakers_tested_on_many_leave_an_interval_as_wide_as_their_training() -> None:
    """More speakers there narrow it; who was learned from does not become better known."""
    assert trained_on(24, 24) == pytest.approx(1 + 8 / 24)
    widths = []
    for speakers in (12, 48, 192):
        uar = figure(_figures(_answers(speakers=speakers, clips=8)), "cross_corpus_uar")
        assert uar.high is not None
        assert uar.low is not None
        widths.append(uar.high - uar.low)
    assert widths[0] > widths[1] > widths[2] > widths[0] / 4


@settings(max_examples=25, deadline=None)
@given(skill=st.floats(0, 1), here=st.floats(0, 1), seed=st.integers(0, 50))
def test_an_interval_holds_its_value_however_much_is_lost_or_won(
    skill: float, here: float, seed: int
) -> None:
    rows = emotion_rows(skill=here, speakers=6, clips=8, seed=seed)
    found = _figures(_answers(skill=skill, speakers=6, clips=8, seed=seed), here=rows)
    drop = figure(found, "cross_corpus_drop")
    if drop.value is not None:
        assert drop.value <= 1
        assert drop.low is not None
        assert drop.high is not None
        assert drop.low <= drop.value <= drop.high <= 1


def test_intervals_hold_the_true_drop_in_simulated_corpora() -> None:
    """Speakers differ in how well they are recognised; truth: 1 - .45 / .7. At 95 % nominal."""
    rng = np.random.default_rng(0)

    def recognised(mean: float, speakers: int, clips: int) -> np.ndarray:
        skill = rng.beta(20 * mean, 20 * (1 - mean), size=speakers)
        found: np.ndarray = rng.random((speakers, clips)) < skill[:, None]
        return found

    def answer(label: str, right: bool) -> str:
        return label if right else CLASSES[(CLASSES.index(label) + 1) % 4]

    held, corpora, sure = 0, 60, (0.25, 0.25, 0.25, 0.25)
    for _ in range(corpora):
        here = [
            Prediction(0, s % 3 + 1, f"{s}-{c}", str(s), gender_of(s), CLASSES[c % 4],
                       answer(CLASSES[c % 4], right), sure)
            for s, own in enumerate(recognised(0.7, 12, 16)) for c, right in enumerate(own)
        ]  # fmt: skip
        there = [
            CrossCorpusAnswer(0, fold, "other", f"{s}-{c}", str(s), gender_of(s), "x",
                              CLASSES[c % 4], answer(CLASSES[c % 4], right), sure)
            for s, own in enumerate(recognised(0.45, 12, 16)) for c, right in enumerate(own)
            for fold in (1, 2, 3)
        ]  # fmt: skip
        drop = figure(_figures(there, here=here), "cross_corpus_drop")
        assert drop.low is not None
        assert drop.high is not None
        held += drop.low <= 1 - 0.45 / 0.7 <= drop.high
    assert held >= 0.92 * corpora
