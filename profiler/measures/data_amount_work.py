"""Heads that are trained on a part of one fold's training speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from profiler.corpora.base import Fold, Utterance
from profiler.measures.base import StatesWork
from profiler.pipeline.context import Context, Parts
from profiler.pipeline.fold_training import answers, emotion_learner
from profiler.training.learner import Learner, Seen
from profiles_db.candidate_names import split_tuned
from profiles_db.records import LessDataAnswer
from profiles_db.row_tables import Row

if TYPE_CHECKING:
    from profiler.measures.data_amount import DataAmountSettings


class DataAmountWork(StatesWork):
    """One head for each share, of one fold and repetition (from 0)."""

    learners: Mapping[str, Learner]

    def __init__(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: DataAmountSettings,
    ) -> None:
        self._context, self._fold, self._parts = context, fold, parts
        # Layers tuned on all training speakers would tell these heads of those they must not know.
        tuned = split_tuned(context.plan.spec.name)[1] is not None
        self._repetition, self._shares = repetition, () if tuned else settings.shares
        seed = context.protocol.training.seed(fold.number, repetition)
        order = in_even_order(parts.train, seed)
        self._trained = [part_of(parts.train, order, share) for share in self._shares]
        self.learners = {
            _name(index): emotion_learner(
                context, fold, Parts(train, parts.dev, parts.test), repetition
            )
            for index, train in enumerate(self._trained)
        }

    def tested(self) -> Mapping[str, Sequence[str]]:
        """The whole test part, for each of them."""
        clips = tuple(utterance.id for utterance in self._parts.test)
        return dict.fromkeys(self.learners, clips)

    def result(self, emotion: Seen, own: Mapping[str, Seen]) -> Sequence[Row]:  # noqa: ARG002
        """The answers of each head."""
        classes = self._context.classes
        return [
            LessDataAnswer(
                self._repetition,
                self._fold.number,
                share,
                clip.id,
                clip.speaker,
                clip.gender,
                clip.label,
                predicted,
                len({one.speaker for one in trained}),
                len(trained),
                len({one.label for one in trained}) < len(classes),
            )
            for index, (share, trained) in enumerate(zip(self._shares, self._trained, strict=True))
            for clip, predicted, _ in answers(
                own[_name(index)].log_probabilities(), self._parts.test, classes
            )
        ]


def _name(index: int) -> str:
    return f"share-{index + 1}"


def in_even_order(clips: Sequence[Utterance], seed: int) -> list[str]:
    """The speakers of `clips` in random order, each beginning of which holds the genders evenly."""
    gender = {clip.speaker: str(clip.gender) for clip in clips}
    drawn = np.random.default_rng(seed).permutation(sorted(gender)).tolist()
    sizes, before = Counter(gender.values()), Counter[str]()
    places = {}
    for speaker in drawn:
        before[gender[speaker]] += 1
        places[speaker] = (before[gender[speaker]] - 0.5) / sizes[gender[speaker]]
    return sorted(drawn, key=places.__getitem__)


def part_of(clips: Sequence[Utterance], order: Sequence[str], share: float) -> list[Utterance]:
    """The clips of the first speakers in `order`: so large a share of them, at least one."""
    kept = set(order[: max(1, round(share * len(order)))])
    return [clip for clip in clips if clip.speaker in kept]
