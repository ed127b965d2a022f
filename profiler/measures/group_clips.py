"""Test clips as arrays, each once: what groups and single speakers are compared by."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from profiler.measures.statistics import Bools, Floats, Ints, ratio
from profiler.measures.tables import Table


@dataclass(frozen=True)
class Clips:
    """The test clips, each once: who speaks, of which class, and how often it is answered right.

    Arrays are of shape (clips,) but for `hits`, which is 1 where the answer is right, of shape
    (clips, repetitions). A clip is named by its fold and its utterance.
    """

    names: Sequence[tuple[int, str]]
    speakers: Sequence[str]
    classes: Sequence[str]
    speaker: Ints
    label: Ints
    hits: Floats
    gender: Mapping[str, str | None]

    @classmethod
    def of(cls, table: Table) -> Clips:
        """The clips of predictions."""
        names = sorted({(row.fold, row.utterance) for row in table.rows})
        place = {name: index for index, name in enumerate(names)}
        clip = np.array([place[row.fold, row.utterance] for row in table.rows])
        hits = np.zeros((len(names), len(table.repetitions)))
        hits[clip, table.repetition] = table.truth == table.predicted
        speaker, label = np.zeros((2, len(names)), dtype=np.int64)
        speaker[clip], label[clip] = table.speaker, table.truth
        gender = {row.speaker: row.gender for row in table.rows}
        return cls(names, table.speakers, table.classes, speaker, label, hits, gender)

    def only(self, wanted: Bools) -> Clips:
        """The clips for which `wanted` holds, shape (clips,); speakers keep their places."""
        return dataclasses.replace(
            self,
            names=list(itertools.compress(self.names, wanted)),
            speaker=self.speaker[wanted],
            label=self.label[wanted],
            hits=self.hits[wanted],
        )

    @cached_property
    def mean_hits(self) -> Floats:
        """How often each clip is answered right, over the repetitions."""
        mean: Floats = self.hits.mean(axis=1)
        return mean

    def uar(self, group: Ints, groups: int) -> Floats:
        """UAR of each group, mean over the repetitions; NaN where it lacks a class.

        Parameters
        ----------
        group : array of int, shape (clips,), in [0, groups)
        groups : int
        """
        kinds = len(self.classes)
        key = group * kinds + self.label
        right = np.bincount(key, self.mean_hits, minlength=groups * kinds).astype(float)
        total = np.bincount(key, minlength=groups * kinds).astype(float)
        mean: Floats = ratio(right, total).reshape(groups, kinds).mean(axis=1)
        return mean


def exchanged(values: Ints, kind: Ints, rng: np.random.Generator) -> Ints:
    """Values permuted among those of one kind."""
    shuffled = np.lexsort((rng.random(len(kind)), kind))
    found = np.empty_like(values)
    found[np.argsort(kind, kind="stable")] = values[shuffled]
    return found
