"""An encoder's last layers trained together with the head, from what enters them.

The frozen part of the encoder runs once per clip, as it does for a head alone, and its hidden
states are kept; the layers above it run in every step. Clips go through them at their own length,
on a CPU each alone, on a GPU those of exactly equal length together, so that nothing is padded and
no clip's states depend on its neighbours in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from profiler.backbones.base import Backbone, LastLayers
from profiler.backbones.precision import passing
from profiler.features.entry import States
from profiler.protocol import TrainingSettings
from profiler.settings import Pooling, Precision
from profiler.training.batches import chunks
from profiler.training.head import Head, mix_layers
from profiler.training.learner import Classes, Learner, Recipe, Targets
from profiler.training.mixing import Read
from profiles_db.errors import MeasuringError

TOGETHER: Final = 16
"""Clips of equal length that go through the layers together on a GPU, at most."""


class TunedHead(Head):
    """A head with an encoder's last layers, which take the hidden states of its frozen part.

    What it is called with, and attacked through, are those states; its weighted sum is over all
    hidden states that count, those of its own layers last.

    Parameters
    ----------
    encoder : Backbone
        With `tuned` layers; its own are copied.
    classes, width, pooling, convolutions
        As of `Head`.
    precision : 'float32' or 'bfloat16', optional
        In which the layers are passed.
    """

    def __init__(
        self,
        encoder: Backbone,
        *,
        classes: int,
        width: int,
        pooling: Pooling = "mean",
        convolutions: int = 2,
        precision: Precision = "float32",
    ) -> None:
        super().__init__(
            layers=encoder.layers,
            features=encoder.hidden_size,
            classes=classes,
            width=width,
            pooling=pooling,
            convolutions=convolutions,
        )
        self.last = LastLayers(encoder)
        self._before = encoder.layers - encoder.tuned
        self._precision: Precision = precision

    def forward(self, clips: Sequence[Tensor]) -> Tensor:
        """Logits, shape (clips, classes), from hidden states of the encoder's frozen part.

        Parameters
        ----------
        clips : sequence of Tensor, each of shape (frozen layers, frames, features)
            The last of them is what enters the tuned layers.
        """
        return super().forward(self.states(clips))

    def states(self, clips: Sequence[States]) -> list[Tensor]:
        """All hidden states that count, each of shape (layers, frames, features)."""
        found: dict[int, Tensor] = {}
        like = self.layer_logits
        for places in _of_equal_length(clips, like.device):
            frozen = [clips[place].to(like.device, like.dtype) for place in places]
            with passing(self._precision, like.device):
                tuned = self.last(torch.stack([states[-1] for states in frozen]))
            for place, before, after in zip(places, frozen, tuned.to(like.dtype), strict=True):
                found[place] = torch.cat([before[: self._before], after])
        return [found[place] for place in range(len(clips))]

    @torch.no_grad()
    def tuned(self, clips: Sequence[States]) -> list[States]:
        """As `states`, for heads that are trained upon them and change them no more."""
        return list(self.states(clips))

    def upon(self, read: Read) -> Read:
        """Reads this model's own hidden states, given what reads those of the frozen part."""
        return lambda positions: self.tuned(read(positions))


class TunedLearner(Learner):
    """A head and an encoder's last layers on their way, from the encoder's own weights on.

    The layers have a learning rate of their own; it falls when that of the head does, and as far.
    """

    head: TunedHead

    def __init__(
        self,
        new_head: Callable[[int], Head],
        training: Targets,
        dev: Targets,
        recipe: Recipe,
        settings: TrainingSettings,
        device: torch.device,
    ) -> None:
        self._classes = Classes(training, dev, recipe)
        super().__init__(new_head, training, dev, recipe, settings, device, self._classes)

    def take(self, positions: Sequence[int], clips: Sequence[States]) -> None:
        """One step on one batch.

        The gradient is that of the batch's weighted mean loss, summed over clips of equal length at
        a time, so that only their activations are held.

        Raises
        ------
        MeasuringError
            Where the loss is no number any more.
        """
        head, lengths = self.head, [clip.shape[1] for clip in clips]
        kept = self._dropout.kept((sum(lengths), head.dropped), self.device)
        masks = None if kept is None else torch.split(kept, lengths)
        targets = self._classes.of(positions).to(self.device)
        weights = self._classes.weights.to(head.layer_logits)
        total, loss = weights[targets].sum(), 0.0
        self._optimiser.zero_grad()
        for places in _of_equal_length(clips, self.device):
            states = head.states([clips[place] for place in places])
            logits = head.output(
                head.embed(
                    mix_layers(head.layer_weights, states),
                    [lengths[place] for place in places],
                    None if masks is None else torch.cat([masks[place] for place in places]),
                )
            )
            summed = functional.cross_entropy(logits, targets[places], weights, reduction="sum")
            torch.autograd.backward(summed / total)
            loss += float(summed.detach() / total)
        if not torch.isfinite(torch.tensor(loss)):
            raise MeasuringError(
                "the loss of the tuned layers is no number any more",
                where=f"epoch {self.epoch + 1}",
                remedy="train them with a smaller training.tune_learning_rate",
            )
        self._losses.append(loss)
        self._optimiser.step()

    def groups(self, settings: TrainingSettings) -> list[dict[str, Any]]:
        """The head's parameters and the layers', each with its learning rate."""
        layers = list(self.head.last.parameters())
        own = {id(parameter) for parameter in layers}
        head = [parameter for parameter in self.head.parameters() if id(parameter) not in own]
        return [
            {"params": head, "lr": settings.learning_rate},
            {"params": layers, "lr": settings.tune_learning_rate},
        ]


def _of_equal_length(clips: Sequence[States], device: torch.device) -> Iterator[list[int]]:
    """Places of clips that go through the layers together."""
    if device.type == "cpu":
        yield from ([place] for place in range(len(clips)))
        return
    alike: dict[int, list[int]] = {}
    for place, clip in enumerate(clips):
        alike.setdefault(clip.shape[1], []).append(place)
    for places in alike.values():
        yield from map(list, chunks(places, TOGETHER))
