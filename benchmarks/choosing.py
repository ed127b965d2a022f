"""What leaving candidates out early costs and saves, in races whose truth is known.

Two kinds of races. In the plain ones:

Each candidate has a true figure, each fold gives it with independent normal noise, and the draws
know the noise. Candidates are looked at after 1, 2 and 5 folds, and dropped as `trustser choose`
drops them. Printed for several numbers of candidates and spreads of their truths (in standard
deviations of one fold): how often one alone was left, how often anybody was dropped, how often the
one who came first with all folds had been dropped, and the share of all folds that was needed.

With `--rows` whole corpora are simulated: rows of answers, of attacks and of the gender attacker
for every candidate, read by the code that measures a profile, chosen in the stages of `trustser
choose`, and once more from all folds. Clips are as hard for one candidate as for another, as in a
real study. Printed: how often the choice of the stages is that of all folds, or one that it calls
tied; and the share of all folds that was measured, with its quartiles.

Run it with `python -m benchmarks.choosing` or `python -m benchmarks.choosing --rows`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from advisor.choosing import decide
from advisor.decision import Decision
from advisor.elimination import allowance
from advisor.evidence.gathering import gather
from advisor.ranking.findings import Sampling
from advisor.ranking.uncertainty import DRAWS as DECISION_DRAWS
from advisor.ranking.uncertainty import WEIGHT_FACTOR
from advisor.records import ScenarioText
from advisor.scenario.loading import parse_scenario
from benchmarks.coverage import CLASSES, CLIPS, FOLDS, REPETITIONS, emotions, inferred
from benchmarks.coverage import fold_of as fold_of_speaker
from profiler.measures.performance import system_performance
from profiler.measures.privacy import privacy
from profiler.measures.safety import Safety, safety
from profiler.measures.statistics import Floats
from profiler.measures.tables import Table
from profiler.progress import Silent
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from profiles_db.records import AttackOutcome, GenderPrediction, Prediction
from profiles_db.store import Store
from trustser.staged_choice import Choosing, Stage, measured_scenario

LOOKS: Final = (1, 2, 5)
DRAWS: Final = 4_000


def race(
    truths: np.ndarray, confidence: float, draws: np.ndarray, rng: np.random.Generator
) -> tuple[list[int], int, int]:
    """Who is left, who comes first with all folds, and how many folds were needed."""
    folds = truths[:, None] + rng.standard_normal((len(truths), LOOKS[-1]))
    racing, used = list(range(len(truths))), np.zeros(len(truths), dtype=int)
    least = allowance(confidence, len(truths), len(LOOKS))
    for look in LOOKS:
        if len(racing) == 1:
            break
        used[racing] = look
        drawn = folds[racing, :look].mean(axis=1) + draws[:, racing] / np.sqrt(look)
        first = np.bincount(drawn.argmax(axis=1), minlength=len(racing)) / len(draws)
        racing = [one for one, share in zip(racing, first, strict=True) if share >= least]
    return racing, int(folds.mean(axis=1).argmax()), int(used.sum())


SCENARIO: Final = """
version: 1
title: Simulated
priorities: {system_performance: high, safety: medium, privacy: medium}
evidence: measured
"""
RESAMPLES: Final = 400


@dataclass(frozen=True)
class Candidate:
    """Rows of a whole study of one candidate."""

    answers: list[Prediction]
    attacks: list[AttackOutcome]
    attacker: list[GenderPrediction]

    def figures(self, name: str, folds: int) -> list[Measurement]:
        """Figures of the first so many folds."""

        figure = partial(Measurement, study="s", backbone=name, weights="none", corpus="c")
        answers = [row for row in self.answers if row.fold <= folds]
        genders: dict[str, str | None] = {row.speaker: row.gender for row in answers}
        return [
            *system_performance(Table(answers, CLASSES), figure, resamples=RESAMPLES),
            *safety(
                answers,
                [row for row in self.attacks if row.fold <= folds],
                CLASSES, genders, figure, snr_db=45.0,
            ),
            *privacy(
                [row for row in self.attacker if row.fold <= folds],
                [], [], genders, figure, folds=folds, resamples=RESAMPLES,
            ),
        ]  # fmt: skip


def candidates(
    count: int, speakers: int, spread: float, rng: np.random.Generator
) -> dict[str, Candidate]:
    """Candidates whose probits of being right, attacked and overheard differ by `spread`."""
    clips = len(CLASSES) * CLIPS
    truth = np.tile(np.repeat(np.arange(len(CLASSES)), CLIPS), (speakers, 1))
    hard = 0.6 * rng.standard_normal((speakers, clips)) + 0.3 * rng.standard_normal((speakers, 1))
    found = {}
    for place in range(count):
        means = np.array([0.3, 0.0, 1.0]) + spread * rng.standard_normal(3)
        answers, changed, overheard = (
            _chances(mean, hard if index == 0 else None, speakers, rng)
            for index, mean in enumerate(means)
        )
        other = (truth + rng.integers(1, len(CLASSES), answers.shape)) % len(CLASSES)
        answered = np.where(answers, truth, other)
        rows = emotions(np.eye(len(CLASSES))[answered] * 0.5 + 0.125, truth)
        fell = changed.reshape(-1)
        attacks = [
            AttackOutcome(
                row.repetition, row.fold, "fgsm", 45.0, row.utterance, row.speaker, row.label,
                "other" if fell[index] else row.label, 45.0, "ok",
            )
            for index, row in enumerate(rows)
            if row.label == row.predicted
        ]  # fmt: skip
        gender = np.tile((np.arange(speakers) % 2)[:, None], (1, clips))
        guessed = np.where(overheard, gender, 1 - gender)
        probe = inferred(np.eye(2)[guessed] * 0.8 + 0.1)
        found["abcdefgh"[place]] = Candidate(rows, attacks, probe)
    return found


def _chances(mean: float, hard: Floats | None, speakers: int, rng: np.random.Generator) -> Any:
    """What holds of each clip, shape (repetitions, speakers, clips): a probit model."""
    clips = len(CLASSES) * CLIPS
    level = mean + 0.25 * rng.standard_normal((speakers, 1)) + np.zeros((speakers, clips))
    if hard is not None:
        level = level + hard
    folds = np.array([fold_of_speaker(speaker) for speaker in range(speakers)]) - 1
    heads = 0.1 * rng.standard_normal((REPETITIONS, FOLDS))[:, folds, None]
    return level + heads + 0.7 * rng.standard_normal((REPETITIONS, speakers, clips)) > 0


class Simulated(Choosing):
    """Stages that read simulated rows where others train and listen."""

    rows: dict[str, Candidate]

    def _check_facts(self) -> None:
        """Simulated candidates have none."""

    def _measure(self, stage: Stage, racing: Sequence[str]) -> bool:
        for name in racing:
            left_out = () if "safety" in stage.measures else Safety().criteria
            kept = [
                one
                for one in self.rows[name].figures(name, stage.folds)
                if one.stands_for_criterion and one.criterion not in left_out
            ]
            self._runs[name] = profile(name, stage.folds, kept)
            self._stages_done[name] = stage
        return True


def profile(name: str, folds: int, measurements: Sequence[Measurement]) -> Profile:
    """What a run of so many folds leaves."""
    return Profile(
        study="s", backbone=name, corpus="c", weights_kind="pretrained", weights_id="none",
        weights_origin="", synthetic=False, folds=folds, folds_total=FOLDS,
        repetitions=REPETITIONS, device="d", run=f"run-{name}", model=name,
        finished="2026-01-01T00:00:00", measurements=tuple(measurements),
    )  # fmt: skip


def staged(rows: dict[str, Candidate], confidence: float) -> tuple[str | None, float, Decision]:
    """The choice of the stages, the share of folds it took, and the decision from all folds."""
    scenario = parse_scenario((ScenarioText("simulated.yaml", SCENARIO),))
    study: Any = SimpleNamespace(folds=range(FOLDS))
    choosing = Simulated(
        scenario, list(rows), study, Store(Path("unused.duckdb")), {}, confidence, None, Silent()
    )
    choosing.rows = rows
    chosen = choosing.run()
    full = [profile(name, FOLDS, one.figures(name, FOLDS)) for name, one in rows.items()]
    measured = measured_scenario(scenario, full)
    decision = decide(measured, gather(measured, full), Sampling(DECISION_DRAWS, 0, WEIGHT_FACTOR))
    return chosen.decision.choice, chosen.share, decision


def simulated(corpora: int, confidence: float) -> None:
    """Print the table of whole corpora."""
    print("candidates  speakers  spread  same  or tied  folds needed  quartiles")
    for count, speakers, spread in ((4, 24, 0.5), (4, 48, 0.5), (8, 48, 0.5), (2, 91, 0.0)):
        rng = np.random.default_rng([count, speakers])
        same, tied, shares = [], [], []
        for _ in range(corpora):
            rows = candidates(count, speakers, spread, rng)
            choice, share, full = staged(rows, confidence)
            groups = [set(group) for group in full.tie_groups if full.choice in group]
            same.append(choice == full.choice)
            tied.append(choice == full.choice or any(choice in group for group in groups))
            shares.append(share)
        low, high = np.quantile(shares, [0.25, 0.75])
        print(
            f"{count:10} {speakers:9} {spread:7.1f} {100 * np.mean(same):5.1f} "
            f"{100 * np.mean(tied):8.1f} {100 * np.mean(shares):13.1f}"
            f"  {100 * low:.0f} to {100 * high:.0f}",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=2_000)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--rows", action="store_true", help="simulate rows of whole corpora")
    parser.add_argument("--corpora", type=int, default=100)
    asked = parser.parse_args()
    if asked.rows:
        simulated(asked.corpora, asked.confidence)
        return
    rng = np.random.default_rng(0)
    print("candidates  spread  one left  any dropped  first dropped  folds needed")
    for count in (2, 3, 5, 8):
        for spread in (0.0, 1.0, 3.0, 6.0):
            draws = rng.standard_normal((DRAWS, count))
            found = [
                race(spread * rng.standard_normal(count), asked.confidence, draws, rng)
                for _ in range(asked.races)
            ]
            alone = np.mean([len(left) == 1 for left, _, _ in found])
            dropped = np.mean([len(left) < count for left, _, _ in found])
            lost = np.mean([first not in left for left, first, _ in found])
            share = np.mean([used for _, _, used in found]) / (count * LOOKS[-1])
            print(
                f"{count:10} {spread:7.1f} {100 * alone:8.1f}% {100 * dropped:11.1f}%"
                f" {100 * lost:13.1f}% {100 * share:12.1f}%"
            )


if __name__ == "__main__":
    main()
