"""Balanced folds: by their definition, against scikit-learn, and on corpora that went wrong."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.model_selection import StratifiedGroupKFold

from profiler.corpora.balance import Integers, assign, imbalance
from profiler.corpora.base import Corpus, Fold, Gender, Utterance
from profiler.corpora.folds import balanced_kfold, balanced_kfold_by_session, leaks
from profiler.corpora.registry import read
from profiles_db.errors import CorpusError

SPEAKERS_AND_CLIPS = st.integers(5, 10).flatmap(
    lambda speakers: arrays(np.int64, (speakers, 3), elements=st.integers(0, 9))
)


def clips_of(
    speaker: str, labels: dict[str, int], gender: Gender | None = None, session: str | None = None
) -> list[Utterance]:
    ids = [(f"{speaker}/{label}{n}", label) for label in labels for n in range(labels[label])]
    return [Utterance(id_, Path(id_), speaker, gender, label, session) for id_, label in ids]


def columns(holdings: Integers) -> Integers:
    """Clips of two classes and of one gender, with their total, as `assign` takes them."""
    by_class = holdings[:, :2] + (holdings.sum(axis=1) == 0)[:, None]
    female = by_class.sum(axis=1) * (holdings[:, 2] % 2)
    return np.column_stack(
        [by_class.sum(axis=1), by_class, female, by_class.sum(axis=1) - female]
    ).astype(np.int64)


KINDS = (0, 1, 1, 2, 2)


def worth(holdings: Integers, parts: list[int], shares: list[int]) -> tuple[int, float]:
    found = imbalance(holdings, KINDS, parts, shares)
    return found.absences, found.squares


def test_the_imbalance_of_a_case_computed_by_hand() -> None:
    # Speakers: 3 happy, a woman; 1 happy, 4 sad, a man. Shares meant: half and half.
    holdings = np.array([[3, 3, 0, 3, 0], [5, 1, 4, 0, 5]])
    found = imbalance(holdings, KINDS, [0, 1], [1, 1])
    clips = 2 * (1 / 8) ** 2
    happy, sad = 2 * (1 / 4) ** 2, 2 * (1 / 2) ** 2
    women, men = 2 * (1 / 2) ** 2, 2 * (1 / 2) ** 2
    assert found.squares == pytest.approx(clips + (happy + sad) / 2 + (women + men) / 2)
    assert found.absences == 3


def test_equal_speakers_are_spread_exactly() -> None:
    holdings = np.tile([4, 2, 2, 4, 0], (20, 1))
    holdings[10:, 3:] = [0, 4]
    parts = assign(holdings, KINDS, [1] * 5)
    assert worth(holdings, parts, [1] * 5) == (0, 0.0)
    assert Counter(parts) == dict.fromkeys(range(5), 4)


def test_an_exchange_finds_what_one_by_one_misses() -> None:
    parts = assign(np.array([[3], [3], [2], [2], [2]]), [0], [1, 1])
    assert parts[0] == parts[1] != parts[2] == parts[3] == parts[4]


def test_unequal_shares() -> None:
    parts = assign(np.full((10, 1), 7), [0], [4, 1])
    assert Counter(parts) == {0: 8, 1: 2}


def test_a_part_keeps_its_only_speaker_though_it_were_nearer_its_share_without() -> None:
    assert assign(np.array([[5], [5]]), [0], [4, 1]) == [0, 1]


@settings(deadline=None)
@given(SPEAKERS_AND_CLIPS, st.sampled_from([[1] * 5, [1] * 3, [4, 1]]))
def test_no_part_is_empty_and_no_single_step_is_better(drawn: Integers, shares: list[int]) -> None:
    holdings = columns(drawn)
    parts = assign(holdings, KINDS, shares)
    assert set(parts) == set(range(len(shares)))
    absences, squares = worth(holdings, parts, shares)
    for other in _single_steps(parts, len(shares)):
        theirs = worth(holdings, other, shares)
        assert (absences, squares - 1e-5) <= theirs


def _single_steps(parts: list[int], count: int) -> list[list[int]]:
    """Every division that moves one speaker, or exchanges two, and leaves no part empty."""
    others = []
    for speaker, part in enumerate(parts):
        if parts.count(part) > 1:
            others += [[*parts[:speaker], p, *parts[speaker + 1 :]] for p in range(count)]
    for one, other in combinations(range(len(parts)), 2):
        swapped = list(parts)
        swapped[one], swapped[other] = parts[other], parts[one]
        others.append(swapped)
    return others


@pytest.mark.parametrize("seed", range(40))
def test_never_less_balanced_than_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    speakers, classes = int(rng.integers(8, 60)), int(rng.integers(2, 7))
    sizes = [rng.integers(1, 60, speakers), 1 + 10 * rng.pareto(1, speakers)][seed % 2]
    table = np.array([rng.multinomial(n, rng.dirichlet(np.ones(classes))) for n in sizes])
    table[:, 0] += table.sum(axis=1) == 0
    women = rng.random(speakers) < (0.5, 0.2)[seed // 2 % 2]
    women[:2] = True, False
    totals = table.sum(axis=1)
    holdings = np.column_stack([totals, table, totals * women, totals * ~women])
    holdings = holdings[:, holdings.any(axis=0)].astype(np.int64)
    kinds = [0, *[1] * (holdings.shape[1] - 3), 2, 2]

    groups = np.repeat(np.arange(speakers), totals)
    labels = np.concatenate([np.repeat(np.arange(classes), row) for row in table])
    strata = 2 * labels + women[groups]
    theirs = [0] * speakers
    splitter = StratifiedGroupKFold(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strata with fewer clips than folds
        for part, (_, test) in enumerate(splitter.split(strata, strata, groups)):
            for speaker in set(groups[test]):
                theirs[speaker] = part
    mine = imbalance(holdings, kinds, assign(holdings, kinds, [1] * 5), [1] * 5)
    other = imbalance(holdings, kinds, theirs, [1] * 5)
    assert (mine.absences, mine.squares) <= (other.absences, other.squares + 1e-6)


def test_a_handful_of_speakers() -> None:
    clips = [clip for speaker in "abcd" for clip in clips_of(speaker, {"happy": 1})]
    parts = [[fold.test, fold.dev] for fold in balanced_kfold(clips[:3])]
    assert parts == [
        [("a/happy0",), ("c/happy0",)],
        [("b/happy0",), ("c/happy0",)],
        [("c/happy0",), ("b/happy0",)],
    ]
    assert [len(fold.train) for fold in balanced_kfold(clips)] == [2] * 4
    with pytest.raises(CorpusError, match="2 speakers: no speaker-disjoint folds"):
        balanced_kfold(clips[:2])


def test_ten_sessions_are_left_out_one_by_one_and_more_are_balanced() -> None:
    clips = [
        clip
        for number in range(11)
        for clip in clips_of(f"s{number:02d}", {"sad": 1 + number % 3}, session=f"{number:02d}")
    ]
    ten = balanced_kfold_by_session([clip for clip in clips if clip.session != "10"])
    assert [{id_[1:3] for id_ in fold.test} for fold in ten] == [{f"{n:02d}"} for n in range(10)]
    sizes = [len(fold.test) for fold in balanced_kfold_by_session(clips)]
    assert sorted(sizes) == [4, 4, 4, 4, 5]


PEOPLE = st.lists(
    st.tuples(
        st.integers(0, 12), st.sampled_from("xyz"), st.sampled_from(["female", "male", None])
    ),
    min_size=3,
    max_size=60,
)


@settings(deadline=None)
@given(PEOPLE, st.randoms(use_true_random=False))
def test_disjoint_whole_and_the_same_in_any_order(
    rows: list[tuple[int, str, Gender | None]], draws: random.Random
) -> None:
    clips = [
        Utterance(f"{n}", Path(f"{n}"), f"s{speaker}", gender, label)
        for n, (speaker, label, gender) in enumerate(rows)
    ]
    if len({clip.speaker for clip in clips}) < 3:
        with pytest.raises(CorpusError, match="no speaker-disjoint folds"):
            balanced_kfold(clips)
        return
    folds = balanced_kfold(clips)
    assert leaks(Corpus("x", ("x", "y", "z"), tuple(clips), folds)) == ()
    everything = sorted(clip.id for clip in clips)
    assert sorted(id_ for fold in folds for id_ in fold.test) == everything
    for fold in folds:
        assert all(ids for _, ids in fold.parts())
        assert sorted(fold.train + fold.dev + fold.test) == everything
    draws.shuffle(clips)
    assert [_members(fold) for fold in balanced_kfold(clips)] == [_members(fold) for fold in folds]


def _members(fold: Fold) -> list[set[str]]:
    return [set(ids) for _, ids in fold.parts()]


def count(clips: list[Utterance], ids: tuple[str, ...], field: str) -> Counter[str]:
    by_id = {clip.id: clip for clip in clips}
    return Counter(getattr(by_id[id_], field) for id_ in ids)


def test_sixty_speakers_of_very_different_sizes() -> None:
    """Sorted names put 40 clips into one test part of such a corpus, and 1,026 into another."""
    sizes = [4] * 12 + [40] * 36 + [100] * 12
    clips = [
        clip
        for number, size in enumerate(sizes)
        for clip in clips_of(f"s{number:02d}", {"happy": size // 2, "sad": size // 2})
    ]
    folds = balanced_kfold(clips)
    assert sum(sizes) / 5 == pytest.approx(537.6)
    assert {len(fold.test) for fold in folds} <= {536, 540}
    assert max(len(f.dev) for f in folds) - min(len(f.dev) for f in folds) <= 4


def test_genders_that_follow_the_names_are_in_every_part() -> None:
    """Sorted names put one gender into a test part: women are f00 to f09, men m10 to m29."""
    clips = []
    for number in range(30):
        gender: Gender = "female" if number < 10 else "male"
        clips += clips_of(f"{gender[0]}{number:02d}", {"happy": 5, "sad": 10}, gender)
    for fold in balanced_kfold(clips):
        assert count(clips, fold.test, "gender") == {"female": 30, "male": 60}
        assert count(clips, fold.dev, "gender") == {"female": 30, "male": 45}
        assert count(clips, fold.train, "gender") == {"female": 90, "male": 195}


@pytest.mark.real_audio
def test_crema_d_becomes_even(real_data: Path) -> None:
    """Its published folds have 930 to 1,025 test clips, 38 to 57 % of them by women."""
    clips = list(read("crema_d", real_data / "crema_d_metadata").utterances)
    women = count(clips, tuple(clip.id for clip in clips), "gender")["female"] / len(clips)
    for fold in balanced_kfold(clips):
        assert 950 <= len(fold.test) <= 970
        assert 760 <= len(fold.dev) <= 780
        for _, ids in fold.parts():
            assert count(clips, ids, "gender")["female"] / len(ids) == pytest.approx(
                women, abs=0.01
            )


def test_a_class_of_few_speakers_is_in_every_part() -> None:
    """Seven of thirty speakers, the last by name, ever sound afraid: every part has one of them."""
    clips = []
    for number in range(30):
        fearful = {"fearful": 6} if number >= 23 else {}
        clips += clips_of(f"s{number:02d}", {"happy": 10, "sad": 8, **fearful})
    for fold in balanced_kfold(clips):
        for part, ids in fold.parts():
            assert count(clips, ids, "label")["fearful"] >= 6, part


def test_ten_thousand_speakers() -> None:
    rng = np.random.default_rng(7)
    table = rng.multinomial(20, [0.6, 0.3, 0.08, 0.02], 10_000)
    holdings = np.column_stack([table.sum(axis=1), table])
    found = imbalance(
        holdings, [0, 1, 1, 1, 1], assign(holdings, [0, 1, 1, 1, 1], [1] * 5), [1] * 5
    )
    assert found.absences == 0
    assert found.squares < 1e-6
