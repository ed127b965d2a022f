"""Results of steps as files: written atomically, and checked when they are read.

A worker that dies leaves the files of the steps it finished; the next attempt finds them. Files
are JSON with a checksum, never pickles, so that reading one cannot run code.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from profiles_db.errors import CacheError, EngineError
from profiles_db.files import make_folder, open_regular, replacing
from profiles_db.records import StepResult
from profiles_db.row_tables import row_tables, table_of

if TYPE_CHECKING:
    from torch import Tensor

STEPS_FORMAT: Final = 3
"""Raised when a job gives another result than before, of the same model and versions."""


@dataclass(frozen=True, slots=True)
class StepFiles:
    """Files of one step on one fold (from 1) of one repetition (from 0) in the folder `steps`.

    `label` names the step, and of a measure the settings that shape its rows.
    """

    steps: Path
    label: str
    repetition: int
    fold: int

    @property
    def result(self) -> Path:
        """All that the step gave, as JSON."""
        return self.steps / f"{self.label}-{self.repetition}-{self.fold}.json"

    @property
    def head(self) -> Path:
        """The emotion head's weights, of the training."""
        return self.result.with_suffix(".safetensors")

    def state(self, learner: str) -> Path:
        """A head while it is trained."""
        return self.result.with_suffix(f".{learner}.state")

    def is_done(self) -> bool:
        """Whether the result is there, and the head it speaks of, where it speaks of one."""
        step = read_step(self.result)
        if not step:
            return False
        if "head" not in step:
            return True
        if not self.head.exists():
            return False
        with open_regular(self.head) as stream:
            return bool(zlib.crc32(stream.read()) == step["head"])

    def tensors(self) -> dict[str, Tensor]:
        """The emotion head's weights, by name.

        Raises
        ------
        CacheError
            If they can no longer be read.
        """
        from safetensors import SafetensorError  # noqa: PLC0415 - torch is not needed for rows
        from safetensors.torch import load  # noqa: PLC0415

        try:
            with open_regular(self.head) as stream:
                return load(stream.read())
        except (OSError, SafetensorError) as error:
            raise CacheError(
                "a trained head can no longer be read",
                where=str(self.head),
                remedy="run the same command again: it trains the head again and keeps what is "
                "done",
            ) from error


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


def as_plain(result: StepResult) -> dict[str, Any]:
    """A step's result as plain data: rows as lists in the order of their fields, by table."""
    rows: dict[str, list[list[Any]]] = {}
    for row in result.rows:
        table = table_of(type(row))
        rows.setdefault(table.name, []).append([getattr(row, name) for name in table.names])
    return {
        "step": result.step,
        "repetition": result.repetition,
        "fold": result.fold,
        "seconds": dict(result.seconds),
        "rows": rows,
    }


def from_plain(value: dict[str, Any]) -> StepResult:
    """The inverse of `as_plain`."""
    tables = row_tables()
    rows = [
        tables[name].kind(*map(_frozen, row))
        for name, some in value["rows"].items()
        for row in some
    ]
    return StepResult(
        value["step"], value["repetition"], value["fold"], tuple(rows), value["seconds"]
    )


def of_repetition(rows: Sequence[Any], repetition: int) -> tuple[Any, ...]:
    """The rows of one repetition."""
    return tuple(row for row in rows if row.repetition == repetition)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
