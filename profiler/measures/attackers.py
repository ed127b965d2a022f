"""Attackers on the speakers' gender: several are tried, and the dev part says which is strongest.

A single probe says as much of itself as of what it probes: privacy looks good where it is weak. So
the figure is that of the best of several, chosen on the dev part and scored on the test part, whose
answers never have a say in the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from profiler.corpora.base import GENDERS, Utterance
from profiler.measures.probes import Answers, Standard, logistic_regression, perceptron
from profiler.measures.statistics import Floats, Ints

AT_A_TIME: Final = 4096
"""Clips whose vectors are held together to be answered."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where each clip is a vector.

    `read` gives the vectors of some clips, shape (clips, features), and `rounding` the deviation,
    by the vectors of the training clips, up to which a feature counts as constant, shape
    (features,). Of all features only the `first` are used, where that is given.
    """

    name: str
    read: Callable[[Sequence[Utterance]], Floats]
    rounding: Callable[[Floats], Floats]
    first: int | None = None

    def standard(self, training: Sequence[Utterance]) -> tuple[Standard | None, Floats]:
        """How to standardise by the training clips, None if all is constant; and their vectors."""
        vectors = self.read(training)
        rounding = self.rounding(vectors)[: self.first]
        return Standard.of(vectors[:, : self.first], rounding), vectors[:, : self.first]

    def answers(self, answers: Answers, standard: Standard, part: Sequence[Utterance]) -> Floats:
        """The answers to the clips of `part`, shape (clips, 2)."""
        pieces = [part[start : start + AT_A_TIME] for start in range(0, len(part), AT_A_TIME)]
        return np.concatenate(
            [answers(standard(self.read(piece)[:, : self.first])) for piece in pieces]
        )


@dataclass(frozen=True, slots=True)
class Guess:
    """An attacker's log-probabilities of the genders, shape (clips, 2), on both parts it is not
    trained on."""

    attacker: str
    dev: Floats
    test: Floats


@dataclass(frozen=True, slots=True)
class Judged:
    """An attacker by its dev part, and its UAR on the test part."""

    guess: Guess
    dev_uar: float
    dev_loss: float
    test_uar: float


@dataclass(frozen=True, slots=True)
class Known:
    """The clips of known gender of one fold; of `training` at most so many as an attacker takes."""

    training: Sequence[Utterance]
    dev: Sequence[Utterance]
    test: Sequence[Utterance]
    shares: Floats
    """Of each gender in the whole training part."""

    @classmethod
    def of(
        cls,
        training: Sequence[Utterance],
        dev: Sequence[Utterance],
        test: Sequence[Utterance],
        *,
        most: int | None,
        seed: int,
    ) -> Known:
        """The parts of a fold, each with both genders.

        Parameters
        ----------
        training, dev, test : sequence of Utterance
        most : int or None
            Training clips to keep, drawn at random within each gender.
        seed : int
        """
        targets = genders_of(training)
        shares = np.bincount(targets, minlength=len(GENDERS)) / len(targets)
        if most is not None and most < len(training):
            rng = np.random.default_rng(seed)
            drawn = [
                rng.permutation(np.flatnonzero(targets == gender))[: max(1, round(most * share))]
                for gender, share in enumerate(shares)
            ]
            training = [training[place] for place in sorted(np.concatenate(drawn).tolist())]
        return cls(training, dev, test, shares)

    def judged(self, guesses: Sequence[Guess]) -> list[Judged]:
        """Each attacker with its figures, once it holds the genders for equally likely.

        Otherwise one that learned from a corpus of mostly one gender would answer that one in case
        of doubt, and seem to infer less than it does.
        """
        found = []
        for guess in guesses:
            even = Guess(guess.attacker, self._even(guess.dev), self._even(guess.test))
            dev, test = genders_of(self.dev), genders_of(self.test)
            found.append(
                Judged(even, _uar(even.dev, dev), _loss(even.dev, dev), _uar(even.test, test))
            )
        return found

    def _even(self, logs: Floats) -> Floats:
        """Log-probabilities under equal shares of the genders."""
        scores = logs - np.log(self.shares)
        even: Floats = scores - np.logaddexp(scores[:, :1], scores[:, 1:])
        return even


def strongest(judged: Sequence[Judged]) -> Judged:
    """The best on the dev part: highest UAR, then lowest log-loss, then the first of equals."""
    return max(judged, key=lambda one: (one.dev_uar, -one.dev_loss))


def linear(space: Space, known: Known) -> Guess | None:
    """Logistic regression in `space`; None where its vectors are constant to rounding."""
    return next(_attacks(space, known, {"linear": logistic_regression}), None)


def linear_and_not(space: Space, known: Known, seed: int) -> Iterator[Guess]:
    """Logistic regression and a small perceptron; nothing where all is constant to rounding."""
    fits = {
        "linear": logistic_regression,
        "perceptron": lambda train, targets: perceptron(train, targets, seed),
    }
    yield from _attacks(space, known, fits)


def _attacks(
    space: Space, known: Known, fits: dict[str, Callable[[Floats, Ints], Answers]]
) -> Iterator[Guess]:
    standard, vectors = space.standard(known.training)
    if standard is None:
        return
    train, targets = standard(vectors), genders_of(known.training)
    del vectors
    for kind, fit in fits.items():
        answers = fit(train, targets)
        dev, test = (space.answers(answers, standard, part) for part in (known.dev, known.test))
        yield Guess(f"{kind}, {space.name}", dev, test)


def genders_of(part: Sequence[Utterance]) -> Ints:
    """Position in `GENDERS` of each clip's gender, which is known."""
    return np.array([GENDERS.index(u.gender) for u in part if u.gender], dtype=np.int64)


def _uar(logs: Floats, truth: Ints) -> float:
    right = logs.argmax(axis=1) == truth
    return float(np.mean([right[truth == gender].mean() for gender in range(len(GENDERS))]))


def _loss(logs: Floats, truth: Ints) -> float:
    """Log-loss, mean over the genders."""
    own = -logs[np.arange(len(truth)), truth]
    return float(np.mean([own[truth == gender].mean() for gender in range(len(GENDERS))]))
