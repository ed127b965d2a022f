"""What the choice rests on and what would change it: plain frozen records.

Weights, scores and probabilities lie in [0, 1]; bounds are in the unit of their criterion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from advisor.records import Comparison, HoldsFor, OnFlag, OnUnknown
from profiles_db.criteria import Aspect, Direction, Unit

Topic = Literal[
    "choice",
    "grade",
    "margin",
    "tie",
    "decisive",
    "why_not",
    "relax",
    "sensitivity",
    "method",
    "counting",
    "missing",
    "flagged",
    "measure_next",
    "evidence",
    "mark",
    "coverage",
    "counsel",
]


@dataclass(frozen=True, slots=True)
class WeightedCriterion:
    """A scored criterion: its priority, its weight and its fixed scale.

    `stated` is the priority as the scenario writes it (`high`, `2.5`), `raw` the number it stands
    for, `weight` its share (all sum to 1). `key` is the aspect or criterion under which the
    scenario states it.
    """

    criterion: str
    key: str
    aspect: Aspect
    title: str
    unit: Unit
    direction: Direction
    stated: str
    raw: float
    weight: float
    worst: float
    best: float
    scale_source: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound before it is held against anyone; `kind` tells `requirements` from `budget`.

    `text` is the bound as people say it: `Unweighted average recall at least 66 %`.
    """

    id: str
    kind: Literal["requirement", "budget"]
    criterion: str
    title: str
    unit: Unit
    comparison: Comparison
    bound: float
    holds_for: HoldsFor
    on_unknown: OnUnknown
    flagged: OnFlag
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Requirement(Bound):
    """A bound that was held against every candidate, and what it does to the choice.

    `excludes` names the candidates it blocks. `choice_without` is the choice if this one alone
    were dropped; `decisive` says whether that is another one.
    """

    excludes: tuple[str, ...]
    choice_without: str | None
    decisive: bool


FactTest = Literal[
    "is",
    "one_of",
    "none_of",
    "includes",
    "excludes",
    "after",
    "before",
    "at_least",
    "at_most",
]
Expected = bool | int | str


@dataclass(frozen=True, slots=True)
class FactBound:
    """A requirement on a fact before it is held against anyone.

    `test` says what is asked of `fact` and `expected` for what; `text` is the whole as people say
    it.
    """

    id: str
    fact: str
    title: str
    test: FactTest
    expected: tuple[Expected, ...]
    on_unknown: OnUnknown
    text: str
    why: str
    kind: Literal["fact"] = "fact"


@dataclass(frozen=True, slots=True)
class FactRequirement(FactBound):
    """A requirement on a fact that was held against every candidate; as `Requirement` is."""

    excludes: tuple[str, ...] = ()
    choice_without: str | None = None
    decisive: bool = False


@dataclass(frozen=True, slots=True)
class BaselineBound:
    """That a candidate may not be worse than `baseline` in one criterion, before it is judged."""

    id: str
    criterion: str
    title: str
    unit: Unit
    baseline: str
    on_unknown: OnUnknown
    flagged: OnFlag
    text: str
    why: str
    kind: Literal["baseline"] = "baseline"


@dataclass(frozen=True, slots=True)
class BaselineRequirement(BaselineBound):
    """A comparison with the baseline that was made for every candidate; as `Requirement` is."""

    excludes: tuple[str, ...] = ()
    choice_without: str | None = None
    decisive: bool = False


AnyBound = Bound | FactBound | BaselineBound
AnyRequirement = Requirement | FactRequirement | BaselineRequirement


@dataclass(frozen=True, slots=True)
class Stability:
    """The interval of one weight (as a share) within which the choice stays.

    The other weights keep their proportions. `below` and `above` name the choice beyond the ends,
    None where the interval reaches 0 or 1. `exact` is False where the ends were searched for, not
    solved, so that a narrower interval may have been missed.
    """

    criterion: str
    weight: float
    low: float
    high: float
    below: str | None
    above: str | None
    exact: bool


@dataclass(frozen=True, slots=True)
class Flip:
    """The smallest change of the weights that makes another candidate the choice.

    `moved` is the share of weight that changes place; `weights` are the weights at which the two
    are level. `exact` is False where the smallest change was searched for, not solved.
    """

    to: str
    moved: float
    weights: Mapping[str, float]
    exact: bool


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The eligible candidates in the order of one method; `agrees` on the choice or not."""

    method: str
    order: tuple[str, ...]
    scores: Mapping[str, float]
    agrees: bool


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """The choice when one criterion is given no weight."""

    criterion: str
    choice: str | None
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sway:
    """How likely a better measurement of one figure is to change the choice.

    `probability` is taken over the figure's interval, all else as it stands; `towards` is the
    choice it most often changes to (None: no candidate is left).
    """

    candidate: str
    criterion: str
    probability: float
    towards: str | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A figure that a requirement or a weight needs and the evidence lacks.

    `flagged` says that there is a value, which flags keep from being relied on. `could_change`
    says whether some value of it would change the choice.
    """

    candidate: str
    criterion: str
    reason: str
    flagged: bool
    could_change: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether the corpora hold a kind of speech that the application will hear.

    `key` and `word` are those of the scenario's `data`; `corpora` hold it, of those `unstated`
    nobody said. Where both are empty, no evidence is of such speech.
    """

    key: str
    word: str
    corpora: tuple[str, ...]
    unstated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caution:
    """What the setting and the people who are judged make one ask.

    `kind` tells a question for counsel (`counsel`, with the `rule` it is about) from what to mind
    in use (`use`). `as_of` is when the rule was looked up, and `origin` where.
    """

    id: str
    kind: Literal["counsel", "use"]
    text: str
    rule: str
    law: str
    as_of: str
    origin: str


@dataclass(frozen=True, slots=True)
class Plane:
    """The Pareto front over two criteria, best first along `x`."""

    x: str
    y: str
    front: tuple[str, ...]


CitedKind = Literal[
    "figure",
    "score",
    "contribution",
    "weight",
    "outcome",
    "confidence",
    "beats",
    "stability",
    "flip",
    "sway",
]
"""Of which of the decision's numbers a sentence speaks: a measured or published figure; a score;
what a criterion contributes to it, or all of them; a weight; the distance from a bound, or what
would meet it; the share of draws with the same choice, or in which it scores above a candidate; how
far a weight may move; the least change that alters the choice; the probability that a measurement
does."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A number in a sentence, and which of the decision's it is.

    `said` is as the sentence writes it, from its character `start` on. `candidate` and `criterion`
    are empty where the number is of none, or of all.
    """

    start: int
    said: str
    kind: CitedKind
    candidate: str = ""
    criterion: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the explanation; `subject` is the candidate or criterion it is about.

    `cited` holds the numbers that it rests on, in the order in which the text says them.
    """

    topic: Topic
    subject: str
    text: str
    cited: tuple[Cited, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How uncertainty was drawn: `weight_factor` is the 95 % factor around a stated priority."""

    draws: int
    seed: int
    weight_factor: float
