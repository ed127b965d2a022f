"""The attacks on a head for dimensions in one fold: a perturbation of each clip for all dimensions.

What is attacked is the whole model on the waveform, with the layers that are tuned where some are.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from profiler.corpora.base import Fold, Utterance
from profiler.machine import HEAP
from profiler.measures import attacks
from profiler.measures.dimensional_safety import attacked_clips
from profiler.measures.dimensional_work import HEAD, DimensionalWork
from profiler.measures.safety_work import of_equal_length
from profiler.pipeline.context import Context, Parts
from profiler.training.head import Head
from profiler.training.learner import Seen
from profiler.training.tuning import TunedHead
from profiles_db.records import AttackName, DimensionalAttack, GradientState
from profiles_db.row_tables import Row

if TYPE_CHECKING:
    from profiler.measures.dimensional_safety import DimensionalSafetySettings


@dataclass(frozen=True, slots=True)
class _Perturbed:
    """Waveforms after one perturbation, shape (clips, samples)."""

    attack: AttackName
    snr_db: float
    wave: Tensor
    states: Sequence[GradientState]


class DimensionalAttackWork(DimensionalWork):
    """The head for dimensions in one fold of one repetition (from 0), trained and then attacked."""

    def __init__(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: DimensionalSafetySettings,
    ) -> None:
        super().__init__(context, fold, parts, repetition, settings.attack_head_epochs)
        self._attack = settings
        chosen = set(
            attacked_clips(
                settings,
                [utterance.id for utterance in self._test],
                context.protocol.training.base_seed * fold.number,
            )
        )
        self._test = [utterance for utterance in self._test if utterance.id in chosen]

    def result(self, emotion: Seen, own: Mapping[str, Seen]) -> Sequence[Row]:
        """The answers to each clip as it is and under each perturbation."""
        if HEAD not in own:
            return []
        found: list[Row] = []
        tuned = emotion.head if isinstance(emotion.head, TunedHead) else None
        for utterances, wave in of_equal_length(self._context, self._test):
            found += self._attacked(utterances, wave, own[HEAD].head, tuned)
            HEAP.tidy()
        return found

    def _attacked(
        self, utterances: Sequence[Utterance], wave: Tensor, head: Head, tuned: TunedHead | None
    ) -> Iterator[DimensionalAttack]:
        """The rows of clips of equal length."""

        def answers(states: Tensor) -> Tensor:
            clips = list(states.unbind(0))
            said: Tensor = head(tuned.states(clips) if tuned is not None else clips)
            return said

        hidden_states = self._context.hidden_states
        ratings = torch.tensor(self._ratings(utterances), device=wave.device)
        if self._context.backbone.outside_torch:
            with torch.no_grad():
                clean, gradient = answers(hidden_states(wave)), None
        else:
            (gradient,) = attacks.loss_gradients(
                hidden_states, [answers], wave, ratings, attacks.squared_error
            )
            clean = gradient.logits
        before = clean.double().tolist()
        for one in self._perturbations(utterances, wave, gradient):
            with torch.no_grad():
                after = answers(hidden_states(one.wave)).double().tolist()
            reached = attacks.reached_snr_db(wave, one.wave)
            for number, utterance in enumerate(utterances):
                for place, name in enumerate(self._dimensions):
                    if name in utterance.ratings:
                        yield DimensionalAttack(
                            self._repetition,
                            self._fold.number,
                            attack=one.attack,
                            snr_db=one.snr_db,
                            dimension=name,
                            utterance=utterance.id,
                            speaker=utterance.speaker,
                            gender=utterance.gender,
                            truth=utterance.ratings[name],
                            clean=before[number][place],
                            predicted=after[number][place],
                            reached_snr_db=reached[number],
                            gradient=one.states[number],
                        )

    def _perturbations(
        self, utterances: Sequence[Utterance], wave: Tensor, gradient: attacks.Gradient | None
    ) -> Iterator[_Perturbed]:
        """Noise and FGSM at every ratio; noise alone where there is no gradient."""
        keep = self._attack.attack_clip_waveform
        seeds = [zlib.crc32(utterance.id.encode()) for utterance in utterances]
        for snr_db in self._attack.snrs_db:
            noisy = attacks.noise(wave, snr_db=snr_db, seeds=seeds, clip=keep)
            yield _Perturbed("noise", snr_db, noisy, ["none"] * len(seeds))
            if gradient is not None:
                stepped = attacks.fgsm(wave, gradient.values, snr_db=snr_db, clip=keep)
                yield _Perturbed("fgsm", snr_db, stepped, gradient.states)
