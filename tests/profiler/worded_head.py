"""The head as the protocol words it: padded clips, Conv1d after Conv1d, masked pooling."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from profiler.settings import Pooling
from profiler.training.head import Head

SHAPES: Final[tuple[tuple[Pooling, int], ...]] = (
    ("mean", 2), ("mean", 1), ("mean", 4), ("attention", 1), ("attention", 2), ("attention", 3),
)  # fmt: skip
"""How frames are pooled, and how many convolutions there are; the first is the default."""
BIAS: Final = 0.7
"""Of the score of self-attention: whatever it is, it changes nothing."""


def as_worded(head: Head, clips: list[Tensor], kept: list[Tensor] | None = None) -> Tensor:
    """Logits, shape (clips, classes), with the parameters of `head`.

    Parameters
    ----------
    head : Head
    clips : list of Tensor, each of shape (layers, frames, features)
    kept : list of Tensor, each of shape (frames, dropped), optional
        Masks of dropout.
    """
    frames = torch.tensor([clip.shape[1] for clip in clips])
    longest = int(frames.max())
    like = head.layer_logits
    padded = torch.stack([_padded(clip.to(like.dtype), longest) for clip in clips])
    masks = None if kept is None else torch.stack([_padded(one, longest) for one in kept])
    weights = torch.softmax(like, dim=0)
    states = (weights[None, :, None, None] * padded).sum(dim=1).transpose(1, 2)
    for number, linear in enumerate(head.convolutions):
        if number > 0:
            states = torch.relu(states)
            if masks is not None:
                width = states.shape[1]
                states = states * masks[..., (number - 1) * width : number * width].mT
        states = nn.functional.conv1d(states, linear.weight.unsqueeze(2), linear.bias)
    states = states.transpose(1, 2)
    valid = torch.arange(longest)[None] < frames[:, None]
    if head.attention is None:
        pooled = (states * valid.unsqueeze(2)).sum(dim=1) / frames[:, None]
    else:
        scores = (states @ head.attention.weight[0] + BIAS).masked_fill(~valid, -10e6)
        pooled = (torch.softmax(scores, dim=1).unsqueeze(2) * states).sum(dim=1)
    logits: Tensor = head.output(torch.relu(head.hidden(pooled)))
    return logits


def _padded(values: Tensor, frames: int) -> Tensor:
    return nn.functional.pad(values, (0, 0, 0, frames - values.shape[-2]))
