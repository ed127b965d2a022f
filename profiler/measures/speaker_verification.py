"""Speaker verification: can a voice never seen in training be recognised from its vectors?

Each speaker of the test part is enrolled with a few clips of each emotion; every other clip is
compared with its own speaker and with others, each enrolled in that clip's emotion. Were emotions
mixed, a clip would be far from its own speaker's voice in another mood and near a stranger's in its
own: what separates emotions would hide what separates people, most of all in an emotion head, and
where speakers differ in their moods it would pass for a voice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from profiler.measures.statistics import Floats


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trial clip (its position), the enrolled speaker it is compared with, and the cosine."""

    position: int
    claimed: str
    score: float


@dataclass(frozen=True, slots=True)
class _Enrolled:
    """Who is enrolled with which clips, by emotion, and the clips left for trials."""

    clips: dict[str, dict[str, list[int]]]
    trials: list[int]


def compare(
    speakers: Sequence[str],
    emotions: Sequence[str],
    read: Callable[[Sequence[int]], Floats],
    *,
    enrolment: int,
    trial_clips: int | None,
    impostors: int | None,
    seed: int,
) -> list[Comparison]:
    """Comparisons of trial clips with speakers enrolled in the same emotion.

    Parameters
    ----------
    speakers, emotions : sequence of str, one per clip
    read : callable
        Positions of clips to their vectors, shape (positions, features), standardised by the
        training part: the offset that all clips share would otherwise make every cosine close to 1,
        and the feature of the largest unit decide it.
    enrolment : int
        Clips per enrolled speaker and emotion, drawn at random; a speaker without a clip of the
        emotion beyond them is left out of it.
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
        Empty where no emotion has two speakers that can be enrolled.
    """
    rng = np.random.default_rng(seed)
    enrolled = _enrolled(speakers, emotions, enrolment, rng)
    trials = enrolled.trials
    if trial_clips is not None and trial_clips < len(trials):
        trials = rng.choice(trials, trial_clips, replace=False).tolist()
    voices = {
        emotion: _unit(np.stack([_unit(read(clips)).mean(axis=0) for clips in own.values()]))
        for emotion, own in enrolled.clips.items()
    }
    found = []
    for position in trials:
        names = list(enrolled.clips[emotions[position]])
        claims = _claims(names.index(speakers[position]), len(names), impostors, rng)
        (vector,) = _unit(read([position]))
        scores = (voices[emotions[position]][claims] @ vector).tolist()
        found += [
            Comparison(position, names[claim], score)
            for claim, score in zip(claims, scores, strict=True)
        ]
    return found


def _enrolled(
    speakers: Sequence[str], emotions: Sequence[str], enrolment: int, rng: np.random.Generator
) -> _Enrolled:
    clips: dict[str, dict[str, list[int]]] = {}
    for position, (speaker, emotion) in enumerate(zip(speakers, emotions, strict=True)):
        clips.setdefault(emotion, {}).setdefault(speaker, []).append(position)
    found = _Enrolled({}, [])
    for emotion in sorted(clips):
        enough = {name: own for name, own in clips[emotion].items() if len(own) > enrolment}
        if len(enough) < 2:  # noqa: PLR2004
            continue
        found.clips[emotion] = {}
        for speaker in sorted(enough):
            own = rng.permutation(enough[speaker]).tolist()
            found.clips[emotion][speaker] = own[:enrolment]
            found.trials.extend(own[enrolment:])
    return found


def _unit(vectors: Floats) -> Floats:
    """The vectors at length 1; one of length 0 stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit


def _claims(own: int, speakers: int, impostors: int | None, rng: np.random.Generator) -> list[int]:
    """Whom a clip of speaker `own` is compared with, ascending."""
    others = [place for place in range(speakers) if place != own]
    if impostors is not None and impostors < len(others):
        others = rng.choice(others, impostors, replace=False).tolist()
    return sorted([own, *others])
