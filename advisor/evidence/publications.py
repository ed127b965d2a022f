"""Published studies as evidence: means as they are printed, or figures of the corpora one names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from advisor.evidence.alternatives import Evidence
from advisor.evidence.averaging import WORST, combine, figure_of
from advisor.records import Alternative, Figure, StudyRecord
from advisor.scenario.language import EvidenceSpec
from advisor.scenario.loading import Scenario
from profiles_db.corpus_facts import corpus_facts
from profiles_db.criteria import CRITERIA, criteria_of
from profiles_db.encoder_facts import encoder_facts
from profiles_db.profile import Profile
from profiles_db.published_studies import DEFAULT_STUDY, PublishedStudy, load_published


def published(scenario: Scenario, spec: EvidenceSpec) -> Evidence:
    """The figures of the published study that `spec` names.

    Raises
    ------
    EvidenceError
        There is no study of that name.
    ScenarioError
        It names several studies, or corpora of which the study has no figures.
    """
    names = spec.study or (DEFAULT_STUDY,)
    if len(names) > 1:
        raise scenario.problem(
            ("evidence", "study"),
            "several published studies",
            rule="figures of one study compare",
            remedy="name the others under evidence.beside or evidence.join",
        )
    study = load_published(names[0])
    _check_corpora(scenario, study, spec)
    if study.by_corpus:
        return _by_corpus(study, spec)
    asked = set(scenario.spec.candidates.include or ())
    profiles = [
        p for p in study.profiles if p.backbone not in study.optional or p.backbone in asked
    ]
    return Evidence(
        _record(study, dict.fromkeys(study.corpora, 1 / len(study.corpora))),
        tuple(
            _alternative(study, profile, {m.criterion: figure_of(m) for m in profile.measurements})
            for profile in profiles
        ),
        (),
    )


def _check_corpora(scenario: Scenario, study: PublishedStudy, spec: EvidenceSpec) -> None:
    if spec.corpora and not study.by_corpus:
        raise scenario.problem(
            ("evidence", "corpora"),
            f"{study.name} prints means over its corpora, not one by one",
            rule="corpora of a study that has figures for each",
            remedy="remove it",
        )
    if spec.across != "mean" and not study.by_corpus:
        raise scenario.problem(
            ("evidence", "across"),
            f"{study.name} prints means over its corpora, not one by one",
            rule="across: mean",
            remedy="remove it, or name a study that has figures for each corpus",
        )
    for corpus in spec.corpora:
        if corpus not in study.corpora:
            raise scenario.problem(
                ("evidence", "corpora", corpus),
                f"{study.name} has no figures on {corpus!r:.60}",
                rule="one of " + ", ".join(study.corpora),
            )


def _by_corpus(study: PublishedStudy, spec: EvidenceSpec) -> Evidence:
    """Each candidate with its mean over the corpora, those that are named or that are complete."""
    total = sum(spec.corpora.values())
    stated = {corpus: weight / total for corpus, weight in spec.corpora.items()}
    profiles: dict[str, dict[str, Profile]] = {}
    for profile in study.profiles:
        profiles.setdefault(profile.backbone, {})[profile.corpus] = profile
    weights = {name: _weights(study, name, stated) for name in CRITERIA}
    used = {corpus: None for shares in weights.values() for corpus in shares}
    notes = [*_left_out(study, stated), *([WORST] if spec.across == "worst" else [])]
    record = _record(study, stated or dict.fromkeys(used, 1 / len(used)), notes)
    alternatives = []
    for by_corpus in profiles.values():
        figures = {
            name: combine(
                name, {c: by_corpus[c] for c in shares if c in by_corpus}, shares, spec.across
            )
            for name, shares in weights.items()
            if shares and any(profile.pooled(name) for profile in by_corpus.values())
        }
        if figures:
            first = next(iter(by_corpus.values()))
            alternatives.append(_alternative(study, first, figures))
    return Evidence(record, tuple(alternatives), ())


def _weights(
    study: PublishedStudy, criterion: str, stated: Mapping[str, float]
) -> Mapping[str, float]:
    """The share of each corpus in a criterion: stated, or even over those that are complete."""
    if stated:
        return stated
    corpora = study.complete_corpora(criterion)
    return dict.fromkeys(corpora, 1 / len(corpora)) if corpora else {}


def _left_out(study: PublishedStudy, stated: Mapping[str, float]) -> Iterable[str]:
    lacking = [corpus for corpus in study.unknown if not stated]
    if lacking:
        yield (
            f"Left out of the means, since a figure is missing there: {', '.join(sorted(lacking))}."
        )


def _record(
    study: PublishedStudy, corpora: Mapping[str, float], notes: Iterable[str] = ()
) -> StudyRecord:
    return StudyRecord(
        kind="published",
        studies=(study.name,),
        title=study.title,
        source=study.source,
        corpora=corpora,
        aspect_criterion=criteria_of(
            {m.criterion for profile in study.profiles for m in profile.measurements}
        )
        | dict(study.aspect_criterion),
        aspect_reasons=study.aspect_reasons,
        assumed=study.assumed,
        notes=(*study.notes, *notes),
        untrained=False,
        synthetic=False,
        protocol=study.protocol,
        speech={
            corpus.name: corpus_facts(corpus.name, corpus.language, corpus.title)
            for corpus in study.corpus_facts
            if corpus.name in corpora
        },
    )


def _alternative(
    study: PublishedStudy, profile: Profile, figures: Mapping[str, Figure]
) -> Alternative:
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
        facts=encoder_facts(profile.backbone),
    )
