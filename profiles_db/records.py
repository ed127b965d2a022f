"""What a run leaves behind, row by row, so that every figure can be computed again.

Rows of measures that came later stand beside the measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from profiles_db.corruptions import Corruption
from profiles_db.dimensions import Dimension
from profiles_db.profile import WeightsKind
from profiles_db.row_tables import TRAINING, AtLeast, Between, Fraction, Unbounded, row_table

Gender = Literal["female", "male"]

GenderTask = Literal["gender", "linear_gender", "head_gender", "strongest_gender"]
"""Who inferred the speaker's gender: the protocol's probe on the backbone's hidden states, a linear
probe on their average over the layers, pooled over the frames, a linear probe on the emotion head's
embedding, or the fold's strongest attacker (see `Attacker`)."""

Space = Literal["backbone", "head"]
"""Where voices are compared: pooled hidden states, or the emotion head's embedding."""

AttackName = Literal["fgsm", "pgd", "noise"]

GradientState = Literal["ok", "zero", "not finite", "none"]
"""What the loss gradient at the clean clip was like; `none` where no gradient was used."""

Probabilities = Annotated[tuple[float, ...], Between(0.0, 1.0, 1e-6)]
Loss = Annotated[float, Unbounded()]
Rate = Annotated[float, AtLeast(0)]
FromOne = Annotated[int, AtLeast(1)]
Silhouette = Annotated[float, Between(-1.0, 1.0, 1e-6)] | None


@dataclass(frozen=True, slots=True)
class Run:
    """One backbone's model (its trained heads) measured under one set of settings.

    `model` is derived from what trains it (study, encoder, settings of training, kind of device),
    and `run` from the model and the settings of measures that shape rows and differ from their
    defaults: the same request finds the same run again, and runs that differ in how they are
    measured share their heads.
    """

    run: str
    model: str
    study: str
    backbone: str
    corpus: str
    weights_kind: WeightsKind
    weights_id: str
    weights_origin: str
    synthetic: bool
    folds: int
    folds_total: int
    repetitions: int
    device: str
    started: str
    protocol: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


@row_table("predictions", step=TRAINING, key=("utterance",))
@dataclass(frozen=True, slots=True)
class Prediction:
    """The emotion head's answer for one test clip.

    `probabilities` follow the run's order of classes.
    """

    repetition: int
    fold: int
    utterance: str
    speaker: str
    gender: Gender | None
    label: str
    predicted: str
    probabilities: Probabilities


@row_table("epochs", step=TRAINING, key=("epoch",))
@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch of the emotion head's training."""

    repetition: int
    fold: int
    epoch: FromOne
    train_loss: Loss
    dev_loss: Loss
    dev_score: float
    learning_rate: Rate


@row_table("layer_weights", step=TRAINING, key=("layer",))
@dataclass(frozen=True, slots=True)
class LayerWeight:
    """Softmax weight that the emotion head gives to one hidden state; `layer` counts from 1."""

    repetition: int
    fold: int
    layer: FromOne
    weight: Annotated[float, Between(0.0, 1.0, 1e-6)]


@row_table("gender_predictions", step="privacy", key=("task", "utterance"))
@dataclass(frozen=True, slots=True)
class GenderPrediction:
    """What one attacker infers of one test clip's speaker; `label` is the speaker's gender."""

    repetition: int
    fold: int
    task: GenderTask
    utterance: str
    speaker: str
    gender: Gender | None
    label: str
    predicted: str
    probabilities: Probabilities


@row_table("probe_epochs", step="privacy", key=("epoch",))
@dataclass(frozen=True, slots=True)
class ProbeEpoch:
    """One epoch of the gender probe's training."""

    repetition: int
    fold: int
    epoch: FromOne
    train_loss: Loss
    dev_loss: Loss
    dev_score: float
    learning_rate: Rate


@row_table("attackers", step="privacy", key=("attacker",))
@dataclass(frozen=True, slots=True)
class Attacker:
    """One attacker on the speakers' gender in one fold: how it did on the dev and the test part.

    `chosen` says whether it is the fold's strongest, by its dev figures alone (highest UAR, then
    lowest log-loss, then the first of equals). Only its answers are kept clip by clip, under the
    task `strongest_gender`.
    """

    repetition: int
    fold: int
    attacker: str
    dev_uar: Fraction
    dev_loss: float
    test_uar: Fraction
    chosen: bool


@row_table("trials", step="privacy", key=("space", "utterance", "claimed"))
@dataclass(frozen=True, slots=True)
class Trial:
    """One comparison of a trial clip with an enrolled speaker; `score` is a cosine.

    The speaker is enrolled with other clips of the trial clip's emotion.
    """

    repetition: int
    fold: int
    space: Space
    utterance: str
    speaker: str
    claimed: str
    score: Annotated[float, Between(-1.0, 1.0, 1e-3)]


@row_table("attacks", step="safety", key=("attack", "snr_db", "utterance"))
@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """What became of one correctly classified clip under one perturbation.

    `snr_db` is what was asked for, `reached_snr_db` what the perturbed waveform has (None where
    the perturbation is zero).
    """

    repetition: int
    fold: int
    attack: AttackName
    snr_db: float
    utterance: str
    speaker: str
    label: str
    predicted: str
    reached_snr_db: float | None
    gradient: GradientState


@row_table("corrupted_answers", step="robustness", key=("corruption", "level", "utterance"))
@dataclass(frozen=True, slots=True)
class CorruptedAnswer:
    """The emotion head's answer to one test clip after one corruption.

    `level` is in the unit of the kind (`profiles_db.corruptions.KINDS`), None where it has none.
    The answer to the clip as it is stands in `predictions`.
    """

    repetition: int
    fold: int
    corruption: Corruption
    level: float | None
    utterance: str
    speaker: str
    label: str
    predicted: str


@row_table("dimensional_predictions", step="dimensional", key=("dimension", "utterance"))
@dataclass(frozen=True, slots=True)
class DimensionalPrediction:
    """What the head for dimensions answers for one test clip on one dimension it is rated on.

    `truth` is the rating in [0, 1], `training_mean` the mean rating of the fold's training part:
    the best answer of whoever does not listen. `predicted` may lie beyond [0, 1].
    """

    repetition: int
    fold: int
    dimension: Dimension
    utterance: str
    speaker: str
    gender: Gender | None
    truth: Fraction
    predicted: float
    training_mean: Fraction


@row_table("dimensional_epochs", step="dimensional", key=("epoch",))
@dataclass(frozen=True, slots=True)
class DimensionalEpoch:
    """One epoch of the training of the head for dimensions; the score is the mean CCC."""

    repetition: int
    fold: int
    epoch: FromOne
    train_loss: Loss
    dev_loss: Loss
    dev_score: Annotated[float, Unbounded()]
    learning_rate: Rate


@row_table(
    "dimensional_attacks",
    step="dimensional_safety",
    key=("attack", "snr_db", "dimension", "utterance"),
)
@dataclass(frozen=True, slots=True)
class DimensionalAttack:
    """What the head for dimensions answers on one dimension of one clip under one perturbation.

    `truth` is the rating in [0, 1], `clean` the answer to the clip as it is, `predicted` that to
    the perturbed one; both may lie beyond [0, 1]. `snr_db` is what was asked for, `reached_snr_db`
    what the perturbed waveform has (None where the perturbation is zero).
    """

    repetition: int
    fold: int
    attack: AttackName
    snr_db: float
    dimension: Dimension
    utterance: str
    speaker: str
    gender: Gender | None
    truth: Fraction
    clean: float
    predicted: float
    reached_snr_db: float | None
    gradient: GradientState


@row_table("clip_groups", step="groups", key=("utterance", "attribute"))
@dataclass(frozen=True, slots=True)
class ClipGroup:
    """A group that one test clip belongs to, as the corpus says: its accent is Scots, say.

    Groups are facts of the corpus, not of a training: they are kept once, with repetition 0.
    """

    repetition: int
    fold: int
    utterance: str
    attribute: str
    group_name: str


@row_table("embedding_points", step="embeddings", key=("utterance",))
@dataclass(frozen=True, slots=True)
class EmbeddingPoint:
    """Where one clip lies in a picture of the hidden states, once for all folds and repetitions.

    `spread` is its squared distance from the mean of all clips, before two dimensions are left; a
    silhouette is None where there are not two kinds; `among` counts the clips that could be drawn.
    """

    repetition: int
    fold: int
    utterance: str
    speaker: str
    gender: Gender | None
    label: str
    x: float
    y: float
    spread: Annotated[float, AtLeast(0)]
    label_silhouette: Silhouette
    speaker_silhouette: Silhouette
    gender_silhouette: Silhouette
    among: FromOne


@row_table("embedding_neighbours", step="embeddings", key=("utterance", "rank"))
@dataclass(frozen=True, slots=True)
class EmbeddingNeighbour:
    """One of the clips nearest to a clip in the hidden states; `rank` counts from 1."""

    repetition: int
    fold: int
    utterance: str
    rank: FromOne
    neighbour: str


@row_table("less_data_answers", step="data_amount", key=("share", "utterance"))
@dataclass(frozen=True, slots=True)
class LessDataAnswer:
    """The answer of a head that was trained on a share of the training speakers, on one test clip.

    `lacking` says whether they had no clip of some class.
    """

    repetition: int
    fold: int
    share: Fraction
    utterance: str
    speaker: str
    gender: Gender | None
    label: str
    predicted: str
    trained_speakers: FromOne
    trained_clips: FromOne
    lacking: bool


@dataclass(frozen=True, slots=True)
class StepResult:
    """All rows that one step (the training, or a measure) has of one fold of one repetition.

    They are stored together or not at all.
    """

    step: str
    repetition: int
    fold: int
    rows: tuple[Any, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
