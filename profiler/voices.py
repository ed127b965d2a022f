"""Speaker re-identification: can a voice never seen in training be recognised from its vectors?

Each speaker of the test part is enrolled with a few clips; every other clip of the part is then
compared with its own speaker and with others. Vectors are centred by the training part's mean,
since the offset that all clips share would otherwise make every cosine close to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trial clip (its position), the enrolled speaker it is compared with, and the cosine."""

    position: int
    claimed: str
    score: float


def compare(
    vectors: Tensor,
    speakers: Sequence[str],
    centre: Tensor,
    *,
    enrolment: int,
    trial_clips: int | None,
    impostors: int | None,
    seed: int,
) -> list[Comparison]:
    """Comparisons of trial clips with enrolled speakers.

    Parameters
    ----------
    vectors : Tensor, shape (clips, features)
    speakers : sequence of str, one per clip
    centre : Tensor, shape (features,)
        Subtracted from every vector.
    enrolment : int
        Clips per enrolled speaker, drawn at random; a speaker without a clip beyond them is
        left out.
    trial_clips : int or None
        So many of the other clips are compared, drawn at random; all where there are no more, or
        None is given.
    impostors : int or None
        Each trial clip is compared with its own speaker and with so many others, drawn at random;
        with all where there are no more, or None is given.
    seed : int

    Returns
    -------
    list of Comparison
        Empty where fewer than two speakers can be enrolled.
    """
    rng = np.random.default_rng(seed)
    enrolled: dict[str, Tensor] = {}
    trials: list[int] = []
    centred = functional.normalize(vectors.double() - centre.double(), dim=1)
    clips: dict[str, list[int]] = {}
    for position, speaker in enumerate(speakers):
        clips.setdefault(speaker, []).append(position)
    for speaker in sorted(clips):
        own = rng.permutation(clips[speaker])
        if len(own) > enrolment:
            enrolled[speaker] = centred[own[:enrolment]].mean(dim=0)
            trials.extend(own[enrolment:].tolist())
    if len(enrolled) < 2:  # noqa: PLR2004
        return []
    if trial_clips is not None and trial_clips < len(trials):
        trials = rng.choice(trials, trial_clips, replace=False).tolist()
    voices = functional.normalize(torch.stack(list(enrolled.values())), dim=1)
    names = list(enrolled)
    places = {name: place for place, name in enumerate(names)}
    found = []
    for position in trials:
        claims = _claims(places[speakers[position]], len(names), impostors, rng)
        scores = (voices[claims] @ centred[position]).tolist()
        found += [
            Comparison(position, names[claim], score)
            for claim, score in zip(claims, scores, strict=True)
        ]
    return found


def _claims(own: int, speakers: int, impostors: int | None, rng: np.random.Generator) -> list[int]:
    """Whom a clip of speaker `own` is compared with, ascending."""
    others = [place for place in range(speakers) if place != own]
    if impostors is not None and impostors < len(others):
        others = rng.choice(others, impostors, replace=False).tolist()
    return sorted([own, *others])
