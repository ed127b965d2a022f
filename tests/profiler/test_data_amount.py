"""Heads trained on fewer speakers: who they are, and that all of them give the head itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import trustser
from profiler.corpora.base import Gender, Utterance
from profiler.measures.data_amount import DataAmountSettings
from profiler.measures.data_amount_work import in_even_order, part_of
from profiles_db.records import LessDataAnswer, Prediction
from profiles_db.store import Store
from tests.profiler.aspects.rows import CLASSES
from trustser.__main__ import run


def _clips(women: int, men: int) -> list[Utterance]:
    genders: list[Gender] = ["female" if n < women else "male" for n in range(women + men)]
    return [
        Utterance(f"{number}-{label}", Path(), f"s{number:03d}", gender, label)
        for number, gender in enumerate(genders)
        for label in CLASSES
    ]


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 100))
def test_each_beginning_of_the_order_holds_the_genders_evenly(
    women: int, men: int, seed: int
) -> None:
    clips = _clips(women, men)
    order = in_even_order(clips, seed)
    assert sorted(order) == sorted({clip.speaker for clip in clips})
    for length in range(len(order) + 1):
        female = sum(int(speaker[1:]) < women for speaker in order[:length])
        assert abs(female - length * women / (women + men)) <= 1


def test_another_seed_is_another_order() -> None:
    clips = _clips(8, 8)
    assert in_even_order(clips, 1) == in_even_order(clips, 1)
    assert in_even_order(clips, 1) != in_even_order(clips, 2)


@settings(deadline=None)
@given(st.integers(0, 50), st.lists(st.floats(0.01, 0.99), min_size=2, max_size=2))
def test_a_smaller_share_is_part_of_a_larger_one(seed: int, shares: list[float]) -> None:
    clips = _clips(5, 7)
    order = in_even_order(clips, seed)
    small, large = (part_of(clips, order, share) for share in sorted(shares))
    assert set(small) <= set(large)
    assert [clip for clip in clips if clip in set(large)] == large
    for part, share in zip((small, large), sorted(shares), strict=True):
        assert len(part) == len(CLASSES) * max(1, round(12 * share))


@pytest.mark.parametrize("shares", [(), (0.5, 0.25), (0.5, 0.5), (0.0,), (1.0,), (-1.0,)])
def test_shares_that_are_none_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        DataAmountSettings(shares=shares)


def test_a_run_of_all_speakers_but_for_rounding_is_the_head_itself(
    manifest: Path, tmp_path: Path
) -> None:
    db = tmp_path / "a.duckdb"
    (profile,) = trustser.profile(
        "fbank", "manifest", data_root=manifest, measures="performance,data_amount", workers=0,
        device="cpu", db=db, cache=tmp_path / "cache", settings={
            "study.folds": 2, "training": {"repetitions": 1, "epochs": 2},
            "data_amount.shares": [0.4, 0.99],
        },
    )  # fmt: skip
    assert not profile.failed
    store = Store(db, read_only=True)
    rows = store.rows(profile.run, LessDataAnswer)
    whole = {(r.fold, r.utterance): r.predicted for r in store.rows(profile.run, Prediction)}
    for share in (0.4, 0.99):
        own = {(r.fold, r.utterance): r.predicted for r in rows if r.share == share}
        assert (own == whole) == (share == 0.99)
    trained = {(r.share, r.trained_clips == 8 * r.trained_speakers, r.lacking) for r in rows}
    assert trained == {(0.4, True, False), (0.99, True, False)}
    assert {r.trained_speakers for r in rows if r.share == 0.4} <= {2, 3}
    found = {m.level: m for m in profile.measurements if m.criterion == "uar_by_data"}
    assert set(found) == {0.4, 0.99, 1.0}
    uar = profile.pooled("uar")
    assert uar is not None
    assert found[0.99].value == found[1.0].value == uar.value
    assert "speakers" in found[0.4].notes[0]
    assert run(["db", "check", "--db", str(db)]) == 0
    (again,) = trustser.measure("fbank", measures="data_amount", recompute=True, db=db)
    own_figures = [m for m in again.measurements if m.measure == "data_amount"]
    assert own_figures == [m for m in profile.measurements if m.measure == "data_amount"]
