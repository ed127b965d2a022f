"""Folds: against scikit-learn's KFold and the reference's rule, and disjoint whatever comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from profiler.corpora.base import Corpus, Fold, Gender, Part, Utterance
from profiler.corpora.folds import (
    fold_by_split,
    kfold,
    kfold_by_session,
    kfold_by_speaker,
    leaks,
    require_speaker_disjoint,
)
from profiles_db.errors import CorpusError


def clip(
    speaker: str,
    number: int = 0,
    *,
    session: str | None = None,
    split: Part | None = None,
    gender: Gender | None = None,
) -> Utterance:
    id_ = f"{speaker}-{number}"
    return Utterance(id_, Path(id_), speaker, gender, "happy", session, split)


def speakers_of(ids: tuple[str, ...]) -> set[str]:
    return {id_.split("-")[0] for id_ in ids}


@given(st.integers(3, 40), st.integers(2, 8))
def test_test_parts_are_those_of_scikit_learn(count: int, k: int) -> None:
    groups = [f"{number:02d}" for number in range(count)]
    k = min(k, count)
    expected = [[groups[i] for i in test] for _, test in KFold(k).split(groups)]
    assert [list(test) for _, _, test in kfold(groups, k)] == expected


@given(st.integers(3, 100), st.integers(2, 8))
def test_dev_is_the_last_fifth_of_the_rest_rounded_up(count: int, k: int) -> None:
    groups = [f"{number:02d}" for number in range(count)]
    for train, dev, test in kfold(groups, min(k, count)):
        rest = [group for group in groups if group not in test]
        size = -(-len(rest) // 5)
        assert list(dev) == rest[-size:]
        assert list(train) == rest[:-size]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 7))
def test_folds_are_speaker_disjoint_and_test_every_clip_once(owners: list[int], k: int) -> None:
    clips = [clip(f"s{owner:02d}", number) for number, owner in enumerate(owners)]
    if len(set(owners)) < 3:
        with pytest.raises(CorpusError, match="no speaker-disjoint folds"):
            kfold_by_speaker(clips, k=k)
        return
    folds = kfold_by_speaker(clips, k=k)
    everything = sorted(utterance.id for utterance in clips)
    assert sorted(id_ for fold in folds for id_ in fold.test) == everything
    for fold in folds:
        assert sorted(fold.train + fold.dev + fold.test) == everything
        assert not speakers_of(fold.train) & speakers_of(fold.dev)
        assert not speakers_of(fold.train + fold.dev) & speakers_of(fold.test)


def test_fewer_speakers_make_fewer_folds() -> None:
    folds = kfold_by_speaker([clip(name) for name in "abc"])
    assert [(f.train, f.dev, f.test) for f in folds] == [
        (("b-0",), ("c-0",), ("a-0",)),
        (("a-0",), ("c-0",), ("b-0",)),
        (("a-0",), ("b-0",), ("c-0",)),
    ]


def test_one_fold_per_session_with_the_last_of_the_others_as_dev() -> None:
    clips = [clip(f"s{session}", session=f"Session{session}") for session in (5, 3, 1, 2, 4)]
    folds = kfold_by_session(clips)
    assert [fold.test for fold in folds] == [(f"s{n}-0",) for n in (1, 2, 3, 4, 5)]
    assert [fold.dev for fold in folds] == [("s5-0",)] * 4 + [("s4-0",)]


def test_many_sessions_are_folded_by_fives() -> None:
    folds = kfold_by_session([clip(f"s{n}", session=f"{n:02d}") for n in range(11)])
    assert [len(fold.test) for fold in folds] == [3, 2, 2, 2, 2]


def test_two_sessions_cannot_be_folded() -> None:
    with pytest.raises(CorpusError, match=r"2 sessions: .* at least 3 sessions"):
        kfold_by_session([clip("a", session="1"), clip("b", session="2")])


def test_a_split_is_one_fold() -> None:
    (fold,) = fold_by_split(
        [clip("a", split="train"), clip("b", split="dev"), clip("c", split="test")]
    )
    assert fold == Fold(1, ("a-0",), ("b-0",), ("c-0",))


def test_a_split_without_dev_takes_a_balanced_fifth_of_the_train_part() -> None:
    heavy = [clip("a", number, split="train") for number in range(20)]
    light = [clip(name, n, split="train") for name in "bcdefghi" for n in range(10)]
    (fold,) = fold_by_split([*heavy, *light, clip("z", split="test")])
    assert len(fold.dev) == 20
    assert len(fold.train) == 80
    assert not speakers_of(fold.train) & speakers_of(fold.dev)


def test_a_split_without_dev_and_with_one_speaker_is_refused() -> None:
    with pytest.raises(CorpusError, match="no dev part"):
        fold_by_split([clip("a", split="train"), clip("z", split="test")])


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_split_needs_train_and_test(part: Part) -> None:
    with pytest.raises(CorpusError, match="the split has no"):
        fold_by_split([clip("a", split=part), clip("b", split=part)])


def test_a_leak_is_found_and_refused() -> None:
    clips = (clip("a", 1), clip("a", 2), clip("b"), clip("c"))
    corpus = Corpus("x", ("happy",), clips, (Fold(1, ("a-1", "b-0"), ("c-0",), ("a-2",)),))
    (leak,) = leaks(corpus)
    assert (leak.fold, leak.speaker, leak.parts) == (1, "a", ("train", "test"))
    with pytest.raises(CorpusError, match=r"a \(fold 1: train\+test\)"):
        require_speaker_disjoint(corpus)


def test_no_leak_where_folds_are_made_by_speaker() -> None:
    clips = tuple(clip(name) for name in "abcdefg")
    corpus = Corpus("x", ("happy",), clips, kfold_by_speaker(clips))
    assert leaks(corpus) == ()
    require_speaker_disjoint(corpus)
