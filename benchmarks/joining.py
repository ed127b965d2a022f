"""How well published studies predict each other: figures left out, and simulated ones.

Run it with `python -m benchmarks.joining` (`--simulations` for others), or `make bench`.

- *left out*: for each study and each encoder that some other study has too, all that the study says
  of the encoder is left out, the model is fitted again, and each of these figures is estimated.
  Printed for each study: figures, the share that their 95 % intervals hold, the error (root mean
  square, points) beside that of taking the mean of the study's other encoders, the same for the
  width of intervals, and Kendall's tau between figures and estimates, mean over the corpora (one
  that ranks at random has 0).
- *simulated*: studies drawn from the model itself, of the size of those that ship, whose missing
  figures are known.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from advisor.evidence.joining import Check, checks, published_source
from advisor.evidence.partial_pooling import Join, Observation

STUDIES = ("trustser-2023", "emobox", "superb")


@dataclass(frozen=True)
class Row:
    """How one study is predicted; errors and widths are in points."""

    study: str
    figures: int
    held: float
    error: float
    error_of_mean: float
    width: float
    width_of_spread: float
    tau: float


def observed(names: Sequence[str] = STUDIES) -> list[Observation]:
    """The figures of system performance of published studies."""
    return [one for name in names for one in published_source(name).observations]


def left_out(observations: Sequence[Observation]) -> dict[tuple[str, str], list[Check]]:
    """The checks of every study, by study and corpus."""
    join = Join(observations)
    found: dict[tuple[str, str], list[Check]] = {}
    for study in join.studies:
        corpora = sorted({one.corpus for one in observations if one.study == study})
        for corpus in corpora:
            found[study, corpus] = list(checks(join, observations, study, {corpus: 1.0}))
    return found


def rows(observations: Sequence[Observation]) -> Iterator[Row]:
    """A row for each study."""
    found = left_out(observations)
    for study in sorted({study for study, _ in found}):
        by_corpus = {corpus: of for (one, corpus), of in found.items() if one == study and of}
        every = [check for of in by_corpus.values() for check in of]
        taus = [_tau(of) for of in by_corpus.values() if len(of) > 2]  # noqa: PLR2004
        yield Row(
            study,
            len(every),
            float(np.mean([check.holds for check in every])),
            100 * math.sqrt(np.mean([(c.value - c.estimate.value) ** 2 for c in every])),
            100 * math.sqrt(np.mean([(c.value - c.others) ** 2 for c in every])),
            100 * float(np.mean([c.estimate.high - c.estimate.low for c in every])),
            100 * float(np.mean([_spread(observations, study, c) for c in by_corpus])),
            float(np.mean(taus)) if taus else math.nan,
        )


def _tau(found: Sequence[Check]) -> float:
    values, estimates = [c.value for c in found], [c.estimate.value for c in found]
    return float(stats.kendalltau(values, estimates).statistic)


def _spread(observations: Sequence[Observation], study: str, corpus: str) -> float:
    """Width of the interval that one would give who knows the other encoders only."""
    values = [o.value for o in observations if (o.study, o.corpus) == (study, corpus)]
    reach = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1)
    return float(2 * reach * math.sqrt(1 + 1 / len(values)))


def simulated(seed: int) -> tuple[int, int]:
    """Intervals that hold the truth, and all, in studies drawn from the model.

    Study `a` has ten encoders on twelve corpora, `b` twenty on one, `c` seven on one; `b` has all
    those of `a` and three of `c`. What each would find of an encoder that only others have is drawn
    too, and estimated.
    """
    random = np.random.default_rng(seed)
    corpora = {"a": [f"c{i}" for i in range(12)], "b": ["only"], "c": ["only"]}
    encoders = {"a": range(5, 15), "b": range(20), "c": [*range(17, 20), *range(30, 34)]}
    effects = random.normal(0, 0.3, 40)
    spreads = {"a": 1.4, "b": 0.8, "c": 0.8}
    noises = {name: np.exp(random.normal(math.log(0.15), 0.3, len(of)))
              for name, of in corpora.items()}  # fmt: skip
    known: list[Observation] = []
    hidden: list[Observation] = []
    for study, of in corpora.items():
        levels = random.normal(0.5, 0.5, len(of))
        for encoder in range(len(effects)):
            departure = random.normal(0, 0.12)
            for i, corpus in enumerate(of):
                effect = spreads[study] * (effects[encoder] + departure)
                logit = levels[i] + effect + noises[study][i] * random.normal()
                one = Observation(study, corpus, f"e{encoder}", float(special.expit(logit)))
                (known if encoder in encoders[study] else hidden).append(one)
    join = Join(known)
    ends = [
        (one.value, join.estimate(one.study, one.encoder, {one.corpus: 1.0}))
        for one in hidden
        if join.elsewhere(one.study, one.encoder)
    ]
    return sum(e.low <= value <= e.high for value, e in ends), len(ends)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=100)
    arguments = parser.parse_args()
    found = list(rows(observed()))
    print(f"{'study':15}{'figures':>8}{'held %':>8}{'error':>7}{'mean':>7}{'width':>7}"
          f"{'spread':>8}{'tau':>7}")  # fmt: skip
    for row in found:
        print(f"{row.study:15}{row.figures:8}{100 * row.held:8.1f}{row.error:7.1f}"
              f"{row.error_of_mean:7.1f}{row.width:7.1f}{row.width_of_spread:8.1f}"
              f"{row.tau:7.2f}")  # fmt: skip
    held = sum(row.held * row.figures for row in found) / sum(row.figures for row in found)
    print(f"{'all':15}{sum(row.figures for row in found):8}{100 * held:8.1f}")
    drawn = [simulated(seed) for seed in range(arguments.simulations)]
    inside, every = (sum(column) for column in zip(*drawn, strict=True))
    print(
        f"simulated: {every} figures of {arguments.simulations} draws, {100 * inside / every:.1f} %"
    )


if __name__ == "__main__":
    main()
