"""What the measures on waveforms share: which heads hear a clip, hidden states that the feature
cache keeps, and what a head says of them.

A clip goes through the encoder once, however many heads are to hear it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from profiler.features.cache import Clip
from profiler.features.entry import States
from profiler.measures.base import ClipTask
from profiler.pipeline.context import Context
from profiler.training.head import Head
from profiles_db.errors import AudioError

NOT_FINITE = "its hidden states are not finite in half precision"


def repetitions_by_clip(tasks: Iterable[ClipTask]) -> dict[str, list[int]]:
    """The repetitions whose heads are to hear each clip, in the order of the tasks.

    Examples
    --------
    >>> repetitions_by_clip([ClipTask("a", 0), ClipTask("b", 1), ClipTask("a", 1)])
    {'a': [0, 1], 'b': [1]}
    """
    found: dict[str, list[int]] = {}
    for task in tasks:
        found.setdefault(task.clip, []).append(task.repetition)
    return found


def logits(head: Head, states: Tensor) -> Tensor:
    """What a head says of clips of equal length, shape (clips, classes).

    Parameters
    ----------
    head : Head
    states : Tensor, shape (clips, layers, frames, features)
    """
    said: Tensor = head(list(states.unbind(0)))
    return said


def cached_states(context: Context, clips: Sequence[Clip]) -> Iterator[tuple[Clip, States | str]]:
    """The hidden states of clips that stand in no fold, or why one cannot be used.

    They go through the feature cache, as those of the folds: other folds and later runs find them
    there. Where the cache is limited, nothing is added to it, and what it lacks is computed again.
    """
    reasons: dict[str, str] = {}
    if context.plan.cache_limit is None:
        reasons = context.features.fill(clips, lambda _: None)
    for clip in clips:
        yield clip, reasons[clip.id] if clip.id in reasons else _read(context, clip)


def _read(context: Context, clip: Clip) -> States | str:
    try:
        (states,) = context.features.read([clip])
    except AudioError as error:
        return error.what
    if isinstance(states, Tensor) and not torch.isfinite(states).all():
        return NOT_FINITE
    return states


@torch.no_grad()
def answer(context: Context, head: Head, states: States) -> tuple[str, tuple[float, ...]]:
    """The class that a head answers, and the probabilities of all classes in their order."""
    widened = states.to(context.device, torch.float32).contiguous()
    logs = torch.log_softmax(logits(head, widened[None])[0].double().cpu(), dim=0)
    return context.classes[int(logs.argmax())], tuple(logs.exp().tolist())
