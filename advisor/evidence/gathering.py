"""The evidence of a decision: comparable figures for every candidate, with what must be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from advisor.evidence import selection as measured
from advisor.evidence.averaging import combine, figure_of
from advisor.explanation.wording import plain
from advisor.records import Alternative, Excluded, StudyRecord
from advisor.scenario.loading import Scenario
from profiles_db.criteria import ASPECT_CRITERION, CRITERIA
from profiles_db.errors import EvidenceError
from profiles_db.profile import Profile
from profiles_db.published_studies import DEFAULT_STUDY, PublishedStudy, load_published


@dataclass(frozen=True, slots=True)
class Evidence:
    """Comparable alternatives of one study (or of one protocol on several corpora)."""

    study: StudyRecord
    alternatives: Sequence[Alternative]
    excluded: tuple[Excluded, ...]


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
    if scenario.spec.evidence.source == "published":
        evidence = published(scenario)
    elif profiles is None:
        raise EvidenceError(
            "the scenario asks for measured evidence, and there is no database",
            remedy="name one with --db, or set evidence: published",
        )
    else:
        evidence = _measured(scenario, profiles)
    return _selected(scenario, evidence)


def published(scenario: Scenario) -> Evidence:
    """The figures of the published study that a scenario names."""
    names = scenario.spec.evidence.study or (DEFAULT_STUDY,)
    if len(names) > 1:
        raise scenario.problem(
            ("evidence", "study"), "several published studies", rule="figures of one study compare"
        )
    study = load_published(names[0])
    asked = _asked_for(scenario, [profile.backbone for profile in study.profiles])
    profiles = [
        p for p in study.profiles if p.backbone not in study.optional or p.backbone in asked
    ]
    return Evidence(
        _published_record(study),
        tuple(_published_alternative(study, profile) for profile in profiles),
        (),
    )


def _asked_for(scenario: Scenario, known: Iterable[str]) -> set[str]:
    return set(scenario.spec.candidates.include or ()) & set(known)


def _published_record(study: PublishedStudy) -> StudyRecord:
    return StudyRecord(
        kind="published",
        studies=(study.name,),
        title=study.title,
        source=study.source,
        corpora=dict.fromkeys(study.corpora, 1 / len(study.corpora)),
        aspect_criterion=ASPECT_CRITERION | dict(study.aspect_criterion),
        aspect_reasons=study.aspect_reasons,
        assumed=study.assumed,
        notes=study.notes,
        untrained=False,
        synthetic=False,
        protocol=study.protocol,
    )


def _published_alternative(study: PublishedStudy, profile: Profile) -> Alternative:
    figures = {m.criterion: figure_of(m) for m in profile.measurements}
    return Alternative(
        name=profile.backbone,
        title=study.titles[profile.backbone],
        backbone=profile.backbone,
        weights_kind=profile.weights_kind,
        weights_id=profile.weights_id,
        weights_origin=profile.weights_origin,
        synthetic=False,
        folds=0,
        folds_total=0,
        seeds=0,
        device="",
        corpora=study.corpora,
        runs=(),
        finished="",
        marks=(),
        figures=figures,
    )


def _measured(scenario: Scenario, profiles: Sequence[Profile]) -> Evidence:
    choice = measured.select(scenario.spec.evidence, profiles)
    weights = choice.weights
    return Evidence(
        _measured_record(choice),
        tuple(
            _measured_alternative(name, by_corpus, weights) for name, by_corpus in choice.named()
        ),
        choice.excluded,
    )


def _measured_record(choice: measured.Selection) -> StudyRecord:
    profiles = choice.profiles
    studies = tuple(sorted({profile.study for profile in profiles}))
    corpora = ", ".join(choice.weights)
    return StudyRecord(
        kind="measured",
        studies=studies,
        title=f"Measured on {corpora}",
        source="profiles of a database",
        corpora=choice.weights,
        aspect_criterion=ASPECT_CRITERION,
        aspect_reasons={},
        assumed={},
        notes=choice.notes,
        untrained=any(profile.weights_kind == "random" for profile in profiles),
        synthetic=any(profile.synthetic for profile in profiles),
        protocol={key: plain(value) for key, value in sorted(profiles[0].protocol.items())},
    )


def _measured_alternative(
    name: str, by_corpus: Mapping[str, Profile], weights: Mapping[str, float]
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
        figures={criterion: combine(criterion, by_corpus, weights) for criterion in criteria},
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
        else:
            kept.append(alternative)
    if not kept:
        raise scenario.problem(
            ("candidates",), "no candidate is left", rule="at least one candidate"
        )
    return replace(evidence, alternatives=tuple(kept), excluded=tuple(left_out))


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
