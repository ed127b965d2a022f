"""The head: a weighted sum of frozen hidden states, a small convolutional net, one answer.

As in SUPERB-style probing and TrustSER: softmax-normalised layer weights learned from zeros, two
pointwise convolutions with ReLU and dropout between them, the mean over the clip's frames, two
linear layers. Two rearrangements make it cheap and change nothing: the mean over frames commutes
with the second convolution (nothing non-linear stands between), and clips are packed one behind
the other instead of padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Head(nn.Module):
    """Head on packed hidden states.

    Parameters
    ----------
    layers, features : int
        Number and width of the hidden states.
    classes : int
    width : int
        Width of the convolutions and of the first linear layer.
    dropout : float

    Examples
    --------
    >>> head = Head(layers=2, features=3, classes=4, width=5, dropout=0.0)
    >>> head([torch.ones(2, 7, 3), torch.ones(2, 9, 3)]).shape
    torch.Size([2, 4])
    """

    def __init__(
        self, *, layers: int, features: int, classes: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.layer_logits = nn.Parameter(torch.zeros(layers))
        self.first = nn.Linear(features, width)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(width, width)
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, classes)

    @property
    def layer_weights(self) -> Tensor:
        """Softmax-normalised weights of the hidden states, shape (layers,)."""
        return torch.softmax(self.layer_logits, dim=0)

    def forward(self, clips: Sequence[Tensor]) -> Tensor:
        """Logits, shape (clips, classes).

        Parameters
        ----------
        clips : sequence of Tensor, each of shape (layers, frames, features)
            Half-precision features from the cache, or float32 hidden states that carry a gradient.
        """
        logits: Tensor = self.output(self.embed(clips))
        return logits

    def embed(self, clips: Sequence[Tensor]) -> Tensor:
        """What the last layer sees, shape (clips, width): the head's embedding of each clip."""
        frames = torch.tensor([clip.shape[1] for clip in clips], device=self.layer_logits.device)
        mixed = mix_layers(self.layer_weights, clips)
        active = self.dropout(torch.relu(self.first(mixed)))
        pooled = torch.segment_reduce(active, "mean", lengths=frames)
        return torch.relu(self.hidden(self.second(pooled)))


def mix_layers(weights: Tensor, clips: Sequence[Tensor]) -> Tensor:
    """Weighted sum over the layers of each clip, packed: shape (all frames, features).

    Parameters
    ----------
    weights : Tensor, shape (layers,)
    clips : sequence of Tensor, each of shape (layers, frames, features)
    """
    if any(clip.requires_grad for clip in clips):
        return torch.cat([torch.einsum("l,ltf->tf", weights, clip) for clip in clips])
    mixed: Tensor = _MixFrozen.apply(weights, clips)
    return mixed


class _MixFrozen(torch.autograd.Function):
    """`mix_layers` of clips without gradient, one clip at a time.

    Widening a clip to float32 only while it is in the processor's cache, forwards and again
    backwards, halves the memory traffic that a float32 copy of the batch would cost.
    """

    @staticmethod
    def forward(ctx: Any, weights: Tensor, clips: Sequence[Tensor]) -> Tensor:
        ctx.clips = clips
        return torch.cat([(weights @ _flat(clip, weights)).view(clip.shape[1:]) for clip in clips])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        parts = torch.split(gradient, [clip.shape[1] for clip in ctx.clips])
        total = torch.zeros(len(ctx.clips[0]), device=gradient.device)
        for clip, part in zip(ctx.clips, parts, strict=True):
            total += _flat(clip, total) @ part.reshape(-1)
        return total, None


def _flat(clip: Tensor, like: Tensor) -> Tensor:
    """A clip as float32 on the device of `like`, shape (layers, frames * features)."""
    return clip.to(like.device, torch.float32).flatten(1)
