"""How often the intervals of a profile hold the truth, in simulated corpora whose truth is known.

Run it with `python -m benchmarks.coverage` (`--corpora`, `--speakers`, `--simulations` for
others), or `make bench`. Corpora are of two kinds, both read by the code that measures a profile:

- *trained*: hidden states with speakers' own ways of expressing a class; for each fold a small head
  (ridge regression on random features, whose draw is the repetition) is really trained on the other
  folds. The truth is the mean over all corpora: the expected figure of the recipe. *On 24*: tested
  on another corpus of so many speakers.
- *given*: answers with speakers', classes' and heads' own chances of being right, drawn as a probit
  model, or predictions of ratings; no head is trained, so the truth is known to any digit, also
  where it is 0. What training
  on shared speakers adds is missing here, so that intervals that allow for it hold the truth more
  often.

For each figure: the truth, the share of 95 % intervals that hold it, those that lie above and below
it, and their mean width. A share from 300 corpora has a standard error of 1.3 points.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias
from unittest import mock

import numpy as np
import numpy.typing as npt
from scipy import special

from profiler.measures import fairness as fairness_measure
from profiler.measures.dimensional import dimensional
from profiler.measures.fairness import fairness
from profiler.measures.fairness_power import STATED_GAP, Power
from profiler.measures.generalisation import CrossCorpusAnswer, generalisation
from profiler.measures.other_corpora import OtherCorpus
from profiler.measures.performance import system_performance
from profiler.measures.privacy import privacy
from profiler.measures.safety import safety
from profiler.measures.statistics import Floats, Ints
from profiler.measures.tables import Table
from profiles_db.measurement import POOLED, Measurement
from profiles_db.records import (
    AttackOutcome,
    DimensionalPrediction,
    Gender,
    GenderPrediction,
    GenderTask,
    Prediction,
    Trial,
)

CLASSES: Final = ("neutral", "happy", "sad", "angry")
GENDERS: Final[tuple[Gender, ...]] = ("female", "male")
REPETITIONS: Final = 3
CLIPS: Final = 8
"""Per speaker and class."""
FOLDS: Final = 5
DIMENSIONS: Final = 20
HIDDEN: Final = 60
VOICE: Final = 8
"""Dimensions of a voice."""
NO_POWER: Final = Power({STATED_GAP: 1.0})
MEASURE: Final = partial(Measurement, study="s", backbone="b", weights="none", corpus="c")
Found: TypeAlias = dict[str, Measurement]
Simulation: TypeAlias = Callable[[int, np.random.Generator], Found]


@dataclass
class Tally:
    """Intervals of one figure, as drawn."""

    values: list[float] = field(default_factory=list)
    ends: list[tuple[float, float]] = field(default_factory=list)

    def add(self, measurement: Measurement) -> None:
        """Count it, if it has an interval."""
        if measurement.low is not None and measurement.high is not None:
            self.values.append(float(measurement.value or 0.0))
            self.ends.append((measurement.low, measurement.high))

    def line(self, truth: float | None) -> str:
        """The truth (the mean of the values where None), shares and width."""
        ends = np.array(self.ends)
        true = float(np.mean(self.values)) if truth is None else truth
        above, below = (ends[:, 0] > true).mean(), (ends[:, 1] < true).mean()
        width = (ends[:, 1] - ends[:, 0]).mean()
        shares = f"{100 * (1 - above - below):6.1f} {100 * above:6.1f} {100 * below:6.1f}"
        return f"{100 * true:7.1f} {shares} {100 * width:7.1f} {len(ends):6}"


def fold_of(speaker: int) -> int:
    """Fold (from 1) of a speaker: neighbours, who are of both genders, together."""
    return speaker // 2 % FOLDS + 1


def gender_of(speaker: int) -> Gender:
    """Even speakers are female."""
    return GENDERS[speaker % 2]


def emotions(probabilities: Floats, truth: Ints) -> list[Prediction]:
    """Emotion answers from probabilities of shape (repetitions, speakers, clips, classes)."""
    return [
        Prediction(
            repetition, fold_of(speaker), f"{speaker}-{clip}", str(speaker), gender_of(speaker),
            CLASSES[truth[speaker, clip]], CLASSES[int(np.argmax(one))], tuple(one.tolist()),
        )
        for repetition, speaker, clip, one in _answers(probabilities)
    ]  # fmt: skip


def inferred(probabilities: Floats) -> list[GenderPrediction]:
    """Gender answers from probabilities of shape (repetitions, speakers, clips, genders).

    The strongest attacker, which the reference's probe is compared with, answers as the probe.
    """
    tasks: tuple[GenderTask, ...] = ("gender", "strongest_gender")
    return [
        GenderPrediction(
            repetition, fold_of(speaker), task, f"{speaker}-{clip}", str(speaker),
            gender_of(speaker), gender_of(speaker), GENDERS[int(np.argmax(one))],
            tuple(one.tolist()),
        )
        for task in tasks
        for repetition, speaker, clip, one in _answers(probabilities)
    ]  # fmt: skip


def _answers(probabilities: Floats) -> Iterator[tuple[int, int, int, Floats]]:
    """Repetition, speaker, clip and probabilities of each answer."""
    for repetition, speaker, clip in np.ndindex(*probabilities.shape[:-1]):
        yield repetition, speaker, clip, probabilities[repetition, speaker, clip]


def trained(speakers: int, rng: np.random.Generator, *, gap: float = 0.0) -> Found:
    """A corpus with heads really trained, measured.

    `gap` moves the voices of one gender along the first class, which the head then recognises
    less well in them.
    """
    states, female = _states(speakers, rng, gap)
    scores = np.stack([_cross_validated(states, rng) for _ in range(REPETITIONS)])
    truth = np.tile(np.repeat(np.arange(len(CLASSES)), CLIPS), (speakers, 1))
    table = Table(emotions(special.softmax(6 * scores, axis=-1), truth), CLASSES)
    voices = np.stack([_gender_scores(states, female, rng) for _ in range(REPETITIONS)])
    probes = inferred(special.softmax(4 * voices, axis=-1))
    return _headline(
        [
            *system_performance(table, MEASURE, resamples=RESAMPLES),
            *fairness(table, MEASURE, resamples=RESAMPLES),
            *_privacy(probes, [], speakers, resamples=RESAMPLES),
        ]
    )


RESAMPLES: Final = 500
"""Of the bootstraps; fewer than a profile's, to save time."""


def _states(speakers: int, rng: np.random.Generator, gap: float) -> tuple[Floats, Ints]:
    """Hidden states, shape (speakers, clips, dimensions), and each speaker's gender."""
    fixed = np.random.default_rng(5)
    means = 0.35 * fixed.standard_normal((len(CLASSES), DIMENSIONS))
    voice = fixed.standard_normal(DIMENSIONS)
    gender = np.arange(speakers) % 2
    own = 0.6 * rng.standard_normal((speakers, 1, 1, DIMENSIONS))
    ways = 0.35 * rng.standard_normal((speakers, len(CLASSES), 1, DIMENSIONS))
    noise = 1.5 * rng.standard_normal((speakers, len(CLASSES), CLIPS, DIMENSIONS))
    states = means[None, :, None, :] + own + ways + noise
    states += 1.1 * (gender - 0.5)[:, None, None, None] * voice
    states[gender == 1, 0] -= gap * means[0]
    return states.reshape(speakers, -1, DIMENSIONS), gender


def _cross_validated(states: Floats, rng: np.random.Generator) -> Floats:
    """Scores of each clip by the head of its fold, shape (speakers, clips, classes)."""
    clips = np.repeat(np.eye(len(CLASSES)), CLIPS, axis=0)
    targets = np.tile(clips, (len(states), 1, 1))
    return _by_fold(states, targets, rng, HIDDEN)


def _gender_scores(states: Floats, gender: Ints, rng: np.random.Generator) -> Floats:
    targets = np.tile(np.eye(2)[gender][:, None, :], (1, states.shape[1], 1))
    return _by_fold(states, targets, rng, HIDDEN)


def _by_fold(states: Floats, targets: Floats, rng: np.random.Generator, hidden: int) -> Floats:
    folds = np.array([fold_of(speaker) for speaker in range(len(states))])
    scores = np.zeros(targets.shape)
    for fold in np.unique(folds):
        head = _head(states[folds != fold], targets[folds != fold], rng, hidden)
        scores[folds == fold] = head(states[folds == fold])
    return scores


def _head(
    states: Floats, targets: Floats, rng: np.random.Generator, hidden: int
) -> Callable[[Floats], Floats]:
    """A head that learned `targets` of `states`: from states to scores."""
    drawn = rng.standard_normal((DIMENSIONS, hidden)) / np.sqrt(DIMENSIONS)
    seen = np.tanh(states.reshape(-1, DIMENSIONS) @ drawn)
    wanted = targets.reshape(-1, targets.shape[-1])
    centre, mean = seen.mean(axis=0), wanted.mean(axis=0)
    covariance = (seen - centre).T @ (seen - centre) + 5 * np.eye(hidden)
    weights = np.linalg.solve(covariance, (seen - centre).T @ (wanted - mean))

    def scores(states: Floats) -> Floats:
        found: Floats = (np.tanh(states @ drawn) - centre) @ weights + mean
        return found

    return scores


def elsewhere(speakers: int, rng: np.random.Generator, *, tested: int) -> Found:
    """Heads really trained on a corpus, and tested on another of so many speakers.

    Its clips lie elsewhere, and noise is stronger, so that recall is lower there.
    """
    states, _ = _states(speakers, rng, 0.0)
    others, _ = _states(tested, rng, 0.0)
    others += 0.5 * np.random.default_rng(6).standard_normal(DIMENSIONS)
    others += 1.0 * rng.standard_normal(others.shape)
    truth = np.repeat(np.arange(len(CLASSES)), CLIPS)
    targets = np.tile(np.eye(len(CLASSES))[truth], (speakers, 1, 1))
    folds = np.array([fold_of(speaker) for speaker in range(speakers)])
    scores = np.zeros((REPETITIONS, *targets.shape))
    answers = []
    for repetition, fold in itertools.product(range(REPETITIONS), np.unique(folds)):
        head = _head(states[folds != fold], targets[folds != fold], rng, HIDDEN)
        scores[repetition, folds == fold] = head(states[folds == fold])
        there = special.softmax(6 * head(others), axis=-1)
        answers += [
            CrossCorpusAnswer(
                repetition, int(fold), "other", f"{speaker}-{clip}", str(speaker),
                gender_of(speaker), CLASSES[truth[clip]], CLASSES[truth[clip]],
                CLASSES[int(there[speaker, clip].argmax())], tuple(there[speaker, clip].tolist()),
            )
            for speaker, clip in np.ndindex(*there.shape[:-1])
        ]  # fmt: skip
    here = emotions(special.softmax(6 * scores, axis=-1), np.tile(truth, (speakers, 1)))
    clips = dict.fromkeys(CLASSES, tested * CLIPS)
    other = OtherCorpus(dataset="other", digest=f"sha256:{'0' * 64}", clips=clips)
    return _headline(generalisation(here, answers, [], CLASSES, {"other": other}, MEASURE))


@dataclass(frozen=True)
class Chances:
    """A probit model of answers: the mean, and deviations of speakers, classes and heads."""

    mean: float
    speakers: float
    classes: float = 0.25
    heads: float = 0.15
    clips: float = 0.7
    gap: float = 0.0

    def right(self, shape: tuple[int, int, int], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """Who is right, shape (repetitions, speakers, classes, clips), given the last three."""
        speakers, classes, _ = shape
        level = self.mean + self.speakers * rng.standard_normal((speakers, 1))
        level = level + self.classes * rng.standard_normal((speakers, classes))
        level[:, 0] += self.gap * (0.5 - np.arange(speakers) % 2)
        folds = np.array([fold_of(speaker) for speaker in range(speakers)]) - 1
        heads = self.heads * rng.standard_normal((REPETITIONS, FOLDS, classes))[:, folds]
        hard = self.clips * rng.standard_normal(shape)
        noise = np.sqrt(1 - self.clips**2) * rng.standard_normal((REPETITIONS, *shape))
        answers: npt.NDArray[np.bool_] = (
            level[None, :, :, None] + heads[..., None] + hard + noise > 0
        )
        return answers

    def rate(self, mean: float) -> float:
        """Expected share of right answers at that mean."""
        spread = 1 + self.speakers**2 + self.classes**2 + self.heads**2
        return float(special.ndtr(mean / np.sqrt(spread)))


def given_emotions(speakers: int, rng: np.random.Generator, *, chances: Chances) -> Found:
    """Emotion answers of given chances, calibrated, measured."""
    right = chances.right((speakers, len(CLASSES), CLIPS), rng)
    right = right.reshape(REPETITIONS, speakers, -1)
    truth = np.tile(np.repeat(np.arange(len(CLASSES)), CLIPS), (speakers, 1))
    other = (truth + rng.integers(1, len(CLASSES), right.shape)) % len(CLASSES)
    answer = np.where(right, truth, other)
    sure = np.eye(len(CLASSES))[answer] * 0.5 + 0.125
    table = Table(emotions(sure, truth), CLASSES)
    return _headline(
        [
            *system_performance(table, MEASURE, resamples=RESAMPLES),
            *fairness(table, MEASURE, resamples=RESAMPLES),
        ]
    )


def given_gender(speakers: int, rng: np.random.Generator, *, chances: Chances) -> Found:
    """A gender probe of given chances, measured."""
    clips = len(CLASSES) * CLIPS
    right = chances.right((speakers, 1, clips), rng)[:, :, 0]
    truth = np.tile((np.arange(speakers) % 2)[:, None], (1, clips))
    answer = np.where(right, truth, 1 - truth)
    probes = inferred(np.eye(2)[answer] * 0.8 + 0.1)
    return _headline(_privacy(probes, [], speakers, resamples=100))


def given_attack(speakers: int, rng: np.random.Generator, *, chances: Chances) -> Found:
    """Attacks that succeed with given chances on clips that are right in six of ten cases."""
    clips = len(CLASSES) * CLIPS
    right = Chances(0.25, 0.3).right((speakers, 1, clips), rng)[:, :, 0]
    changed = chances.right((speakers, 1, clips), rng)[:, :, 0]
    truth = np.tile(np.repeat(np.arange(len(CLASSES)), CLIPS), (speakers, 1))
    answer = np.where(right, truth, (truth + 1) % len(CLASSES))
    found = emotions(np.eye(len(CLASSES))[answer] * 0.5 + 0.125, truth)
    fell = changed.reshape(-1)
    outcomes = [
        AttackOutcome(
            row.repetition, row.fold, "fgsm", 45.0, row.utterance, row.speaker, row.label,
            "other" if fell[index] else row.label, 45.0, "ok",
        )
        for index, row in enumerate(found)
        if row.label == row.predicted
    ]  # fmt: skip
    return _headline(safety(found, outcomes, CLASSES, _genders(speakers), MEASURE, snr_db=45.0))


def given_voices(speakers: int, rng: np.random.Generator) -> Found:
    """Voices verified within each fold, from the backbone, measured."""
    voices = rng.standard_normal((speakers, VOICE))
    clips = voices[:, None] + 1.3 * rng.standard_normal((speakers, 10, VOICE))
    enrolled, tried = clips[:, :5].mean(axis=1), clips[:, 5:]
    trials = [
        Trial(0, fold_of(one), "backbone", f"{one}-{clip}", str(one), str(other), score)
        for one in range(speakers)
        for other in range(speakers)
        if fold_of(one) == fold_of(other)
        for clip in range(tried.shape[1])
        for score in [_cosine(tried[one, clip], enrolled[other])]
    ]
    return _headline(_privacy([], trials, speakers, resamples=RESAMPLES))


def given_ratings(
    speakers: int, rng: np.random.Generator, *, follows: float, noise: float
) -> Found:
    """Predictions of valence by speakers with levels, slopes and ratings of their own; both genders
    are served alike."""
    rows = []
    for speaker in range(speakers):
        bias, centre = 0.08 * rng.standard_normal(), 0.5 + 0.1 * rng.standard_normal()
        slope = follows * (1 + 0.3 * rng.standard_normal())
        truth = np.clip(centre + 0.2 * rng.standard_normal(4 * CLIPS), 0, 1)
        predicted = 0.5 + bias + slope * (truth - 0.5)
        for repetition in range(REPETITIONS):
            answers = predicted + noise * rng.standard_normal(len(truth))
            rows += [
                DimensionalPrediction(
                    repetition, fold_of(speaker), "valence", f"{speaker}-{clip}", str(speaker),
                    gender_of(speaker), float(truth[clip]), float(answers[clip]), 0.5,
                )
                for clip in range(len(truth))
            ]  # fmt: skip
    return _headline(dimensional(rows, range(1, FOLDS + 1), MEASURE, resamples=200))


def _cosine(one: Floats, other: Floats) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def _privacy(
    probes: Sequence[GenderPrediction], trials: Sequence[Trial], speakers: int, *, resamples: int
) -> list[Measurement]:
    """Figures of privacy; who the attackers were is not simulated."""
    return privacy(
        probes, [], trials, _genders(speakers), MEASURE, folds=FOLDS, resamples=resamples
    )


def _genders(speakers: int) -> dict[str, str | None]:
    return {str(speaker): gender_of(speaker) for speaker in range(speakers)}


def _headline(found: Sequence[Measurement]) -> Found:
    """The figures that stand for their criterion, with an interval."""
    return {
        m.criterion: m
        for m in found
        if m.stands_for_criterion and m.fold == POOLED and m.low is not None
    }


def truths(chances: Chances) -> dict[str, float]:
    """What the model of given chances has in truth, of what has a closed form."""
    shift = chances.gap / 2
    first = [chances.rate(chances.mean + s) for s in (shift, -shift)]
    rest = chances.rate(chances.mean)
    by_gender = [(one + 3 * rest) / 4 for one in first]
    gap = abs(first[0] - first[1])
    return {
        "equalized_odds_difference": gap,
        "equalized_odds_difference_mean": (gap + 3 * gap / 9) / 4,
        "equal_opportunity_difference": gap,
        "statistical_parity_difference": gap / 4,
        "uar_gender_gap": abs(by_gender[0] - by_gender[1]),
        "expected_calibration_error": abs(float(np.mean(by_gender)) - 0.625),
        "speaker_worst_decile": _worst_tenth(chances),
    }


def _worst_tenth(chances: Chances) -> float:
    """Mean true accuracy of the lowest tenth of very many speakers."""
    rng = np.random.default_rng(0)
    spread = np.sqrt(1 + chances.heads**2)
    level = chances.mean + chances.speakers * rng.standard_normal((200_000, 1))
    level = level + chances.classes * rng.standard_normal((200_000, len(CLASSES)))
    level[:, 0] += chances.gap * (0.5 - np.arange(200_000) % 2)
    true = special.ndtr(level / spread).mean(axis=1)
    return float(np.sort(true)[:20_000].mean())


PLAIN: Final = Chances(0.25, 0.35)
SKEWED: Final = Chances(0.25, 0.35, gap=0.8)
SURE: Final = Chances(2.4, 0.9, 0.0)
SAFE: Final = Chances(-2.6, 0.4, 0.0)
SIMULATIONS: Final[Mapping[str, tuple[Simulation, Mapping[str, float]]]] = {
    "trained": (trained, {}),
    "trained, gap": (partial(trained, gap=1.0), {}),
    "trained, on 10": (partial(elsewhere, tested=10), {}),
    "trained, on 24": (partial(elsewhere, tested=24), {}),
    "trained, on 91": (partial(elsewhere, tested=91), {}),
    "given, no gap": (partial(given_emotions, chances=PLAIN), truths(PLAIN)),
    "given, gap": (partial(given_emotions, chances=SKEWED), truths(SKEWED)),
    "given, near 1": (partial(given_gender, chances=SURE), {}),
    "given, near 0": (partial(given_attack, chances=SAFE), {}),
    "given, voices": (given_voices, {}),
    "with ratings": (partial(given_ratings, follows=0.5, noise=0.12), {"ccc_gender_gap": 0.0}),
    "with ratings, near 1": (
        partial(given_ratings, follows=0.95, noise=0.05),
        {"ccc_gender_gap": 0.0},
    ),
    "with ratings, none": (partial(given_ratings, follows=0, noise=0.1), {"ccc_gender_gap": 0.0}),
}
BIASED: Final = frozenset(truths(PLAIN))
"""Figures whose mean over corpora is not their truth: noise raises or lowers them."""


def covered(name: str, speakers: int, corpora: int) -> Iterator[str]:
    """A line for each figure of one simulation."""
    simulate, known = SIMULATIONS[name]
    rng = np.random.default_rng([speakers, sorted(SIMULATIONS).index(name)])
    tallies: dict[str, Tally] = {}
    # The power of the test has no interval, and takes two thirds of the time.
    with mock.patch.object(fairness_measure, "power_of", return_value=NO_POWER):
        for _ in range(corpora):
            for criterion, measurement in simulate(speakers, rng).items():
                tallies.setdefault(criterion, Tally()).add(measurement)
    for criterion, tally in tallies.items():
        if known or criterion not in BIASED:
            yield f"{name:15} {criterion:32} {speakers:4} {tally.line(known.get(criterion))}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=300)
    parser.add_argument("--speakers", type=int, nargs="+", default=[5, 10, 24, 91])
    parser.add_argument("--simulations", nargs="+", default=list(SIMULATIONS))
    chosen = parser.parse_args()
    print(f"{'':15} {'figure':32} {'n':>4} {'truth':>7} {'holds':>6} {'above':>6} {'below':>6}"
          f" {'width':>7} {'of':>6}")  # fmt: skip
    for name in chosen.simulations:
        for speakers in chosen.speakers:
            for line in covered(name, speakers, chosen.corpora):
                print(line, flush=True)


if __name__ == "__main__":
    main()
