"""One vector per clip out of its hidden states: means, deviations and covariances over the frames.

Means alone say nothing of states that a front end normalises: FBANK's have mean 0 and deviation 1
in every clip, and what tells speakers apart lies in how its bands vary together. So the covariances
of a few fixed random projections of the frames stand beside them. Random projections keep
distances whatever the states look like (Johnson and Lindenstrauss, 1984), and all covariances of a
state of width 768 would be 295,296 values.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Final

import numpy as np
import torch
from torch import Tensor

from profiler.measures.statistics import Floats
from profiles_db.files import unwritable

PROJECTIONS: Final = 32
"""Random projections of a frame whose covariances are kept."""
HALF_PRECISION: Final = 2.0**-11
"""Largest relative error of a value kept in half precision (11 significant bits)."""
SMALLEST_STEP: Final = 2.0**-25
"""Largest absolute error of a value too small for that relative one."""
AVERAGE: Final = "average of the layers"


class Pooling:
    """What is kept of hidden states with so many layers of so many features.

    Of each layer the mean and the deviation over the frames; of the frames' average over the layers
    these too, and the covariances. A single layer is its own average.

    Parameters
    ----------
    layers, features : int

    Examples
    --------
    >>> pooling = Pooling(layers=2, features=3)
    >>> pooling(torch.ones(2, 7, 3)).shape == (pooling.size,)
    True
    >>> list(pooling.columns)
    ['average of the layers', 'layer 1', 'layer 2']
    """

    def __init__(self, layers: int, features: int) -> None:
        self.layers, self.features = layers, features
        pairs = PROJECTIONS * (PROJECTIONS + 1) // 2
        ends = [2 * features + pairs]
        names = [AVERAGE]
        if layers > 1:
            names += [f"layer {number}" for number in range(1, layers + 1)]
            ends += [ends[0] + 2 * features * number for number in range(1, layers + 1)]
        starts = [0, *ends[:-1]]
        self.columns = {
            name: slice(start, end) for name, start, end in zip(names, starts, ends, strict=True)
        }
        """Which of the values belong to which states: means, deviations, then any covariances."""
        self.size = ends[-1]
        drawn = np.random.default_rng(0).standard_normal((features, PROJECTIONS))
        self._projection = torch.tensor(drawn / np.linalg.norm(drawn, axis=0))

    @torch.no_grad()
    def __call__(self, states: Tensor) -> Tensor:
        """The values of one clip, float32, on the CPU, shape (size,).

        They are summed in double precision, so that they are the same on every processor.

        Parameters
        ----------
        states : Tensor, shape (layers, frames, features)
        """
        average = torch.zeros(states.shape[1:], dtype=torch.float64, device=states.device)
        of_layers = []
        for layer in states:  # one at a time, while it is in the processor's cache
            frames = layer.to(torch.float64)
            average += frames
            if self.layers > 1:
                of_layers += _moments(frames)
        average /= self.layers
        projected = average @ self._projection.to(average.device)
        projected -= projected.mean(dim=0)
        covariances = projected.t() @ projected / len(projected)
        rows, columns = torch.triu_indices(PROJECTIONS, PROJECTIONS)
        found = [*_moments(average), covariances[rows, columns], *of_layers]
        return torch.cat(found).to(torch.float32).cpu()

    def rounding(self, vectors: Floats) -> Floats:
        """How far the half precision of the states may have moved each value.

        A mean or deviation moves by at most the relative error of a value times the size of the
        values averaged: their root mean square over the frames of the median clip, which mean and
        deviation give. In a projection the errors of many features, which are independent, average
        out to that of one of typical size, and the product of two moves by twice that times the
        typical size. A value that differs by less from clip to clip says nothing of the clips.

        Parameters
        ----------
        vectors : array, shape (clips, one entry of `columns`)

        Returns
        -------
        array, shape (the same columns,)
        """
        means, deviations = np.split(vectors[:, : 2 * self.features], 2, axis=1)
        squares = np.median(means**2 + deviations**2, axis=0)
        moved = np.maximum(HALF_PRECISION * np.sqrt(squares), SMALLEST_STEP)
        products = vectors.shape[1] - 2 * self.features
        size = np.sqrt(squares.mean())
        together = np.full(products, 2 * size * max(HALF_PRECISION * size, SMALLEST_STEP))
        found: Floats = np.concatenate([moved, moved, together])
        return found


def rounding_of(vectors: Floats) -> Floats:
    """How far half precision moves values themselves, shape (features,): by their size.

    Parameters
    ----------
    vectors : array, shape (clips, features)
    """
    size = np.sqrt(np.mean(vectors**2, axis=0))
    moved: Floats = np.maximum(HALF_PRECISION * size, SMALLEST_STEP)
    return moved


def _moments(frames: Tensor) -> list[Tensor]:
    """Mean and deviation over the frames, each of shape (features,)."""
    mean = frames.mean(dim=0)
    return [mean, (frames - mean).square_().mean(dim=0).sqrt_()]


class PooledFile:
    """Pooled vectors by position, in a nameless file that is gone once it is closed.

    A 12-layer model's take 82 kB a clip: what is held of them in memory is what is being read.

    Parameters
    ----------
    folder : Path
    size : int
        Values of a vector.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._kept: set[int] = set()

    def keep(self, position: int, vector: Tensor) -> None:
        """Keep the vector of the clip at `position`, shape (size,)."""
        values = memoryview(np.ascontiguousarray(vector.numpy(), dtype=np.float32).tobytes())
        written = 0
        try:
            while written < len(values):  # a disk that fills up takes a part, then refuses
                start = position * self._row + written
                written += os.pwrite(self._file.fileno(), values[written:], start)
        except OSError as error:
            raise unwritable(self._folder, error) from error
        self._kept.add(position)

    def close(self) -> None:
        """Forget them all."""
        self._file.close()

    def read(self, positions: Sequence[int], columns: slice) -> Floats:
        """Some columns of the vectors at `positions`, float64, shape (positions, columns).

        Raises
        ------
        KeyError
            For a position that was never kept.
        """
        start, stop, _ = columns.indices(self._size)
        found = np.empty((len(positions), stop - start))
        for place, position in enumerate(positions):
            if position not in self._kept:
                raise KeyError(position)
            offset = position * self._row + 4 * start
            found[place] = np.frombuffer(
                os.pread(self._file.fileno(), 4 * (stop - start), offset), dtype=np.float32
            )
        return found

    @property
    def _row(self) -> int:
        """Bytes of a vector."""
        return 4 * self._size

    @cached_property
    def _file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._folder, buffering=0)
