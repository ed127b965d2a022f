"""Every setting that changes a number, in one object whose hash names a study.

Defaults reproduce the protocol of TrustSER (arXiv:2305.11229) on frozen backbones. Where the
paper's text and its public code differ, the text is the default; `docs/protocol.md` lists the
differences.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from profiles_db.errors import InputError, ScenarioError
from profiles_db.located_yaml import Node, read_document, read_tree

SAMPLE_RATE = 16_000
"""Samples per second that every backbone here was trained on."""

MOST_SEED: Final = 2**32 - 1
"""So that the seeds of all folds and repetitions are seeds to PyTorch and NumPy alike."""
_SHOWN: Final = 60

Precision = Literal["float32", "bfloat16"]
Decibels = Annotated[float, Field(ge=0, le=100)]


class Protocol(BaseModel):
    """The settings of a study.

    Examples
    --------
    >>> Protocol().learning_rate
    0.0005
    >>> Protocol(epochs=3).digest() == Protocol().digest()
    False
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    classes: str = Field(default="default", max_length=10_000)
    """Label set of the corpus: its usual four (`default`), `all` it offers, or names, by comma."""
    seconds: float = Field(default=6.0, gt=0, le=60)
    """At most this many seconds from the start of each clip."""
    min_seconds: float = Field(default=0.1, ge=0.025, le=60)
    """Clips shorter than this are left out, for every backbone alike; at least 0.025."""
    precision: Precision = "float32"
    """Of the passes through the backbone; `bfloat16` is mixed precision, by autocast."""
    folds: int | None = Field(default=None, ge=1, le=10_000)
    """Run the first so many folds; all where None."""
    seeds: int = Field(default=3, ge=1, le=100)
    """How often every head is trained, each time from another seed; figures are means of these."""
    base_seed: int = Field(default=8, ge=0, le=MOST_SEED)
    """Fold k of repetition r trains from seed `base_seed * k + 1000 * r`."""

    hidden_size: int = Field(default=128, ge=1, le=4096)
    """Width of the head."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Dropout between the two pointwise convolutions."""

    epochs: int = Field(default=30, ge=1, le=10_000)
    """Epochs of the emotion head; the epoch with the best dev UAR is kept."""
    probe_epochs: int = Field(default=10, ge=1, le=10_000)
    """Epochs of the gender probe; the epoch with the best dev UAR is kept."""
    batch_size: int = Field(default=64, ge=1, le=65_536)
    """Clips per training step; the last incomplete batch is dropped."""
    learning_rate: float = Field(default=5e-4, gt=0, le=100)
    betas: tuple[float, float] = (0.9, 0.98)
    """Adam's decay rates of the first and second moment."""
    weight_decay: float = Field(default=1e-4, ge=0, le=100)
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """The learning rate is multiplied by this when the dev loss stops falling."""
    plateau_patience: int = Field(default=5, ge=0, le=10_000)
    """After so many epochs without improvement."""
    min_learning_rate: float = Field(default=5e-5, ge=0, le=100)
    class_weighting: Literal["inverse_frequency", "none"] = "inverse_frequency"
    """Weights of the emotion loss, from the class counts of the training part."""

    snr_db: Decibels = 45.0
    """Signal-to-noise ratio of the attack that stands for safety."""
    snr_curve_db: tuple[Decibels, ...] = Field(default=(25.0, 35.0, 55.0), max_length=100)
    """Further ratios at which FGSM and the noise control are measured."""
    clip_waveform: bool = True
    """Keep the attacked waveform in [-1, 1], as any player would."""
    pgd_steps: int = Field(default=10, ge=0, le=1000)
    """Steps of projected gradient descent at `snr_db`; 0 leaves it out."""
    pgd_clips: int | None = Field(default=40, ge=1, le=1_000_000)
    """PGD attacks at most so many clips per fold; all where None."""

    attacker_clips: int | None = Field(default=10_000, ge=1, le=100_000_000)
    """The further attackers on gender learn from at most so many clips of each fold's training
    part, drawn at random; from all where None."""
    enrolment_clips: int = Field(default=3, ge=1, le=10_000)
    """Clips per unseen speaker and emotion that form the voice to recognise; others are trials."""
    trial_clips: int | None = Field(default=2000, ge=1, le=100_000_000)
    """At most so many trials per fold, drawn at random; all where None."""
    impostors: int | None = Field(default=50, ge=1, le=1_000_000)
    """Each trial is compared with its own speaker and at most so many others; all where None."""
    resamples: int = Field(default=2000, ge=100, le=100_000)
    """Bootstrap resamples over speakers, and permutations of the fairness floor."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Python counts `true` as 1; whoever writes `folds: true` means something else."""
        if isinstance(value, bool) and info.field_name != "clip_waveform":
            raise ValueError("true and false are no numbers")
        return value

    @model_validator(mode="after")
    def _betas_in_range(self) -> Protocol:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas must lie in [0, 1)")
        return self

    @property
    def snrs_db(self) -> tuple[float, ...]:
        """All signal-to-noise ratios at which the attack runs, ascending, each once."""
        return tuple(sorted({self.snr_db, *self.snr_curve_db}))

    @property
    def most_epochs(self) -> int:
        """Epochs until every head of a fold is trained."""
        return max(self.epochs, self.probe_epochs)

    def seed(self, fold: int, repetition: int) -> int:
        """Seed of the heads of `fold` (from 1) in `repetition` (from 0)."""
        return self.base_seed * fold + 1000 * repetition

    def digest(self) -> str:
        """Hash over every setting: the same hash means the same protocol."""
        return digest_of(self.model_dump(mode="json"))


def digest_of(value: Any) -> str:
    """Hex SHA-256 of `value` as canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load_protocol(file: Path | None, settings: Iterable[str] = (), **named: Any) -> Protocol:
    """Protocol from a YAML file, then `name=value` settings, then named options that are not None.

    Later ones win. Values of settings are read as YAML, so `betas=[0.9, 0.98]` works, within the
    limits of `profiles_db.located_yaml`.

    Raises
    ------
    InputError
        For an unreadable file, an unknown setting, or a value out of its range.

    Examples
    --------
    >>> load_protocol(None, ["learning_rate=1e-3"], epochs=5).epochs
    5
    """
    values = _from_file(file) if file else {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator:
            raise InputError(
                f"{setting!r:.100} is no setting", where="--set", remedy="write --set NAME=VALUE"
            )
        values[name.strip()] = _read(text, f"--set {name.strip()[:_SHOWN]}")
    found = {name: node.plain() for name, node in values.items()}
    found |= {name: value for name, value in named.items() if value is not None}
    try:
        return Protocol.model_validate(found)
    except ValidationError as error:
        given = {name: f"--{name}" for name, value in named.items() if value is not None}
        places = {name: node.mark.where for name, node in values.items()} | given
        raise _explain(error, places) from None


def _from_file(file: Path) -> dict[str, Node]:
    root = _read(read_document(file, InputError), str(file))
    if not isinstance(root.value, dict):
        raise InputError("holds no settings", where=str(file), rule="NAME: VALUE per line")
    return root.value


def _read(text: str, where: str) -> Node:
    """The YAML of `text`; the first thing wrong with it as an InputError."""
    try:
        root, problems = read_tree(text, where)
    except ScenarioError as error:
        problems = list(error.problems) or [error]
    if problems:
        first = problems[0]
        raise InputError(first.what, where=first.where, rule=first.rule, remedy=first.remedy)
    return root


def _explain(error: ValidationError, places: Mapping[str, str]) -> InputError:
    """The first fault of `error`, in this program's words, with where the setting was given."""
    fault = error.errors()[0]
    name = ".".join(str(part) for part in fault["loc"])
    where = places.get(str(fault["loc"][0]), "protocol") if fault["loc"] else "protocol"
    if fault["type"] == "extra_forbidden":
        known = ", ".join(sorted(Protocol.model_fields))
        return InputError(
            f"no setting is called {name!r:.100}", where=where, remedy=f"known: {known}"
        )
    return InputError(f"{name}: {fault['msg']} (found {fault['input']!r:.100})", where=where)
