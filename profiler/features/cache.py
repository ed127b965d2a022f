"""The feature cache: each clip's hidden states, kept on disk in half precision.

An entry is addressed by content: the audio file's bytes, the weights, and the settings that shape
a feature. So a second run, another fold or another head finds it again, and changed audio or
other weights never do. Entries are NumPy files with a CRC-32 behind the array; they are written
atomically, and a damaged one is computed again.

The first layers of an encoder give the first of its hidden states: they read the entries of the
whole encoder as far as they need them, and make entries of their own only of clips that it has
none of.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.precision import hidden_states
from profiler.corpora.audio import load_clip
from profiler.features.entry import (
    ENDING,
    ENTRY_OVERHEAD,
    Entry,
    States,
    read_entry,
    undamaged,
    write_entry,
)
from profiler.features.upkeep import describe
from profiler.machine import HEAP, batch_of, device_of
from profiler.settings import SAMPLE_RATE, Precision, digest_of
from profiler.training.batches import chunks
from profiles_db.errors import AudioError
from profiles_db.files import make_folder
from profiles_db.holding import holding

FORMAT: Final = 1
"""Raised when features of the same audio and weights come out otherwise than before."""

MAX_BATCH: Final = 16
LARGE_BYTES: Final = 2**20
"""Entries above this are not held in memory while a head waits for them."""


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
    backbone : callable
        Gives the backbone whenever features are to be made; called once here, for what it is.
    seconds : float
        How much of each clip's start is used.
    min_seconds : float
        Clips shorter than this cannot be used.
    precision : 'float32' or 'bfloat16', optional
        In which the backbone is passed.
    streams : bool, optional
        Whether `read` computes the clips again that are not kept, instead of missing them.
    """

    def __init__(
        self,
        folder: Path,
        backbone: Callable[[], Backbone],
        *,
        seconds: float,
        min_seconds: float,
        precision: Precision = "float32",
        streams: bool = False,
    ) -> None:
        now = backbone()
        self._backbone, self._seconds = backbone, seconds
        self._precision, self._streams = precision, streams
        self._about: dict[Path, dict[str, Any]] = {}
        self.folder = make_folder(self._enter(folder, now.name, now.weights.id))
        if now.whole is not None:
            self._enter(folder, *now.whole)
        self._layers = now.layers
        self._min_samples = max(round(min_seconds * SAMPLE_RATE), now.min_samples)
        self._checked: set[str] = set()
        self._large: dict[str, tuple[int, ...]] = {}

    def _enter(self, folder: Path, name: str, weights: str) -> Path:
        """Where the features of an encoder lie, once it is noted what that folder holds."""
        identity = [FORMAT, name, weights, SAMPLE_RATE, self._seconds]
        if self._precision != "float32":  # which was no setting once, and keeps the keys of then
            identity.append(self._precision)
        key = digest_of(identity)
        own = folder / f"{name.replace('/', '--').replace(':', '-')}-{key[:16]}"
        self._about[own] = {
            "backbone": name,
            "format": FORMAT,
            "precision": self._precision,
            "sample_rate": SAMPLE_RATE,
            "seconds": self._seconds,
            "weights": weights,
        }
        return own

    @contextmanager
    def in_use(self, on_wait: Callable[[str], None]) -> Iterator[None]:
        """A context in which the entries are in use: `upkeep` says so and keeps them."""
        self.describe()
        with ExitStack() as held:
            for folder in self._folders():
                held.enter_context(holding(folder, on_wait, shared=True))
            yield

    def describe(self) -> None:
        """Say in the folders what they hold, and that they are used now."""
        make_folder(self.folder)
        for folder in self._folders():
            describe(folder, self._about[folder])

    def _folders(self) -> list[Path]:
        """Where entries are read: its own folder, and the whole encoder's where there is one."""
        return [folder for folder in self._about if folder.is_dir()]

    def path(self, clip: Clip) -> Path:
        """Where the entry of `clip` lies or would lie."""
        own, *others = (self._in(folder, clip) for folder in self._about)
        return next((path for path in others if path.exists()), own)

    @staticmethod
    def _in(folder: Path, clip: Clip) -> Path:
        return folder / clip.digest[:2] / f"{clip.digest}{ENDING}"

    def has(self, clip: Clip) -> bool:
        """Whether an undamaged entry is there; damaged ones are removed."""
        if clip.digest in self._checked:
            return True
        while (path := self.path(clip)).exists():
            if undamaged(path):
                self._checked.add(clip.digest)
                return True
            path.unlink()
        return False

    def read(self, clips: Sequence[Clip]) -> list[States]:
        """Hidden states of `clips`, float16, each of shape (layers, frames, hidden_size).

        Those kept are memory-mapped, large ones only while they are looked at; the others are
        computed again where the cache streams.

        Raises
        ------
        CacheError
            If one is not kept, or no longer, and the cache does not stream.
        AudioError
            If one is to be computed again whose audio can no longer be used.
        """
        gone = [clip for clip in clips if self._streams and not self.path(clip).exists()]
        again = self._computed_again(gone)
        return [again[clip.id] if clip.id in again else self._kept(clip) for clip in clips]

    def fill(
        self, clips: Sequence[Clip], on_clip: Callable[[int], None], *, keep: bool = True
    ) -> dict[str, str]:
        """Make the missing entries, each clip at its own length.

        Parameters
        ----------
        clips : sequence of Clip
        on_clip : callable
            Called with the number of clips done, after each batch.
        keep : bool, optional
            If not, the clips are only tried: what they give is not written.

        Returns
        -------
        dict
            For each clip that cannot be used, its id and why.
        """
        unusable: dict[str, str] = {}
        missing = [clip for clip in clips if not self.has(clip)]
        on_clip(len(clips) - len(missing))
        for batch in self._batches(missing, unusable, on_clip):
            for clip, states in self._states(batch):
                if not torch.isfinite(states).all():
                    unusable[clip.id] = "its hidden states are not finite in half precision"
                elif keep:
                    write_entry(self._in(self.folder, clip), states.numpy())
                    self._checked.add(clip.digest)
            on_clip(len(batch))
        return unusable

    def largest_entry(self) -> int:
        """Bytes that the longest clip takes."""
        noise = 0.1 * np.random.default_rng(0).standard_normal(round(self._seconds * SAMPLE_RATE))
        ((_, states),) = self._states([(Clip("", Path(), ""), noise.astype(np.float32))])
        return states.nbytes + ENTRY_OVERHEAD

    def _kept(self, clip: Clip) -> States:
        path = self.path(clip)
        shape = self._large.get(clip.digest)
        if shape is not None:
            return Entry(path, shape)
        array = read_entry(path)[: self._layers]
        if array.nbytes <= LARGE_BYTES:
            return torch.from_numpy(array)
        self._large[clip.digest] = array.shape
        return Entry(path, array.shape)

    def _computed_again(self, clips: Sequence[Clip]) -> dict[str, Tensor]:
        unusable: dict[str, str] = {}
        found = {
            clip.id: states
            for batch in self._batches(clips, unusable, lambda _: None)
            for clip, states in self._states(batch)
        }
        if unusable:
            name, reason = next(iter(unusable.items()))
            raise AudioError(reason, where=name)
        return found

    def _batches(
        self, clips: Sequence[Clip], unusable: dict[str, str], on_clip: Callable[[int], None]
    ) -> Iterator[Sequence[tuple[Clip, np.ndarray]]]:
        """Clips of exactly equal length together on a GPU; each alone on a CPU, one at a time."""
        waves = self._waves(clips, unusable, on_clip)
        if self._batch == 1:
            yield from ([one] for one in waves)
            return
        by_length = sorted(waves, key=lambda pair: len(pair[1]))
        for _, alike in itertools.groupby(by_length, key=lambda pair: len(pair[1])):
            yield from chunks(list(alike), self._batch)

    def _waves(
        self, clips: Sequence[Clip], unusable: dict[str, str], on_clip: Callable[[int], None]
    ) -> Iterator[tuple[Clip, np.ndarray]]:
        """The clips that can be heard."""
        for clip in clips:
            try:
                wave = load_clip(clip.path, seconds=self._seconds, min_samples=self._min_samples)
            except AudioError as error:
                unusable[clip.id] = error.what
                on_clip(1)
                continue
            yield clip, wave

    @property
    def _batch(self) -> int:
        """Clips that go through the backbone together, at most."""
        return MAX_BATCH if self._device.type == "cuda" else 1

    @property
    def _device(self) -> torch.device:
        return device_of(self._backbone())

    @torch.no_grad()
    def _states(self, batch: Sequence[tuple[Clip, np.ndarray]]) -> Iterator[tuple[Clip, Tensor]]:
        """Hidden states of clips of equal length, in half precision, on the CPU."""
        waves = batch_of([wave for _, wave in batch], self._device)
        hidden = hidden_states(self._backbone(), waves, self._precision).to(torch.float16).cpu()
        HEAP.tidy()
        return zip([clip for clip, _ in batch], hidden, strict=True)
