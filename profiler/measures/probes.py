"""Small probes: what a vector per clip gives away, linearly and not.

Both are scikit-learn's, in double precision on one thread of the linear algebra, so that they come
out the same whatever the machine has. They work on standardised vectors without the features that
are constant to rounding: standardising those would blow rounding up to the size of a signal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from profiler.measures.statistics import Bools, Floats, Ints

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

TAIL: Final = 0.02
"""Share of the clips at either end of a feature's range that do not widen it."""
INVERSE_PENALTY: Final = 1.0
"""scikit-learn's C: the summed log-loss counts so much beside half the squared norm."""
TOLERANCE: Final = 1e-6
"""Largest slope of the objective, per clip, at which logistic regression has converged."""
MOST_ITERATIONS: Final = 5000
HIDDEN_UNITS: Final = 32
HIDDEN_PENALTY: Final = 1.0
HIDDEN_EPOCHS: Final = 60
HIDDEN_BATCH: Final = 64
HIDDEN_RATE: Final = 5e-3

Answers: TypeAlias = Callable[[Floats], Floats]
"""Vectors, shape (clips, features), to log-probabilities of the two classes, shape (clips, 2)."""


@dataclass(frozen=True, slots=True)
class Standard:
    """Zero mean and unit deviation over some clips, without what is constant to rounding there.

    Values are first kept within the range of all clips but the most extreme (`TAIL` at either end):
    a handful of clips with a defect, such as a band of digital silence that a front end normalised,
    would otherwise decide the scale, and everybody else would look alike.
    """

    low: Floats
    high: Floats
    mean: Floats
    deviation: Floats
    kept: Bools

    @classmethod
    def of(cls, vectors: Floats, rounding: Floats) -> Standard | None:
        """The standard of `vectors`; None where every feature is constant to rounding.

        Parameters
        ----------
        vectors : array, shape (clips, features)
        rounding : array, shape (features,)
            Deviation up to which a feature counts as constant.

        Examples
        --------
        >>> vectors = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> Standard.of(vectors, np.full(2, 0.01))(vectors).round().tolist()
        [[-1.0], [1.0]]
        """
        low, high = np.quantile(vectors, [TAIL, 1 - TAIL], axis=0)
        within = np.clip(vectors, low, high)
        deviation = within.std(axis=0)
        kept: Bools = deviation > rounding
        if not kept.any():
            return None
        mean = within.mean(axis=0)
        return cls(low[kept], high[kept], mean[kept], deviation[kept], kept)

    def __call__(self, vectors: Floats) -> Floats:
        """Standardised vectors, shape (clips, features kept)."""
        found = np.clip(vectors[:, self.kept], self.low, self.high)
        found -= self.mean
        found /= self.deviation
        return found


def logistic_regression(train: Floats, targets: Ints) -> Answers:
    """Logistic regression of two classes with a squared penalty on the weights, to convergence.

    Parameters
    ----------
    train : array, shape (clips, features)
        Standardised.
    targets : array of int, shape (clips,)
        0 or 1, both there.

    Examples
    --------
    >>> train = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> answers = logistic_regression(train, np.array([0, 0, 1, 1]))
    >>> answers(np.array([[3.0]])).argmax()
    np.int64(1)
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow, for workers alone

    model = LogisticRegression(C=INVERSE_PENALTY, tol=TOLERANCE, max_iter=MOST_ITERATIONS)
    with _one_thread():
        model.fit(train, targets)
    return lambda vectors: _answered(model, vectors)


def perceptron(train: Floats, targets: Ints, seed: int) -> Answers:
    """A perceptron with one small hidden layer, trained for a fixed number of epochs.

    Its activation is smooth (tanh), so that a difference in the last bit stays one; a rectifier
    would turn it into another path of training.

    Parameters
    ----------
    train, targets
        As of `logistic_regression`.
    seed : int
        Of the first weights and of the order of clips.
    """
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - slow, for workers alone

    model = MLPClassifier(
        HIDDEN_UNITS,
        activation="tanh",
        alpha=HIDDEN_PENALTY,
        batch_size=min(HIDDEN_BATCH, len(train)),
        learning_rate_init=HIDDEN_RATE,
        random_state=seed,
    )
    with _one_thread():
        for _ in range(HIDDEN_EPOCHS):
            model.partial_fit(train, targets, classes=[0, 1])
    return lambda vectors: _answered(model, vectors)


def _answered(model: LogisticRegression | MLPClassifier, vectors: Floats) -> Floats:
    with _one_thread():
        found = model.predict_proba(vectors)
    logs: Floats = np.log(np.maximum(found, np.finfo(np.float64).tiny))
    return logs


def _one_thread() -> threadpool_limits:
    """NumPy's linear algebra on one thread: sums in one order, and no rivals to the workers."""
    return threadpool_limits(limits=1, user_api="blas")
