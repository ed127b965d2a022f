"""Clips of other corpora answered by the heads of one fold, from hidden states made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from profiler.corpora.audio import file_digest
from profiler.corpora.base import Utterance
from profiler.features.cache import Clip
from profiler.features.entry import States
from profiler.machine import HEAP
from profiler.measures.base import ClipTask
from profiler.measures.generalisation import HELD, CrossCorpusAnswer, CrossCorpusLeftOut
from profiler.measures.shared_passes import answer, cached_states, repetitions_by_clip
from profiler.pipeline.context import Context
from profiler.training.head import Head
from profiles_db.errors import AudioError

if TYPE_CHECKING:
    from profiler.measures.generalisation import GeneralisationSettings


def answers(
    context: Context,
    fold: int,
    heads: Mapping[int, Head],
    tasks: Sequence[ClipTask],
    settings: GeneralisationSettings,
) -> list[CrossCorpusAnswer | CrossCorpusLeftOut]:
    """What the heads answer to the clips whose label counts as one of their classes.

    Parameters
    ----------
    context : Context
    fold : int
    heads : mapping from repetition (from 0)
        The trained emotion heads, in eval mode.
    tasks : sequence of ClipTask
    settings : GeneralisationSettings
    """
    found: list[CrossCorpusAnswer | CrossCorpusLeftOut] = []
    for name, corpus in settings.corpora.items():
        wanted = repetitions_by_clip(task for task in tasks if task.kind == name)
        every = corpus.by_id()
        known = [every[clip] for clip in wanted]
        asked = [one for one in known if corpus.counts_as(one.label) in context.classes]
        for one, states in _states(context, asked):
            for repetition in wanted[one.id]:
                if isinstance(states, str):
                    found.append(CrossCorpusLeftOut(repetition, fold, name, one.id, states))
                    continue
                predicted, probabilities = answer(context, heads[repetition], states)
                found.append(
                    CrossCorpusAnswer(
                        repetition,
                        fold,
                        name,
                        one.id,
                        one.speaker,
                        one.gender,
                        own_label=one.label,
                        label=str(corpus.counts_as(one.label)),
                        predicted=predicted,
                        probabilities=probabilities,
                    )
                )
        HEAP.tidy()
    return found


def _states(
    context: Context, utterances: Sequence[Utterance]
) -> Iterator[tuple[Utterance, States | str]]:
    """The hidden states of each clip, or why it is left out."""
    learned_from = {clip.digest for clip in context.plan.clips.values()}
    clips: dict[str, Clip] = {}
    for one in utterances:
        try:
            digest = file_digest(one.path).removeprefix("sha256:")
        except AudioError as error:
            yield one, error.what
            continue
        if digest in learned_from:
            yield one, HELD
        else:
            clips[one.id] = Clip(one.id, one.path, digest)
    by_id = {one.id: one for one in utterances}
    for clip, states in cached_states(context, list(clips.values())):
        yield by_id[clip.id], states
