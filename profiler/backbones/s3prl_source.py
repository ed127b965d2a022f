"""The checkpoint files of s3prl: found, and read as data only."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from profiler.backbones import hub
from profiler.backbones.catalogue import Entry
from profiler.backbones.checkpoint import read_torch
from profiler.backbones.printable import printable
from profiles_db.errors import CheckpointError


class Inert:
    """Stands for an object of the training run that a checkpoint carries along, unused."""


_SCHEDULES: Final = (
    "ConstantLR",
    "WarmupConstantSchedule",
    "WarmupCosineSchedule",
    "WarmupCosineWithHardRestartsSchedule",
    "WarmupCosineWithWarmupRestartsSchedule",
    "WarmupLinearSchedule",
)
_NUMPY_SCALAR: Final = np.float64(0).__reduce__()[0]

ALLOWED: Final[tuple[Any, ...]] = (
    argparse.Namespace,
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
    *((_NUMPY_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *(
        (Inert, f"{home}.{name}")
        for home in ("optimizers", "s3prl.optimizers")
        for name in _SCHEDULES
    ),
)
"""All that an s3prl checkpoint may name beside tensors and plain values: the options of its
training run, numpy numbers, and learning-rate schedules, which become inert."""


def checkpoint_file(entry: Entry, weights: str) -> Path:
    """The checkpoint file that `weights` ('pretrained' or a path) stands for.

    Looked up in the Hugging Face cache, in s3prl's own cache, then on the hub.

    Raises
    ------
    CheckpointError
        Where there is none.
    """
    if weights != "pretrained":
        return _existing(Path(weights))
    if entry.hub_id is None or entry.file is None:
        raise hub.missing(entry.name, "its entry names no checkpoint file")
    fetched = hub.cached_file(entry.hub_id, entry.file) or _cached_by_s3prl(entry)
    return fetched or hub.file_of(entry.hub_id, entry.file)


def read_checkpoint(file: Path, parts: tuple[str, ...]) -> dict[str, Any]:
    """Content of an s3prl checkpoint, which must hold `parts`.

    Raises
    ------
    CheckpointError
        Where the file is unreadable, would run code, or lacks a part.
    """
    content = read_torch(file, ALLOWED)
    held = content if isinstance(content, Mapping) else {}
    lacking = [part for part in parts if not isinstance(held.get(part), Mapping)]
    if lacking:
        raise CheckpointError(
            f"part {lacking[0]} is missing",
            where=str(file),
            rule=f"an s3prl checkpoint of this upstream holds {', '.join(parts)}",
            remedy="give the checkpoint of this upstream",
        )
    return dict(held)


def unusable(file: Path, what: str) -> CheckpointError:
    """The error for a checkpoint whose configuration this program cannot follow."""
    return CheckpointError(
        f"its configuration cannot be followed: {printable(what)}",
        where=str(file),
        remedy="give the checkpoint of this upstream as its publisher wrote it",
    )


def _cached_by_s3prl(entry: Entry) -> Path | None:
    """What s3prl itself once fetched: it names files by the hash of their address."""
    address = f"https://huggingface.co/{entry.hub_id}/resolve/main/{entry.file}"
    name = f"{hashlib.sha256(address.encode()).hexdigest()}.{Path(address).name}"
    file = Path.home() / ".cache" / "s3prl" / "download" / name
    return file if file.is_file() else None


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise hub.missing(str(file), "there is no such file")
    return file
