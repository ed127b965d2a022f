"""The largest gap in UAR between groups, as a statistic of who is counted and of fair models."""

from __future__ import annotations

from typing import Final

import numpy as np

from profiler.measures.group_clips import Clips, exchanged
from profiler.measures.statistics import Floats, Ints, Statistic, mean_of_defined, ratio
from profiles_db.speakers import SPEAKER

SEVERAL: Final = -2
"""The group of a speaker who is in several."""
_NONE: Final = -1


def gap_statistic(
    speaker: Ints, group: Ints, label: Ints, hits: Floats, *, groups: int, classes: int
) -> Statistic:
    """The largest difference in UAR between groups, as a statistic of who is counted.

    The groups compared are those whose mean over the repetitions is highest and lowest, so that
    the mean over the repetitions is the gap of the means.

    Parameters
    ----------
    speaker, group, label : array of int, shape (clips,)
    hits : array, shape (clips, repetitions)
    groups, classes : int

    Returns
    -------
    callable, (draws, speakers) -> (draws, repetitions)
    """
    repetitions = hits.shape[1]
    counts = np.zeros((groups, int(speaker.max()) + 1, classes, repetitions + 1))
    np.add.at(counts, (group, speaker, label), np.column_stack([hits, np.ones(len(hits))]))

    def gap(weights: Floats) -> Floats:
        uars = []
        for own in counts:
            members = np.flatnonzero(own.any(axis=(1, 2)))
            summed = weights[:, members] @ own[members].reshape(len(members), -1)
            summed = summed.reshape(len(weights), classes, repetitions + 1)
            total = np.broadcast_to(summed[..., -1:], summed[..., :-1].shape)
            recall = ratio(summed[..., :-1], total)
            uars.append(mean_of_defined(np.moveaxis(recall, 1, -1)))
        each = np.stack(uars)  # groups, draws, repetitions
        means = each.mean(axis=-1)
        draw = np.arange(len(weights))
        found: Floats = each[means.argmax(axis=0), draw] - each[means.argmin(axis=0), draw]
        return found

    return gap


def fair_gaps(clips: Clips, group: Ints, groups: int, name: str, permutations: int) -> Floats:
    """The gaps that fair models would show on these clips, those that are defined.

    Groups of speakers are permuted over the speakers; of a speaker who is in several groups, clips
    of one emotion exchange theirs; where the speakers are the groups, all clips of one emotion do.

    Parameters
    ----------
    clips : Clips
    group : array of int, shape (clips,), in [0, groups)
    groups : int
    name : str
        The attribute.
    permutations : int

    Returns
    -------
    array, shape (at most permutations,)
    """
    rng = np.random.default_rng(0)
    own = None if name == SPEAKER else groups_of_speakers(clips, group)
    gaps = np.empty(permutations)
    for draw in range(permutations):
        uar = clips.uar(permuted(clips, group, own, rng), groups)
        gaps[draw] = uar.max() - uar.min()  # NaN where a group is left without a class
    return gaps[np.isfinite(gaps)]


def groups_of_speakers(clips: Clips, group: Ints) -> Ints:
    """Each speaker's group, shape (speakers,): -2 for one in several, -1 for one without a clip."""
    found = np.full(len(clips.speakers), _NONE, dtype=np.int64)
    found[clips.speaker] = group
    found[clips.speaker[group != found[clips.speaker]]] = SEVERAL
    return found


def permuted(clips: Clips, group: Ints, own: Ints | None, rng: np.random.Generator) -> Ints:
    """The groups permuted as a fair model allows."""
    if own is None:
        return exchanged(group, clips.label, rng)
    of_one = np.flatnonzero(own >= 0)
    dealt = own.copy()
    dealt[of_one] = own[rng.permutation(of_one)]
    found = dealt[clips.speaker]
    mixed = found == SEVERAL
    if mixed.any():
        within = clips.speaker[mixed] * len(clips.classes) + clips.label[mixed]
        found[mixed] = exchanged(group[mixed], within, rng)
    return found
