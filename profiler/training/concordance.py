"""Training for agreement with ratings: 1 less their concordance correlation with the outputs.

The concordance correlation coefficient (Lin, Biometrics 45, 1989) of two variables is twice their
covariance over the sum of their variances and of the squared difference of their means. Unlike
Pearson's correlation it asks for the same values, not only for the same order and spacing.

Source: Wagner et al., arXiv:2203.07378, where the loss is its mean over arousal, dominance and
valence; clips without a rating are no part of the mean here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from profiler.training.learner import Targets


def concordance(truth: Tensor, predicted: Tensor) -> Tensor:
    """CCC of each dimension over the clips that are rated on it, shape (dimensions,).

    CCC = 2 cov / (var_t + var_p + (mean_t - mean_p)^2), with population moments. NaN where the
    ratings do not vary: there is nothing to agree with.

    Parameters
    ----------
    truth : Tensor, shape (clips, dimensions)
        NaN where a clip is not rated.
    predicted : Tensor, shape (clips, dimensions)

    Examples
    --------
    >>> truth = torch.tensor([[0.0], [0.5], [1.0]])
    >>> concordance(truth, truth).item(), concordance(truth, 1 - truth).item()
    (1.0, -1.0)
    >>> round(concordance(truth, truth + 0.5).item(), 3)
    0.571
    """
    rated = torch.isfinite(truth)
    clips = rated.sum(dim=0).clamp(min=1)
    means = [torch.where(rated, one, 0.0).sum(dim=0) / clips for one in (truth, predicted)]
    off_t, off_p = (
        torch.where(rated, one - mean, 0.0)
        for one, mean in zip((truth, predicted), means, strict=True)
    )
    varies = off_t.square().sum(dim=0) > 0
    whole = (off_t.square() + off_p.square()).sum(dim=0) / clips + (means[0] - means[1]).square()
    part = 2 * (off_t * off_p).sum(dim=0) / clips
    return torch.where(varies, part / torch.where(varies, whole, 1.0), torch.nan)


class Agreement:
    """An objective of a `Learner`: 1 less the CCC, averaged over the dimensions.

    A batch on which no dimension varies teaches nothing: its loss is 1 and has no gradient.

    Parameters
    ----------
    training : Targets
    ratings : sequence of ratings
        Of the training clips, in their order, each of shape (dimensions,); NaN where there is none.
    dev : sequence of ratings
        Of the dev clips, in their order; some dimension varies.
    """

    def __init__(
        self, training: Targets, ratings: Sequence[Sequence[float]], dev: Sequence[Sequence[float]]
    ) -> None:
        self._ratings = dict(zip(training.positions, ratings, strict=True))
        self._dev = torch.tensor(dev)

    def loss(self, outputs: Tensor, positions: Sequence[int]) -> Tensor:
        """1 less the mean CCC of a batch."""
        truth = torch.tensor([self._ratings[p] for p in positions], device=outputs.device)
        found = concordance(truth, outputs)
        defined = torch.isfinite(found)
        if not defined.any():
            return 1 + 0 * outputs.sum()
        return 1 - found[defined].mean()

    def judge(self, outputs: Tensor) -> tuple[float, float]:
        """1 less the mean CCC over the dev part, and the mean CCC."""
        found = float(concordance(self._dev, outputs).nanmean())
        return 1 - found, found
