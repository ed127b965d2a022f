"""The rows a `Decision` is made of: plain frozen records, units in their criteria.

Values are in the unit of their criterion (`profiles_db.criteria`): rates are fractions, costs are
in MACs, bytes, seconds. Scores, weights and probabilities lie in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from profiles_db.corpus_facts import CorpusFacts
from profiles_db.criteria import ASPECT_CRITERION, GUESSED, Aspect
from profiles_db.encoder_facts import Fact
from profiles_db.measurement import IntervalKind, Origin
from profiles_db.profile import WeightsKind

Status = Literal["pass", "fail", "unknown"]
Comparison = Literal["at_least", "at_most"]
HoldsFor = Literal["value", "interval"]
OnUnknown = Literal["fail", "warn"]
OnFlag = Literal["distrust", "accept"]
"""What a flagged figure counts as: unknown to requirements and the worst end of its scale to the
score, or what it says."""
Across = Literal["mean", "worst"]
"""What stands for several corpora: their weighted mean, or the worst of them."""
Admitted = Literal["all", "none", "only"]
"""Whether candidates of a kind stand: with all others, not at all, or alone."""
EvidenceKind = Literal["published", "measured"]
Standing = Literal["in", "out", "unjudged", "unscored"]
"""Meets every requirement and has a score; fails a requirement; is kept out by unknown figures
alone, so that it may meet them all; lacks a figure that counts."""
Grade = Literal["strong", "fair", "weak", "poor", "no better than guessing", "flagged", "unknown"]

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def values_of(record: DataclassInstance, kind: type[DataclassInstance]) -> dict[str, Any]:
    """The fields of `kind` in a record that has them all, to make another that has them too.

    Examples
    --------
    >>> values_of(Excluded("apc", "the scenario excludes it"), Excluded)
    {'name': 'apc', 'reason': 'the scenario excludes it'}
    """
    return {field.name: getattr(record, field.name) for field in fields(kind)}


@dataclass(frozen=True, slots=True)
class Part:
    """One corpus' share in a figure averaged over corpora; `weight` sums to 1 over the parts."""

    corpus: str
    weight: float
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """The evidence on one criterion for one candidate; `value` is None where it is unknown.

    `low` and `high` end the 95 % interval, of the kind `interval` names (`assumed`: nobody
    measured it, the study's `assumed` says why it is as wide as that). `unknown` is the reason
    why there is no value. `flags` are reasons not to believe the value, `notes` what to know of it
    that is none.
    """

    criterion: str
    value: float | None
    low: float | None = None
    high: float | None = None
    interval: IntervalKind = "none"
    origin: Origin = "measured"
    source: str = ""
    unknown: str | None = None
    flags: tuple[str, ...] = ()
    n: int | None = None
    baseline: float | None = None
    device: str = ""
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()

    def distrusted(self, flagged: OnFlag) -> bool:
        """Whether there is a value, and a flag that binds keeps it from being relied on.

        Examples
        --------
        >>> vacuous = Figure("attack_success_rate", 0.0, flags=("all gradients are zero",))
        >>> vacuous.distrusted("distrust"), vacuous.distrusted("accept")
        (True, False)
        """
        return self.value is not None and bool(self.flags) and flagged == "distrust"

    @property
    def guessed(self) -> bool:
        """Whether guessing would do as well: the interval reaches what chance scores.

        Unknown baselines and those that are the good end of their criterion say nothing.

        Examples
        --------
        >>> Figure("uar", 0.27, low=0.24, high=0.30, baseline=0.25).guessed
        True
        >>> Figure("gender_accuracy", 0.5, baseline=0.5).guessed
        False
        """
        if self.criterion not in GUESSED or self.value is None or self.baseline is None:
            return False
        return (self.value if self.low is None else self.low) <= self.baseline

    def earns_nothing(self, flagged: OnFlag) -> bool:
        """Whether there is a value that scores as the worst end of its scale, whatever it is."""
        return self.guessed or self.distrusted(flagged)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one candidate does on one requirement.

    `tested` is the value or the safe end of the interval that was held against the bound.
    `margin` is its distance to the bound in the criterion's unit, positive where the bound holds;
    `margin_share` the same as a share of the criterion's scale. `blocks` says whether the
    candidate is out for it. `probability` is the share of draws in which the value holds the
    bound, None where it is unknown. `reason` explains an unknown. `found` is what a fact says, and
    where, for requirements on facts, which have no numbers.
    """

    requirement: str
    status: Status
    blocks: bool
    tested: float | None = None
    margin: float | None = None
    margin_share: float | None = None
    probability: float | None = None
    reason: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The smallest change of one requirement that lets a candidate in.

    `to` is the new bound in the criterion's unit, `to_text` the same as one writes it in a
    scenario, rounded so that it still lets the candidate in; `share` is the change as a share of
    the criterion's scale. `to` is None where no bound helps, because the figure is unknown, or
    because a fact (which has no `bound`) is what it is.
    """

    requirement: str
    bound: float | None
    to: float | None
    to_text: str
    share: float | None


@dataclass(frozen=True, slots=True)
class Alternative:
    """A candidate before it is judged: who it is and what is known of it.

    Parameters
    ----------
    name, title : str
        Name in scenario files and `ranking`; `title` is for people.
    marks : tuple of str
        What must be said beside the name wherever it is shown: untrained weights, synthetic
        speech, part of the folds only.
    figures : mapping from criterion to Figure
        All evidence of the study, whether it is scored or not.
    facts : mapping from fact to Fact
        What the encoder is, beside its figures.
    """

    name: str
    title: str
    backbone: str
    weights_kind: WeightsKind
    weights_id: str
    weights_origin: str
    synthetic: bool
    folds: int
    folds_total: int
    seeds: int
    device: str
    corpora: tuple[str, ...]
    runs: tuple[str, ...]
    finished: str
    marks: tuple[str, ...]
    figures: Mapping[str, Figure]
    facts: Mapping[str, Fact] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True, slots=True)
class Candidate(Alternative):
    """An alternative that was judged: its scores, and what the requirements say of it.

    Parameters
    ----------
    digests : mapping from criterion to str
        Digest of each figure, by which `trustser verify` names an altered one.
    eligible : bool
        Whether it meets every requirement and can be scored.
    position : int or None
        Place from 1 among the eligible.
    score : float or None
        By the scenario's method; None where a weighted criterion is unknown.
    score_low, score_high : float or None
        Bounds of the score. For a candidate that has a score: ends of the 95 % interval over the
        draws of the measurements, the weights as stated. For one that has none: the score if
        every unknown were at the worst or the best end of its scale.
    scores : mapping from criterion to float
        Of the weighted criteria that are known, on the fixed scales.
    off_scale : tuple of str
        Weighted criteria whose value lies beyond an end of its scale, so that its score was cut.
    distrusted : tuple of str
        Weighted criteria whose figure is flagged, so that it scores as the worst end of its scale.
    guessed : tuple of str
        Weighted criteria on which guessing would do as well, which score as that end too.
    grades : mapping from aspect to Grade
        Each aspect by itself, in a word: see `advisor.explanation.grading`.
    contributions, aspect_contributions : mapping to float
        Weight times score, which sum to the weighted sum (whatever the method).
    rank_probabilities : tuple of float
        Probability of each place among the eligible, first place first; empty if not eligible.
    meets_probability : float or None
        Share of the draws in which it meets all requirements; None where one is unknown.
    tie_group : int or None
        Number of its tie group, 1 being that of the choice; None if not eligible.
    dominated_by : tuple of str
        Scored candidates at least as good on every weighted criterion and better on one.
    on_front : bool
        Scored and not dominated.
    why : str
        Why this one, or why not, in a sentence or two.
    """

    digests: Mapping[str, str]
    eligible: bool
    position: int | None
    score: float | None
    score_low: float | None
    score_high: float | None
    scores: Mapping[str, float]
    off_scale: tuple[str, ...]
    distrusted: tuple[str, ...]
    guessed: tuple[str, ...]
    grades: Mapping[Aspect, Grade]
    contributions: Mapping[str, float]
    aspect_contributions: Mapping[str, float]
    outcomes: tuple[Outcome, ...]
    relaxations: tuple[Relaxation, ...]
    near_miss: bool
    rank_probabilities: tuple[float, ...]
    meets_probability: float | None
    tie_group: int | None
    dominated_by: tuple[str, ...]
    on_front: bool
    why: str = ""

    @property
    def standing(self) -> Standing:
        """What keeps it out of the choice, if anything does."""
        blocking = [outcome for outcome in self.outcomes if outcome.blocks]
        if any(outcome.status == "fail" for outcome in blocking):
            return "out"
        if blocking:
            return "unjudged"
        return "in" if self.eligible else "unscored"


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate the evidence has but the scenario leaves out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScenarioText:
    """A scenario file as it was read: its name and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """What was asked. `texts` holds the file first, then those it extends.

    `flagged` is what flagged figures count as, where a requirement does not say otherwise.
    `affected` are those who are judged, `setting` where it works, `data` the speech that it will
    hear, by key of the scenario.
    """

    name: str
    title: str
    context: str
    method: str
    flagged: OnFlag
    texts: tuple[ScenarioText, ...]
    purpose: str = ""
    affected: tuple[str, ...] = ()
    setting: tuple[str, ...] = ()
    data: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Where the evidence comes from.

    `studies` are the names or hashes; `corpora` maps each corpus to its weight; `assumed` maps a
    criterion to the reason for its assumed interval; `aspect_criterion` says which criterion
    stands for an aspect here and `aspect_reasons` why, where it is not the usual one. An optional
    aspect of which the study has no figure is not among them. `speech` says of each corpus what is
    known of who speaks in it.
    """

    kind: EvidenceKind
    studies: tuple[str, ...]
    title: str
    source: str
    corpora: Mapping[str, float]
    aspect_criterion: Mapping[Aspect, str]
    aspect_reasons: Mapping[Aspect, str]
    assumed: Mapping[str, str]
    notes: tuple[str, ...]
    untrained: bool
    synthetic: bool
    protocol: Mapping[str, str] = field(default_factory=dict)
    speech: Mapping[str, CorpusFacts] = field(default_factory=dict)

    def standing_for(self, aspect: Aspect) -> str:
        """The criterion that stands for an aspect, also where the study has nothing of it."""
        return self.aspect_criterion.get(aspect, ASPECT_CRITERION[aspect])
