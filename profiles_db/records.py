"""What a run leaves behind, row by row, so that every figure can be computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from profiles_db.profile import WeightsKind

Task = Literal["emotion", "gender", "linear_gender", "head_gender", "strongest_gender"]
"""Which head predicted: the emotion head, the protocol's gender probe on the backbone's hidden
states, a linear probe on their average over the layers, pooled over the frames, a linear probe on
the emotion head's embedding, or the fold's strongest attacker on gender (see `Attacker`)."""

Space = Literal["backbone", "head"]
"""Where voices are compared: pooled hidden states, or the emotion head's embedding."""

AttackName = Literal["fgsm", "pgd", "noise"]

GradientState = Literal["ok", "zero", "not finite", "none"]
"""What the loss gradient at the clean clip was like; `none` where no gradient was used."""


@dataclass(frozen=True, slots=True)
class Run:
    """One backbone profiled on one corpus under one protocol on one kind of device.

    `run` is derived from what identifies it, so the same request finds the same run again.
    """

    run: str
    study: str
    backbone: str
    corpus: str
    weights_kind: WeightsKind
    weights_id: str
    weights_origin: str
    synthetic: bool
    folds: int
    folds_total: int
    seeds: int
    device: str
    started: str
    protocol: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One head's answer for one test clip; `probabilities` follow the run's order of classes."""

    seed: int
    fold: int
    task: Task
    utterance: str
    speaker: str
    gender: str | None
    label: str
    predicted: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """What became of one correctly classified clip under one perturbation.

    `snr_db` is what was asked for, `reached_snr_db` what the perturbed waveform has (None where
    the perturbation is zero).
    """

    seed: int
    fold: int
    attack: AttackName
    snr_db: float
    utterance: str
    speaker: str
    label: str
    predicted: str
    reached_snr_db: float | None
    gradient: GradientState


@dataclass(frozen=True, slots=True)
class Trial:
    """One comparison of a trial clip with an enrolled speaker; `score` is a cosine.

    The speaker is enrolled with other clips of the trial clip's emotion.
    """

    seed: int
    fold: int
    space: Space
    utterance: str
    speaker: str
    claimed: str
    score: float


@dataclass(frozen=True, slots=True)
class Attacker:
    """One attacker on the speakers' gender in one fold: how it did on the dev and the test part.

    `chosen` says whether it is the fold's strongest, by its dev figures alone (highest UAR, then
    lowest log-loss, then the first of equals). Only its answers are kept clip by clip, under the
    task `strongest_gender`.
    """

    seed: int
    fold: int
    attacker: str
    dev_uar: float
    dev_loss: float
    test_uar: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of one head's training."""

    seed: int
    fold: int
    task: Task
    epoch: int
    train_loss: float
    dev_loss: float
    dev_score: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class LayerWeight:
    """Softmax weight that the emotion head gives to one hidden state; `layer` counts from 1."""

    seed: int
    fold: int
    layer: int
    weight: float


@dataclass(frozen=True, slots=True)
class FoldResult:
    """All that one fold of one repetition yields; stored atomically."""

    seed: int
    fold: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    predictions: tuple[Prediction, ...] = ()
    attacks: tuple[AttackOutcome, ...] = ()
    trials: tuple[Trial, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    layer_weights: tuple[LayerWeight, ...] = ()
    attackers: tuple[Attacker, ...] = ()
