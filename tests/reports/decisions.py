"""Decisions that are hard to show: hostile words, gaps, nothing left, evidence that is none."""

from __future__ import annotations

import json
from dataclasses import replace

from advisor import Decision, advise, parse_scenario
from advisor.ranking.findings import AnyRequirement, FactRequirement, Sentence
from advisor.records import Candidate, Figure, ScenarioText
from profiles_db.criteria import CRITERIA
from tests.advisor.tables import profile_of

HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=1">',
    "</script><!--<script>",
    "' onmouseover='alert(1)",
    "\u202eevitceleb\u202c \u05e9\u05dc\u05d5\u05dd",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; & \x00\x07\ufffe \u2028",
    "W" * 400,
)


def hostile(decision: Decision, text: str) -> Decision:
    """`decision` with `text` wherever words come from a file that somebody else wrote."""
    sentences = tuple(Sentence(s.topic, s.subject, text) for s in decision.explanation)
    scenario = replace(
        decision.scenario,
        title=text,
        context=text,
        purpose=text,
        texts=(ScenarioText(text, text + "\n"),),
    )
    study = replace(
        decision.study,
        title=text,
        source=text,
        notes=(text,),
        protocol={text: text},
        assumed=dict.fromkeys(decision.study.assumed, text),
    )
    return replace(
        decision,
        explanation=sentences,
        scenario=scenario,
        study=study,
        candidates=tuple(_hostile(candidate, text) for candidate in decision.candidates),
        requirements=tuple(_hostile_bound(r, text) for r in decision.requirements),
        versions={text: text},
    ).sealed()


def renamed(decision: Decision, name: str, text: str) -> Decision:
    """`decision` in which the candidate `name` is called `text` wherever it is named."""
    written = decision.to_json().replace(json.dumps(name), json.dumps(text))
    return Decision.from_json(written).sealed()


def _hostile(candidate: Candidate, text: str) -> Candidate:
    figures = {
        name: replace(figure, source=text, flags=(text,))
        for name, figure in candidate.figures.items()
    }
    facts = {name: replace(fact, source=text) for name, fact in candidate.facts.items()}
    outcomes = tuple(
        replace(outcome, found=text if outcome.found else "") for outcome in candidate.outcomes
    )
    return replace(
        candidate,
        title=text,
        why=text,
        marks=(text,),
        figures=figures,
        facts=facts,
        outcomes=outcomes,
    )


def _hostile_bound(requirement: AnyRequirement, text: str) -> AnyRequirement:
    if isinstance(requirement, FactRequirement):
        return replace(requirement, why=text, text=text, expected=(text,))
    return replace(requirement, why=text, text=text)


FACTS = """version: 1
title: A product in German
priorities: {system_performance: high, safety: high}
requirements:
  - {fact: licence_allows_commercial_use, is: true, why: It is sold.}
  - {fact: languages, includes: [de], on_unknown: warn}
  - {criterion: uar, at_least: 60 %}
"""


def asking_facts() -> Decision:
    """A choice that requirements on facts decide."""
    return advise(parse_scenario((ScenarioText("facts.yaml", FACTS),)))


def with_unknown(decision: Decision, name: str, criterion: str, reason: str) -> Decision:
    """`decision` in which one weighted figure of one candidate is unknown."""

    def unknown(candidate: Candidate) -> Candidate:
        if candidate.name != name:
            return candidate
        return replace(
            candidate,
            figures={**candidate.figures, criterion: Figure(criterion, None, unknown=reason)},
            scores={k: v for k, v in candidate.scores.items() if k != criterion},
            contributions={k: v for k, v in candidate.contributions.items() if k != criterion},
            aspect_contributions={
                aspect: share
                for aspect, share in candidate.aspect_contributions.items()
                if aspect != CRITERIA[criterion].aspect
            },
            eligible=False,
            position=None,
            score=None,
            rank_probabilities=(),
        )

    candidates = tuple(unknown(candidate) for candidate in decision.candidates)
    return replace(decision, candidates=candidates).sealed()


def untrained(decision: Decision) -> Decision:
    """`decision` as if all weights were random and the corpus synthetic."""
    study = replace(decision.study, untrained=True, synthetic=True)
    marks = ("untrained weights", "synthetic speech")
    candidates = tuple(
        replace(candidate, marks=marks, weights_kind="random", synthetic=True)
        for candidate in decision.candidates
    )
    return replace(decision, study=study, candidates=candidates).sealed()


FLAG = "40 % of the gradients are zero"
FLAGGED = """version: 1
title: Flags
evidence: measured
priorities: {system_performance: high, safety: high, privacy: low}
requirements:
  - {criterion: attack_success_rate, at_most: 90 %, on_unknown: warn}
"""


def flagged(flagged: str = "distrust") -> Decision:
    """A choice between `sound` and `vacuous`, whose attack success rate is not to be believed."""
    sound = {"uar": (0.6, 0.62, 0.64), "attack_success_rate": (0.68, 0.7, 0.72)}
    vacuous = sound | {"attack_success_rate": (0.0, 0.01, 0.02)}
    leak = {"gender_inference": (0.9, 0.93, 0.95)}
    profiles = [
        profile_of("sound", sound | leak),
        profile_of("vacuous", vacuous | leak, flags={"attack_success_rate": FLAG}),
    ]
    text = f"{FLAGGED}flagged: {flagged}\n"
    return advise(parse_scenario((ScenarioText("flags.yaml", text),)), profiles)
