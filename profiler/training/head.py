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
    """Head on packed hidden states. Without a mask of dropout it is deterministic.

    Parameters
    ----------
    layers, features : int
        Number and width of the hidden states.
    classes : int
    width : int
        Width of the convolutions and of the first linear layer.

    Examples
    --------
    >>> head = Head(layers=2, features=3, classes=4, width=5)
    >>> head([torch.ones(2, 7, 3), torch.ones(2, 9, 3)]).shape
    torch.Size([2, 4])
    """

    def __init__(self, *, layers: int, features: int, classes: int, width: int) -> None:
        super().__init__()
        self.layer_logits = nn.Parameter(torch.zeros(layers))
        self.first = nn.Linear(features, width)
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
            Hidden states; the gradient flows back into those that carry one.
        """
        mixed = mix_layers(self.layer_weights, clips)
        logits: Tensor = self.output(self.embed(mixed, [clip.shape[1] for clip in clips]))
        return logits

    def embed(self, mixed: Tensor, lengths: Sequence[int], kept: Tensor | None = None) -> Tensor:
        """What the last layer sees, shape (clips, width): the head's embedding of each clip.

        Parameters
        ----------
        mixed : Tensor, shape (frames, features)
            Weighted sums of the hidden states, clip behind clip.
        lengths : sequence of int
            Frames of each clip.
        kept : Tensor, shape (frames, width), optional
            Mask of dropout: 0 where a value is dropped, else the factor that makes up for it.
        """
        pooled: Tensor = _PooledReLU.apply(self.first(mixed), lengths, kept)
        return torch.relu(self.hidden(self.second(pooled)))

    @torch.no_grad()
    def answer(self, embeddings: Tensor) -> Tensor:
        """Logits of what `embed` gave, on the CPU, shape (clips, classes)."""
        logits: Tensor = self.output(embeddings.to(self.layer_logits.device)).cpu()
        return logits


def mix_layers(weights: Tensor, clips: Sequence[Tensor]) -> Tensor:
    """Weighted sum over the layers of each clip, packed: shape (all frames, features).

    Parameters
    ----------
    weights : Tensor, shape (layers,)
    clips : sequence of Tensor, each of shape (layers, frames, features)
    """
    return torch.cat([torch.einsum("l,ltf->tf", weights, clip.to(weights)) for clip in clips])


class _PooledReLU(torch.autograd.Function):
    """ReLU, dropout and the mean over each clip's frames, in place and in one go.

    Between the two large products of a training step this is all that touches every frame; taken
    apart, it costs as much as one of them.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor, lengths: Sequence[int], kept: Tensor | None) -> Tensor:
        active = torch.relu(frames)
        if kept is not None:
            active.mul_(kept)
        pooled = torch.stack([part.mean(dim=0) for part in torch.split(active, list(lengths))])
        ctx.lengths = lengths
        ctx.save_for_backward(active, kept)
        return pooled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        active, kept = ctx.saved_tensors
        gradient = active.sign()
        if kept is not None:
            gradient.mul_(kept)
        parts = torch.split(gradient, list(ctx.lengths))
        for part, length, own in zip(parts, ctx.lengths, gradients[0], strict=True):
            part.mul_(own / length)
        return gradient, None, None
