"""What is kept of one fold's trained heads: predictions, epochs, layer weights, voices compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from profiler import probes, voices
from profiler.bench import Bench, Parts
from profiler.corpora.base import GENDERS, Fold, Utterance
from profiler.learner import Trained
from profiles_db.records import Epoch, FoldResult, LayerWeight, Prediction, Space, Task, Trial


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
            Of the training part, then the test part.
        gender : Seen or None
            Of the test part's clips of known gender; None where there is no gender probe.
        """
        training = len(self.parts.train)
        halves = [emotion.embeddings[:training], emotion.embeddings[training:]]
        on_test = Seen(emotion.trained, halves[1])
        known = self.parts.with_gender().test
        predictions = self._predictions(
            on_test.logits(), self.parts.test, "emotion", self.bench.classes
        )
        epochs = self._epochs(emotion.trained, "emotion")
        if gender:
            epochs += self._epochs(gender.trained, "gender")
            predictions += self._predictions(gender.logits(), known, "gender", GENDERS)
            predictions += self._linear_gender(halves)
        return FoldResult(
            seed=self.repetition,
            fold=self.fold.number,
            predictions=tuple(predictions),
            trials=tuple(self._trials(halves)),
            epochs=tuple(epochs),
            layer_weights=tuple(
                LayerWeight(self.repetition, self.fold.number, layer, weight)
                for layer, weight in enumerate(emotion.trained.head.layer_weights.tolist(), start=1)
            ),
        )

    def _predictions(
        self, logits: Tensor, part: Sequence[Utterance], task: Task, classes: Sequence[str]
    ) -> list[Prediction]:
        probabilities = torch.softmax(logits.double(), dim=1)
        rows = zip(part, probabilities.tolist(), probabilities.argmax(dim=1).tolist(), strict=True)
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

    def _linear_gender(self, halves: Sequence[Tensor]) -> list[Prediction]:
        """What a linear probe reads of gender from the mean hidden state, and from the embedding.

        `halves` holds the embeddings of the training part and of the test part.
        """
        parts = (self.parts.train, self.parts.test)
        known = [[p for p, u in enumerate(part) if u.gender is not None] for part in parts]
        training, test = [
            [part[p] for p in places] for part, places in zip(parts, known, strict=True)
        ]
        targets = torch.tensor([GENDERS.index(u.gender) for u in training if u.gender])
        spaces: tuple[tuple[Task, list[Tensor]], ...] = (
            ("linear_gender", [self.bench.pooled_vectors(part) for part in (training, test)]),
            ("head_gender", [half[p] for half, p in zip(halves, known, strict=True)]),
        )
        found = []
        for task, (seen, unseen) in spaces:
            answers = probes.logistic_regression(seen, targets, unseen, classes=len(GENDERS))
            found += self._predictions(answers.log(), test, task, GENDERS)
        return found

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

    def _trials(self, halves: Sequence[Tensor]) -> list[Trial]:
        """Comparisons of the test part's voices, in both spaces."""
        in_backbone = [
            self.bench.pooled_vectors(part) for part in (self.parts.train, self.parts.test)
        ]
        spaces: tuple[tuple[Space, Sequence[Tensor]], ...] = (
            ("backbone", in_backbone),
            ("head", halves),
        )
        return [
            trial
            for space, (training, test) in spaces
            for trial in self._compare(space, training.mean(dim=0), test)
        ]

    def _compare(self, space: Space, centre: Tensor, vectors: Tensor) -> Iterator[Trial]:
        found = voices.compare(
            vectors,
            [utterance.speaker for utterance in self.parts.test],
            centre,
            enrolment=self.bench.protocol.enrolment_clips,
            trial_clips=self.bench.protocol.trial_clips,
            impostors=self.bench.protocol.impostors,
            seed=self.bench.protocol.seed(self.fold.number, 0),
        )
        for comparison in found:
            utterance = self.parts.test[comparison.position]
            yield Trial(
                seed=self.repetition,
                fold=self.fold.number,
                space=space,
                utterance=utterance.id,
                speaker=utterance.speaker,
                claimed=comparison.claimed,
                score=comparison.score,
            )
