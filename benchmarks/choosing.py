"""What leaving candidates out early costs and saves, in races whose truth is known.

Each candidate has a true figure, each fold gives it with independent normal noise, and the draws
know the noise. Candidates are looked at after 1, 2 and 5 folds, and dropped as `trustser choose`
drops them. Printed for several numbers of candidates and spreads of their truths (in standard
deviations of one fold): how often one alone was left, how often anybody was dropped, how often the
one who came first with all folds had been dropped, and the share of all folds that was needed.

Run it with `python -m benchmarks.choosing`.
"""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np

from advisor.elimination import allowance

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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=2_000)
    parser.add_argument("--confidence", type=float, default=0.95)
    asked = parser.parse_args()
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
