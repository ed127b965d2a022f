"""Results of steps as files: written atomically, and checked when they are read.

A worker that dies leaves the files of the steps it finished; the next attempt finds them. Files
are JSON with a checksum, never pickles, so that reading one cannot run code.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from profiles_db.errors import EngineError
from profiles_db.files import make_folder, open_regular, replacing
from profiles_db.records import (
    Attacker,
    AttackOutcome,
    Epoch,
    FoldResult,
    LayerWeight,
    Prediction,
    Task,
    Trial,
)


@dataclass(frozen=True, slots=True)
class FoldFiles:
    """Files of one fold (from 1) of one repetition (from 0) in the folder `steps`."""

    steps: Path
    repetition: int
    fold: int

    @property
    def result(self) -> Path:
        """All that the trained heads gave, as JSON."""
        return self.steps / f"heads-{self.repetition}-{self.fold}.json"

    @property
    def head(self) -> Path:
        """The emotion head's weights."""
        return self.result.with_suffix(".safetensors")

    def training(self, task: Task) -> Path:
        """A head while it is trained."""
        return self.steps / f"training-{self.repetition}-{self.fold}-{task}.state"

    def are_done(self) -> bool:
        """Whether the result is there, and the head it speaks of."""
        step = read_step(self.result)
        if not step or not self.head.exists():
            return False
        with open_regular(self.head) as stream:
            return bool(zlib.crc32(stream.read()) == step.get("head"))

    def forget_training(self) -> None:
        """Remove what was kept between epochs, once the result is there."""
        for task in get_args(Task):
            self.training(task).unlink(missing_ok=True)


STEPS_FORMAT: Final = 2
"""Raised when a job gives another result than before, of the same run and versions."""

_KINDS: Final[dict[str, type[Any]]] = {
    "predictions": Prediction,
    "attacks": AttackOutcome,
    "trials": Trial,
    "epochs": Epoch,
    "layer_weights": LayerWeight,
    "attackers": Attacker,
}


def write_step(path: Path, value: Any) -> None:
    """Write `value` (plain data) with its checksum."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    make_folder(path.parent)
    with replacing(path) as part:
        part.write_text(f"{zlib.crc32(body.encode()):08x}\n{body}", encoding="utf-8")


def read_step(path: Path) -> Any | None:
    """What `write_step` wrote, or None where there is no file or a damaged one."""
    try:
        with open_regular(path) as stream:
            checksum, _, body = stream.read().decode().partition("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    if checksum != f"{zlib.crc32(body.encode()):08x}":
        return None
    return json.loads(body)


def require_step(path: Path) -> dict[str, Any]:
    """What a finished job left at `path`.

    Raises
    ------
    EngineError
        If nothing whole is there.
    """
    value = read_step(path)
    if value is None:
        raise EngineError(
            "a finished job left no result",
            where=str(path),
            remedy="check that all workers share the cache folder, then run the same command again",
        )
    found: dict[str, Any] = value
    return found


def as_plain(result: FoldResult) -> dict[str, Any]:
    """A fold's result as plain data: rows as lists in the order of their fields."""
    rows = {
        name: [[getattr(row, f.name) for f in dataclasses.fields(kind)] for row in found]
        for name, kind in _KINDS.items()
        if (found := getattr(result, name))
    }
    return {
        "seed": result.seed,
        "fold": result.fold,
        "seconds": dict(result.seconds),
        **rows,
    }


def from_plain(value: Mapping[str, Any]) -> FoldResult:
    """The inverse of `as_plain`."""
    rows = {
        name: tuple(kind(*map(_frozen, row)) for row in value.get(name, ()))
        for name, kind in _KINDS.items()
    }
    return FoldResult(seed=value["seed"], fold=value["fold"], seconds=value["seconds"], **rows)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
