"""Weighted sums over the layers of cached clips, for many heads at once.

Every clip is widened to float32 once, while it is in the processor's cache, for all heads that
want it; the same again backwards. A head's sums come out bit for bit the same whichever other
heads share the clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from profiler.features.entry import States

Clips = Mapping[int, States]
"""Hidden states by position, each of shape (layers, frames, features)."""

Read = Callable[[Sequence[int]], Sequence[States]]
"""Positions to hidden states, each of shape (layers, frames, features)."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Where each of a head's clips lies when they are packed one behind the other."""

    positions: tuple[int, ...]
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, positions: Sequence[int], clips: Clips) -> Packing:
        """The clips at `positions`, in that order."""
        return cls(tuple(positions), tuple(clips[p].shape[1] for p in positions))

    @property
    def frames(self) -> int:
        """Frames of all clips."""
        return sum(self.lengths)

    def parts(self) -> dict[int, slice]:
        """Position to the clip's frames."""
        ends = torch.tensor(self.lengths).cumsum(0).tolist()
        return {
            position: slice(end - length, end)
            for position, length, end in zip(self.positions, self.lengths, ends, strict=True)
        }


@torch.no_grad()
def mix(weights: Sequence[Tensor], packings: Sequence[Packing], clips: Clips) -> list[Tensor]:
    """Each head's mixed frames, float32, shape (frames, features), on the weights' device.

    Parameters
    ----------
    weights : sequence of Tensor, each of shape (layers,)
        One per head.
    packings : sequence of Packing
        One per head.
    clips : mapping from position to hidden states
    """
    features = clips[packings[0].positions[0]].shape[2]
    mixed = [
        torch.empty(packing.frames, features, device=weight.device)
        for weight, packing in zip(weights, packings, strict=True)
    ]
    for flat, wanted in _widened(packings, clips, weights[0].device):
        for head, part in wanted:
            torch.mv(flat.t(), weights[head], out=mixed[head][part].view(-1))
    return mixed


@torch.no_grad()
def mix_gradients(
    gradients: Sequence[Tensor], packings: Sequence[Packing], clips: Clips
) -> list[Tensor]:
    """Gradients by each head's weights, shape (layers,), from those by its mixed frames."""
    totals = [
        torch.zeros(clips[packing.positions[0]].shape[0], device=gradient.device)
        for gradient, packing in zip(gradients, packings, strict=True)
    ]
    for flat, wanted in _widened(packings, clips, gradients[0].device):
        for head, part in wanted:
            totals[head].addmv_(flat, gradients[head][part].reshape(-1))
    return totals


def _widened(
    packings: Sequence[Packing], clips: Clips, device: torch.device
) -> Iterator[tuple[Tensor, list[tuple[int, slice]]]]:
    """Each clip once, as float32 of shape (layers, frames * features), and who wants it."""
    parts = [packing.parts() for packing in packings]
    # In the corpus' order, so that a head's sums never depend on who else is there.
    for position in sorted({p for packing in packings for p in packing.positions}):
        flat = clips[position].to(device, torch.float32).flatten(1)
        yield flat, [(head, own[position]) for head, own in enumerate(parts) if position in own]
