"""What `config.json` of an exported folder says; written and read by these models alone."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from profiler.settings import MOST_CONVOLUTIONS, SAMPLE_RATE, Pooling, Precision
from profiles_db.profile import WeightsKind

FORMAT: Final = "trustser-recogniser"
VERSION: Final = 2
READABLE: Final = (1, VERSION)
"""The first had no tuned layers, and heads of two convolutions with mean pooling alone."""
CONFIG: Final = "config.json"
TENSORS: Final = "model.safetensors"
CARD: Final = "README.md"
ONNX: Final = "model.onnx"
FILES: Final = frozenset({CONFIG, TENSORS, CARD, ONNX, f"{ONNX}.data"})
"""All that an export ever writes."""

ENCODER: Final = "encoder."
HEADS: Final = "heads."
"""Beginnings of the names of tensors."""

UNTRAINED: Final = (
    "UNTRAINED: the encoder's weights are random. This is a dry run; its answers mean nothing."
)

_Count = Annotated[int, Field(ge=1, le=1_000_000)]
_Seconds = Annotated[float, Field(gt=0, le=60)]
_Name = Annotated[str, Field(min_length=1, max_length=1000)]
_Text = Annotated[str, Field(max_length=10_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Audio(_Part):
    """What the encoder hears of a recording."""

    sample_rate: Literal[16_000] = SAMPLE_RATE
    channels: Literal["averaged to one"] = "averaged to one"
    resampling: Literal["soxr VHQ"] = "soxr VHQ"
    longest_seconds: _Seconds
    """Heads were trained on the first so many seconds; what comes after is not heard."""
    shortest_seconds: _Seconds
    normalisation: _Text
    """In words: what becomes of the waveform, in [-1, 1], before the encoder."""


class EncoderPart(_Part):
    """Which encoder, and where its weights are."""

    name: _Name
    family: _Text
    depth: Annotated[int, Field(ge=1, le=512)] | None
    """So many of its transformer layers; all where None."""
    tuned: Annotated[int, Field(ge=0, le=512)] = 0
    """So many of its last transformer layers were trained with each head, which holds its own."""
    architecture: dict[str, Any] | None
    """To build it without a checkpoint; None where its name alone says it."""
    hidden_states: _Count
    hidden_size: _Count
    precision: Precision
    states_kept_in: Literal["float16"] = "float16"
    """Heads were trained on hidden states rounded to this, so they are given such again; with tuned
    layers, on such of the part below these."""
    weights_kind: WeightsKind
    weights_id: _Name
    """Digest of the encoder's tensors, `random:SEED` or `none`; with `@K` of its first layers, with
    `+lastN` where the last ones were tuned from."""
    weights_origin: _Text
    weights: _Text
    """How to load them where they are not in the folder: `pretrained`, `random` or a path."""
    seed: Annotated[int, Field(ge=0)]
    included: bool
    tensors_digest: _Text | None
    """Digest of the tensors in the folder; None where there are none."""
    hub_id: _Text | None
    revision: _Text | None
    """Of the repository on the Hugging Face hub, where it is known."""


class Member(_Part):
    """One head: trained on the train part of a fold (from 1) in a repetition (from 0)."""

    fold: _Count
    repetition: Annotated[int, Field(ge=0, le=1000)]
    layer_weights: tuple[float, ...]
    """Softmax weights of the hidden states."""


class HeadsPart(_Part):
    """The heads, whose probabilities are averaged."""

    shape: _Text = "layer mix, 2 x (pointwise, ReLU), mean over frames, 2 x linear"
    """In words; what counts is `convolutions` and `pooling`, with which they agree."""
    width: _Count
    convolutions: Annotated[int, Field(ge=1, le=MOST_CONVOLUTIONS)] = 2
    pooling: Pooling = "mean"
    combined: Literal["mean of the probabilities"] = "mean of the probabilities"
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=10_000)]

    @staticmethod
    def worded(convolutions: int, pooling: Pooling) -> str:
        """What `shape` says of heads with so many pointwise convolutions and that pooling."""
        pooled = "mean" if pooling == "mean" else "self-attention"
        return f"layer mix, {convolutions} x (pointwise, ReLU), {pooled} over frames, 2 x linear"

    @model_validator(mode="after")
    def _shape_agrees(self) -> HeadsPart:
        if self.shape != self.worded(self.convolutions, self.pooling):
            raise ValueError("shape says otherwise than convolutions and pooling")
        return self


class CalibrationPart(_Part):
    """As `profiler.deployment.calibration.Calibration`."""

    temperature: Annotated[float, Field(gt=0)] | None
    reason: _Text | None
    method: Literal["temperature of the mean, cross-fitted over folds (arXiv:1706.04599)"] = (
        "temperature of the mean, cross-fitted over folds (arXiv:1706.04599)"
    )
    averaged: _Count
    clips: _Count
    folds: _Count
    uar: float | None
    uar_low: float | None
    uar_high: float | None
    error_before: float
    error_after: float | None
    loss_before: float
    loss_after: float | None

    @model_validator(mode="after")
    def _either(self) -> CalibrationPart:
        if (self.temperature is None) == (self.reason is None):
            raise ValueError("either a temperature or the reason why there is none")
        return self


class OnnxPart(_Part):
    """What `model.onnx` takes, and how near it comes to torch."""

    input: Literal["waveform"]
    opset: _Count
    largest_difference: float
    """Between its probabilities and torch's, on the lengths tried."""
    tried_samples: tuple[int, ...]


class MeasuredPart(_Part):
    """The run whose heads these are."""

    run: _Name
    model: _Name
    study: _Name
    corpus: _Name
    synthetic: bool
    finished: _Text
    made_with: dict[str, str]
    """Versions of the packages that trained and measured."""


class Config(_Part):
    """All of `config.json`."""

    format: Literal["trustser-recogniser"] = FORMAT
    format_version: Literal[1, 2] = VERSION
    warning: _Text | None
    """What nobody may overlook: that the encoder is untrained."""
    classes: Annotated[tuple[_Name, ...], Field(min_length=2, max_length=1000)]
    audio: Audio
    encoder: EncoderPart
    heads: HeadsPart
    calibration: CalibrationPart
    measured: MeasuredPart
    onnx: OnnxPart | None = None

    @model_validator(mode="after")
    def _random_is_marked(self) -> Config:
        if (self.encoder.weights_kind == "random") != (self.warning == UNTRAINED):
            raise ValueError("random weights must be marked, and no others")
        return self
