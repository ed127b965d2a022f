"""The scenario language: what a scenario file may say, as pydantic models.

The models are the one place that knows keys, values and their rules; the JSON Schema and the error
messages are made from them. Files are read by `advisor.scenario.loading`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)

from advisor.records import Across, Admitted, Comparison, HoldsFor, OnFlag, OnUnknown
from advisor.scenario.breaches import Breach, BreachError, check_name, read_quantity
from advisor.scenario.fact_language import FactRequirementSpec
from advisor.scenario.fields import (
    Bytes,
    Corpora,
    Count,
    CriterionName,
    Macs,
    MethodName,
    Names,
    Priority,
    PriorityKey,
    RawQuantity,
    Seconds,
    Strict,
    names_of,
)
from advisor.scenario.purpose import Affected, DataSpec, Setting
from profiles_db.criteria import CRITERIA, Scale

_SOURCES: Final = ("published", "measured")
_SOURCE_RULE: Final = "published, published/NAME, measured or measured/HASH"


def _source(raw: object) -> object:
    """The short forms of `evidence`: a word, a list of words, and what is to be joined."""
    if isinstance(raw, str):
        return _named_source(raw)
    if isinstance(raw, list) and raw and all(isinstance(name, str) for name in raw):
        return {**_named_source(raw[0]), "beside": raw[1:]}
    return raw


def _named_source(name: str) -> dict[str, object]:
    source, _, study = name.partition("/")
    if source not in _SOURCES or (not study and "/" in name):
        return {"source": name}
    return {"source": source, **({"study": study} if study else {})}


class EvidenceSpec(Strict):
    """Which evidence is weighed; the bare word `published` or `measured` is the short form.

    `published/NAME` names a published study, `measured/HASH` a measured one; a list of them names
    the first and, under `beside`, the others.
    """

    source: Literal["published", "measured"] = Field(
        "published", description="Published figures, or profiles of a database."
    )
    study: Names = Field((), description="Name of a published study, or hashes of measured ones.")
    beside: Names = Field(
        (),
        description="Further evidence, such as published/superb, for criteria that the first has "
        "no figure of.",
    )
    join: Names = Field(
        (),
        description="Studies from which one model estimates what `study` lacks of system "
        "performance.",
    )
    corpora: Corpora = Field(
        default_factory=dict,
        description="Corpora of measured profiles, or of a published study that has figures for "
        "each; with weights if several.",
    )
    across: Across = Field(
        "mean",
        description="Figures over several corpora: their weighted mean, or the worst of them.",
    )
    device: str | None = Field(None, description="Only profiles measured on this device.")
    min_folds: Annotated[StrictInt, Field(ge=1, le=1000)] = Field(
        1, description="Only profiles that rest on at least so many folds."
    )
    allow_untrained: StrictBool = Field(False, description="Accept random weights, and mark them.")
    allow_synthetic: StrictBool = Field(False, description="Accept synthetic speech, and mark it.")

    @model_validator(mode="after")
    def _fit(self) -> EvidenceSpec:
        self._check_sources()
        if self.join and self.across != "mean":
            what = "'across' does not apply to what is joined"
            rule = "one model estimates means"
            raise BreachError(Breach(what, rule, "remove one of the two", ("across",), key=True))
        measured_only = ("device", "min_folds", "allow_untrained", "allow_synthetic")
        stated = [key for key in measured_only if key in self.model_fields_set]
        if self.measured is None and stated:
            raise BreachError(
                *(
                    Breach(
                        f"{key!r} does not apply to published figures",
                        "it selects measured profiles",
                        "remove it, or set source: measured",
                        (key,),
                        key=True,
                    )
                    for key in stated
                )
            )
        return self

    def _check_sources(self) -> None:
        own = {f"{self.source}/{name}" for name in self.study} or {self.source}
        for key in ("beside", "join"):
            named: tuple[str, ...] = getattr(self, key)
            for index, name in enumerate(named):
                source, _, study = name.partition("/")
                if source not in _SOURCES or (not study and "/" in name):
                    what = f"{name!r:.60} is no evidence"
                    raise BreachError(Breach(what, _SOURCE_RULE, path=(key, index)))
                if name in own or name in named[:index]:
                    what = f"{name!r:.60} is named twice"
                    raise BreachError(Breach(what, "each study once", path=(key, index)))

    @property
    def measured(self) -> EvidenceSpec | None:
        """What is asked of a database; None where the scenario weighs published figures alone."""
        return next((part for part in self.parts() if part.source == "measured"), None)

    def parts(self) -> tuple[EvidenceSpec, ...]:
        """The evidence named first, then what stands beside it, then what is joined to it."""
        named = (self._part(name) for name in (*self.beside, *self.join))
        return (self.model_copy(update={"beside": (), "join": ()}), *named)

    def _part(self, name: str) -> EvidenceSpec:
        """Evidence named by a word: `corpora` are those of the first, the rest holds for it too."""
        source, _, study = name.partition("/")
        named = (study,) if study else ()
        only: dict[str, object] = {"source": source, "study": named, "corpora": {}}
        return self.model_copy(update={**only, "beside": (), "join": ()})


class CandidatesSpec(Strict):
    """Which candidates stand; by default all that the evidence has."""

    include: Names | None = Field(None, description="Only these.")
    exclude: Names = Field((), description="All but these.")
    depths: Admitted = Field("all", description="The first layers of encoders: all, none, or only.")
    tuned: Admitted = Field(
        "all",
        description="Weights that were trained on emotion labels, before or with the head "
        "(`+last1`): all, none, or only.",
    )
    int8: Admitted = Field("all", description="Encoders in int8 (`+int8`): all, none, or only.")


class BaselineSpec(Strict):
    """The candidate in use today, than which none may be worse; its bare name is the short form."""

    candidate: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="Its name in the evidence."
    )
    aspects: Annotated[tuple[PriorityKey, ...], BeforeValidator(names_of)] = Field(
        (),
        description="In which aspects or criteria none may be worse; by default all that count.",
    )
    on_unknown: OnUnknown = Field(
        "fail", description="Whether what cannot be told keeps a candidate out or only warns."
    )


def _baseline(raw: object) -> object:
    return {"candidate": raw} if isinstance(raw, str) else raw


class BudgetSpec(Strict):
    """The most a candidate may cost, each with its unit."""

    macs: Macs | None = Field(None, description="Multiply-accumulates for 6 s, counted whole.")
    paper_macs: Macs | None = Field(None, description="The same, by the paper's counting.")
    parameters: Count | None = Field(None, description="Parameters of the encoder: `20 M`.")
    size: Bytes | None = Field(None, description="Bytes on disk: `300 MB`.")
    latency_p95: Seconds | None = Field(None, description="95th percentile: `40 ms`.")
    memory: Bytes | None = Field(None, description="Peak memory above idle: `500 MB`.")

    def bounds(self) -> dict[str, float]:
        """The stated bounds by criterion."""
        stated = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: bound for name, bound in stated.items() if bound is not None}


class RequirementSpec(Strict):
    """A bound that a candidate has to hold: `at_least` or `at_most`, whichever is the good side."""

    criterion: CriterionName
    at_least: RawQuantity = Field(None, description="Lower bound: `66 %`, `0.66`.")
    at_most: RawQuantity = Field(None, description="Upper bound: `20 %`, `40 ms`.")
    holds_for: HoldsFor = Field(
        "value", description="Hold the value, or the safe end of its interval, to the bound."
    )
    on_unknown: OnUnknown = Field(
        "fail", description="Whether an unknown figure fails the candidate or only warns."
    )
    flagged: OnFlag | None = Field(
        None,
        description="Whether a flagged figure is unknown here or counts as it stands; by default "
        "as the scenario's own `flagged` says.",
    )
    why: Annotated[str, Field(max_length=500)] = Field("", description="The reason, shown.")

    @property
    def comparison(self) -> Comparison:
        """Which side of the bound is good."""
        return "at_most" if self.at_least is None else "at_least"

    @property
    def bound(self) -> float:
        """The bound in the criterion's unit."""
        raw = self.at_most if self.at_least is None else self.at_least
        return read_quantity(raw, CRITERIA[self.criterion].unit, (self.comparison,))

    @model_validator(mode="after")
    def _check(self) -> RequirementSpec:
        if (self.at_least is None) == (self.at_most is None):
            raise BreachError(
                Breach(
                    "a requirement needs one bound",
                    "exactly one of at_least and at_most",
                    "state two requirements for two bounds",
                )
            )
        right = "at_least" if CRITERIA[self.criterion].direction == "maximise" else "at_most"
        if self.comparison != right:
            raise BreachError(
                Breach(
                    f"{self.comparison} on {self.criterion}",
                    f"{self.criterion} is to {CRITERIA[self.criterion].direction}",
                    f"use {right}",
                    (self.comparison,),
                    key=True,
                )
            )
        _ = self.bound  # raises where it is no quantity
        return self


FIGURE_TAG: Final = "[figure]"
FACT_TAG: Final = "[fact]"
"""How pydantic calls the two kinds of requirements within paths; no key is written so."""


def _kind_of(raw: object) -> str:
    """Which kind of requirement a mapping is meant as: it names a fact, or else a criterion."""
    stated = raw if isinstance(raw, dict) else {}
    fact = isinstance(raw, FactRequirementSpec) or ("fact" in stated and "criterion" not in stated)
    return FACT_TAG if fact else FIGURE_TAG


AnyRequirementSpec = Annotated[
    Annotated[RequirementSpec, Tag(FIGURE_TAG)] | Annotated[FactRequirementSpec, Tag(FACT_TAG)],
    Discriminator(_kind_of),
]


class ScaleSpec(Strict):
    """A fixed scale in place of the criterion's own: `worst` scores 0, `best` scores 1."""

    worst: RawQuantity
    best: RawQuantity
    why: Annotated[str, Field(max_length=500)] = Field("", description="The reason, shown.")


def _scale(name: str, spec: ScaleSpec) -> Scale:
    criterion = CRITERIA[name]
    worst = read_quantity(spec.worst, criterion.unit, (name, "worst"))
    best = read_quantity(spec.best, criterion.unit, (name, "best"))
    if (best > worst) != (criterion.direction == "maximise") or best == worst:
        raise BreachError(
            Breach(
                f"scale of {name} from {worst:g} to {best:g}",
                f"{name} is to {criterion.direction}, so its best end is the "
                + ("higher" if criterion.direction == "maximise" else "lower"),
                "swap worst and best",
                (name,),
            )
        )
    return Scale(worst, best, spec.why or "set by the scenario")


def _breaches(name: str, spec: ScaleSpec) -> tuple[Breach, ...]:
    try:
        check_name(name, valid=tuple(CRITERIA), noun="criterion", path=(name,))
        _scale(name, spec)
    except BreachError as error:
        return error.breaches
    return ()


class ScenarioSpec(Strict):
    """A scenario: what is to be chosen from, what matters how much, and what must hold."""

    version: Annotated[Literal[1], Field(description="Version of the language.")]
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    context: Annotated[str, Field(max_length=5000)] = Field(
        "", description="Where the backbone will work, in free words."
    )
    purpose: Annotated[str, Field(max_length=500)] = Field(
        "", description="What the answers are used for, in a sentence."
    )
    affected: Affected = Field((), description="Who is judged by the answers: `[customers]`.")
    setting: Setting = Field((), description="Where it works: `workplace`, `[health, consumer]`.")
    data: DataSpec = Field(
        default_factory=DataSpec,
        description="The speech it will hear; the report says what no evidence is of.",
    )
    evidence: Annotated[EvidenceSpec, BeforeValidator(_source)] = Field(
        default_factory=EvidenceSpec
    )
    candidates: CandidatesSpec = Field(default_factory=CandidatesSpec)
    priorities: dict[PriorityKey, Priority] = Field(
        description="How much each aspect or criterion counts; what is not named does not count."
    )
    budget: BudgetSpec = Field(default_factory=BudgetSpec)
    requirements: tuple[AnyRequirementSpec, ...] = Field((), max_length=100)
    baseline: Annotated[BaselineSpec | None, BeforeValidator(_baseline)] = Field(
        None, description="The candidate in use today, than which none may be worse."
    )
    scales: dict[str, ScaleSpec] = Field(default_factory=dict)
    method: MethodName = Field("weighted_sum", description="How the scores are combined.")
    flagged: OnFlag = Field(
        "distrust",
        description="Whether a flagged figure is unknown to requirements and scores as the worst "
        "end of its scale, or counts as it stands.",
    )

    @field_validator("priorities")
    @classmethod
    def _check_priorities(cls, priorities: dict[str, float]) -> dict[str, float]:
        if not any(priorities.values()):
            raise BreachError(Breach("no priority above 0", "at least one aspect counts"))
        return priorities

    @field_validator("scales")
    @classmethod
    def _check_scales(cls, scales: dict[str, ScaleSpec]) -> dict[str, ScaleSpec]:
        breaches = [breach for name, spec in scales.items() for breach in _breaches(name, spec)]
        if breaches:
            raise BreachError(*breaches)
        return scales

    @property
    def figure_requirements(self) -> tuple[RequirementSpec, ...]:
        """The requirements that bound a figure."""
        return tuple(one for one in self.requirements if isinstance(one, RequirementSpec))

    def scale_of(self, name: str) -> Scale:
        """The fixed scale of a criterion: the scenario's, or else the criterion's own."""
        return _scale(name, self.scales[name]) if name in self.scales else CRITERIA[name].scale
