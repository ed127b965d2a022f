"""The evidence of a decision: comparable figures for every candidate, with what must be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from advisor.evidence import selection as measured
from advisor.evidence.alternatives import Evidence
from advisor.evidence.averaging import WORST, combine
from advisor.evidence.combining import combined
from advisor.evidence.publications import published
from advisor.explanation.wording import plain
from advisor.records import Across, Admitted, Alternative, Excluded, StudyRecord
from advisor.scenario.language import CandidatesSpec, EvidenceSpec
from advisor.scenario.loading import Scenario
from profiles_db.candidate_names import split_depth, split_int8, split_tuned
from profiles_db.corpus_facts import corpus_facts
from profiles_db.criteria import CRITERIA, criteria_of
from profiles_db.encoder_facts import Fact, encoder_facts
from profiles_db.errors import EvidenceError
from profiles_db.profile import Profile, without_paths

__all__ = ["Alternative", "Evidence", "gather"]


def gather(scenario: Scenario, profiles: Sequence[Profile] | None = None) -> Evidence:
    """The evidence that a scenario asks for.

    Parameters
    ----------
    scenario : Scenario
    profiles : sequence of Profile, optional
        What a database holds; used where the scenario asks for measured evidence.

    Raises
    ------
    EvidenceError
        It is missing, or not comparable.
    ScenarioError
        The scenario names a candidate that the evidence does not have.
    """
    spec = scenario.spec.evidence
    shown = spec.parts()[: 1 + len(spec.beside)]
    first, *others = (_part(scenario, part, profiles) for part in shown)
    evidence = combined(first, others)
    if spec.join:
        from advisor.evidence.joining import joined  # noqa: PLC0415 - SciPy takes a while to load

        evidence = joined(scenario, evidence, profiles)
    return _selected(scenario, evidence)


def _part(scenario: Scenario, spec: EvidenceSpec, profiles: Sequence[Profile] | None) -> Evidence:
    """The evidence of one source."""
    if spec.source == "published":
        return published(scenario, spec)
    if profiles is None:
        raise EvidenceError(
            "the scenario asks for measured evidence, and there is no database",
            remedy="name one with --db, or set evidence: published",
        )
    return _measured(spec, profiles)


def _measured(spec: EvidenceSpec, profiles: Sequence[Profile]) -> Evidence:
    choice = measured.select(spec, profiles)
    weights = choice.weights
    record = _measured_record(choice)
    if spec.across == "worst" and len(weights) > 1:
        record = replace(record, notes=(*record.notes, WORST))
    return Evidence(
        record,
        tuple(
            _measured_alternative(name, by_corpus, weights, spec.across)
            for name, by_corpus in choice.named()
        ),
        choice.excluded,
    )


def _measured_record(choice: measured.Selection) -> StudyRecord:
    profiles = choice.profiles
    studies = tuple(sorted({profile.study for profile in profiles}))
    corpora = ", ".join(choice.weights)
    protocol = without_paths(profiles[0].protocol)
    return StudyRecord(
        kind="measured",
        studies=studies,
        title=f"Measured on {corpora}",
        source="profiles of a database",
        corpora=choice.weights,
        aspect_criterion=criteria_of({m.criterion for p in profiles for m in p.measurements}),
        aspect_reasons={},
        assumed={},
        notes=choice.notes,
        untrained=any(profile.weights_kind == "random" for profile in profiles),
        synthetic=any(profile.synthetic for profile in profiles),
        protocol={key: plain(value) for key, value in sorted(protocol.items())},
        speech={corpus: corpus_facts(corpus) for corpus in choice.weights},
    )


def _measured_alternative(
    name: str, by_corpus: Mapping[str, Profile], weights: Mapping[str, float], across: Across
) -> Alternative:
    profiles = tuple(by_corpus.values())
    first = profiles[0]
    criteria = [name for name in CRITERIA if any(p.pooled(name) for p in profiles)]
    return Alternative(
        name=name,
        title=name,
        backbone=first.backbone,
        weights_kind=first.weights_kind,
        weights_id=first.weights_id,
        weights_origin=first.weights_origin,
        synthetic=any(profile.synthetic for profile in profiles),
        folds=min(profile.folds for profile in profiles),
        folds_total=max(profile.folds_total for profile in profiles),
        seeds=min(profile.repetitions for profile in profiles),
        device=", ".join(sorted({profile.device for profile in profiles if profile.device})),
        corpora=tuple(by_corpus),
        runs=tuple(profile.run for profile in profiles if profile.run),
        finished=max(profile.finished for profile in profiles),
        marks=measured.marks(profiles),
        figures={
            criterion: combine(criterion, by_corpus, weights, across) for criterion in criteria
        },
        facts=encoder_facts(first.backbone, first.weights_kind, first.weights_origin),
    )


def _selected(scenario: Scenario, evidence: Evidence) -> Evidence:
    spec = scenario.spec.candidates
    _check_names(scenario, evidence, "include", spec.include or ())
    _check_names(scenario, evidence, "exclude", spec.exclude)
    kept, left_out = [], list(evidence.excluded)
    for alternative in evidence.alternatives:
        names = {alternative.name, alternative.backbone}
        if spec.include is not None and not names & set(spec.include):
            left_out.append(Excluded(alternative.name, "the scenario does not include it"))
        elif names & set(spec.exclude):
            left_out.append(Excluded(alternative.name, "the scenario excludes it"))
        elif reason := not_admitted(alternative.backbone, alternative.facts, spec):
            left_out.append(Excluded(alternative.name, reason))
        else:
            kept.append(alternative)
    if not kept:
        raise scenario.problem(
            ("candidates",), "no candidate is left", rule="at least one candidate"
        )
    return replace(evidence, alternatives=tuple(kept), excluded=tuple(left_out))


def not_admitted(backbone: str, facts: Mapping[str, Fact], spec: CandidatesSpec) -> str:
    """Why a candidate does not stand by its kind; empty where it does."""
    plain, quantised = split_int8(backbone)
    encoder, layers = split_tuned(plain)
    first_layers = split_depth(encoder)[1] is not None
    labels = facts["training_labels"].value
    tuned = layers is not None or (isinstance(labels, tuple) and "emotion" in labels)
    kinds: dict[str, tuple[bool, Admitted]] = {
        "the first layers of an encoder": (first_layers, spec.depths),
        "trained on emotion labels": (tuned, spec.tuned),
        "an encoder in int8": (quantised, spec.int8),
    }
    for words, (is_one, admitted) in kinds.items():
        if is_one and admitted == "none":
            return f"it is {words}, which the scenario leaves out"
        if not is_one and admitted == "only":
            return f"it is not {words}, which alone the scenario includes"
    return ""


def _check_names(scenario: Scenario, evidence: Evidence, key: str, names: tuple[str, ...]) -> None:
    known = {name for a in evidence.alternatives for name in (a.name, a.backbone)}
    for index, name in enumerate(names):
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise scenario.problem(
                ("candidates", key, index),
                f"the evidence has no candidate {name!r:.60}",
                rule="one of " + ", ".join(sorted(known)),
                remedy=f"did you mean {near[0]!r}?" if near else None,
            )
