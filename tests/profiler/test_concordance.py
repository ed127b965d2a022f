"""The loss of the head for dimensions: the figure's own formula, its gradient, clips not rated."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from profiler.measures.dimensional import ccc, moments_of
from profiler.training.concordance import Agreement, concordance
from profiler.training.learner import Targets

POSITIONS = (4, 7, 9, 2)
RATINGS = [[0.1, math.nan], [0.4, 0.2], [0.8, 0.9], [0.6, math.nan]]
OUTPUTS = torch.tensor([[0.2, 5.0], [0.3, 0.1], [0.9, 0.5], [0.6, 5.0]], dtype=torch.float64)


@given(seed=st.integers(0, 1000), clips=st.integers(2, 30))
def test_it_is_the_figures_formula(seed: int, clips: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.uniform(size=(2, clips, 3))
    found = concordance(torch.tensor(truth), torch.tensor(predicted)).tolist()
    expected = [float(ccc(moments_of(truth[:, d], predicted[:, d]))) for d in range(3)]
    assert found == pytest.approx(expected, abs=1e-9)


def test_clips_that_are_not_rated_on_a_dimension_are_no_part_of_it() -> None:
    objective = Agreement(Targets(POSITIONS), RATINGS, RATINGS)
    truth = np.array(RATINGS)
    first = float(ccc(moments_of(truth[:, 0], OUTPUTS[:, 0].numpy())))
    second = float(ccc(moments_of(truth[1:3, 1], OUTPUTS[1:3, 1].numpy())))
    assert float(objective.loss(OUTPUTS, POSITIONS)) == pytest.approx(1 - (first + second) / 2)
    loss, score = objective.judge(OUTPUTS)
    assert score == pytest.approx((first + second) / 2)
    assert loss == pytest.approx(1 - score)


def test_the_gradient_is_the_slope_and_none_reaches_what_is_not_rated() -> None:
    objective = Agreement(Targets(POSITIONS), RATINGS, RATINGS)
    # Single precision of the ratings bounds what a difference quotient shows.
    assert torch.autograd.gradcheck(
        lambda outputs: objective.loss(outputs, POSITIONS),
        OUTPUTS.clone().requires_grad_(),
        atol=1e-4,
    )
    outputs = OUTPUTS.clone().requires_grad_()
    objective.loss(outputs, POSITIONS).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert outputs.grad[:, 1].tolist()[::3] == [0, 0]
    assert torch.isfinite(outputs.grad).all()


@pytest.mark.parametrize("positions", [(4,), (4, 4)])
def test_a_batch_without_differences_teaches_nothing(positions: tuple[int, ...]) -> None:
    objective = Agreement(Targets(POSITIONS), RATINGS, RATINGS)
    outputs = OUTPUTS[: len(positions)].clone().requires_grad_()
    loss = objective.loss(outputs, positions)
    assert loss.item() == 1
    loss.backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert not outputs.grad.any()
