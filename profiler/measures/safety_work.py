"""The attacks on some clips of one fold, by the heads of all repetitions together.

A clip goes through the encoder once for all heads that classified it correctly: its clean pass and
those under noise are the same for each; what follows a head's gradient is its own. One backward
pass serves FGSM at all ratios, whose steps differ in scale alone; the clip's perturbed versions are
answered together where that pays.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from profiler.corpora.audio import load_clip
from profiler.corpora.base import Utterance
from profiler.machine import HEAP, batch_of
from profiler.measures import attacks
from profiler.measures.base import ClipTask
from profiler.measures.shared_passes import logits, repetitions_by_clip
from profiler.pipeline.context import Context
from profiler.training.batches import chunks
from profiler.training.head import Head
from profiles_db.records import AttackName, AttackOutcome, GradientState

if TYPE_CHECKING:
    from profiler.measures.safety import SafetySettings

_PGD = "pgd"


@dataclass(frozen=True, slots=True)
class _Clips:
    """Clips of equal length: their utterances, waveforms and true classes."""

    utterances: list[Utterance]
    wave: Tensor
    classes: Tensor

    def only(self, positions: Sequence[int]) -> _Clips:
        """The clips at `positions`."""
        if list(positions) == list(range(len(self.utterances))):
            return self
        chosen = [self.utterances[position] for position in positions]
        return _Clips(chosen, self.wave[list(positions)], self.classes[list(positions)])


@dataclass(frozen=True, slots=True)
class _Perturbed:
    """Clips after one perturbation, and the repetitions whose heads are to hear them."""

    attack: AttackName
    snr_db: float
    clips: _Clips
    wave: Tensor
    states: Sequence[GradientState]
    repetitions: Sequence[int]


def attack(
    context: Context,
    fold: int,
    heads: Mapping[int, Head],
    tasks: Sequence[ClipTask],
    settings: SafetySettings,
) -> list[AttackOutcome]:
    """FGSM and noise at every ratio, PGD at the main one, on clips classified correctly.

    Parameters
    ----------
    context : Context
    fold : int
    heads : mapping from repetition (from 0)
        The trained emotion heads, in eval mode.
    tasks : sequence of ClipTask
    settings : SafetySettings
    """
    for head in heads.values():
        head.requires_grad_(False)
    repetitions = repetitions_by_clip(tasks)
    for_pgd = {(task.clip, task.repetition) for task in tasks if task.kind == _PGD}
    outcomes: list[AttackOutcome] = []
    for clips in _of_equal_length(context, [context.utterances[name] for name in repetitions]):
        wanted = [repetitions[utterance.id] for utterance in clips.utterances]
        perturbed = list(_perturbations(context, heads, clips, wanted, for_pgd, settings))
        answered = [
            found
            for _, together in itertools.groupby(perturbed, key=_heard_together)
            for found in _answers(context, heads, list(together))
        ]
        for one, by_repetition in zip(perturbed, answered, strict=True):
            outcomes += _outcomes(context, one, by_repetition, wanted, clips, fold)
        HEAP.tidy()
    return outcomes


def _of_equal_length(context: Context, utterances: Sequence[Utterance]) -> Iterator[_Clips]:
    """Clips of exactly equal length together where batches pay, else each alone."""
    for group, wave in of_equal_length(context, utterances):
        classes = [context.classes.index(utterance.label) for utterance in group]
        yield _Clips(group, wave, torch.tensor(classes, device=context.device))


def of_equal_length(
    context: Context, utterances: Sequence[Utterance]
) -> Iterator[tuple[list[Utterance], Tensor]]:
    """Clips of exactly equal length together where batches pay, else each alone.

    Their waveforms have shape (clips, samples).
    """
    seconds = context.protocol.study.seconds
    waves = [load_clip(utterance.path, seconds=seconds) for utterance in utterances]
    pairs = sorted(zip(utterances, waves, strict=True), key=lambda pair: len(pair[1]))
    for _, alike in itertools.groupby(pairs, key=lambda pair: len(pair[1])):
        for some in chunks(list(alike), context.attack_batch):
            group = [utterance for utterance, _ in some]
            yield group, batch_of([wave for _, wave in some], context.device)


def _perturbations(
    context: Context,
    heads: Mapping[int, Head],
    clips: _Clips,
    wanted: Sequence[Sequence[int]],
    for_pgd: set[tuple[str, int]],
    settings: SafetySettings,
) -> Iterator[_Perturbed]:
    """All perturbed waveforms; noise once for all heads, and alone where there is no gradient."""
    keep = settings.clip_waveform
    seeds = [zlib.crc32(utterance.id.encode()) for utterance in clips.utterances]
    shared = sorted({repetition for own in wanted for repetition in own})
    for snr_db in settings.snrs_db:
        noisy = attacks.noise(clips.wave, snr_db=snr_db, seeds=seeds, clip=keep)
        yield _Perturbed("noise", snr_db, clips, noisy, ["none"] * len(seeds), shared)
    if context.backbone.outside_torch:
        return  # no gradient, so noise alone
    gradients = attacks.loss_gradients(
        context.hidden_states,
        [partial(logits, heads[repetition]) for repetition in shared],
        clips.wave,
        clips.classes,
    )
    for repetition, gradient in zip(shared, gradients, strict=True):
        own = [position for position, heard in enumerate(wanted) if repetition in heard]
        attacked, values = clips.only(own), gradient.values[own]
        states = [gradient.states[position] for position in own]
        for snr_db in settings.snrs_db:
            stepped = attacks.fgsm(attacked.wave, values, snr_db=snr_db, clip=keep)
            yield _Perturbed("fgsm", snr_db, attacked, stepped, states, [repetition])
        hard = [p for p in own if (clips.utterances[p].id, repetition) in for_pgd]
        if hard:
            under_pgd = clips.only(hard)
            found = attacks.pgd(
                _hearing(context, heads[repetition]),
                under_pgd.wave,
                under_pgd.classes,
                snr_db=settings.snr_db,
                steps=settings.pgd_steps,
                clip=keep,
                first=gradient.only(hard),
            )
            states = [gradient.states[position] for position in hard]
            yield _Perturbed("pgd", settings.snr_db, under_pgd, found, states, [repetition])


def _heard_together(one: _Perturbed) -> tuple[int, ...]:
    """Noise together, and what one repetition's gradient made: whichever repetitions are lacking,
    each clip is answered beside the same ones, and so the same to the bit."""
    return () if one.attack == "noise" else tuple(one.repetitions)


def _hearing(context: Context, head: Head) -> attacks.Model:
    return lambda wave: logits(head, context.hidden_states(wave))


@torch.no_grad()
def _answers(
    context: Context, heads: Mapping[int, Head], perturbed: Sequence[_Perturbed]
) -> list[dict[int, list[int]]]:
    """The classes that each perturbation's heads answer, by repetition; all are equally long."""
    waves = torch.cat([one.wave for one in perturbed])
    listeners = [one.repetitions for one in perturbed for _ in range(len(one.wave))]
    found: list[dict[int, int]] = [{} for _ in listeners]
    start = 0
    for part in torch.split(waves, context.answer_batch):
        states = context.hidden_states(part)
        asked = listeners[start : start + len(part)]
        for repetition in sorted({one for own in asked for one in own}):
            own = [p for p, heard_by in enumerate(asked) if repetition in heard_by]
            heard = states if len(own) == len(part) else states[own]
            for position, predicted in zip(
                own, logits(heads[repetition], heard).argmax(dim=1).tolist(), strict=True
            ):
                found[start + position][repetition] = predicted
        start += len(part)
    by_wave = iter(found)
    answered = []
    for one in perturbed:
        rows = [next(by_wave) for _ in range(len(one.wave))]
        answered.append({name: [row[name] for row in rows] for name in one.repetitions})
    return answered


def _outcomes(
    context: Context,
    perturbed: _Perturbed,
    answered: Mapping[int, Sequence[int]],
    wanted: Sequence[Sequence[int]],
    clips: _Clips,
    fold: int,
) -> Iterator[AttackOutcome]:
    """A row for each clip and each repetition that it was a task of."""
    heard_by = {u.id: own for u, own in zip(clips.utterances, wanted, strict=True)}
    reached = attacks.reached_snr_db(perturbed.clips.wave, perturbed.wave)
    for position, utterance in enumerate(perturbed.clips.utterances):
        for repetition, predicted in answered.items():
            if repetition in heard_by[utterance.id]:
                yield AttackOutcome(
                    repetition,
                    fold,
                    attack=perturbed.attack,
                    snr_db=perturbed.snr_db,
                    utterance=utterance.id,
                    speaker=utterance.speaker,
                    label=utterance.label,
                    predicted=context.classes[predicted[position]],
                    reached_snr_db=reached[position],
                    gradient=perturbed.states[position],
                )
