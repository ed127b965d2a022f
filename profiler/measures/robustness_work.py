"""Corrupted clips of one fold, heard by the heads of all repetitions together.

Each corrupted clip goes through the encoder once for all heads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from profiler.corpora.audio import Samples, load_clip
from profiler.corpora.base import Utterance
from profiler.machine import HEAP, batch_of
from profiler.measures import corruptions
from profiler.measures.base import ClipTask
from profiler.measures.robustness import Condition
from profiler.measures.shared_passes import logits, repetitions_by_clip
from profiler.measures.sound_folders import SoundFolder
from profiler.measures.statistics import Floats
from profiler.pipeline.context import Context
from profiler.training.batches import chunks
from profiler.training.head import Head
from profiles_db.corruptions import Corruption
from profiles_db.errors import AudioError, InputError
from profiles_db.records import CorruptedAnswer

if TYPE_CHECKING:
    from profiler.measures.robustness import RobustnessSettings

SOUND_SECONDS: Final = 60.0
"""At most so much of a background sound or an impulse response."""
KEPT_SOUNDS: Final = 16
"""Background sounds and impulse responses that a process keeps decoded."""


@torch.no_grad()
def answers(
    context: Context,
    fold: int,
    heads: Mapping[int, Head],
    tasks: Sequence[ClipTask],
    settings: RobustnessSettings,
) -> list[CorruptedAnswer]:
    """What the heads answer to every corruption of the clips.

    Parameters
    ----------
    context : Context
    fold : int
    heads : mapping from repetition (from 0)
        The trained emotion heads, in eval mode.
    tasks : sequence of ClipTask
    settings : RobustnessSettings
    """
    sounds = Sounds(settings)
    found: list[CorruptedAnswer] = []
    for name, wanted in repetitions_by_clip(tasks).items():
        utterance = context.utterances[name]
        by_length: dict[int, list[tuple[Condition, Samples]]] = {}
        for condition, wave in corrupted(context, utterance, settings, sounds):
            by_length.setdefault(len(wave), []).append((condition, wave))
        for alike in by_length.values():
            for some in chunks(alike, context.attack_batch):
                states = context.hidden_states(batch_of([wave for _, wave in some], context.device))
                for repetition in wanted:
                    heard = logits(heads[repetition], states).argmax(dim=1).tolist()
                    found += [
                        CorruptedAnswer(
                            repetition,
                            fold,
                            *condition,
                            utterance=name,
                            speaker=utterance.speaker,
                            label=utterance.label,
                            predicted=context.classes[index],
                        )
                        for (condition, _), index in zip(some, heard, strict=True)
                    ]
        HEAP.tidy()
    return found


class Sounds:
    """What is mixed with clips, from the folders that were named."""

    def __init__(self, settings: RobustnessSettings) -> None:
        self.background = _paths(settings.background)
        self.rooms = _paths(settings.rooms)


def _paths(folder: SoundFolder | None) -> list[Path]:
    return [] if folder is None else folder.sounds()


def corrupted(
    context: Context, utterance: Utterance, settings: RobustnessSettings, sounds: Sounds
) -> Iterator[tuple[Condition, Samples]]:
    """The clip after each corruption; without babble where too few speakers are there to mix."""
    wave = _heard(utterance.path, context.protocol.study.seconds)
    for kind, levels in _by_kind(settings.conditions).items():
        rng = corruptions.generator(utterance.id, kind)
        if kind == "room":
            path = sounds.rooms[int(rng.integers(len(sounds.rooms)))]
            yield (kind, None), _as_heard(corruptions.reverberated(wave, _sound(path)))
            continue
        other: Floats | None = None
        if kind == "background":
            path = sounds.background[int(rng.integers(len(sounds.background)))]
            other = corruptions.looped(_sound(path), len(wave), rng)
        elif kind == "babble":
            voices = _voices(context, utterance, rng)
            if not voices:
                continue
            other = corruptions.babble(voices, len(wave), rng)
        for level in levels:
            if other is not None:
                yield (kind, level), _as_heard(corruptions.mixed(wave, other, level))
            else:
                own = corruptions.generator(utterance.id, kind)
                yield (kind, level), _as_heard(corruptions.ALONE[kind](wave, level, own))


def _by_kind(conditions: Sequence[Condition]) -> dict[Corruption, list[float]]:
    found: dict[Corruption, list[float]] = {}
    for kind, level in conditions:
        found.setdefault(kind, []).extend([] if level is None else [level])
    return found


def _voices(context: Context, utterance: Utterance, rng: np.random.Generator) -> list[Floats]:
    """A clip each of four to seven other speakers; none where there are fewer than four."""
    clips: dict[str, list[Utterance]] = {}
    for name in sorted(context.clips):
        other = context.utterances[name]
        if other.speaker != utterance.speaker:
            clips.setdefault(other.speaker, []).append(other)
    least, most = corruptions.VOICES
    if len(clips) < least:
        return []
    speakers = sorted(clips)
    number = int(rng.integers(least, min(most, len(speakers)) + 1))
    drawn = rng.choice(len(speakers), size=number, replace=False)
    own = [clips[speakers[index]] for index in drawn]
    chosen = [some[int(rng.integers(len(some)))] for some in own]
    return [_heard(one.path, context.protocol.study.seconds) for one in chosen]


def _heard(path: Path, seconds: float) -> Floats:
    return load_clip(path, seconds=seconds).astype(np.float64)


def _as_heard(wave: Floats) -> Samples:
    return np.ascontiguousarray(wave, dtype=np.float32)


@lru_cache(maxsize=KEPT_SOUNDS)
def _sound(path: Path) -> Floats:
    """A background sound or an impulse response.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    try:
        return load_clip(path, seconds=SOUND_SECONDS, min_samples=1).astype(np.float64)
    except AudioError as error:
        raise InputError(
            f"cannot be used as a sound to mix: {error.what}",
            where=str(path),
            remedy="take it out of the folder",
        ) from error
