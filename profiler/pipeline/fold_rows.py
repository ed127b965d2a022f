"""What is kept of one fold's trained heads: predictions, epochs, layer weights, voices compared."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from profiler.corpora.base import GENDERS, Fold, Utterance
from profiler.measures import speaker_verification as voices
from profiler.measures.attackers import Guess, Known, linear, linear_and_not, strongest
from profiler.measures.attackers import Space as VectorSpace
from profiler.measures.pooling import AVERAGE, rounding_of
from profiler.measures.statistics import Floats
from profiler.pipeline.bench import Bench, Parts
from profiler.training.learner import Trained
from profiles_db.records import (
    Attacker,
    Epoch,
    FoldResult,
    LayerWeight,
    Prediction,
    Space,
    Task,
    Trial,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A trained head, and what its last layer sees of some clips, shape (clips, width)."""

    trained: Trained
    embeddings: Tensor

    def logits(self) -> Tensor:
        """The head's answers, shape (clips, classes)."""
        return self.trained.head.answer(self.embeddings)


@dataclass(frozen=True, slots=True)
class FoldRows:
    """The rows of one fold of one repetition (from 0)."""

    bench: Bench
    fold: Fold
    parts: Parts
    repetition: int

    def result(self, emotion: Seen, gender: Seen | None) -> FoldResult:
        """All but the attacks.

        Parameters
        ----------
        emotion : Seen
            Of the training, the dev and the test part, one behind the other.
        gender : Seen or None
            Of the dev and the test part's clips of known gender; None where there is no gender
            probe.
        """
        tested = len(self.parts.train) + len(self.parts.dev)
        on_test = Seen(emotion.trained, emotion.embeddings[tested:])
        answers = _log_probabilities(on_test.logits())
        predictions = self._predictions(answers, self.parts.test, "emotion", self.bench.classes)
        epochs = self._epochs(emotion.trained, "emotion")
        attackers: list[Attacker] = []
        spaces = Spaces(self.bench, self.parts, emotion.embeddings)
        if gender:
            epochs += self._epochs(gender.trained, "gender")
            found, attackers = self._gender(gender, spaces)
            predictions += found
        return FoldResult(
            seed=self.repetition,
            fold=self.fold.number,
            predictions=tuple(predictions),
            trials=tuple(self._trials(spaces)),
            epochs=tuple(epochs),
            layer_weights=tuple(
                LayerWeight(self.repetition, self.fold.number, layer, weight)
                for layer, weight in enumerate(emotion.trained.head.layer_weights.tolist(), start=1)
            ),
            attackers=tuple(attackers),
        )

    def _predictions(
        self, answers: Floats, part: Sequence[Utterance], task: Task, classes: Sequence[str]
    ) -> list[Prediction]:
        """Rows of log-probabilities `answers`, shape (clips, classes)."""
        values = np.exp(answers).tolist()
        rows = zip(part, values, answers.argmax(axis=1).tolist(), strict=True)
        return [
            Prediction(
                seed=self.repetition,
                fold=self.fold.number,
                task=task,
                utterance=utterance.id,
                speaker=utterance.speaker,
                gender=utterance.gender,
                label=utterance.label if task == "emotion" else str(utterance.gender),
                predicted=classes[best],
                probabilities=tuple(values),
            )
            for utterance, values, best in rows
        ]

    def _gender(self, probe: Seen, spaces: Spaces) -> tuple[list[Prediction], list[Attacker]]:
        """What each attacker answers that has a figure of its own, and how all of them did."""
        known, seed = self.parts.with_gender(), self._seed
        clips = Known.of(
            known.train,
            known.dev,
            known.test,
            most=self.bench.protocol.attacker_clips,
            seed=seed,
        )
        answers = _log_probabilities(probe.logits())
        of_probe = Guess(
            "the reference's probe", answers[: len(known.dev)], answers[len(known.dev) :]
        )
        in_average = list(linear_and_not(spaces.average, clips, seed))
        in_head = linear(spaces.head, clips)
        others = (linear(space, clips) for space in (spaces.means, *spaces.layers))
        own: tuple[tuple[Task, Guess | None], ...] = (
            ("gender", of_probe),
            ("linear_gender", next(iter(in_average), None)),
            ("head_gender", in_head),
        )
        guesses = [of_probe, *in_average, in_head, *others]
        judged = clips.judged([guess for guess in guesses if guess is not None])
        best = strongest(judged)
        predictions = [
            row
            for task, guess in (*own, ("strongest_gender", best.guess))
            if guess is not None
            for row in self._predictions(guess.test, known.test, task, GENDERS)
        ]
        rows = [
            Attacker(
                seed=self.repetition,
                fold=self.fold.number,
                attacker=one.guess.attacker,
                dev_uar=one.dev_uar,
                dev_loss=one.dev_loss,
                test_uar=one.test_uar,
                chosen=one is best,
            )
            for one in judged
        ]
        return predictions, rows

    @property
    def _seed(self) -> int:
        return self.bench.protocol.seed(self.fold.number, self.repetition)

    def _epochs(self, trained: Trained, task: Task) -> list[Epoch]:
        return [
            Epoch(
                self.repetition,
                self.fold.number,
                task,
                number,
                log.train_loss,
                log.dev_loss,
                log.dev_score,
                log.learning_rate,
            )
            for number, log in enumerate(trained.log, start=1)
        ]

    def _trials(self, spaces: Spaces) -> list[Trial]:
        """Comparisons of the test part's voices, in both spaces."""
        pairs: tuple[tuple[Space, VectorSpace], ...] = (
            ("backbone", spaces.average),
            ("head", spaces.head),
        )
        return [trial for space, vectors in pairs for trial in self._compare(space, vectors)]

    def _compare(self, space: Space, vectors: VectorSpace) -> Iterator[Trial]:
        """Nothing where the vectors are constant to rounding: that says nothing of the voices."""
        protocol, part = self.bench.protocol, self.parts.test
        some = np.random.default_rng(self._seed).permutation(len(self.parts.train))
        training = [self.parts.train[place] for place in sorted(some[: protocol.attacker_clips])]
        standard, _ = vectors.standard(training)
        if standard is None:
            return
        found = voices.compare(
            [utterance.speaker for utterance in part],
            [utterance.label for utterance in part],
            lambda positions: standard(vectors.read([part[position] for position in positions])),
            enrolment=protocol.enrolment_clips,
            trial_clips=protocol.trial_clips,
            impostors=protocol.impostors,
            seed=protocol.seed(self.fold.number, 0),
        )
        for comparison in found:
            utterance = part[comparison.position]
            yield Trial(
                seed=self.repetition,
                fold=self.fold.number,
                space=space,
                utterance=utterance.id,
                speaker=utterance.speaker,
                claimed=comparison.claimed,
                score=comparison.score,
            )


class Spaces:
    """Where a fold's clips are vectors.

    Parameters
    ----------
    bench : Bench
    parts : Parts
    embeddings : Tensor, shape (clips, width)
        The emotion head's, of the training, the dev and the test part, one behind the other.
    """

    def __init__(self, bench: Bench, parts: Parts, embeddings: Tensor) -> None:
        self._bench = bench
        self._embeddings = embeddings.double().numpy()
        clips = [*parts.train, *parts.dev, *parts.test]
        self._places = {utterance.id: place for place, utterance in enumerate(clips)}

    @property
    def average(self) -> VectorSpace:
        """The states' average over the layers, pooled over the frames."""
        return self._pooled(AVERAGE)

    @property
    def means(self) -> VectorSpace:
        """Of `average` the means alone: fewer features, which small corpora are enough for."""
        features = self._bench.pooling.features
        return dataclasses.replace(self.average, name=f"means, {AVERAGE}", first=features)

    @property
    def layers(self) -> list[VectorSpace]:
        """Each layer by itself, where there are several."""
        return [self._pooled(name) for name in self._bench.pooling.columns if name != AVERAGE]

    @property
    def head(self) -> VectorSpace:
        """The emotion head's embedding."""
        return VectorSpace("the head's embedding", self._embedded, rounding_of)

    def _pooled(self, name: str) -> VectorSpace:
        read = functools.partial(self._bench.pooled_vectors, name=name)
        return VectorSpace(name, read, self._bench.pooling.rounding)

    def _embedded(self, clips: Sequence[Utterance]) -> Floats:
        found: Floats = self._embeddings[[self._places[utterance.id] for utterance in clips]]
        return found


def _log_probabilities(logits: Tensor) -> Floats:
    found: Floats = torch.log_softmax(logits.double(), dim=1).numpy()
    return found
