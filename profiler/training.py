"""Training of one head on cached features, as the reference protocol prescribes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from profiler.heads import Head
from profiler.protocol import Protocol
from profiler.statistics import accuracy, confusion_by_group, unweighted_average_recall

EVALUATION_BATCH = 64


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled clips whose features are loaded when asked for.

    `load` takes positions and returns their features, each of shape (layers, frames, features);
    `targets` holds the classes as integers, shape (clips,).
    """

    load: Callable[[Sequence[int]], list[Tensor]]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one head is trained: what differs between the emotion head and the gender probe."""

    classes: int
    epochs: int
    score: Literal["uar", "accuracy"]
    class_weighting: Literal["inverse_frequency", "none"]
    seed: int


@dataclass(frozen=True, slots=True)
class EpochLog:
    """Losses and dev score of one epoch, and the learning rate it was run at."""

    train_loss: float
    dev_loss: float
    dev_score: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Trained:
    """A head at its best dev epoch (from 1), in eval mode, and the log of all epochs."""

    head: Head
    best_epoch: int
    log: tuple[EpochLog, ...]


def train(
    new_head: Callable[[int], Head],
    training: Examples,
    dev: Examples,
    recipe: Recipe,
    protocol: Protocol,
    *,
    device: torch.device,
) -> Trained:
    """Train a head and keep its best dev epoch (the first of equals).

    The global random state is left as it was; the same recipe gives the same head.

    Parameters
    ----------
    new_head : callable
        Draws a head with so many classes from the global random state.
    training, dev : Examples
    recipe : Recipe
    protocol : Protocol
    device : torch.device
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(recipe.seed)
        head = new_head(recipe.classes).to(device)
        return _train(head, training, dev, recipe, protocol)


def _train(
    head: Head,
    training: Examples,
    dev: Examples,
    recipe: Recipe,
    protocol: Protocol,
) -> Trained:
    optimiser = torch.optim.Adam(
        head.parameters(),
        lr=protocol.learning_rate,
        betas=protocol.betas,
        weight_decay=protocol.weight_decay,
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser,
        factor=protocol.plateau_factor,
        patience=protocol.plateau_patience,
        min_lr=protocol.min_learning_rate,
    )
    weights = class_weights(training.targets, recipe).to(head.layer_logits.device)
    order = np.random.default_rng(recipe.seed)
    best, best_state, log = -1, copy.deepcopy(head.state_dict()), list[EpochLog]()
    for epoch in range(recipe.epochs):
        rate = optimiser.param_groups[0]["lr"]
        train_loss = _epoch(head, training, optimiser, weights, protocol.batch_size, order)
        logits = predict(head, dev)
        dev_loss = float(functional.cross_entropy(logits, dev.targets, weights.cpu()))
        score = _score(logits, dev.targets, recipe)
        scheduler.step(dev_loss)
        log.append(EpochLog(train_loss, dev_loss, score, rate))
        if best < 0 or score > log[best].dev_score:
            best, best_state = epoch, copy.deepcopy(head.state_dict())
    head.load_state_dict(best_state)
    return Trained(head.eval(), best + 1, tuple(log))


def _epoch(
    head: Head,
    training: Examples,
    optimiser: torch.optim.Optimizer,
    weights: Tensor,
    batch_size: int,
    order: np.random.Generator,
) -> float:
    """One pass over the training part; returns the mean loss of its steps."""
    head.train()
    losses = []
    for batch in batches(len(training), batch_size, order):
        logits = head(training.load(batch))
        targets = training.targets[batch].to(logits.device)
        loss = functional.cross_entropy(logits, targets, weights)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def batches(clips: int, batch_size: int, order: np.random.Generator) -> Iterator[list[int]]:
    """Shuffled positions in batches; the last incomplete one is dropped.

    A part smaller than one batch is one batch, so that it trains at all.
    """
    positions = order.permutation(clips).tolist()
    size = min(batch_size, clips)
    for start in range(0, clips - size + 1, size):
        yield positions[start : start + size]


def class_weights(targets: Tensor, recipe: Recipe) -> Tensor:
    """Inverse class frequencies normalised to sum 1, shape (classes,); 0 for an absent class.

    All ones for an unweighted loss.
    """
    if recipe.class_weighting == "none":
        return torch.ones(recipe.classes)
    counts = torch.bincount(targets, minlength=recipe.classes).float()
    inverse = torch.where(counts > 0, 1 / counts.clamp(min=1), torch.zeros(()))
    return inverse / inverse.sum()


@torch.no_grad()
def predict(head: Head, examples: Examples) -> Tensor:
    """Logits of all examples in eval mode, on the CPU, shape (clips, classes)."""
    head.eval()
    return torch.cat([head(clips).cpu() for clips in _in_order(examples)])


@torch.no_grad()
def embed(head: Head, examples: Examples) -> Tensor:
    """The head's embeddings of all examples in eval mode, on the CPU, shape (clips, width)."""
    head.eval()
    return torch.cat([head.embed(clips).cpu() for clips in _in_order(examples)])


def _in_order(examples: Examples) -> Iterator[list[Tensor]]:
    for start in range(0, len(examples), EVALUATION_BATCH):
        yield examples.load(range(start, min(start + EVALUATION_BATCH, len(examples))))


def _score(logits: Tensor, targets: Tensor, recipe: Recipe) -> float:
    truth, predicted = targets.numpy(), logits.argmax(dim=1).numpy()
    confusion = confusion_by_group(
        truth, predicted, np.zeros_like(truth), classes=recipe.classes, groups=1
    )
    score = unweighted_average_recall if recipe.score == "uar" else accuracy
    return float(score(confusion)[0])
