"""Measure candidates only as far as a decision needs.

Costs come first: what a budget excludes is never trained. The others are measured in stages, few
folds before many, and on each the measures that need no waveforms before those that do; only the
measures that the scenario weighs or bounds. After each stage the decision is drawn again, and who
can no longer come out first is left where it is (`advisor.elimination`). Everything is kept under
the names of whole runs, so that any of them can be measured further later.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from advisor.choosing import decide
from advisor.decision import Decision
from advisor.elimination import allowance, figure_bounds, needed_criteria, reach, unknown_of
from advisor.evidence.averaging import figure_of
from advisor.evidence.gathering import Evidence, gather, not_admitted
from advisor.ranking.fact_requirements import judge_fact
from advisor.ranking.findings import Bound, FactBound, Sampling
from advisor.ranking.matrix import weighted_criteria
from advisor.ranking.requirements import bounds_of, judge
from advisor.ranking.uncertainty import DRAWS, WEIGHT_FACTOR
from advisor.records import Excluded, Outcome, ScenarioText
from advisor.scenario.loading import Scenario, parse_scenario
from profiles_db.criteria import ASPECT_CRITERION, CRITERIA, format_value
from profiles_db.encoder_facts import encoder_facts
from profiles_db.errors import EvidenceError, InputError, ScenarioError
from profiles_db.profile import Profile, WeightsKind
from profiles_db.store import Store

if TYPE_CHECKING:
    from profiler.progress import Progress
    from profiler.study import Study

CONFIDENCE: Final = 0.95
"""With which nobody is dropped who, measured in full, would come out first."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The first so many folds, and what is measured of them."""

    folds: int
    measures: tuple[str, ...]

    @property
    def text(self) -> str:
        """For people."""
        folds = "1 fold" if self.folds == 1 else f"{self.folds} folds"
        return f"{', '.join(self.measures)} on {folds}"


@dataclass(frozen=True, slots=True)
class Look:
    """What one stage showed.

    Parameters
    ----------
    stage : Stage
    reach : mapping from candidate to float
        Share of the draws in which it could come out first.
    still_in : tuple of str
        Those whose reach is not below what the confidence allows.
    seconds : float
        Since the start.
    """

    stage: Stage
    reach: Mapping[str, float]
    still_in: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The decision, and how far it was necessary to measure.

    Parameters
    ----------
    decision : Decision
    looks : tuple of Look
    settled : bool
        Whether the choice stands at the confidence, or everything that could matter is measured;
        otherwise time ran out.
    measured : mapping from candidate to int
        Folds measured; 0 where a budget excluded it.
    folds : int
        Of how many.
    seconds : float
    """

    decision: Decision
    looks: tuple[Look, ...]
    settled: bool
    measured: Mapping[str, int]
    folds: int
    seconds: float

    @property
    def share(self) -> float:
        """Folds measured of all folds of all candidates."""
        return sum(self.measured.values()) / (self.folds * len(self.measured))


@dataclass
class Choosing:
    """One choice under way.

    Parameters
    ----------
    scenario : Scenario
        Its evidence is set aside for what is measured here.
    candidates : sequence of str
        Backbones by name.
    study : Study
    store : Store
    options : mapping
        Of `profiler.session.profile_all`: where and with what to measure.
    confidence : float
        In (0, 1).
    budget : float or None
        Seconds; no stage begins that would end later, as far as can be told.
    progress : Progress
    seed : int
        Of the draws.
    """

    scenario: Scenario
    candidates: Sequence[str]
    study: Study
    store: Store
    options: Mapping[str, Any]
    confidence: float
    budget: float | None
    progress: Progress
    seed: int = 0
    _started: float = field(default_factory=time.monotonic)
    _rates: dict[str, float] = field(default_factory=dict)
    _runs: dict[str, Profile] = field(default_factory=dict)
    _stages_done: dict[str, Stage] = field(default_factory=dict)
    _excluded: list[Excluded] = field(default_factory=list)

    def run(self) -> Chosen:
        """Measure until the choice is settled, all is measured, or time is up."""
        self._check_facts()
        self._check_budgets()
        left_out = {one.name for one in self._excluded}
        inside = [name for name in self.candidates if name not in left_out]
        if not inside:
            reasons = "; ".join(f"{one.name}: {one.reason}" for one in self._excluded)
            raise EvidenceError(f"every candidate is out before training ({reasons})")
        stages = stages_for(self.scenario, len(self.study.folds))
        self._announce(inside, stages)
        least = allowance(self.confidence, len(inside), len(stages))
        looks, settled = self._race(inside, stages, least)
        if not self._runs:
            raise InputError(
                "no candidate could be measured",
                where="--budget",
                rule="time for one candidate on one fold",
                remedy="give more time",
            )
        self._excluded += [
            Excluded(name, "time was up before it was measured")
            for name in inside
            if name not in self._runs
        ]
        self._know_each_criterion(stages[-1], settled=settled)
        scenario, evidence = self._scenario, self._evidence
        decision = decide(scenario, evidence, Sampling(DRAWS, self.seed, WEIGHT_FACTOR))
        folds = {name: self._folds_of(name) for name in self.candidates}
        return Chosen(decision, tuple(looks), settled, folds, len(self.study.folds), self._elapsed)

    def _race(
        self, inside: Sequence[str], stages: Sequence[Stage], least: float
    ) -> tuple[list[Look], bool]:
        """Stage after stage, until all who can come out first are measured, or time is up."""
        looks: list[Look] = []
        racing = list(inside)
        stated = self.scenario.spec.baseline
        needed = [name for name in inside if name == (stated and stated.candidate)]
        for stage in stages:
            if not self._measure(stage, [*needed, *(n for n in racing if n not in needed)]):
                return looks, False
            racing = self._look(stage, inside, least, looks)
            if not racing or (len(racing) == 1 and not self._unknown(racing[0])):
                return looks, True
        # Whoever was left may be back within reach, where those who went on did worse.
        while back := [name for name in racing if self._stages_done[name] != stages[-1]]:
            if not self._measure(stages[-1], back):
                return looks, False
            racing = sorted({*racing, *self._look(stages[-1], inside, least, looks)})
        return looks, True

    def _know_each_criterion(self, last: Stage, *, settled: bool) -> None:
        """Measure somebody where a criterion that counts is known of nobody: it cannot be weighed.

        Raises
        ------
        InputError
            Where there is no time for it.
        """
        scenario, evidence = self._scenario, self._evidence
        weighed = {c.criterion for c in weighted_criteria(scenario, evidence.study)}
        for one in evidence.alternatives:
            weighed -= {name for name, f in one.figures.items() if f.value is not None}
        if not weighed:
            return
        if not settled:
            raise InputError(
                f"time was up before {', '.join(sorted(weighed))} was measured of anybody",
                where="--budget",
                remedy="give more time: the same command goes on from there",
            )
        first = next(iter(self._runs))
        self._measure(Stage(self._folds_of(first), last.measures), [first])

    # Before training

    def _check_facts(self) -> None:
        """Leave out whom the scenario does not admit, or a requirement on facts excludes."""
        from profiler.backbones.catalogue import resolve  # noqa: PLC0415

        asked: WeightsKind = "random" if self.options["weights"] == "random" else "pretrained"
        bounds = [b for b in bounds_of(self.scenario) if isinstance(b, FactBound)]
        for name in self.candidates:
            weightless = resolve(name).pre_training_data == "none"
            facts = encoder_facts(name, "none" if weightless else asked)
            if reason := not_admitted(name, facts, self.scenario.spec.candidates):
                self._leave_out(name, reason)
                continue
            for bound in bounds:
                outcome = judge_fact(bound, facts)
                if outcome.blocks:
                    self._leave_out(name, f"{bound.text}: {outcome.found or outcome.reason}")
                    break

    def _check_budgets(self) -> None:
        """Leave out whom a bound on costs excludes: those need the encoder alone."""
        from profiler.session import profile_all_costs  # noqa: PLC0415 - needs torch

        bounds = [
            bound
            for bound in figure_bounds(self.scenario)
            if CRITERIA[bound.criterion].aspect == "sustainability"
        ]
        if not bounds:
            return
        with tempfile.TemporaryDirectory() as folder:
            costs = profile_all_costs(
                self.candidates,
                Store(Path(folder) / "costs.duckdb"),
                weights=self.options["weights"],
                device=self.options["device"],
                progress=self.progress,
            )
        for name, profile in zip(self.candidates, costs, strict=True):
            figures = {
                one.criterion: figure_of(one)
                for one in profile.measurements
                if profile.pooled(one.criterion) is one
            }
            for bound in bounds:
                outcome = judge(bound, figures, self.scenario.spec.scale_of(bound.criterion))
                if outcome.blocks:
                    self._leave_out(name, f"{bound.text}: it is {_found(outcome, bound)}")
                    break

    def _leave_out(self, name: str, reason: str) -> None:
        """Note why a candidate is not trained; the one that nobody may fall behind is needed."""
        stated = self.scenario.spec.baseline
        if name == (stated and stated.candidate) or name in {one.name for one in self._excluded}:
            return
        self._excluded.append(Excluded(name, f"{reason}; not trained"))
        self.progress.say(f"{name}: out before training: {reason}.")

    def _announce(self, inside: Sequence[str], stages: Sequence[Stage]) -> None:
        self.progress.say(
            f"At most {len(inside)} candidates ({', '.join(inside)}) with {stages[-1].text}, in "
            f"{len(stages)} stages; who can no longer come out first is left where it is."
        )

    # Stage by stage

    def _measure(self, stage: Stage, racing: Sequence[str]) -> bool:
        """Measure the candidates in the race; False where the time is up before all are."""
        from profiler.session import profile_all  # noqa: PLC0415

        for name in racing:
            if not self._has_time(name, stage):
                return False
            started = time.monotonic()
            before = self._folds_of(name)
            (self._runs[name],) = profile_all(
                [name],
                study=self.study,
                store=self.store,
                first_folds=stage.folds,
                wanted=stage.measures,
                progress=self.progress,
                **self.options,
            )
            self._stages_done[name] = stage
            folds = max(1, stage.folds - before)
            self._rates[name] = (time.monotonic() - started) / folds
        return True

    def _has_time(self, name: str, stage: Stage) -> bool:
        """Whether the stage of a candidate should end within the budget."""
        if self.budget is None:
            return True
        usual = self._rates.get(name) or max(self._rates.values(), default=0.0)
        folds = max(1, stage.folds - self._folds_of(name))
        ends = self._elapsed + usual * folds
        if ends <= self.budget and self._elapsed < self.budget:
            return True
        self.progress.say(f"Time is up: {name} with {stage.text} would end after the budget.")
        return False

    def _look(
        self, stage: Stage, inside: Sequence[str], least: float, looks: list[Look]
    ) -> list[str]:
        """Who is still in, by figures as they are now."""
        scenario, evidence = self._scenario, self._evidence
        last = stages_for(self.scenario, len(self.study.folds))[-1]
        names = {run: one.name for one in evidence.alternatives for run in one.runs}
        name_of = {name: names[self._runs[name].run] for name in inside}
        unfinished = {name_of[name] for name in inside if self._stages_done[name] != last}
        by_name = reach(scenario, evidence, unfinished, seed=self.seed)
        found = {name: by_name[name_of[name]] for name in inside}
        racing = [name for name in inside if found[name] >= least]
        looks.append(Look(stage, found, tuple(racing), self._elapsed))
        gone = [name for name in inside if name not in racing]
        line = f"After {stage.text}: still in: {', '.join(racing) or 'nobody'}"
        self.progress.say(f"{line}; out of reach: {', '.join(gone)}." if gone else f"{line}.")
        return racing

    def _unknown(self, name: str) -> tuple[str, ...]:
        scenario, evidence = self._scenario, self._evidence
        run = self._runs[name].run
        one = next(a for a in evidence.alternatives if run in a.runs)
        return unknown_of(one, needed_criteria(scenario, evidence))

    # The evidence so far

    @property
    def _scenario(self) -> Scenario:
        """The scenario as stated, its evidence replaced by what is measured here."""
        return measured_scenario(self.scenario, list(self._runs.values()))

    @property
    def _evidence(self) -> Evidence:
        evidence = gather(self._scenario, list(self._runs.values()))
        return replace(evidence, excluded=(*evidence.excluded, *self._excluded))

    def _folds_of(self, name: str) -> int:
        return self._runs[name].folds if name in self._runs else 0

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started


def _found(outcome: Outcome, bound: Bound) -> str:
    return "unknown" if outcome.tested is None else format_value(outcome.tested, bound.unit)


def candidates_of(scenario: Scenario, named: Sequence[str] | None) -> list[str]:
    """The candidates named, else those that the scenario includes; without those it excludes.

    Raises
    ------
    InputError
        If there are none.
    """
    stated = scenario.spec.candidates
    baseline = scenario.spec.baseline
    asked = [*(named or stated.include or ()), *([baseline.candidate] if baseline else [])]
    found = [n for n in dict.fromkeys(asked) if n not in stated.exclude]
    if not found:
        raise InputError(
            "no candidate is named",
            where="--backbone",
            rule="backbones, here or under candidates.include in the scenario",
            remedy="list them with `trustser backbones`",
        )
    return found


def rungs(folds: int) -> tuple[int, ...]:
    """How many folds each stage has: twice as many each time, then all.

    Examples
    --------
    >>> rungs(5), rungs(1), rungs(10)
    ((1, 2, 5), (1,), (1, 2, 4, 10))
    """
    found = [1]
    while found[-1] * 3 < folds:
        found.append(found[-1] * 2)
    return (*found, folds) if found[-1] < folds else tuple(found)


def stages_for(scenario: Scenario, folds: int) -> list[Stage]:
    """Few folds first, and on the first of them what needs no waveforms."""
    from profiler.measures.base import OnWaveforms  # noqa: PLC0415
    from profiler.measures.registry import measures  # noqa: PLC0415

    wanted = measures_for(_needed(scenario))
    cheap = tuple(name for name in wanted if not isinstance(measures()[name], OnWaveforms))
    first = [cheap] if cheap and cheap != wanted else []
    return [Stage(1, one) for one in first] + [Stage(number, wanted) for number in rungs(folds)]


def measures_for(criteria: Sequence[str]) -> tuple[str, ...]:
    """The measures that give figures of `criteria`, in the order in which they are taken."""
    from profiler.measures.registry import measures  # noqa: PLC0415

    known = measures()
    wanted = {
        next((name for name, one in known.items() if criterion in one.criteria), None)
        for criterion in criteria
    }
    return tuple(name for name in known if name in wanted)


def _needed(scenario: Scenario) -> tuple[str, ...]:
    """The criteria that a scenario weighs or bounds, where all is measured."""
    spec = scenario.spec
    stands_for = {str(aspect): name for aspect, name in ASPECT_CRITERION.items()}
    weighed = [stands_for.get(key, key) for key, value in spec.priorities.items() if value > 0]
    baseline = spec.baseline
    compared = [stands_for.get(key, key) for key in (baseline.aspects if baseline else ())]
    bounded = [bound.criterion for bound in figure_bounds(scenario)]
    return tuple(dict.fromkeys([*weighed, *compared, *bounded]))


def measured_scenario(scenario: Scenario, profiles: Sequence[Profile]) -> Scenario:
    """A scenario whose evidence is replaced by `profiles`: its text says so, and extends the one
    that was stated, so that a report of it can be verified as any other."""
    values = {
        "extends": scenario.texts[0].name,
        "evidence": {
            "source": "measured",
            "study": sorted({profile.study for profile in profiles}),
            "beside": [],
            "join": [],
            "corpora": {},
            "device": None,
            "min_folds": 1,
            "allow_untrained": any(profile.weights_kind == "random" for profile in profiles),
            "allow_synthetic": any(profile.synthetic for profile in profiles),
        },
        "candidates": {
            "include": None,
            "exclude": [],
            "depths": "all",
            "tuned": "all",
            "int8": "all",
        },
    }
    # A word in place of a mapping first: mappings join key by key, corpora too.
    plain = _on_top(scenario, "here", {"evidence": "measured"})
    return _on_top(plain, "measured", values)


def in_published_order(
    scenario: Scenario, candidates: Sequence[str], progress: Progress
) -> list[str]:
    """The candidates, those that published figures favour first; the others as they were named."""
    published = _on_top(
        scenario, "published", {"evidence": "published", "candidates": {"include": None}}
    )
    try:
        evidence = gather(published)
        ranking = decide(published, evidence, Sampling(DRAWS, 0, WEIGHT_FACTOR)).ranking
    except (EvidenceError, ScenarioError) as error:
        progress.say(f"Measured in the order named: published figures give none ({error.what}).")
        return list(candidates)
    place = {name: index for index, name in enumerate(ranking)}
    return sorted(candidates, key=lambda name: place.get(name, len(place)))


def _on_top(scenario: Scenario, kind: str, values: Mapping[str, Any]) -> Scenario:
    text = yaml.safe_dump({"extends": scenario.texts[0].name, **values}, sort_keys=False)
    name = Path(scenario.texts[0].name).stem
    return parse_scenario((ScenarioText(f"{name}-{kind}.yaml", text), *scenario.texts))
