"""What the measure of dimensions keeps of one fold: a head trained for agreement, its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from profiler.corpora.base import Fold, Utterance
from profiler.measures.base import StatesWork
from profiler.pipeline.context import Context, Parts
from profiler.pipeline.fold_training import epochs
from profiler.training.concordance import Agreement
from profiler.training.learner import Learner, Recipe, Seen, Targets
from profiles_db.dimensions import DIMENSIONS, Dimension
from profiles_db.records import DimensionalEpoch, DimensionalPrediction
from profiles_db.row_tables import Row

HEAD: Final = "dimensions"
UNRATED: Final = math.nan


class DimensionalWork(StatesWork):
    """The head for dimensions in one fold of one repetition (from 0).

    A dimension is at hand where ratings differ in the training and in the dev part and some test
    clip is rated; where none is, nothing is trained and there are no rows.
    """

    def __init__(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        epochs: int,
    ) -> None:
        self._context, self._fold, self._epochs = context, fold, epochs
        self._repetition = repetition
        self._dimensions = [one for one in DIMENSIONS if _at_hand(parts, one)]
        self._train, self._dev, self._test = (
            [one for one in part if any(name in one.ratings for name in self._dimensions)]
            for part in (parts.train, parts.dev, parts.test)
        )
        self.learners = {HEAD: self._learner()} if self._dimensions else {}

    def _learner(self) -> Learner:
        context, training = self._context, self._context.protocol.training
        recipe = Recipe(
            classes=len(self._dimensions),
            epochs=self._epochs,
            class_weighting="none",
            seed=training.seed(self._fold.number, self._repetition),
            first_pass=self._repetition,
        )
        train, dev = (Targets(context.positions(part)) for part in (self._train, self._dev))
        objective = Agreement(train, self._ratings(self._train), self._ratings(self._dev))
        return Learner(context.new_head, train, dev, recipe, training, context.device, objective)

    def _ratings(self, part: Sequence[Utterance]) -> list[list[float]]:
        return [[one.ratings.get(name, UNRATED) for name in self._dimensions] for one in part]

    def tested(self) -> Mapping[str, Sequence[str]]:
        """The rated test clips."""
        clips = [utterance.id for utterance in self._test]
        return dict.fromkeys(self.learners, clips)

    def result(self, emotion: Seen, own: Mapping[str, Seen]) -> Sequence[Row]:  # noqa: ARG002
        """The head's epochs, and its answers on each dimension that a test clip is rated on."""
        if HEAD not in own:
            return []
        place = self._repetition, self._fold.number
        seen = own[HEAD]
        answered = seen.head.answer(seen.embeddings).double().tolist()
        means = {name: _mean(self._train, name) for name in self._dimensions}
        rows: list[Row] = list(epochs(DimensionalEpoch, seen.log, *place))
        for utterance, values in zip(self._test, answered, strict=True):
            rows += [
                DimensionalPrediction(
                    *place,
                    dimension=name,
                    utterance=utterance.id,
                    speaker=utterance.speaker,
                    gender=utterance.gender,
                    truth=utterance.ratings[name],
                    predicted=value,
                    training_mean=means[name],
                )
                for name, value in zip(self._dimensions, values, strict=True)
                if name in utterance.ratings
            ]
        return rows


def _rated(part: Sequence[Utterance], dimension: Dimension) -> list[float]:
    return [one.ratings[dimension] for one in part if dimension in one.ratings]


def _at_hand(parts: Parts, dimension: Dimension) -> bool:
    train, dev = set(_rated(parts.train, dimension)), set(_rated(parts.dev, dimension))
    return min(len(train), len(dev)) > 1 and bool(_rated(parts.test, dimension))


def _mean(part: Sequence[Utterance], dimension: Dimension) -> float:
    rated = _rated(part, dimension)
    return math.fsum(rated) / len(rated)
