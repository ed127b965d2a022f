"""What privacy keeps of one fold: who infers the speakers' gender, and voices compared."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from profiler.corpora.base import GENDERS, Fold, Utterance
from profiler.measures import speaker_verification
from profiler.measures.attackers import Guess, Known, linear, linear_and_not, strongest
from profiler.measures.attackers import Space as VectorSpace
from profiler.measures.base import StatesWork
from profiler.measures.pooling import AVERAGE, rounding_of
from profiler.measures.statistics import Floats
from profiler.pipeline.context import Context, Parts
from profiler.pipeline.fold_training import answers, epochs
from profiler.training.learner import Learner, Recipe, Seen, Targets
from profiles_db.records import Attacker, GenderPrediction, GenderTask, ProbeEpoch, Space, Trial
from profiles_db.row_tables import Row

if TYPE_CHECKING:
    from profiler.measures.privacy import PrivacySettings

PROBE = "gender"


class PrivacyWork(StatesWork):
    """Gender attackers and speaker verification on one fold of one repetition (from 0).

    There is no gender probe, and no attacker, unless every part of the fold has both genders.
    """

    def __init__(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: PrivacySettings,
    ) -> None:
        self._context, self._fold, self._parts = context, fold, parts
        self._repetition, self._settings = repetition, settings
        self._known = parts.with_gender()
        probe = self._probe()
        self.learners = {} if probe is None else {PROBE: probe}

    def _probe(self) -> Learner | None:
        known = self._known
        every = (known.train, known.dev, known.test)
        if any({u.gender for u in part} != set(GENDERS) for part in every):
            return None
        recipe = Recipe(
            classes=len(GENDERS),
            epochs=self._settings.probe_epochs,
            class_weighting="none",
            seed=self._seed,
            first_pass=self._repetition,
        )
        training, dev = (
            Targets(self._context.positions(part), _genders(part))
            for part in (known.train, known.dev)
        )
        context = self._context
        return Learner(
            context.new_head, training, dev, recipe, context.protocol.training, context.device
        )

    @property
    def _seed(self) -> int:
        return self._context.protocol.training.seed(self._fold.number, self._repetition)

    def tested(self) -> Mapping[str, Sequence[str]]:
        """The probe's dev and test clips, one part behind the other."""
        clips = [utterance.id for utterance in (*self._known.dev, *self._known.test)]
        return dict.fromkeys(self.learners, clips)

    def result(self, emotion: Seen, own: Mapping[str, Seen]) -> Sequence[Row]:
        """Answers of the attackers, how each did, the probe's epochs, and the trials."""
        spaces = Spaces(self._context, self._parts, emotion.embeddings)
        rows: list[Row] = []
        if PROBE in own:
            rows += epochs(ProbeEpoch, own[PROBE].log, self._repetition, self._fold.number)
            rows += self._gender(own[PROBE], spaces)
        return [*rows, *self._trials(spaces)]

    def _gender(self, probe: Seen, spaces: Spaces) -> list[Row]:
        """What each attacker answers that has a figure of its own, and how all of them did."""
        known, seed = self._known, self._seed
        clips = Known.of(
            known.train, known.dev, known.test, most=self._settings.attacker_clips, seed=seed
        )
        logs = probe.log_probabilities()
        of_probe = Guess("the reference's probe", logs[: len(known.dev)], logs[len(known.dev) :])
        in_average = list(linear_and_not(spaces.average, clips, seed))
        in_head = linear(spaces.head, clips)
        others = (linear(space, clips) for space in (spaces.means, *spaces.layers))
        own: tuple[tuple[GenderTask, Guess | None], ...] = (
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
            for row in self._predictions(guess.test, task)
        ]
        attackers = [
            Attacker(
                self._repetition,
                self._fold.number,
                attacker=one.guess.attacker,
                dev_uar=one.dev_uar,
                dev_loss=one.dev_loss,
                test_uar=one.test_uar,
                chosen=one is best,
            )
            for one in judged
        ]
        return [*predictions, *attackers]

    def _predictions(self, logs: Floats, task: GenderTask) -> list[GenderPrediction]:
        return [
            GenderPrediction(
                self._repetition,
                self._fold.number,
                task,
                utterance.id,
                utterance.speaker,
                utterance.gender,
                str(utterance.gender),
                predicted,
                probabilities,
            )
            for utterance, predicted, probabilities in answers(logs, self._known.test, GENDERS)
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
        settings, part = self._settings, self._parts.test
        some = np.random.default_rng(self._seed).permutation(len(self._parts.train))
        training = [self._parts.train[place] for place in sorted(some[: settings.attacker_clips])]
        standard, _ = vectors.standard(training)
        if standard is None:
            return
        found = speaker_verification.compare(
            [utterance.speaker for utterance in part],
            [utterance.label for utterance in part],
            lambda positions: standard(vectors.read([part[position] for position in positions])),
            enrolment=settings.enrolment_clips,
            trial_clips=settings.trial_clips,
            impostors=settings.impostors,
            seed=self._context.protocol.training.seed(self._fold.number, 0),
        )
        for comparison in found:
            utterance = part[comparison.position]
            yield Trial(
                self._repetition,
                self._fold.number,
                space=space,
                utterance=utterance.id,
                speaker=utterance.speaker,
                claimed=comparison.claimed,
                score=comparison.score,
            )


def _genders(part: Sequence[Utterance]) -> tuple[int, ...]:
    return tuple(GENDERS.index(utterance.gender) for utterance in part if utterance.gender)


class Spaces:
    """Where a fold's clips are vectors.

    Parameters
    ----------
    context : Context
    parts : Parts
    embeddings : Tensor, shape (clips, width)
        The emotion head's, of the training, the dev and the test part, one behind the other.
    """

    def __init__(self, context: Context, parts: Parts, embeddings: Tensor) -> None:
        self._context = context
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
        features = self._context.pooling.features
        return dataclasses.replace(self.average, name=f"means, {AVERAGE}", first=features)

    @property
    def layers(self) -> list[VectorSpace]:
        """Each layer by itself, where there are several."""
        return [self._pooled(name) for name in self._context.pooling.columns if name != AVERAGE]

    @property
    def head(self) -> VectorSpace:
        """The emotion head's embedding."""
        return VectorSpace("the head's embedding", self._embedded, rounding_of)

    def _pooled(self, name: str) -> VectorSpace:
        read = functools.partial(self._context.pooled_vectors, name=name)
        return VectorSpace(name, read, self._context.pooling.rounding)

    def _embedded(self, clips: Sequence[Utterance]) -> Floats:
        found: Floats = self._embeddings[[self._places[utterance.id] for utterance in clips]]
        return found
