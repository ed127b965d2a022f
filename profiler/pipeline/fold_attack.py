"""The attacks on one fold's correctly classified clips."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from profiler.corpora.audio import load_clip
from profiler.corpora.base import Utterance
from profiler.machine import HEAP, batch_of
from profiler.measures import attacks
from profiler.pipeline.bench import Bench
from profiler.protocol import Protocol
from profiler.training.batches import chunks
from profiler.training.head import Head
from profiles_db.records import AttackName, AttackOutcome, GradientState


@dataclass(frozen=True, slots=True)
class _Target:
    """Clips of equal length under attack: their utterances, waveforms and true classes."""

    utterances: list[Utterance]
    wave: Tensor
    classes: Tensor

    def only(self, positions: list[int]) -> _Target:
        """The clips at `positions`."""
        chosen = [self.utterances[position] for position in positions]
        return _Target(chosen, self.wave[positions], self.classes[positions])


@dataclass(frozen=True, slots=True)
class _Perturbed:
    """A target after one perturbation, before the model has heard it."""

    attack: AttackName
    snr_db: float
    target: _Target
    wave: Tensor
    states: Sequence[GradientState]


def attack(
    bench: Bench,
    head: Head,
    correct: Sequence[Utterance],
    *,
    for_pgd: frozenset[str],
    seed: int,
    fold: int,
) -> list[AttackOutcome]:
    """FGSM and noise at every ratio, PGD at the main one, on clips classified correctly.

    Parameters
    ----------
    bench : Bench
    head : Head
        The trained emotion head, in eval mode.
    correct : sequence of Utterance
    for_pgd : frozenset of str
        Ids of the clips that PGD attacks too.
    seed, fold : int
        Entered in the outcomes; `seed` is the repetition, from 0.
    """
    head.requires_grad_(False)

    def model(wave: Tensor) -> Tensor:
        logits: Tensor = head(list(bench.hidden_states(wave).unbind(0)))
        return logits

    outcomes: list[AttackOutcome] = []
    for target in _targets(bench, correct):
        perturbed = list(_perturbations(bench, model, target, for_pgd))
        answers = _answers(model, [one.wave for one in perturbed], bench.attack_batch)
        for one, predicted in zip(perturbed, answers, strict=True):
            outcomes += _outcomes(bench, one, predicted, seed, fold)
        HEAP.tidy()
    return outcomes


def pgd_targets(protocol: Protocol, correct: Sequence[str], fold: int) -> frozenset[str]:
    """The clips that PGD attacks: a random draw that depends on the fold alone."""
    if protocol.pgd_steps == 0:
        return frozenset()
    order = np.random.default_rng(protocol.base_seed * fold).permutation(len(correct))
    return frozenset(correct[position] for position in order[: protocol.pgd_clips])


def _targets(bench: Bench, correct: Sequence[Utterance]) -> Iterator[_Target]:
    """Clips of exactly equal length together where batches pay, else each alone."""
    waves = [load_clip(utterance.path, seconds=bench.protocol.seconds) for utterance in correct]
    pairs = sorted(zip(correct, waves, strict=True), key=lambda pair: len(pair[1]))
    for _, alike in itertools.groupby(pairs, key=lambda pair: len(pair[1])):
        for some in chunks(list(alike), bench.attack_batch):
            yield _target(bench, [u for u, _ in some], [wave for _, wave in some])


def _target(bench: Bench, group: list[Utterance], waves: list[np.ndarray]) -> _Target:
    classes = [bench.classes.index(utterance.label) for utterance in group]
    return _Target(
        group,
        batch_of(waves, bench.device),
        torch.tensor(classes, device=bench.device),
    )


def _perturbations(
    bench: Bench, model: attacks.Model, target: _Target, for_pgd: frozenset[str]
) -> Iterator[_Perturbed]:
    protocol = bench.protocol
    clip = protocol.clip_waveform
    gradient = attacks.loss_gradient(model, target.wave, target.classes)
    seeds = [zlib.crc32(utterance.id.encode()) for utterance in target.utterances]
    for snr_db in protocol.snrs_db:
        stepped = attacks.fgsm(target.wave, gradient.values, snr_db=snr_db, clip=clip)
        yield _Perturbed("fgsm", snr_db, target, stepped, gradient.states)
        noisy = attacks.noise(target.wave, snr_db=snr_db, seeds=seeds, clip=clip)
        yield _Perturbed("noise", snr_db, target, noisy, ["none"] * len(seeds))
    chosen = [p for p, utterance in enumerate(target.utterances) if utterance.id in for_pgd]
    if chosen:
        under_pgd, snr_db = target.only(chosen), protocol.snr_db
        steps = protocol.pgd_steps
        found = attacks.pgd(
            model, under_pgd.wave, under_pgd.classes, snr_db=snr_db, steps=steps, clip=clip
        )
        yield _Perturbed("pgd", snr_db, under_pgd, found, [gradient.states[p] for p in chosen])


@torch.no_grad()
def _answers(model: attacks.Model, waves: Sequence[Tensor], batch: int) -> list[list[int]]:
    """The classes that `model` gives each of `waves`, which are all equally long."""
    answers = [model(part).argmax(dim=1) for part in torch.split(torch.cat(list(waves)), batch)]
    by_wave = torch.split(torch.cat(answers).cpu(), [len(wave) for wave in waves])
    return [own.tolist() for own in by_wave]


def _outcomes(
    bench: Bench, perturbed: _Perturbed, predicted: Sequence[int], seed: int, fold: int
) -> Iterator[AttackOutcome]:
    reached = attacks.reached_snr_db(perturbed.target.wave, perturbed.wave)
    for position, utterance in enumerate(perturbed.target.utterances):
        yield AttackOutcome(
            seed=seed,
            fold=fold,
            attack=perturbed.attack,
            snr_db=perturbed.snr_db,
            utterance=utterance.id,
            speaker=utterance.speaker,
            label=utterance.label,
            predicted=bench.classes[predicted[position]],
            reached_snr_db=reached[position],
            gradient=perturbed.states[position],
        )
