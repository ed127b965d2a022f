"""The head: a weighted sum of frozen hidden states, a small convolutional net, one answer.

As in SUPERB-style probing and TrustSER: softmax-normalised layer weights learned from zeros,
pointwise convolutions with ReLU and dropout between them, the clip's frames pooled into one vector,
two linear layers. Two rearrangements make it cheap and change nothing: pooling commutes with the
last convolution (nothing non-linear stands between), and clips are packed one behind the other
instead of padded.

Frames are pooled by their mean, or by their mean weighted with self-attention (Safari et al.,
arXiv:2008.01077): the weights are the softmax, over a clip's frames, of a learned linear score of
what the last convolution gives. Of such a score a bias shifts all frames alike, so it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from profiler.settings import Pooling


class Head(nn.Module):
    """Head on packed hidden states. Without a mask of dropout it is deterministic.

    Parameters
    ----------
    layers, features : int
        Number and width of the hidden states.
    classes : int
    width : int
        Width of the convolutions and of the first linear layer.
    pooling : 'mean' or 'attention', optional
        How a clip's frames become one vector.
    convolutions : int, optional
        How many pointwise convolutions, at least 1; ReLU and dropout stand between each two.

    Examples
    --------
    >>> head = Head(layers=2, features=3, classes=4, width=5)
    >>> head([torch.ones(2, 7, 3), torch.ones(2, 9, 3)]).shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        *,
        layers: int,
        features: int,
        classes: int,
        width: int,
        pooling: Pooling = "mean",
        convolutions: int = 2,
    ) -> None:
        super().__init__()
        self.layer_logits = nn.Parameter(torch.zeros(layers))
        self.first = nn.Linear(features, width)
        self.second = nn.Linear(width, width) if convolutions > 1 else None
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, classes)
        # Drawn last, so that all else starts from the same weights with and without them.
        self.further = nn.ModuleList(nn.Linear(width, width) for _ in range(convolutions - 2))
        self.attention = nn.Linear(width, 1, bias=False) if pooling == "attention" else None

    @property
    def convolutions(self) -> list[nn.Linear]:
        """The pointwise convolutions, in their order."""
        all_of_them = (self.first, self.second, *self.further)
        return [one for one in all_of_them if isinstance(one, nn.Linear)]

    @property
    def dropped(self) -> int:
        """Values of each frame that dropout may drop: those between the convolutions."""
        return (len(self.convolutions) - 1) * self.first.out_features

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
        kept : Tensor, shape (frames, `dropped`), optional
            Masks of dropout, one behind the other: 0 where a value is dropped, else the factor
            that makes up for it.
        """
        *before, last = self.convolutions
        fused = before.pop() if before and self.attention is None else None
        width, frames = self.first.out_features, mixed
        masks = [] if kept is None else list(torch.split(kept, width, dim=1))
        for number, convolution in enumerate(before):
            frames = torch.relu(convolution(frames))
            if masks:
                frames = frames * masks[number]
        if fused is None:
            pooled = self._pool(frames, lengths, last)
        else:
            pooled = _PooledReLU.apply(fused(frames), lengths, masks[-1] if masks else None)
        return torch.relu(self.hidden(last(pooled)))

    def _pool(self, frames: Tensor, lengths: Sequence[int], last: nn.Linear) -> Tensor:
        """The mean, weighted or not, of what enters the last convolution, shape (clips, ...)."""
        parts = torch.split(frames, list(lengths))
        if self.attention is None:
            return torch.stack([part.mean(dim=0) for part in parts])
        scores = frames @ (self.attention.weight @ last.weight)[0]
        weights = [torch.softmax(own, dim=0) for own in torch.split(scores, list(lengths))]
        return torch.stack([own @ part for own, part in zip(weights, parts, strict=True)])

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
