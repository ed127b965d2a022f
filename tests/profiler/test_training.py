"""Heads trained together: what each becomes alone, and what a plain training loop makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from profiler.protocol import TrainingSettings
from profiler.settings import Pooling
from profiler.training.batches import batches, pass_order
from profiler.training.checkpoint import StateFiles
from profiler.training.head import Head
from profiler.training.learner import Dropout, Learner, Recipe, Targets, Trained, class_weights
from profiler.training.loop import embed, train
from tests.profiler.worded_head import as_worded

CPU = torch.device("cpu")
QUICK = TrainingSettings(batch_size=16, learning_rate=5e-3, hidden_size=16)
RECIPE = Recipe(classes=2, epochs=12, class_weighting="inverse_frequency", seed=8)


class Clips:
    """Clips of uneven length whose class shows in one feature of one layer only."""

    def __init__(self, clips: int = 200, layers: int = 3) -> None:
        generator = torch.Generator().manual_seed(0)
        self.classes = [position % 2 for position in range(clips)]
        self.states = []
        for position, target in enumerate(self.classes):
            states = torch.randn(layers, 8 + position % 9, 6, generator=generator)
            states[min(1, layers - 1), :, 2] += 2.0 * (2 * target - 1)
            self.states.append(states.half())
        self.reads = 0

    def read(self, positions: Sequence[int]) -> list[Tensor]:
        self.reads += len(positions)
        return [self.states[position] for position in positions]

    def targets(self, positions: Sequence[int]) -> Targets:
        return Targets(tuple(positions), tuple(self.classes[p] for p in positions))

    def learner(
        self,
        recipe: Recipe = RECIPE,
        protocol: TrainingSettings = QUICK,
        train: range = range(96),
        dev: range = range(96, 128),
    ) -> Learner:
        layers = len(self.states[0])
        new_head = partial(_new_head, layers, protocol)
        return Learner(new_head, self.targets(train), self.targets(dev), recipe, protocol, CPU)

    def train(
        self, learners: Sequence[Learner], protocol: TrainingSettings = QUICK
    ) -> list[Trained]:
        train(
            learners, self.read, len(self.states),
            batch_size=protocol.batch_size, seed=8,
        )  # fmt: skip
        return [learner.result() for learner in learners]


def _new_head(layers: int, protocol: TrainingSettings, classes: int) -> Head:
    return Head(
        layers=layers, features=6, classes=classes, width=protocol.hidden_size,
        pooling=protocol.pooling, convolutions=protocol.convolutions,
    )  # fmt: skip


def _crew(clips: Clips) -> list[Learner]:
    """Heads of other seeds, parts, classes, numbers of epochs and shapes."""
    attended = QUICK.model_copy(update={"pooling": "attention", "convolutions": 3})
    three = Recipe(classes=3, epochs=4, class_weighting="none", seed=3)
    return [
        clips.learner(),
        clips.learner(Recipe(2, 12, "none", 16), train=range(40, 180), dev=range(40)),
        clips.learner(three, train=range(0, 150, 2), dev=range(151, 199)),
        clips.learner(three, train=range(5), dev=range(160, 199)),
        clips.learner(dataclasses.replace(three, first_pass=2)),
        clips.learner(Recipe(2, 6, "inverse_frequency", 24), attended),
    ]


@pytest.mark.parametrize("layers", [1, 3])
def test_heads_trained_together_are_those_trained_one_by_one(layers: int) -> None:
    clips = Clips(layers=layers)
    together = clips.train(_crew(clips))
    alone = [clips.train([learner])[0] for learner in _crew(clips)]
    for ours, theirs in zip(together, alone, strict=True):
        assert ours.log == theirs.log
        assert ours.best_epoch == theirs.best_epoch
        for name, values in ours.head.state_dict().items():
            assert torch.equal(values, theirs.head.state_dict()[name]), name


def _plainly(
    clips: Clips, recipe: Recipe, protocol: TrainingSettings, epochs: int
) -> tuple[Head, float]:
    """The protocol's training of one head, without any of the rearrangements."""
    torch.manual_seed(recipe.seed)
    head = _new_head(3, protocol, recipe.classes)
    optimiser = torch.optim.Adam(
        head.parameters(), lr=protocol.learning_rate, betas=protocol.betas,
        weight_decay=protocol.weight_decay,
    )  # fmt: skip
    targets, part = torch.tensor(clips.classes), range(96)
    weights = class_weights(targets[:96], recipe)
    dropout, loss = Dropout(protocol.dropout), torch.zeros(())
    for epoch in range(epochs):
        dropout.begin(recipe.seed, epoch)
        order = pass_order(len(clips.states), seed=8, number=recipe.first_pass + epoch)
        for batch in batches(order, part, protocol.batch_size):
            states = [clips.states[p].float() for p in batch]
            kept = dropout.kept((sum(s.shape[1] for s in states), head.dropped), CPU)
            assert kept is not None
            masks = torch.split(kept, [s.shape[1] for s in states])
            logits = as_worded(head, states, list(masks))
            loss = nn.functional.cross_entropy(logits, targets[list(batch)], weights)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
    return head, float(loss.detach())


@pytest.mark.parametrize(
    ("first_pass", "shape"),
    [(0, ("mean", 2)), (2, ("mean", 2)), (0, ("mean", 1)), (0, ("attention", 3))],
)
def test_training_is_the_protocols_plain_loop(first_pass: int, shape: tuple[Pooling, int]) -> None:
    """Same parameters after three epochs as autograd through the head as worded gives."""
    clips, epochs = Clips(), 3
    protocol = QUICK.model_copy(update={"pooling": shape[0], "convolutions": shape[1]})
    learner = clips.learner(Recipe(2, epochs, "inverse_frequency", 8, first_pass), protocol)
    clips.train([learner])
    plain, _ = _plainly(clips, learner.recipe, protocol, epochs)
    for name, values in learner.head.state_dict().items():
        torch.testing.assert_close(values, plain.state_dict()[name], rtol=2e-4, atol=2e-5)


def test_each_clip_is_read_once_per_epoch_for_all_heads() -> None:
    clips = Clips()
    learners = [clips.learner(Recipe(2, 3, "none", seed)) for seed in range(6)]
    clips.train(learners)
    assert clips.reads == 3 * (96 + 32)


def test_repetitions_share_passes_and_no_order_at_the_same_epoch() -> None:
    """Equal heads but for the pass they begin with: read together, and they differ."""
    clips = Clips()
    learners = [clips.learner(Recipe(2, 3, "none", 8, first)) for first in range(3)]
    first, *others = clips.train(learners)
    assert clips.reads == 5 * (96 + 32)
    assert all(one.log[0] != first.log[0] for one in others)


def test_training_finds_the_layer_and_the_class() -> None:
    clips = Clips()
    (trained,) = clips.train([clips.learner()])
    test = range(130, 200)
    (seen,) = embed([(trained.head, test)], clips.read)
    right = trained.head.answer(seen).argmax(dim=1) == torch.tensor(clips.targets(test).classes)
    assert right.float().mean() > 0.95
    assert int(trained.head.layer_weights.argmax()) == 1
    assert seen.shape == (70, 16)


def test_training_is_deterministic_and_leaves_the_global_generator_alone() -> None:
    clips = Clips()
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    (first,) = clips.train([clips.learner()])
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(7)
    (second,) = clips.train([clips.learner()])
    assert first.log == second.log


def test_the_best_dev_epoch_is_kept() -> None:
    clips = Clips()
    (trained,) = clips.train([clips.learner()])
    scores = [log.dev_score for log in trained.log]
    assert trained.best_epoch == scores.index(max(scores)) + 1
    dev = clips.targets(range(96, 128))
    (seen,) = embed([(trained.head, dev.positions)], clips.read)
    classes = torch.tensor(dev.classes)
    right = (trained.head.answer(seen).argmax(dim=1) == classes).float()
    by_class = [right[classes == c].mean().item() for c in (0, 1)]
    assert np.mean(by_class) == pytest.approx(max(scores))


def test_the_learning_rate_falls_to_its_floor_when_the_dev_loss_stalls() -> None:
    clips = Clips()
    clips.states = [torch.zeros(3, 4, 6).half() for _ in clips.states]
    protocol = TrainingSettings(
        batch_size=16, plateau_patience=0, plateau_factor=0.1, min_learning_rate=2e-4
    )
    recipe = Recipe(classes=2, epochs=25, class_weighting="none", seed=0)
    (trained,) = clips.train([clips.learner(recipe, protocol)], protocol)
    rates = [log.learning_rate for log in trained.log]
    assert rates[0] == 5e-4
    assert rates[-1] == pytest.approx(2e-4)


def test_class_weights_are_inverse_frequencies_that_sum_to_one() -> None:
    targets = torch.tensor([0, 0, 0, 1, 3, 3])
    recipe = Recipe(classes=4, epochs=1, class_weighting="inverse_frequency", seed=0)
    weights = class_weights(targets, recipe)
    assert weights.tolist() == pytest.approx([2 / 11, 6 / 11, 0.0, 3 / 11])
    plain = Recipe(classes=4, epochs=1, class_weighting="none", seed=0)
    assert class_weights(targets, plain).tolist() == [1.0] * 4


def test_dropout_drops_its_share_keeps_the_mean_and_differs_by_epoch() -> None:
    dropout = Dropout(0.2)
    masks = []
    for epoch in (0, 1, 0):
        dropout.begin(8, epoch)
        kept = dropout.kept((1000, 257), CPU)
        assert kept is not None
        masks.append(kept)
    assert torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], masks[1])
    values = torch.unique(masks[0]).tolist()
    assert values == pytest.approx([0.0, 1 / 0.8], rel=1e-4)
    # Five standard errors of a share of 0.2 in 257,000 draws.
    assert (masks[0] == 0).float().mean().item() == pytest.approx(0.2, abs=0.004)
    assert masks[0].mean().item() == pytest.approx(1.0, abs=0.005)
    assert Dropout(0.0).kept((3, 3), CPU) is None


class StoppedError(Exception):
    """Stands for the end of a process."""


def _files(learners: Sequence[Learner], folder: Path, clips: str = "these") -> StateFiles:
    files = {one: folder / f"{index}.state" for index, one in enumerate(learners)}
    return StateFiles(files, clips, seconds=0.0)


@pytest.mark.parametrize("stop_after", [1, 5, 11])
def test_training_goes_on_from_kept_states_to_the_same_heads(
    stop_after: int, tmp_path: Path
) -> None:
    clips = Clips()
    whole = clips.train(_crew(clips))
    begun = _crew(clips)
    states = _files(begun, tmp_path)

    def keep_then_stop() -> None:
        states.keep()
        if begun[0].epoch == stop_after:
            raise StoppedError

    arguments = {"batch_size": QUICK.batch_size, "seed": 8}
    with pytest.raises(StoppedError):
        train(begun, clips.read, len(clips.states), **arguments, after_epoch=keep_then_stop)
    ended = _crew(clips)
    _files(ended, tmp_path)
    assert ended[0].epoch == stop_after
    for ours, theirs in zip(clips.train(ended), whole, strict=True):
        assert ours.log == theirs.log
        assert ours.best_epoch == theirs.best_epoch
        for name, values in ours.head.state_dict().items():
            assert torch.equal(values, theirs.head.state_dict()[name]), name


def test_a_damaged_state_or_one_of_other_clips_is_not_used(tmp_path: Path) -> None:
    clips = Clips()
    learner = clips.learner()
    states = _files([learner], tmp_path)
    clips.train([learner])
    states.keep()
    file = tmp_path / "0.state"
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:40] + b"x" + whole[41:], b""):
        file.write_bytes(damaged)
        fresh = clips.learner()
        _files([fresh], tmp_path)
        assert fresh.epoch == 0
    file.write_bytes(whole)
    other, same = clips.learner(), clips.learner()
    _files([other], tmp_path, clips="others")
    _files([same], tmp_path)
    assert (other.epoch, same.epoch) == (0, 12)


def test_states_are_not_written_again_and_again(tmp_path: Path) -> None:
    clips = Clips()
    learner, now = clips.learner(), [0.0]
    file = tmp_path / "a.state"
    states = StateFiles({learner: file}, "these", seconds=5.0, clock=lambda: now[0])
    states.keep()
    assert not file.exists()
    now[0] = 6.0
    states.keep()
    assert file.exists()
