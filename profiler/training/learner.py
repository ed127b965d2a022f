"""One head in training: its optimiser, its learning rate, its best epoch so far.

Which clips it sees, and how many heads share them, is not its business: see
`profiler.training.loop`.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from profiler.measures.statistics import Floats, confusion_by_group, unweighted_average_recall
from profiler.protocol import TrainingSettings
from profiler.training.head import Head

DROPOUT_STEPS: Final = 2**16
"""Dropout rates are rounded to a multiple of 1 / this, which makes masks cheap to draw."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Some of the clips, by position, and their classes where classes are what is learned."""

    positions: tuple[int, ...]
    classes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one head is trained: what differs between the emotion head and the gender probe.

    `classes` is the number of the head's outputs, whatever they stand for.
    """

    classes: int
    epochs: int
    class_weighting: Literal["inverse_frequency", "none"]
    seed: int
    first_pass: int = 0
    """Its first epoch is this pass over the clips (from 0); each pass has an order of its own."""


@dataclass(frozen=True, slots=True)
class EpochLog:
    """Losses and dev score of one epoch, and the learning rate it was run at."""

    train_loss: float
    dev_loss: float
    dev_score: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Trained:
    """A head at its best dev epoch (from 1), and the log of all epochs."""

    head: Head
    best_epoch: int
    log: tuple[EpochLog, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A trained head, what its last layer sees of some clips, shape (clips, width), on the CPU,
    and the log of its training, where it was trained just now."""

    head: Head
    embeddings: Tensor
    log: tuple[EpochLog, ...] = ()

    def log_probabilities(self) -> Floats:
        """The head's answers, shape (clips, classes)."""
        found: Floats = torch.log_softmax(self.head.answer(self.embeddings).double(), dim=1).numpy()
        return found


class Objective(Protocol):
    """What a head is trained for, and by what its epochs are judged."""

    def loss(self, outputs: Tensor, positions: Sequence[int]) -> Tensor:
        """Loss of the outputs for some training clips, shape (clips, outputs); a scalar."""

    def judge(self, outputs: Tensor) -> tuple[float, float]:
        """Loss and score (higher is better) of the outputs for the dev part, on the CPU."""


class Classes:
    """Cross-entropy of classes, judged by UAR.

    Parameters
    ----------
    training, dev : Targets
    recipe : Recipe
    """

    def __init__(self, training: Targets, dev: Targets, recipe: Recipe) -> None:
        self._class_of = dict(zip(training.positions, training.classes, strict=True))
        self.weights = class_weights(torch.tensor(training.classes), recipe)
        self._dev, self._recipe = torch.tensor(dev.classes), recipe

    def loss(self, outputs: Tensor, positions: Sequence[int]) -> Tensor:
        """Weighted cross-entropy."""
        targets = self.of(positions).to(outputs.device)
        return functional.cross_entropy(outputs, targets, self.weights.to(outputs.device))

    def of(self, positions: Sequence[int]) -> Tensor:
        """Classes of the clips at `positions` of the training part, shape (clips,)."""
        return torch.tensor([self._class_of[position] for position in positions])

    def judge(self, outputs: Tensor) -> tuple[float, float]:
        """Weighted cross-entropy, and UAR."""
        loss = float(functional.cross_entropy(outputs, self._dev, self.weights))
        return loss, _score(outputs, self._dev, self._recipe)


class Learner:
    """A head on its way from random weights to its best dev epoch.

    Parameters
    ----------
    new_head : callable
        Draws a head with so many classes from torch's global generator, which is left as it was.
    training, dev : Targets
    recipe : Recipe
    settings : TrainingSettings
    device : torch.device
    objective : Objective, optional
        The classes of `training` and `dev` if not given.
    """

    def __init__(
        self,
        new_head: Callable[[int], Head],
        training: Targets,
        dev: Targets,
        recipe: Recipe,
        settings: TrainingSettings,
        device: torch.device,
        objective: Objective | None = None,
    ) -> None:
        self.training, self.dev, self.recipe = training, dev, recipe
        self.head = _drawn(new_head, recipe).to(device)
        self.device = device
        groups = self.groups(settings)
        self._optimiser = torch.optim.Adam(
            groups, betas=settings.betas, weight_decay=settings.weight_decay
        )
        self._scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._optimiser,
            factor=settings.plateau_factor,
            patience=settings.plateau_patience,
            min_lr=[
                settings.min_learning_rate * (group["lr"] / settings.learning_rate)
                for group in groups
            ],
        )
        self._objective = objective or Classes(training, dev, recipe)
        self._dropout = Dropout(settings.dropout)
        self._losses: list[float] = []
        self._log: list[EpochLog] = []
        self._best = copy.deepcopy(self.head.state_dict())

    def groups(self, settings: TrainingSettings) -> list[dict[str, Any]]:
        """Parameters that have one learning rate, as an optimiser takes them; the head's first."""
        return [{"params": list(self.head.parameters()), "lr": settings.learning_rate}]

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self._log)

    def begin_epoch(self) -> None:
        """Reseed dropout, so that an epoch comes out the same after an interruption."""
        self._dropout.begin(self.recipe.seed, self.epoch)
        self._losses = []

    def learn(self, positions: Sequence[int], mixed: Tensor, lengths: Sequence[int]) -> Tensor:
        """Forward and backward on one batch; returns the gradient by `mixed`, of its shape.

        The gradient by the layer weights, which the caller makes of it, goes to `step`. With a
        single layer there is none to make, and `mixed` itself is returned.
        """
        mixed.requires_grad_(len(self.head.layer_logits) > 1)
        kept = self._dropout.kept((len(mixed), self.head.dropped), self.device)
        logits = self.head.output(self.head.embed(mixed, lengths, kept))
        loss = self._objective.loss(logits, positions)
        self._optimiser.zero_grad()
        torch.autograd.backward(loss)
        self._losses.append(float(loss.detach()))
        return mixed.grad if mixed.grad is not None else mixed

    def step(self, weight_gradient: Tensor | None) -> None:
        """Take the step, given the gradient by the layer weights; None with a single layer."""
        if weight_gradient is not None:
            torch.autograd.backward(self.head.layer_weights, weight_gradient)
        self._optimiser.step()

    def end_epoch(self, logits: Tensor) -> None:
        """Judge the epoch by the logits of the dev part, on the CPU, shape (clips, classes)."""
        dev_loss, score = self._objective.judge(logits)
        if not self._log or score > max(log.dev_score for log in self._log):
            self._best = copy.deepcopy(self.head.state_dict())
        rate = float(self._optimiser.param_groups[0]["lr"])
        self._log.append(EpochLog(float(np.mean(self._losses)), dev_loss, score, rate))
        self._scheduler.step(dev_loss)

    def result(self) -> Trained:
        """The head at its best dev epoch, the first of equals."""
        scores = [log.dev_score for log in self._log]
        head = copy.deepcopy(self.head)
        head.load_state_dict(self._best)
        return Trained(head, scores.index(max(scores)) + 1, tuple(self._log))

    def state(self) -> dict[str, Any]:
        """All that changes from epoch to epoch, as tensors and plain values."""
        return {
            "head": self.head.state_dict(),
            "best": self._best,
            "optimiser": self._optimiser.state_dict(),
            "scheduler": self._scheduler.state_dict(),
            "log": [list(dataclasses.astuple(log)) for log in self._log],
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self.head.load_state_dict(state["head"])
        self._best = state["best"]
        self._optimiser.load_state_dict(state["optimiser"])
        self._scheduler.load_state_dict(state["scheduler"])
        self._log = [EpochLog(*values) for values in state["log"]]


class Dropout:
    """Masks of dropout from a generator of their own: the same on every device and in every crew.

    Parameters
    ----------
    rate : float
        Share of values dropped, in [0, 1); rounded to 1 / 65536.
    """

    def __init__(self, rate: float) -> None:
        self._dropped = round(rate * DROPOUT_STEPS)
        self._bits = np.random.PCG64(0)

    def begin(self, seed: int, epoch: int) -> None:
        """The masks of `epoch` (from 0) of the head with that seed."""
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, epoch]))

    def kept(self, shape: tuple[int, int], device: torch.device) -> Tensor | None:
        """0 where a value is dropped, else 1 / (1 - rate); None where nothing ever is.

        Examples
        --------
        >>> Dropout(0.5).kept((16, 16), torch.device("cpu")).unique().tolist()
        [0.0, 2.0]
        """
        if self._dropped == 0:
            return None
        values = shape[0] * shape[1]
        drawn = self._bits.random_raw(-(-values // 4)).view(np.uint16)[:values].reshape(shape)
        kept = torch.from_numpy(drawn >= self._dropped).to(device).to(torch.float32)
        return kept.mul_(DROPOUT_STEPS / (DROPOUT_STEPS - self._dropped))


def class_weights(targets: Tensor, recipe: Recipe) -> Tensor:
    """Inverse class frequencies normalised to sum 1, shape (classes,); 0 for an absent class.

    All ones for an unweighted loss.
    """
    if recipe.class_weighting == "none":
        return torch.ones(recipe.classes)
    counts = torch.bincount(targets, minlength=recipe.classes).float()
    inverse = torch.where(counts > 0, 1 / counts.clamp(min=1), torch.zeros(()))
    return inverse / inverse.sum()


def _drawn(new_head: Callable[[int], Head], recipe: Recipe) -> Head:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return new_head(recipe.classes)


def _score(logits: Tensor, targets: Tensor, recipe: Recipe) -> float:
    """UAR of the dev part."""
    truth, predicted = targets.numpy(), logits.argmax(dim=1).numpy()
    confusion = confusion_by_group(
        truth, predicted, np.zeros_like(truth), classes=recipe.classes, groups=1
    )
    return float(unweighted_average_recall(confusion)[0])
