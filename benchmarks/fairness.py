"""How well a profile finds gaps between the genders, in simulated corpora whose gap is known.

Speakers of both genders take turns, in folds of neighbours; each has 9 clips of each class,
answered by one head. Recall is 0.55, differs between speakers (standard deviation 0.08) and, by
the gap, between the genders. Three tables:

- the share of corpora in which the permutation test of each figure finds the gap (5 %);
- the power that `power_of` states from corpora without a gap, beside the share found in others;
- the share of 95 % intervals that hold the true difference, of the excess of equalized odds and of
  both total variations, with the baseline taken off the lower end, as a profile does, and off both.

Run it with `python -m benchmarks.fairness` (`--corpora` for others).
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import numpy as np

from profiler.measures.fairness import (
    Comparison,
    Difference,
    beyond,
    compare,
    conditional_total_variation,
    equalized_odds,
    equalized_odds_mean,
    parity_total_variation,
    uar_gap,
)
from profiler.measures.fairness_power import found_in
from profiler.measures.statistics import Bools, Floats, permuted_genders

Where: TypeAlias = Literal["one class", "every class"]
CLIPS: Final = 9
RECALL: Final = 0.55
FOLDS: Final = 5
PERMUTATIONS: Final = 400
POOLED: Final[dict[str, Difference]] = {
    "equalized odds, worst class": equalized_odds,
    "equalized odds, mean class": equalized_odds_mean,
    "total variation, all folds together": conditional_total_variation,
    "UAR gap": uar_gap,
}
PER_FOLD: Final = "total variation, mean over folds"
ASKED: Final[tuple[tuple[float, Where], ...]] = (
    (0.10, "every class"), (0.20, "every class"), (0.20, "one class"), (0.40, "one class"),
)  # fmt: skip
KINDS: Final[tuple[tuple[float, Where], ...]] = (
    (0.0, "one class"), (0.05, "one class"), (0.10, "one class"), (0.20, "one class"),
    (0.40, "one class"), (0.05, "every class"), (0.10, "every class"), (0.20, "every class"),
)  # fmt: skip


def chances(gap: float, where: Where, classes: int) -> Floats:
    """Mean confusion matrices of both genders, shape (2, classes, classes)."""
    found = np.empty((2, classes, classes))
    for gender, true in np.ndindex(2, classes):
        differs = true == 0 or where == "every class"
        recall = RECALL + (0.5 - gender) * gap * differs
        found[gender, true] = (1 - recall) / (classes - 1)
        found[gender, true, true] = recall
    return found


def corpus(
    gap: float, where: Where, speakers: int, classes: int, rng: np.random.Generator
) -> Floats:
    """Counts of every speaker, shape (1, speakers, classes, classes)."""
    means = chances(gap, where, classes)
    counts = np.zeros((1, speakers, classes, classes))
    for speaker, true in np.ndindex(speakers, classes):
        row = means[speaker % 2, true]
        recall = np.clip(row[true] + 0.08 * rng.standard_normal(), 0.02, 0.98)
        shares = row * (1 - recall) / (1 - row[true])
        shares[true] = recall
        counts[0, speaker, true] = rng.multinomial(CLIPS, shares)
    return counts


def genders_of(speakers: int) -> list[str]:
    """Speakers take turns."""
    return ["male" if speaker % 2 else "female" for speaker in range(speakers)]


def pooled(counts: Floats, difference: Difference, seed: int) -> Comparison:
    """The difference over all folds together."""
    genders = genders_of(counts.shape[1])
    permuted = permuted_genders(genders, permutations=PERMUTATIONS, seed=seed)
    return compare(counts, genders, difference, permuted)


def per_fold(counts: Floats, difference: Difference, seed: int) -> Comparison:
    """The difference on each fold, averaged; genders are permuted within the folds."""
    speakers = counts.shape[1]
    folds = np.arange(speakers) // 2 % FOLDS
    each = np.concatenate([counts * (folds == fold)[:, None, None] for fold in range(FOLDS)])
    permuted: Bools = np.tile(np.arange(speakers) % 2 == 0, (PERMUTATIONS, 1))
    rng = np.random.default_rng(seed)
    for fold in range(FOLDS):
        permuted[:, folds == fold] = rng.permuted(permuted[:, folds == fold], axis=1)
    return compare(each, genders_of(speakers), difference, permuted, [list(range(FOLDS))])


def found_by_figure(corpora: int) -> Iterator[str]:
    """The share of corpora in which each figure's test finds the gap."""
    found: dict[str, list[float]] = {name: [] for name in (*POOLED, PER_FOLD)}
    for gap, where in ASKED:
        rng = np.random.default_rng(3)
        made = [corpus(gap, where, 24, 4, rng) for _ in range(corpora)]
        for name, difference in POOLED.items():
            hits = [pooled(counts, difference, n).found for n, counts in enumerate(made)]
            found[name].append(float(np.mean(hits)))
        hits = [
            per_fold(counts, conditional_total_variation, n).found for n, counts in enumerate(made)
        ]
        found[PER_FOLD].append(float(np.mean(hits)))
    yield f"{'':36}" + "".join(f"{100 * gap:5.0f}, {where:12}" for gap, where in ASKED)
    for name, shares in found.items():
        yield f"{name:36}" + "".join(f"{100 * share:15.0f} %  " for share in shares)


def stated_and_found(corpora: int) -> Iterator[str]:
    """The power stated from fair and from unfair corpora, and the share found."""
    yield f"{'gap':>4} {'stated':>8} {'sd':>5} {'stated where unfair':>20} {'found':>7}"
    genders = genders_of(24)
    for gap in (0.1, 0.2, 0.3):
        rng = np.random.default_rng(5)
        stated = [
            [
                found_in(corpus(real, "one class", 24, 4, rng), genders, equalized_odds, gap=gap,
                         draws=200, seed=n)
                for n in range(max(2, corpora // 8))
            ]
            for real in (0.0, 0.2)
        ]  # fmt: skip
        hits = [
            pooled(corpus(gap, "one class", 24, 4, rng), equalized_odds, n).found
            for n in range(corpora)
        ]
        fair, unfair = (float(np.mean(one)) for one in stated)
        yield (f"{100 * gap:4.0f} {100 * fair:7.0f}% {100 * np.std(stated[0]):5.0f}"
               f" {100 * unfair:19.0f}% {100 * np.mean(hits):6.0f}%")  # fmt: skip


def held(corpora: int) -> Iterator[str]:
    """How often intervals hold the true difference."""
    yield (f"{'figure':36} {'speakers':>8} {'classes':>7} {'gap':>4} {'where':12} {'truth':>6}"
           f" {'holds':>6} {'both ends':>9} {'width':>6} {'value':>6}")  # fmt: skip
    figures = {
        "excess of equalized odds": (equalized_odds, pooled),
        "conditional total variation": (conditional_total_variation, per_fold),
        "parity total variation": (parity_total_variation, per_fold),
    }
    for name, (difference, taken) in figures.items():
        for speakers, classes, (gap, where) in itertools.product((24, 90), (4, 7), KINDS):
            first, second = chances(gap, where, classes)
            truth = float(difference(first, second))
            rng = np.random.default_rng(7)
            ends, both, values = [], [], []
            for n in range(corpora):
                found = taken(corpus(gap, where, speakers, classes, rng), difference, n)
                baseline, value = found.baseline, found.estimate.value
                if baseline is None or value is None:
                    continue
                estimate = beyond(baseline, found)
                if estimate.low is None or estimate.high is None:
                    continue
                ends.append((estimate.low, estimate.high))
                both.append((estimate.low, max(estimate.low, estimate.high - baseline)))
                values.append(max(0.0, value - baseline))
            own, taken_off = np.array(ends), np.array(both)
            yield (
                f"{name:36} {speakers:8} {classes:7} {100 * gap:4.0f} {where:12}"
                f" {100 * truth:6.1f} {_share(own, truth):6.1f} {_share(taken_off, truth):9.1f}"
                f" {100 * (own[:, 1] - own[:, 0]).mean():6.1f} {100 * np.mean(values):6.1f}"
            )


def _share(ends: Floats, truth: float) -> float:
    return float(100 * ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=150)
    corpora = parser.parse_args().corpora
    for lines in (found_by_figure(corpora), stated_and_found(corpora), held(corpora)):
        for line in lines:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
