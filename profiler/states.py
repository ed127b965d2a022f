"""Hidden states of one clip: in memory, or in the cache until they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from profiler.cache_entry import read_entry


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the cache, mapped into memory only while it is converted.

    Many of these can be held where mapped tensors could not: pages of a mapping count as this
    process's memory once they were looked at.
    """

    path: Path
    shape: tuple[int, ...]

    def to(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Its values as a tensor, shape (layers, frames, hidden_size)."""
        return torch.from_numpy(read_entry(self.path)).to(device, dtype)


States: TypeAlias = Tensor | Entry
"""Either has a `shape`, (layers, frames, hidden_size), and a `to`."""
