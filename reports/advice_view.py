"""What the templates need to know of a decision, looked up rather than computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from advisor.decision import Decision
from advisor.explanation.grading import GRADES
from advisor.explanation.wording import listed
from advisor.ranking.fact_requirements import asked_text
from advisor.ranking.findings import AnyRequirement, FactRequirement, Requirement, WeightedCriterion
from advisor.ranking.matrix import shown_aspects, standing_for
from advisor.records import Candidate, Figure, Outcome, Standing
from profiles_db.criteria import ASPECT_TITLES, ASPECTS, CRITERIA, Aspect, Scale, Unit
from reports import wording
from reports.trust_axis import TrustAxis

_RUNNERS_UP: Final = 2
_SHADES: Final = (0.005, 0.05, 0.2, 0.4, 0.6)
_COLORS: Final = 8
_SLIDER_END: Final = 10.0
"""A little above `high`, the strongest priority that has a name."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a stacked bar; `start` and `width` in percent of the bar, `fill` a CSS class."""

    fill: str
    start: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A figure that several candidates lack; the fields are those of `Missing`."""

    who: str
    criterion: str
    reason: str
    flagged: bool
    could_change: bool


@dataclass(frozen=True, slots=True)
class BoundMark:
    """A bound on a scale: its place in [0, 1], and its words."""

    place: float
    text: str


def _lack(candidate: Candidate, criterion: str) -> str:
    """Why a weighted criterion contributes nothing that one could rely on; empty where it does."""
    if criterion not in candidate.contributions:
        return "unknown"
    if criterion in candidate.guessed:
        return "no better than guessing"
    return "flagged" if criterion in candidate.distrusted else ""


class View:
    """A decision with its names, colours and tables at hand."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.candidates: Mapping[str, Candidate] = {c.name: c for c in decision.candidates}
        self.weighted: Mapping[str, WeightedCriterion] = {
            weighted.criterion: weighted for weighted in decision.criteria
        }
        self.requirements: Mapping[str, AnyRequirement] = {r.id: r for r in decision.requirements}
        self._colors = {name: number for number, name in enumerate(sorted(self.candidates))}

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that was chosen."""
        return None if self.decision.choice is None else self.candidates[self.decision.choice]

    @property
    def alike(self) -> tuple[str, ...]:
        """The choice and all that the evidence cannot tell it apart from, the choice first."""
        return self.decision.tie_groups[0] if self.decision.choice is not None else ()

    @property
    def eyebrow(self) -> str:
        """What stands over the choice: how much of a choice it was."""
        if len(self.alike) > 1:
            return "Level on this evidence"
        eligible = sum(candidate.eligible for candidate in self.candidates.values())
        if eligible > 1:
            return f"The best of the {eligible} that qualify"
        return "The only candidate" if len(self.candidates) == 1 else "The only one left"

    @property
    def nothing(self) -> str:
        """The heading where nothing is chosen: none meets the bounds, or none could be judged."""
        standings = {candidate.standing for candidate in self.candidates.values()}
        if "unjudged" in standings:
            return "No candidate can be said to meet the requirements"
        met = standings == {"unscored"}
        return "No candidate can be scored" if met else "No candidate meets the requirements"

    @property
    def standings(self) -> str:
        """How many meet every requirement, fail one, cannot be judged or scored."""
        found = Counter(candidate.standing for candidate in self.candidates.values())
        words: dict[Standing, tuple[str, str]] = {
            "in": ("qualifies", "qualify"),
            "out": ("fails a requirement", "fail a requirement"),
            "unjudged": ("cannot be judged", "cannot be judged"),
            "unscored": ("cannot be scored", "cannot be scored"),
        }
        return ", ".join(
            f"{found[key]} {said[found[key] != 1]}" for key, said in words.items() if found[key]
        )

    @property
    def grading(self) -> str:
        """What the words for the aspects mean."""
        steps = ", ".join(f"{word} from {100 * least:.0f} %" for least, word in GRADES)
        return (
            f"The words grade each figure by itself: {steps} of the way from the worst to the best "
            "that it could be (the line under it), poor below. Scores compare candidates, on the "
            "narrower scales listed below."
        )

    @property
    def costs_caption(self) -> str:
        """How to read the figures of the first part."""
        assumed = ", assumed where nobody measured it" if self.decision.study.assumed else ""
        return (
            "Words and lines (worst–best) grade each figure by itself; band: 95 % interval"
            f"{assumed}."
        )

    @property
    def shown(self) -> list[Candidate]:
        """The candidates whose trust profiles are drawn: the choice and the runners-up."""
        return [self.candidates[name] for name in self.decision.ranking[: 1 + _RUNNERS_UP]]

    @property
    def shouts(self) -> list[str]:
        """What makes the evidence unfit for a real choice, for the banner and the pictures."""
        study = self.decision.study
        found = {"untrained weights": study.untrained, "synthetic speech": study.synthetic}
        return [words for words, true in found.items() if true]

    def title(self, name: str | None) -> str:
        """Title of a candidate for people; the name itself where it is none of the candidates."""
        if name is None:
            return "no candidate"
        return self.candidates[name].title if name in self.candidates else name

    def color(self, name: str) -> int:
        """Number of the candidate's colour, the same wherever it appears."""
        return self._colors[name] % _COLORS

    def shape(self, name: str) -> int:
        """Number of the candidate's marker; with more candidates than colours, pairs differ."""
        number = self._colors[name]
        return (number + number // _COLORS) % _COLORS

    def unit(self, criterion: str) -> Unit | None:
        """Unit of a criterion; None for a detail that is none."""
        return CRITERIA[criterion].unit if criterion in CRITERIA else None

    def criterion_title(self, criterion: str) -> str:
        """Title of a criterion for people."""
        return self.decision.criteria_titles.get(criterion, criterion)

    def aspect_number(self, criterion: str) -> int:
        """Number of the colour of the criterion's aspect."""
        return ASPECTS.index(CRITERIA[criterion].aspect)

    def aspect_title(self, criterion: str) -> str:
        """Title of the criterion's aspect."""
        return ASPECT_TITLES[CRITERIA[criterion].aspect]

    def common_source(self, criterion: str) -> str | None:
        """Origin and source of a criterion's figures, where all of them have the same."""
        figures = [c.figures.get(criterion) for c in self.decision.candidates]
        known = [figure for figure in figures if figure and figure.value is not None]
        sources = {(figure.origin, figure.source) for figure in known}
        return self.source(known[0]) if len(sources) == 1 else None

    def common_reason(self, criterion: str) -> str | None:
        """Why a criterion is unknown for every candidate; None where it is not."""
        figures = [c.figures.get(criterion) for c in self.decision.candidates]
        reasons = {figure.unknown if figure else None for figure in figures}
        return next(iter(reasons)) if len(reasons) == 1 else None

    def source(self, figure: Figure) -> str:
        """Where a figure comes from, in words."""
        return f"{figure.origin}: {figure.source}" if figure.source else figure.origin

    def axes(self, candidate: Candidate) -> list[TrustAxis]:
        """The aspects of one candidate: those of the study, and those that are weighed."""
        shown = shown_aspects(self.decision.criteria, self.decision.study)
        return [self._axis(candidate, aspect) for aspect in shown]

    def segments(self, candidate: Candidate) -> list[Segment]:
        """The candidate's contributions, one beside the other; the full bar is a score of 1.

        What is unknown or flagged ends the bar, as wide as it could contribute at most.
        """
        pieces = [
            (f"f-aspect-{number}", share, f"{ASPECT_TITLES[aspect]} {wording.score(share)}")
            for number, aspect in enumerate(ASPECTS)
            if (share := candidate.aspect_contributions.get(aspect)) is not None
        ]
        pieces += [
            ("f-unknown", weighted.weight, f"{weighted.title} {lack}")
            for weighted in self.decision.criteria
            if (lack := _lack(candidate, weighted.criterion))
        ]
        starts = accumulate((share for _, share, _ in pieces), initial=0.0)
        return [
            Segment(fill, 100 * start, 100 * share, text)
            for start, (fill, share, text) in zip(starts, pieces, strict=False)
        ]

    def aspect_weights(self) -> list[tuple[int, Aspect, str, float]]:
        """Number, name, title and weight of each aspect that carries weight."""
        return [
            (number, aspect, ASPECT_TITLES[aspect], share)
            for number, aspect in enumerate(ASPECTS)
            if (share := sum(c.weight for c in self.decision.criteria if c.aspect == aspect)) > 0
        ]

    def aspect_colors(self) -> str:
        """Colour classes of the weighed aspects, in the order of the criteria."""
        aspects = dict.fromkeys(weighted.aspect for weighted in self.decision.criteria)
        return " ".join(f"aspect-{ASPECTS.index(aspect)}" for aspect in aspects)

    def slider_end(self, weighted: WeightedCriterion) -> float:
        """Largest priority that the page lets one try."""
        return max(_SLIDER_END, 2 * weighted.raw)

    def bounds_on(self, axis: TrustAxis) -> list[BoundMark]:
        """Where the bounds on a figure lie on its scale; those beyond an end are left out."""
        return [
            BoundMark(axis.scale.score(bound.bound), bound.text)
            for bound in self.decision.requirements
            if isinstance(bound, Requirement)
            and bound.criterion == axis.criterion
            and axis.scale.holds(bound.bound)
        ]

    @property
    def application(self) -> list[tuple[str, str]]:
        """What the scenario says of its application, each with a title; empty where nothing."""
        asked = self.decision.scenario
        words = {
            "Purpose": asked.purpose,
            "Judged": ", ".join(asked.affected),
            "Setting": ", ".join(asked.setting),
            **{key.capitalize(): ", ".join(named) for key, named in asked.data.items()},
        }
        return [
            (title.replace("_", " "), text.replace("_", " ") if title != "Purpose" else text)
            for title, text in words.items()
            if text
        ]

    @property
    def asks_facts(self) -> bool:
        """Whether a requirement is on a fact."""
        return any(isinstance(r, FactRequirement) for r in self.decision.requirements)

    @property
    def matrix_caption(self) -> str:
        """What the cells of the matrix of requirements say, for the kinds that there are."""
        kinds = {requirement.kind for requirement in self.decision.requirements}
        dates = {f.as_of for c in self.decision.candidates for f in c.facts.values() if f.as_of}
        as_of = f", as of {listed(sorted(dates))}" if dates else ""
        parts = []
        if kinds & {"requirement", "budget"}:
            parts.append(
                "The figure held against the bound, and its distance; plus is on the right side "
                "of it."
            )
        if "baseline" in kinds:
            parts.append(
                "Of a comparison with the baseline, the figure and how it differs, with the 95 % "
                "interval of the difference."
            )
        if "fact" in kinds:
            parts.append(f"Of a fact, what is known and where it is stated{as_of}.")
        return " ".join(parts)

    @property
    def kept_out_of_all(self) -> str:
        """How many fail a requirement or cannot be judged; empty where nobody does."""
        found = Counter(candidate.standing for candidate in self.candidates.values())
        out, unjudged = found["out"], found["unjudged"]
        parts = [f"{out} {'fails' if out == 1 else 'fail'} a requirement"] if out else []
        parts += [f"{unjudged} cannot be judged"] if unjudged else []
        return ", ".join(parts)

    @property
    def told(self) -> list[Candidate]:
        """The candidates that a sentence tells of; the matrix of requirements shows the others."""
        return [
            candidate
            for candidate in self.decision.candidates
            if candidate.why and candidate.standing in {"in", "unscored"}
        ]

    @property
    def gaps(self) -> list[Gap]:
        """What the evidence lacks, candidates that lack the same for the same reason together."""
        found: dict[tuple[str, str, bool, bool], list[str]] = {}
        for one in self.decision.missing:
            key = one.criterion, one.reason, one.flagged, one.could_change
            found.setdefault(key, []).append(self.title(one.candidate))
        return [Gap(listed(titles), *key) for key, titles in found.items()]

    @property
    def about_figures(self) -> list[str]:
        """What to know of the figures, but for the reasons that stand beside their aspects."""
        said = set(self.decision.study.aspect_reasons.values())
        return [text for text in self.decision.sentences("evidence") if text not in said]

    @property
    def agreement(self) -> str:
        """How many of the methods make the same choice."""
        agreeing = sum(result.agrees for result in self.decision.methods)
        count = len(self.decision.methods)
        return f"{'All' if agreeing == count else f'{agreeing} of'} {count} methods agree."

    @property
    def steady(self) -> bool:
        """Whether the choice is the same without any one criterion."""
        return all(out.choice == self.decision.choice for out in self.decision.leave_one_out)

    def stands_in(self, aspect: Aspect) -> bool:
        """Whether the study's own criterion stands for an aspect here."""
        usual = self.decision.study.standing_for(aspect)
        return standing_for(aspect, self.decision.criteria, self.decision.study) == usual

    def state(self, candidate: Candidate) -> str:
        """Why a candidate has no place; empty where it has one."""
        return {
            "in": "", "unscored": "cannot be scored", "out": "out: fails a requirement",
            "unjudged": "cannot be judged: what a requirement needs is unknown",
        }[candidate.standing]  # fmt: skip

    def asked(self, requirement: AnyRequirement) -> str:
        """What a requirement asks of what its title names."""
        if isinstance(requirement, Requirement):
            return wording.bound(requirement.comparison, requirement.bound, requirement.unit)
        if isinstance(requirement, FactRequirement):
            return asked_text(requirement.test, requirement.expected)
        return f"no worse than {self.title(requirement.baseline)}"

    def said(self, requirement: AnyRequirement) -> str:
        """A requirement in words, short."""
        if isinstance(requirement, FactRequirement):
            return requirement.text
        return f"{requirement.title} {self.asked(requirement)}"

    def would_let_in(self, candidate: Candidate) -> list[str]:
        """For each requirement that keeps a candidate out, what would let it in."""
        blocking = {
            (self.requirements[o.requirement].kind, o.status)
            for o in candidate.outcomes
            if o.blocks
        }
        if ("fact", "fail") in blocking:
            return ["nothing: a fact rules it out"]
        if ("baseline", "fail") in blocking:
            return ["nothing: it is worse than the baseline"]
        lacking = {
            ("fact", "unknown"): "a source for the facts that are unknown",
            ("baseline", "unknown"): "a measurement that tells it from the baseline",
        }
        found = [words for cause, words in lacking.items() if cause in blocking]
        for relaxation in candidate.relaxations:
            requirement = self.requirements[relaxation.requirement]
            if isinstance(requirement, Requirement) and relaxation.to is not None:
                words = requirement.comparison.replace("_", " ")
                found.append(f"{requirement.title} {words} {relaxation.to_text}")
            elif isinstance(requirement, Requirement):
                found.append(f"a figure of {requirement.title} that can be relied on")
        return found

    def kept_out(self, requirement: AnyRequirement) -> str:
        """How many candidates a requirement keeps out: who fails it, and who cannot be judged."""
        found = Counter(
            outcome.status
            for candidate in self.candidates.values()
            for outcome in candidate.outcomes
            if outcome.requirement == requirement.id and outcome.blocks
        )
        fail, unknown = found["fail"], found["unknown"]
        parts = [f"{fail} {'fails' if fail == 1 else 'fail'} it"] if fail else []
        parts += [f"{unknown} cannot be judged by it"] if unknown else []
        return f"Of {len(self.candidates)}, {' and '.join(parts)}"

    def outcome(self, candidate: Candidate, requirement: AnyRequirement) -> Outcome:
        """How `candidate` does on `requirement`."""
        return next(o for o in candidate.outcomes if o.requirement == requirement.id)

    def shade(self, probability: float) -> int:
        """Step of the heat scale for a probability, 0 for next to nothing."""
        return sum(probability >= step for step in _SHADES)

    def figure_criteria(self) -> list[str]:
        """Every criterion of which some candidate has a figure, in the order of the aspects."""
        named = {name for candidate in self.decision.candidates for name in candidate.figures}
        known = [name for name in CRITERIA if name in named]
        return known + sorted(named - set(known))

    def _axis(self, candidate: Candidate, aspect: Aspect) -> TrustAxis:
        criterion = standing_for(aspect, self.decision.criteria, self.decision.study)
        scale, definition = CRITERIA[criterion].scale, CRITERIA[criterion]
        if criterion in self.weighted:
            weighted = self.weighted[criterion]
            scale = Scale(weighted.worst, weighted.best, weighted.scale_source)
        figure = candidate.figures.get(criterion)
        title = ASPECT_TITLES[aspect]
        distrusted = figure is not None and figure.distrusted(self.decision.scenario.flagged)
        return TrustAxis(
            ASPECTS.index(aspect), title, criterion, figure, definition.unit, scale, distrusted
        )
