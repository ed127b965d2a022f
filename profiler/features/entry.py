"""One entry of the feature cache as a file: a NumPy array with a CRC-32 behind it."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from profiles_db.errors import CacheError
from profiles_db.files import make_folder, open_regular, replacing


@dataclass(frozen=True, slots=True)
class Entry:
    """The first layers of an entry of the cache, mapped into memory only while they are converted.

    Many of these can be held where mapped tensors could not: pages of a mapping count as this
    process's memory once they were looked at.
    """

    path: Path
    shape: tuple[int, ...]

    def to(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Its values as a tensor, shape (layers, frames, hidden_size)."""
        return torch.from_numpy(read_entry(self.path)[: self.shape[0]]).to(device, dtype)


States: TypeAlias = Tensor | Entry
"""Either has a `shape`, (layers, frames, hidden_size), and a `to`."""


ENDING: Final = ".npy"
_CHECKSUM: Final = struct.Struct("<4sI")
_MARK: Final = b"TSER"
ENTRY_OVERHEAD: Final = 128 + _CHECKSUM.size
"""Bytes of an entry's file beside its values: NumPy's header and the checksum."""


def write_entry(path: Path, array: NDArray[Any]) -> None:
    """Write `array` to `path`, atomically.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    checksum = zlib.crc32(content.getbuffer())
    make_folder(path.parent)
    with replacing(path) as part, part.open("wb") as file:
        file.write(content.getbuffer())
        file.write(_CHECKSUM.pack(_MARK, checksum))


def read_entry(path: Path) -> NDArray[Any]:
    """The array at `path`, memory-mapped; its checksum was looked at before.

    Raises
    ------
    CacheError
        If it is no longer there, or not what it was.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CacheError(
            "an entry of the feature cache can no longer be read",
            where=str(path),
            remedy="run the same command again: it computes the entry again and keeps what is done",
        ) from error
    return array


def undamaged(path: Path) -> bool:
    """Whether the file at `path` is what `write_entry` wrote."""
    with open_regular(path) as stream:
        content = stream.read()
    if len(content) <= _CHECKSUM.size:
        return False
    mark, checksum = _CHECKSUM.unpack(content[-_CHECKSUM.size :])
    body = memoryview(content)[: -_CHECKSUM.size]
    return bool(mark == _MARK and zlib.crc32(body) == checksum)
