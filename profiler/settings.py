"""What settings of any kind have in common, and how they name what depends on them."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

SAMPLE_RATE: Final = 16_000
"""Samples per second that every backbone here was trained on."""

Precision = Literal["float32", "bfloat16"]
Pooling = Literal["mean", "attention"]
"""How a head makes one vector of a clip's frames."""
MOST_CONVOLUTIONS: Final = 10
"""Of a head, so that no typing error asks for what no machine has."""
Decibels = Annotated[float, Field(ge=0, le=100)]


class FiguresOnly:
    """Annotates a setting that stored rows suffice for: how figures are computed from them."""


Resamples = Annotated[int, FiguresOnly(), Field(ge=100, le=100_000)]


class Settings(BaseModel):
    """Settings of one thing: the study, the training, or a measure.

    `version` is raised when a default changes, or what a setting means. A setting that is new, at
    its default, changes no digest.

    Examples
    --------
    >>> class Loudness(Settings):
    ...     window_ms: Annotated[int, Field(ge=1, le=1000)] = 400
    >>> Loudness().changed(), Loudness(window_ms=50).changed()
    ({}, {'window_ms': 50})
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: ClassVar[int] = 1

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Python counts `true` as 1; whoever writes `folds: true` means something else."""
        if (
            isinstance(value, bool)
            and cls.model_fields[str(info.field_name)].annotation is not bool
        ):
            raise ValueError("true and false are no numbers")
        return value

    def changed(self, *, rows_only: bool = False) -> dict[str, Any]:
        """The settings that differ from their defaults, as plain data.

        With `rows_only` without those that only say how figures are computed from rows.
        """
        values = self.model_dump(mode="json")
        defaults = type(self)().model_dump(mode="json")
        return {
            name: value
            for name, value in values.items()
            if value != defaults[name] and not (rows_only and self._of_figures(name))
        }

    def identity(self, *, rows_only: bool = False) -> list[Any]:
        """What digests go over: the version, and the settings that differ from their defaults."""
        return [self.version, self.changed(rows_only=rows_only)]

    @classmethod
    def _of_figures(cls, name: str) -> bool:
        return any(isinstance(mark, FiguresOnly) for mark in cls.model_fields[name].metadata)


class StudySettings(Settings):
    """Which clips, classes and folds."""

    classes: str = Field(default="default", max_length=10_000)
    """Label set of the corpus: its usual four (`default`), `all` it offers, or names, by comma."""
    seconds: float = Field(default=6.0, gt=0, le=60)
    """At most this many seconds from the start of each clip."""
    min_seconds: float = Field(default=0.1, ge=0.025, le=60)
    """Clips shorter than this are left out, for every backbone alike; at least 0.025."""
    folds: int | None = Field(default=None, ge=1, le=10_000)
    """Run the first so many folds; all where None."""


def digest_of(value: Any) -> str:
    """Hex SHA-256 of `value` as canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
