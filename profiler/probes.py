"""Small linear probes: what a vector per clip gives away."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PENALTY = 1.0
"""Weight of the squared norm against the summed log-loss, as scikit-learn's C = 1 / PENALTY."""
MAX_ITERATIONS = 200


def logistic_regression(train: Tensor, targets: Tensor, test: Tensor, *, classes: int) -> Tensor:
    """Class probabilities of `test`, all above 0, by logistic regression on standardised features.

    Parameters
    ----------
    train : Tensor, shape (clips, features)
    targets : Tensor of int, shape (clips,)
    test : Tensor, shape (test clips, features)
    classes : int

    Returns
    -------
    Tensor, float64, shape (test clips, classes)

    Examples
    --------
    >>> x = torch.tensor([[-1.0], [-2.0], [1.0], [2.0]])
    >>> y = torch.tensor([0, 0, 1, 1])
    >>> logistic_regression(x, y, torch.tensor([[3.0]]), classes=2).argmax().item()
    1
    """
    # In place: of a large corpus one copy is enough.
    inputs = train.detach().to(torch.float64, copy=True)
    mean, spread = inputs.mean(dim=0), inputs.std(dim=0, correction=0)
    spread = torch.where(spread > 0, spread, torch.ones_like(spread))
    inputs.sub_(mean).div_(spread)
    weight = torch.zeros(classes, train.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimiser.zero_grad()
        logits = nn.functional.linear(inputs, weight, bias)
        loss = functional.cross_entropy(logits, targets, reduction="sum")
        loss = loss + PENALTY / 2 * weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(objective)  # type: ignore[no-untyped-call]
    scaled = (test.double() - mean) / spread
    logits = functional.linear(scaled, weight, bias).detach()
    return torch.softmax(logits, dim=1).clamp(min=torch.finfo(torch.float64).tiny)
