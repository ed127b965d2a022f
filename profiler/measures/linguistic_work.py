"""The texts of some test clips, spoken by the synthesiser and answered by the heads of a fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from profiler.corpora.audio import file_digest
from profiler.features.cache import Clip
from profiler.features.entry import States
from profiler.machine import HEAP
from profiler.measures.base import ClipTask
from profiler.measures.linguistic import NO_TEXT, ResynthesisedAnswer, ResynthesisLeftOut
from profiler.measures.shared_passes import answer, cached_states, repetitions_by_clip
from profiler.measures.synthesis import spoken, synthesiser
from profiler.pipeline.context import Context
from profiler.training.head import Head
from profiles_db.errors import AudioError

if TYPE_CHECKING:
    from profiler.measures.linguistic import LinguisticSettings


def answers(
    context: Context,
    fold: int,
    heads: Mapping[int, Head],
    tasks: Sequence[ClipTask],
    settings: LinguisticSettings,
) -> list[ResynthesisedAnswer | ResynthesisLeftOut]:
    """What the heads answer to the clips' texts.

    Parameters
    ----------
    context : Context
    fold : int
    heads : mapping from repetition (from 0)
        The trained emotion heads, in eval mode.
    tasks : sequence of ClipTask
    settings : LinguisticSettings
    """
    wanted = repetitions_by_clip(tasks)
    texts: dict[str, list[str]] = {}
    found: list[ResynthesisedAnswer | ResynthesisLeftOut] = []
    for name, repetitions in wanted.items():
        text = context.utterances[name].text
        if text is None:
            found += [ResynthesisLeftOut(r, fold, name, NO_TEXT) for r in repetitions]
        else:
            texts.setdefault(text, []).append(name)
    for text, states in _states(context, list(texts), settings):
        said: dict[int, tuple[str, tuple[float, ...]]] = {}
        for name in texts[text]:
            one = context.utterances[name]
            for repetition in wanted[name]:
                if isinstance(states, str):
                    found.append(
                        ResynthesisLeftOut(repetition, fold, name, f"its text, spoken, {states}")
                    )
                    continue
                if repetition not in said:
                    said[repetition] = answer(context, heads[repetition], states)
                found.append(
                    ResynthesisedAnswer(
                        repetition,
                        fold,
                        name,
                        one.speaker,
                        one.gender,
                        one.label,
                        text,
                        synthesiser(),
                        *said[repetition],
                    )
                )
    HEAP.tidy()
    return found


def _states(
    context: Context, texts: Sequence[str], settings: LinguisticSettings
) -> Iterator[tuple[str, States | str]]:
    """The hidden states of each text spoken, or why it is left out."""
    clips = []
    for text in texts:
        try:
            path = spoken(text, settings.voice, context.plan.cache / "speech")
        except AudioError as error:
            yield text, error.what
        else:
            clips.append(Clip(text, path, file_digest(path).removeprefix("sha256:")))
    for clip, states in cached_states(context, clips):
        yield clip.id, states
