"""Voices compared: whose clips, with whom, and never across emotions."""

from __future__ import annotations

import numpy as np
import pytest

from profiler.measures.speaker_verification import Comparison, compare
from profiler.measures.statistics import Floats, equal_error_rate

EMOTIONS = ("happy", "sad")
SPEAKERS = [str(speaker) for speaker in range(6) for _ in range(20)]
MOODS = [EMOTIONS[clip % 2] for _ in range(6) for clip in range(20)]


def _vectors(spread: float, mood: float = 0.0) -> Floats:
    """Twenty clips of each of six voices; their moods lie apart by `mood`."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((6, 16))
    moods = {name: mood * rng.standard_normal(16) for name in EMOTIONS}
    noise = spread * rng.standard_normal((120, 16))
    return np.stack(
        [centres[int(s)] + moods[m] + e for s, m, e in zip(SPEAKERS, MOODS, noise, strict=True)]
    )


def _compared(
    vectors: Floats,
    emotions: list[str] = MOODS,
    *,
    enrolment: int = 3,
    trial_clips: int | None = None,
    impostors: int | None = None,
) -> list[Comparison]:
    return compare(
        SPEAKERS,
        emotions,
        lambda positions: vectors[list(positions)],
        enrolment=enrolment,
        trial_clips=trial_clips,
        impostors=impostors,
        seed=0,
    )


def _error_rate(found: list[Comparison]) -> float:
    scores = np.array([one.score for one in found])
    same = np.array([SPEAKERS[one.position] == one.claimed for one in found])
    return float(equal_error_rate(scores, same, np.ones((1, len(scores))))[0])


@pytest.mark.parametrize(("spread", "low", "high"), [(0.05, 0.0, 0.01), (50.0, 0.4, 0.6)])
def test_distinct_voices_are_recognised_and_noise_is_not(
    spread: float, low: float, high: float
) -> None:
    found = _compared(_vectors(spread))
    assert len(found) == 6 * 2 * 7 * 6
    assert low <= _error_rate(found) <= high


def test_moods_far_apart_do_not_hide_the_voices() -> None:
    """A clip is compared with voices in its own mood, so the mood is the same on both sides."""
    vectors = _vectors(0.3, mood=100.0)
    assert _error_rate(_compared(vectors)) < 0.25
    mixed = _compared(vectors, ["any"] * 120)
    assert _error_rate(mixed) > 0.35, "what comparing across moods would have printed as privacy"


def test_an_emotion_that_only_one_speaker_has_often_enough_is_left_out() -> None:
    vectors = _vectors(1.0)
    assert _compared(vectors, enrolment=10) == []
    moods = ["rare" if s == "0" and m == "sad" else m for s, m in zip(SPEAKERS, MOODS, strict=True)]
    found = _compared(vectors, moods)
    assert {moods[one.position] for one in found} == {"happy", "sad"}
    claimed = {one.claimed for one in found if moods[one.position] == "sad"}
    assert claimed == {"1", "2", "3", "4", "5"}, "only who is enrolled in that emotion"


def test_impostors_are_drawn_and_the_own_speaker_is_always_there() -> None:
    """A sample of the comparisons, of the same scores; the same on every call."""
    vectors = _vectors(1.0)
    every, some = _compared(vectors), _compared(vectors, impostors=2)
    assert some == _compared(vectors, impostors=2)
    scores = {(one.position, one.claimed): one.score for one in every}
    for one in some:
        assert one.score == pytest.approx(scores[one.position, one.claimed], abs=1e-12)
    claims: dict[int, set[str]] = {}
    for one in some:
        claims.setdefault(one.position, set()).add(one.claimed)
    assert len(claims) == 84
    assert all(len(own) == 3 and SPEAKERS[position] in own for position, own in claims.items())
    drawn = {name for position, own in claims.items() for name in own - {SPEAKERS[position]}}
    assert drawn == set(SPEAKERS)
    assert _compared(vectors, impostors=5) == every


def test_trials_are_drawn_of_all_speakers_with_the_scores_that_they_have() -> None:
    vectors = _vectors(1.0)
    every, some = _compared(vectors), _compared(vectors, trial_clips=40)
    assert {one.position for one in some} < {one.position for one in every}
    assert len({one.position for one in some}) == 40
    assert {SPEAKERS[one.position] for one in some} == set(SPEAKERS)
    assert {(one.position, one.claimed, one.score) for one in some} < {
        (one.position, one.claimed, one.score) for one in every
    }
    assert _compared(vectors, trial_clips=84) == every
