"""One model of figures that several studies took of the same encoders, each in its own way.

On the logit scale a figure of encoder e on corpus c in study s is

    y = m(s) + a(s, c) + l(s) * (t(e) + d(s, e)) + noise(s, c)

with the level m of the study, the difficulty a of the corpus, the encoder's effect t ~ N(0, T), its
departure d ~ N(0, D) in this study, and the study's spread l: a head or a measure may tell encoders
apart more or less. The spread between studies is D; it is in every interval.

It is fitted in two steps, in closed form but for a search over T, D and l (a few numbers):

1. Within a study of several corpora, corpora and encoders by weighted least squares. The noise
   variances of corpora are moderated: each is drawn to their common value as far as their own
   spread says that they do not differ (Smyth, Statistical Applications in Genetics and Molecular
   Biology 3(1), 2004).
2. Between studies, the encoders' effects by generalised least squares and best linear unbiased
   prediction, T, D and l by restricted maximum likelihood. A few studies say little of D and l, so
   both are drawn to plausible values: l to 1 within a factor of e, D to 0.3 T within one of e^3
   (95 %). A study of one corpus cannot tell noise from d; it is given the usual noise of the
   others, at its own spread, divided by the number of corpora its figures are means over. So is a
   study whose figures are too few to tell corpora from encoders; only its largest corpus is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, special, stats

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.intp]

_ROUNDS: Final = 10
_LEAST_VARIANCE: Final = 1e-4
"""Of noise, on the logit scale: a hundredth of a logit, a quarter of a point at 50 %."""
_USUAL_NOISE: Final = 0.04
"""Noise variance where no study has several corpora: that of a typical corpus of EmoBox."""
_SPREAD_SD: Final = 0.5
_DEPARTURE: Final = 0.3
_DEPARTURE_SD: Final = 1.5
_LEVEL: Final = 0.975
_LEAST_FREEDOM: Final = 2.0
_CERTAIN: Final = 1e6
"""Degrees of freedom of a variance that is taken as known."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One figure, a rate in (0, 1); `averaged` is the number of corpora that it is a mean over."""

    study: str
    corpus: str
    encoder: str
    value: float
    averaged: int = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated rate with the ends of its 95 % prediction interval, all in (0, 1)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Corpus:
    """A corpus within its study: difficulty, noise variance and its degrees of freedom."""

    difficulty: float
    noise: float
    freedom: float
    encoders: int


@dataclass(frozen=True, slots=True)
class _Study:
    """A study after the first step.

    `effects` are those of `encoders`, `covariance` is their error's; `corpora` is empty for a
    study of one corpus, whose effects are its figures.
    """

    name: str
    encoders: tuple[str, ...]
    effects: Floats
    covariance: Floats
    corpora: Mapping[str, _Corpus]
    averaged: int


class Join:
    """The model, fitted.

    Parameters
    ----------
    observations : sequence of Observation
        Values strictly between 0 and 1; one figure for each study, corpus and encoder.
    start : Join, optional
        A fit of nearly the same figures of the same studies, from which the search starts.

    Raises
    ------
    ValueError
        There is no figure, a value is not between 0 and 1, or a figure stands twice.

    Examples
    --------
    >>> values = {"one": (0.5, 0.6, 0.7, 0.8), "other": (0.45, 0.55, 0.65)}
    >>> join = Join([Observation(study, "-", encoder, value) for study, column in values.items()
    ...              for encoder, value in zip("abcd", column)])
    >>> estimate = join.estimate("other", "d", {"-": 1.0})
    >>> estimate.low < 0.7 < estimate.value < estimate.high
    True
    """

    def __init__(self, observations: Sequence[Observation], start: Join | None = None) -> None:
        _check(observations)
        names = sorted({one.study for one in observations})
        self._studies = tuple(
            _within([one for one in observations if one.study == name]) for name in names
        )
        self._study = np.repeat(np.arange(len(names)), [len(s.encoders) for s in self._studies])
        self._encoder = np.array([name for study in self._studies for name in study.encoders])
        self._effects = np.concatenate([study.effects for study in self._studies])
        self._fixed = (self._study[:, None] == np.arange(len(names))).astype(np.float64)
        same = self._encoder[:, None] == self._encoder[None, :]
        self._same = same.astype(np.float64)
        self._same_here = (same & (self._study[:, None] == self._study[None, :])).astype(np.float64)
        self._error = linalg.block_diag(*(study.covariance for study in self._studies))
        self._parameters = self._search(start)
        self._solve()

    @property
    def studies(self) -> tuple[str, ...]:
        """Names of the studies."""
        return tuple(study.name for study in self._studies)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the spread between studies: repeated encoders less the levels."""
        _, counts = np.unique(self._encoder, return_counts=True)
        repeats = float(np.sum(counts - 1)) - (len(self._studies) - 1)
        return max(repeats, _LEAST_FREEDOM)

    def has_corpora(self, study: str, corpora: Sequence[str]) -> bool:
        """Whether the study's figures can be estimated for these corpora."""
        here = self._studies[self.studies.index(study)]
        return len(corpora) == 1 if not here.corpora else set(corpora) <= set(here.corpora)

    def elsewhere(self, study: str, encoder: str) -> tuple[str, ...]:
        """The other studies that have figures of the encoder."""
        return tuple(s.name for s in self._studies if s.name != study and encoder in s.encoders)

    def estimate(self, study: str, encoder: str, corpora: Mapping[str, float]) -> Estimate:
        """What `study` would find for `encoder`, as a mean over `corpora` with these shares.

        Parameters
        ----------
        study, encoder : str
            The encoder must have figures in some other study.
        corpora : mapping from corpus to float
            Shares that sum to 1, of corpora that the study has figures on.
        """
        effect, spread = self._effect(study, encoder)
        here = self._studies[self.studies.index(study)]
        shares = np.array(list(corpora.values()))
        known = [self._corpus(here, name) for name in corpora]
        logits = effect + np.array([corpus.difficulty for corpus in known])
        rates = special.expit(logits)
        slopes = shares * rates * (1 - rates)
        pull = slopes / slopes.sum()
        noises = np.array([c.noise * (1 + 1 / c.encoders) for c in known]) * pull**2
        variance = spread + float(noises.sum())
        freedoms = np.array([corpus.freedom for corpus in known])
        # Satterthwaite's degrees of freedom of a sum of variances.
        weight = spread**2 / self.freedom + float(np.sum(noises**2 / freedoms))
        reach = float(stats.t.ppf(_LEVEL, variance**2 / weight)) * math.sqrt(variance)
        low, high = (float(shares @ special.expit(logits + x)) for x in (-reach, reach))
        return Estimate(float(shares @ rates), low, high)

    def _corpus(self, study: _Study, name: str) -> _Corpus:
        if study.corpora:
            return study.corpora[name]
        number = self.studies.index(study.name)
        noise = self._noise_alone(self._spreads(self._parameters))[number]
        return _Corpus(0.0, float(noise), _CERTAIN, _ALREADY_IN_LEVEL)

    def _effect(self, study: str, encoder: str) -> tuple[float, float]:
        """Level and effect of the encoder in the study, and the variance of its error."""
        number = self.studies.index(study)
        encoders, departures = np.exp(self._parameters[:2])
        spreads = self._spreads(self._parameters)
        here = spreads[number]
        shared = encoders + departures * (self._study == number)
        cross = here * spreads[self._study] * (self._encoder == encoder) * shared
        level = np.zeros(len(self._studies))
        level[number] = 1.0
        gap = level - self._solved_fixed.T @ cross
        value = self._levels[number] + cross @ self._solved
        variance = (
            here**2 * (encoders + departures)
            - cross @ linalg.cho_solve(self._factor, cross)
            + gap @ self._level_errors @ gap
        )
        return float(value), float(variance)

    def _spreads(self, parameters: Floats) -> Floats:
        return np.asarray(np.exp(parameters[2:]), dtype=np.float64)

    def _noise_alone(self, spreads: Floats) -> Floats:
        """Noise variance of each study that cannot tell it from departures; 0 for the others."""
        several = [bool(study.corpora) for study in self._studies]
        noises = [c.noise for study in self._studies for c in study.corpora.values()]
        usual = float(np.median(noises)) if noises else _USUAL_NOISE
        scale = float(np.mean(spreads[several] ** 2)) if noises else 1.0
        averaged = np.array([study.averaged for study in self._studies])
        return np.where(several, 0.0, usual / scale * spreads**2 / averaged)

    def _covariance(self, parameters: Floats) -> Floats:
        encoders, departures = np.exp(parameters[:2])
        spreads = self._spreads(parameters)
        own = spreads[self._study]
        shared = encoders * self._same + departures * self._same_here
        alone = self._noise_alone(spreads)[self._study]
        return np.asarray(np.outer(own, own) * shared + self._error + np.diag(alone))

    def _penalised_likelihood(self, parameters: Floats) -> float:
        """Minus the restricted log-likelihood, plus what draws spreads and departures."""
        factor = linalg.cho_factor(self._covariance(parameters), lower=True)
        solved = linalg.cho_solve(factor, self._fixed)
        information = self._fixed.T @ solved
        levels = np.linalg.solve(information, solved.T @ self._effects)
        rest = self._effects - self._fixed @ levels
        fit = float(
            np.log(np.diag(factor[0])).sum()
            + 0.5 * np.linalg.slogdet(information)[1]
            + 0.5 * rest @ linalg.cho_solve(factor, rest)
        )
        drawn = ((parameters[2:]) / _SPREAD_SD) ** 2
        ratio = (parameters[1] - parameters[0] - math.log(_DEPARTURE)) / _DEPARTURE_SD
        return fit + 0.5 * float(drawn.sum()) + 0.5 * float(ratio) ** 2

    def _search(self, start: Join | None) -> Floats:
        first = (
            start._parameters
            if start is not None and start.studies == self.studies
            else np.array([math.log(0.1), math.log(0.03), *np.zeros(len(self._studies))])
        )
        bounds = [(-8.0, 2.0), (-9.0, 2.0), *[(-2.0, 2.0)] * len(self._studies)]
        objective: Callable[[Floats], float] = self._penalised_likelihood
        found = optimize.minimize(objective, first, method="L-BFGS-B", bounds=bounds)
        return np.asarray(found.x, dtype=np.float64)

    def _solve(self) -> None:
        self._factor = linalg.cho_factor(self._covariance(self._parameters), lower=True)
        self._solved_fixed = linalg.cho_solve(self._factor, self._fixed)
        self._level_errors = np.linalg.inv(self._fixed.T @ self._solved_fixed)
        self._levels = self._level_errors @ (self._solved_fixed.T @ self._effects)
        self._solved = linalg.cho_solve(self._factor, self._effects - self._fixed @ self._levels)


_ALREADY_IN_LEVEL: Final = 10**9
"""Encoders of a study's only corpus: its difficulty is the level, whose error is counted there."""


def _check(observations: Sequence[Observation]) -> None:
    if not observations:
        raise ValueError("no figure to join")
    if not all(0 < one.value < 1 for one in observations):
        raise ValueError("figures to join lie between 0 and 1, ends excluded")
    keys = {(one.study, one.corpus, one.encoder) for one in observations}
    if len(keys) < len(observations):
        raise ValueError("a figure stands twice")


def _within(observations: Sequence[Observation]) -> _Study:
    """The first step, for the figures of one study."""
    name, averaged = observations[0].study, observations[0].averaged
    corpora = sorted({one.corpus for one in observations})
    encoders = tuple(sorted({one.encoder for one in observations}))
    values = special.logit(np.array([one.value for one in observations]))
    encoder = np.array([encoders.index(one.encoder) for one in observations])
    corpus = np.array([corpora.index(one.corpus) for one in observations])
    design = _design(corpus, encoder)
    told_apart = np.linalg.matrix_rank(design) == design.shape[1] < len(values) + 1
    if len(corpora) > 1 and told_apart:
        return _several_corpora(name, encoders, tuple(corpora), values, encoder, corpus)
    largest = corpus == np.bincount(corpus).argmax()
    found = tuple(encoders[i] for i in encoder[largest])
    nothing = np.zeros((len(found), len(found)))
    return _Study(name, found, values[largest], nothing, {}, averaged)


def _design(corpus: Ints, encoder: Ints) -> Floats:
    """A column for each corpus, then for each encoder; the last row lets effects sum to 0."""
    count, first = len(corpus), int(corpus.max()) + 1
    design = np.zeros((count + 1, first + int(encoder.max()) + 1))
    design[np.arange(count), corpus] = 1.0
    design[np.arange(count), first + encoder] = 1.0
    design[count, first:] = 1.0  # what is common to all encoders is the corpora's
    return design


def _several_corpora(
    name: str,
    encoders: tuple[str, ...],
    corpora: tuple[str, ...],
    values: Floats,
    encoder: Ints,
    corpus: Ints,
) -> _Study:
    """Corpora and encoders by least squares, reweighted by the moderated noise of the corpora."""
    count, first = len(values), len(corpora)
    design = _design(corpus, encoder)
    target = np.append(values, 0.0)
    weights = np.ones(count)
    noises, prior = np.ones(first), 0.0
    freedoms = np.ones(first)
    for _ in range(_ROUNDS):
        every = np.append(weights, 1e3)
        inverse = np.linalg.inv(design.T @ (design * every[:, None]))
        solution = inverse @ (design.T @ (every * target))
        rest = values - design[:count] @ solution
        leverage = weights * np.einsum("ij,jk,ik->i", design[:count], inverse, design[:count])
        freedoms = np.maximum(np.bincount(corpus, weights=1 - leverage), 1.0)
        variances = np.bincount(corpus, weights=rest**2) / freedoms
        noises, prior = moderated(np.maximum(variances, _LEAST_VARIANCE), freedoms)
        weights = (1 / noises)[corpus]
    measured = np.bincount(corpus)
    known = {
        corpora[i]: _Corpus(
            float(solution[i]), float(noises[i]), prior + float(freedoms[i]), int(measured[i])
        )
        for i in range(first)
    }
    return _Study(name, encoders, solution[first:], inverse[first:, first:], known, 1)


def moderated(variances: Floats, freedoms: Floats) -> tuple[Floats, float]:
    """Variances drawn to their common value, and the degrees of freedom that this adds to each.

    Parameters
    ----------
    variances : array of shape (n,), above 0
    freedoms : array of shape (n,)
        Degrees of freedom of each.

    Notes
    -----
    Smyth (2004), section 6.2: the logarithms of the variances have the variance of a log F
    distribution, from which the common value and its degrees of freedom follow by moments.

    Examples
    --------
    >>> drawn, added = moderated(np.array([1.0, 1.0, 1.0]), np.array([5.0, 5.0, 5.0]))
    >>> drawn.round(3).tolist(), added == _CERTAIN
    ([1.238, 1.238, 1.238], True)
    """
    logs = np.log(variances) - special.digamma(freedoms / 2) + np.log(freedoms / 2)
    excess = float(np.var(logs, ddof=1) - np.mean(special.polygamma(1, freedoms / 2)))
    if excess <= special.polygamma(1, _CERTAIN / 2):
        return np.full_like(variances, math.exp(float(logs.mean()))), _CERTAIN
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-4, _CERTAIN)
    prior = 2 * float(half)
    common = math.exp(float(logs.mean() + special.digamma(half)) - math.log(half))
    return (prior * common + freedoms * variances) / (prior + freedoms), prior
