"""What "the same rows" means, once for all tests: see docs/protocol.md, "The same rows".

Exactly the same, where processor, versions and number of threads are. Elsewhere the same but for
rounding: numbers within a tolerance, answers equal but for near-ties. An attack leaves its answer
alone, and a gradient near zero may change its sign by rounding, so of its answers a share is equal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pytest

from profiles_db.records import (
    Attacker,
    AttackOutcome,
    CorruptedAnswer,
    DimensionalAttack,
    DimensionalEpoch,
    DimensionalPrediction,
    Epoch,
    GenderPrediction,
    LayerWeight,
    Prediction,
    ProbeEpoch,
    Trial,
)
from profiles_db.store import Store

Rows: TypeAlias = Mapping[type[Any], Sequence[Any]]
"""The rows of a run by their kind, in the order in which they are stored."""

WITH_ROWS: Final = ("performance", "privacy", "safety", "fairness", "robustness", "dimensional")
"""The measures whose rows are compared; costs, which take time, have none."""
KINDS: Final = (
    Prediction, GenderPrediction, AttackOutcome, CorruptedAnswer, Epoch, ProbeEpoch, Trial,
    LayerWeight, Attacker, DimensionalPrediction, DimensionalEpoch, DimensionalAttack,
)  # fmt: skip
FEW_CORRUPTIONS: Final[Mapping[str, Any]] = {
    "babble_snr_db": (20.0,), "telephone_kbits": (13,), "gain_db": (1.0, 2.0),
    **dict.fromkeys(
        ("white_noise_snr_db", "tone_snr_db", "clipping", "append", "prepend", "crop_start",
         "crop_end", "high_pass_hz", "low_pass_hz", "tilt_db_per_octave", "reverberation_s",
         "speed_up", "fade_per_second"), (),
    ),
}  # fmt: skip
"""Settings of robustness: other clips, filters and codecs, and clips that are equally long."""
_KEY: Final = (
    "repetition", "fold", "task", "space", "epoch", "layer", "attack", "snr_db", "attacker",
    "corruption", "level", "dimension", "utterance",
)  # fmt: skip
_NUMBERS: Final = frozenset({"train_loss", "dev_loss", "weight", "score", "clean"})
_FOLLOWING: Final = frozenset({"dev_score", "learning_rate", "dev_uar", "test_uar", "chosen"})
"""They follow from answers and losses, and jump where these differ by a near-tie."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What rounding may change.

    Parameters
    ----------
    number : float
        In a probability, a loss, a layer's weight, or a voice's likeness. An answer may be another
        where the two likeliest classes lie no further apart than twice this: a near-tie.
    attacked : float
        Share of the attacked clips, and of the corrupted ones, that get the same answer, at least.
    loudness_db : float
        In the ratio that an attack reached; PGD, which ends with its first success, excepted.
    """

    number: float
    attacked: float
    loudness_db: float


ROUNDING: Final = Tolerance(number=1e-4, attacked=0.98, loudness_db=1e-3)
"""Of sums in float32 taken in another order, on a CPU, after a few epochs."""
ON_GPU: Final = Tolerance(number=0.01, attacked=0.9, loudness_db=0.1)
"""Of a GPU against a CPU, after a few epochs."""


def rows_of(store: Store, run: str) -> Rows:
    """All rows of a run."""
    return {kind: store.rows(run, kind) for kind in KINDS}


ON_REQUEST: Final = frozenset(
    {CorruptedAnswer, DimensionalPrediction, DimensionalEpoch, DimensionalAttack}
)
OF_PRIVACY: Final = frozenset({GenderPrediction, ProbeEpoch, Trial, Attacker})


def assert_same_rows(
    found: Rows,
    expected: Rows,
    within: Tolerance | None = None,
    lacking: frozenset[type[Any]] = ON_REQUEST,
) -> None:
    """Refuse rows that are not the same: exactly, or `within` a tolerance.

    There must be some of every kind but those that may be `lacking`.
    """
    assert all(expected[kind] for kind in KINDS if kind not in lacking), "nothing to compare"
    if within is None:
        for kind in KINDS:
            assert found[kind] == expected[kind]
        return
    pairs = {
        kind: list(
            zip(sorted(found[kind], key=_key), sorted(expected[kind], key=_key), strict=True)
        )
        for kind in KINDS
    }
    for kind in KINDS:
        for ours, theirs in pairs[kind]:
            _assert_alike(ours, theirs, within)
    for kind in (AttackOutcome, CorruptedAnswer):
        outcomes = pairs[kind]
        equal = sum(ours.predicted == theirs.predicted for ours, theirs in outcomes)
        assert equal >= within.attacked * len(outcomes), f"{equal} of {len(outcomes)} answers alike"


def _assert_alike(ours: Any, theirs: Any, within: Tolerance) -> None:
    """Each field equal, or within the tolerance where it is a number that rounding reaches."""
    for field in dataclasses.fields(ours):
        name, (one, other) = field.name, (getattr(r, field.name) for r in (ours, theirs))
        if name == "probabilities":
            assert one == pytest.approx(other, abs=within.number), ours
        elif name in _NUMBERS:
            assert one == pytest.approx(other, abs=within.number), (name, ours)
        elif name == "predicted":
            if isinstance(ours, DimensionalPrediction | DimensionalAttack):
                assert one == pytest.approx(other, abs=within.number), ours
            elif isinstance(ours, Prediction | GenderPrediction) and one != other:
                first, second = sorted(theirs.probabilities, reverse=True)[:2]
                assert first - second <= 2 * within.number, (ours, theirs)
        elif name == "reached_snr_db":
            if ours.attack != "pgd":
                assert one == pytest.approx(other, abs=within.loudness_db), ours
        elif name not in _FOLLOWING:
            assert one == other, (name, ours, theirs)


def _key(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in (*_KEY, "claimed") if hasattr(row, name))
