"""The feature cache: each clip's hidden states, kept on disk in half precision.

An entry is addressed by content: the audio file's bytes, the weights, and the settings that shape
a feature. So a second run, another fold or another head finds it again, and changed audio or
other weights never do. Entries are NumPy files with a CRC-32 behind the array; they appear whole
or not at all, and a damaged one is made again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from profiler.audio import load_clip
from profiler.backbones.base import Backbone
from profiler.cache import describe
from profiler.cache_entry import ENDING, read_entry, undamaged, write_entry
from profiler.precision import hidden_states
from profiler.protocol import SAMPLE_RATE, Precision, digest_of
from profiles_db.errors import AudioError
from profiles_db.files import make_folder
from profiles_db.holding import holding

FORMAT: Final = 1
"""Raised when features of the same audio and weights come out otherwise than before."""

MAX_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Clip:
    """An audio file as the cache knows it: where it lies and the digest of its bytes."""

    id: str
    path: Path
    digest: str


class FeatureCache:
    """Hidden states on disk.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    backbone : Backbone
    seconds : float
        How much of each clip's start is used.
    min_seconds : float
        Clips shorter than this cannot be used.
    precision : 'float32' or 'bfloat16', optional
        In which the backbone is passed.
    """

    def __init__(
        self,
        folder: Path,
        backbone: Backbone,
        *,
        seconds: float,
        min_seconds: float,
        precision: Precision = "float32",
    ) -> None:
        identity = [FORMAT, backbone.name, backbone.weights.id, SAMPLE_RATE, seconds]
        if precision != "float32":  # which was no setting once, and keeps the keys of then
            identity.append(precision)
        key = digest_of(identity)
        name = f"{backbone.name.replace('/', '--').replace(':', '-')}-{key[:16]}"
        self.folder = make_folder(folder / name)
        self._about = {
            "backbone": backbone.name,
            "format": FORMAT,
            "precision": precision,
            "sample_rate": SAMPLE_RATE,
            "seconds": seconds,
            "weights": backbone.weights.id,
        }
        self._backbone, self._seconds, self._precision = backbone, seconds, precision
        self._min_samples = max(round(min_seconds * SAMPLE_RATE), backbone.min_samples)
        self._checked: set[str] = set()

    def in_use(self, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """A context in which the entries are in use: `profiler.cache` says so and keeps them."""
        describe(self.folder, self._about)
        return holding(self.folder, on_wait, shared=True)

    def path(self, clip: Clip) -> Path:
        """Where the entry of `clip` lies or would lie."""
        return self.folder / clip.digest[:2] / f"{clip.digest}{ENDING}"

    def has(self, clip: Clip) -> bool:
        """Whether an undamaged entry is there; a damaged one is removed."""
        if clip.digest in self._checked:
            return True
        path = self.path(clip)
        if not path.exists():
            return False
        if not undamaged(path):
            path.unlink()
            return False
        self._checked.add(clip.digest)
        return True

    def load(self, clip: Clip) -> Tensor:
        """Hidden states of `clip`, float16, shape (layers, frames, hidden_size), memory-mapped."""
        return torch.from_numpy(read_entry(self.path(clip)))

    def fill(self, clips: Sequence[Clip], on_clip: Callable[[int], None]) -> dict[str, str]:
        """Make the missing entries, each clip at its own length.

        Parameters
        ----------
        clips : sequence of Clip
        on_clip : callable
            Called with the number of clips done, after each batch.

        Returns
        -------
        dict
            For each clip that cannot be used, its id and why.
        """
        unusable: dict[str, str] = {}
        missing = [clip for clip in clips if not self.has(clip)]
        on_clip(len(clips) - len(missing))
        for batch in self._batches(missing, unusable, on_clip):
            self._compute([clip for clip, _ in batch], [wave for _, wave in batch], unusable)
            on_clip(len(batch))
        return unusable

    def _batches(
        self, clips: Sequence[Clip], unusable: dict[str, str], on_clip: Callable[[int], None]
    ) -> Iterator[list[tuple[Clip, np.ndarray]]]:
        """Neighbouring clips of exactly equal length together: on a GPU; alone on a CPU."""
        limit = MAX_BATCH if self._device.type == "cuda" else 1
        batch: list[tuple[Clip, np.ndarray]] = []
        for clip in clips:
            try:
                wave = load_clip(clip.path, seconds=self._seconds, min_samples=self._min_samples)
            except AudioError as error:
                unusable[clip.id] = error.what
                on_clip(1)
                continue
            if batch and (len(batch) == limit or len(batch[0][1]) != len(wave)):
                yield batch
                batch = []
            batch.append((clip, wave))
        if batch:
            yield batch

    @property
    def _device(self) -> torch.device:
        tensors = itertools.chain(self._backbone.parameters(), self._backbone.buffers())
        found: Tensor | None = next(tensors, None)
        return torch.device("cpu") if found is None else found.device

    @torch.no_grad()
    def _compute(
        self, clips: list[Clip], waves: list[np.ndarray], unusable: dict[str, str]
    ) -> None:
        batch = torch.from_numpy(np.stack(waves)).to(self._device)
        hidden = hidden_states(self._backbone, batch, self._precision).to(torch.float16).cpu()
        for clip, states in zip(clips, hidden, strict=True):
            if not torch.isfinite(states).all():
                unusable[clip.id] = "its hidden states are not finite in half precision"
                continue
            write_entry(self.path(clip), states.numpy())
            self._checked.add(clip.digest)
