"""What a backbone is to the profiler: a frozen map from waveform to hidden states."""

from __future__ import annotations

import abc
import copy
import itertools
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor, nn

from profiler.backbones.depth import require_depth, require_tunable
from profiles_db.candidate_names import split_depth, split_tuned, with_depth, with_tuned
from profiles_db.errors import InputError

WeightsKind = Literal["pretrained", "random", "none"]


@dataclass(frozen=True, slots=True)
class Weights:
    """Which weights a backbone carries.

    `id` tells them apart by content: `sha256:...` over the tensors, `random:SEED`, or `none` for
    a front end without weights; `@K` behind it says that only the first K layers are there,
    `+lastN` that the last N of them are where the training of a head begins, `+int8` that linear
    layers are in int8.
    `origin` says where they came from (hub id, file name), for people. `size` is the bytes of the
    encoder's tensors. `left_out` names the parts of the checkpoint that are no encoder and were
    not loaded, such as a head or a decoder.
    """

    kind: WeightsKind
    id: str
    origin: str
    size: int
    left_out: tuple[str, ...] = ()


class Backbone(abc.ABC, torch.nn.Module):
    """A frozen encoder, in eval mode, its parameters without gradient.

    Subclasses implement `hidden_states`. A clip's hidden states depend on that clip alone: callers
    batch only clips of exactly equal length.
    """

    name: str
    weights: Weights
    hidden_size: int
    layers: int
    """How many hidden states `hidden_states` returns (all that the upstream returns for APC and
    TERA, the outputs of its blocks for CNN14; elsewhere without the input embedding)."""
    min_samples: int
    """Shortest clip it can take, in samples at 16 kHz."""

    transformer_layers: int = 0
    """Transformer layers, each with its hidden state, at the end of those returned; 0 where there
    are none that `first_layers` could leave out."""

    whole: tuple[str, str] | None = None
    """Name and weights' id of the encoder whose first layers this is; None if it is a whole one."""

    tuned: int = 0
    """How many of its last transformer layers are trained with each head; 0 for a frozen one. What
    it holds itself, and gives as hidden states, is where that training begins."""

    quantised: bool = False
    """Whether its linear layers are in int8: it has no gradient (`profiler.backbones.int8`)."""

    read_not_called: tuple[str, ...] = ()
    """Ends of the names of linear layers whose weights others read, so that these cannot be in
    int8."""

    pays_in_batches: bool = False
    """Whether equally long clips are faster together than one by one on a CPU too: a recurrent
    encoder's steps are too small to fill the processor; elsewhere a batch leaves its cache."""

    answers_together: int = 1
    """How many perturbed versions of one clip are faster together than one by one on a CPU, where
    no gradient is asked for: `docs/scaling.md` has the measurement."""

    outside_torch: str = ""
    """Why torch sees nothing of what it computes, where that is so: it then has no gradient, and
    its operations cannot be counted."""

    licence: str = ""
    """The licence that its entry in the catalogue names, with remarks; '' where it is unknown."""

    loaded_as: tuple[str, str] | None = None
    """The name and weights `profiler.backbones.load.load` was given, where it made this."""

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Stay in eval mode whatever is asked: dropout and masking never act on frozen weights."""
        return super().train(False)

    def first_layers(self, depth: int) -> Self:
        """An encoder that ends after the first `depth` transformer layers; it shares the tensors.

        Its hidden states are the first of this one's, bit for bit: what comes before the first
        layer is the same, and a norm behind the last layer goes with the layers left out.

        Raises
        ------
        InputError
            Where there are no transformer layers, or `depth` is not below their number.
        """
        require_depth(self.name, depth, self.transformer_layers)
        tensors = itertools.chain(self.parameters(), self.buffers())
        cut = copy.deepcopy(self, {id(tensor): tensor for tensor in tensors})
        cut.keep_layers(depth)
        cut.layers -= self.transformer_layers - depth
        cut.transformer_layers = depth
        cut.whole = name, weights = self.whole or (self.name, self.weights.id)
        cut.name = with_depth(name, depth)
        cut.weights = replace(
            self.weights,
            id=with_depth(weights, depth),
            size=self.weights.size - (_bytes(self) - _bytes(cut)),
        )
        if self.loaded_as is not None:
            loaded, given = self.loaded_as
            whole = loaded if self.whole is None else split_depth(loaded)[0]
            cut.loaded_as = with_depth(whole, depth), given
        return cut

    def keep_layers(self, depth: int) -> None:
        """Leave out the transformer layers above the first `depth`, and the norm behind the last.

        Called by `first_layers` on a copy whose modules are its own; only where
        `transformer_layers` is not 0.
        """
        raise NotImplementedError(f"{type(self).__name__} has layers and no way to leave any out")

    def tune(self, layers: int) -> Self:
        """The same encoder, whose last `layers` transformer layers are to be trained with a head.

        Nothing in it changes by that: see `frozen_part` and `LastLayers`.

        Raises
        ------
        InputError
            Where it has not so many transformer layers, or cannot go on from what enters one.
        """
        require_tunable(self.name, layers, self.transformer_layers)
        if not self.goes_on:
            raise InputError(
                f"{self.name} cannot be run from the middle, so that its layers cannot be tuned",
                where=f"last:{layers}",
                remedy=f"profile it frozen, as {self.name}",
            )
        tuned = copy.copy(self)
        tuned.tuned = layers
        tuned.name = with_tuned(self.name, layers)
        tuned.weights = replace(self.weights, id=with_tuned(self.weights.id, layers))
        if self.loaded_as is not None:
            loaded, given = self.loaded_as
            tuned.loaded_as = with_tuned(loaded, layers), given
        return tuned

    def untuned(self) -> Self:
        """The encoder with all its layers frozen."""
        plain = copy.copy(self)
        plain.tuned = 0
        plain.name = split_tuned(self.name)[0]
        plain.weights = replace(self.weights, id=split_tuned(self.weights.id)[0])
        if self.loaded_as is not None:
            loaded, given = self.loaded_as
            plain.loaded_as = split_tuned(loaded)[0], given
        return plain

    def frozen_part(self) -> Backbone:
        """What comes before the layers that are tuned; its last hidden state is what enters them.

        The first layers of the encoder, whose hidden states are the same for every head; where all
        layers are tuned, what enters the first one.
        """
        before, plain = self.transformer_layers - self.tuned, self.untuned()
        return plain.first_layers(before) if before else BeforeLayers(plain)

    @property
    def goes_on(self) -> bool:
        """Whether `entering` and `pass_layers` can be called."""
        return False

    @property
    def transformer(self) -> nn.ModuleList:
        """The transformer layers, the first one first; only where `goes_on`."""
        raise NotImplementedError(f"{type(self).__name__} does not name its layers")

    def entering(self, waveform: Tensor) -> Tensor:
        """What enters the first transformer layer, shape (batch, frames, hidden_size)."""
        raise NotImplementedError(f"{type(self).__name__} cannot be run up to its first layer")

    def pass_layers(self, layers: nn.ModuleList, entering: Tensor) -> Tensor:
        """Hidden states of `layers`, which stand for as many of the encoder's last ones.

        Parameters
        ----------
        layers : ModuleList
        entering : Tensor, shape (batch, frames, hidden_size)
            What enters the first of them.

        Returns
        -------
        Tensor, shape (batch, len(layers), frames, hidden_size)
        """
        raise NotImplementedError(f"{type(self).__name__} cannot go on from a hidden state")

    @abc.abstractmethod
    def hidden_states(self, waveform: Tensor) -> Tensor:
        """Hidden states of all layers, differentiable in the waveform.

        Parameters
        ----------
        waveform : Tensor, shape (batch, samples), float32, 16 kHz, nominally in [-1, 1]

        Returns
        -------
        Tensor, shape (batch, layers, frames, hidden_size), float32
        """

    def forward(self, waveform: Tensor) -> Tensor:
        """The same as `hidden_states`, so that counters and hooks see one call."""
        return self.hidden_states(waveform)


class BeforeLayers(Backbone):
    """What enters the first transformer layer of an encoder, as its only hidden state."""

    layers = 1

    def __init__(self, encoder: Backbone) -> None:
        super().__init__()
        name, weights = encoder.whole or (encoder.name, encoder.weights.id)
        self.name = with_depth(name, 0)
        self.weights = replace(encoder.weights, id=with_depth(weights, 0))
        self.hidden_size, self.min_samples = encoder.hidden_size, encoder.min_samples
        self.encoder = encoder

    def hidden_states(self, waveform: Tensor) -> Tensor:
        """What enters the first layer, shape (batch, 1, frames, hidden_size)."""
        return self.encoder.entering(waveform).unsqueeze(1)


class LastLayers(nn.Module):
    """A copy of an encoder's last layers that can be trained, and nothing else of it.

    It stays in eval mode: the encoder's own dropout never acts, and no layer is dropped. What the
    layers need beside (a norm behind the last one, WavLM's table of positions) is the encoder's,
    frozen.

    Parameters
    ----------
    encoder : Backbone
        With `tuned` layers.
    """

    def __init__(self, encoder: Backbone) -> None:
        super().__init__()
        self.layers = copy.deepcopy(encoder.transformer[-encoder.tuned :]).requires_grad_(True)
        self._frozen = _Shared(encoder)
        self.train(False)

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002
        """Stay in eval mode whatever is asked."""
        return super().train(False)

    def forward(self, entering: Tensor) -> Tensor:
        """Hidden states of these layers, given what enters them: see `Backbone.pass_layers`."""
        return self._frozen.encoder.pass_layers(self.layers, entering)


@dataclass(frozen=True, slots=True, eq=False)
class _Shared:
    """A frozen encoder, which copies of what holds it share."""

    encoder: Backbone

    def __deepcopy__(self, memo: object) -> Self:
        return self


def _bytes(module: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
