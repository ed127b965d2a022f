"""What a study lacks of system performance, estimated from other studies of the same encoders.

The study named first is the scale: its own figures stand as they are, and what is estimated is what
it would find. Nothing is estimated for an encoder that no other study has, nor where the model does
no better on the figures that are there than to take the mean of the other encoders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import stats

from advisor.evidence import selection as measured
from advisor.evidence.alternatives import Evidence
from advisor.evidence.partial_pooling import Estimate, Join, Observation
from advisor.records import Alternative, Figure
from advisor.scenario.language import EvidenceSpec
from advisor.scenario.loading import Scenario
from profiles_db.criteria import ASPECT_CRITERION
from profiles_db.encoder_facts import encoder_facts
from profiles_db.profile import Profile
from profiles_db.published_studies import load_published

FEWEST_CHECKS: Final = 3
"""Encoders by which an estimate must be checked before any is given."""

_DIGITS: Final = 4
"""A hundredth of a point: finer digits may differ between machines, and mean nothing."""


@dataclass(frozen=True, slots=True)
class Source:
    """One study's figures of system performance, and the titles of its encoders."""

    name: str
    criterion: str
    titles: Mapping[str, str]
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A figure that a study has, and what the model says without this study's figures of it."""

    study: str
    encoder: str
    value: float
    estimate: Estimate
    others: float
    """Mean of the study's other encoders: what one would say who knows nothing of this one."""

    @property
    def holds(self) -> bool:
        """Whether the interval holds the figure."""
        return self.estimate.low <= self.value <= self.estimate.high


def joined(scenario: Scenario, evidence: Evidence, profiles: Sequence[Profile] | None) -> Evidence:
    """The evidence with estimates where its first study lacks system performance.

    Raises
    ------
    ScenarioError
        A study that is named may not be joined: its models were fine-tuned.
    """
    spec = scenario.spec.evidence
    first = spec.parts()[0]
    others = spec.parts()[1 + len(spec.beside) :]
    target = source_of(first, profiles)
    sources = [target, *(source_of(part, profiles) for part in others)]
    for index, part in enumerate(others):
        if part.source == "published" and not load_published(_name(part)).joins:
            raise scenario.problem(
                ("evidence", "join", index),
                f"{_name(part)} cannot be joined",
                rule="it is of fine-tuned models, the others of frozen encoders",
                remedy="name it under evidence.beside",
            )
    return _with_estimates(evidence, target, sources)


def source_of(spec: EvidenceSpec, profiles: Sequence[Profile] | None) -> Source:
    """The figures of system performance of one published study, or of one's own profiles."""
    if spec.source == "published":
        return published_source(_name(spec))
    found = measured.select(spec, profiles or ()).profiles
    criterion = ASPECT_CRITERION["system_performance"]
    trained = [profile for profile in found if profile.weights_kind != "random"]
    return Source(
        found[0].study,
        criterion,
        {profile.backbone: profile.backbone for profile in trained},
        tuple(_observations(found[0].study, trained, criterion, 1)),
    )


def published_source(name: str) -> Source:
    """The figures of system performance of a published study, on all of its corpora."""
    study = load_published(name)
    criterion = study.aspect_criterion.get(
        "system_performance", ASPECT_CRITERION["system_performance"]
    )
    averaged = 1 if study.by_corpus else len(study.corpora)
    profiles = [profile for profile in study.profiles if profile.backbone not in study.optional]
    found = tuple(_observations(name, profiles, criterion, averaged))
    titles = {one.encoder: study.titles[one.encoder] for one in found}
    return Source(name, criterion, titles, found)


def _name(spec: EvidenceSpec) -> str:
    return spec.study[0] if spec.study else "trustser-2023"


def _observations(
    study: str, profiles: Sequence[Profile], criterion: str, averaged: int
) -> Iterator[Observation]:
    for profile in profiles:
        found = profile.pooled(criterion)
        if found is not None and found.value is not None and 0 < found.value < 1:
            yield Observation(study, profile.corpus, profile.backbone, found.value, averaged)


def _with_estimates(evidence: Evidence, target: Source, sources: Sequence[Source]) -> Evidence:
    observations = [one for source in sources for one in source.observations]
    join = Join(observations)
    corpora = _corpora(evidence, target)
    refusal = _refusal(join, observations, target, corpora)
    known = {alternative.name: alternative for alternative in evidence.alternatives}
    titles = {name: t for source in reversed(sources) for name, t in source.titles.items()}
    others = ", ".join(source.name for source in sources if source is not target)
    alternatives = []
    for name, title in titles.items():
        alternative = known.pop(name, None) or _newcomer(name, title, evidence)
        figure = alternative.figures.get(target.criterion)
        if figure is None or figure.value is None:
            estimate = refusal or _estimate(join, target, name, corpora)
            figure = _figure(target, estimate, others)
            figures = {**alternative.figures, target.criterion: figure}
            marks = alternative.marks
            if figure.value is not None:
                marks = (*marks, f"{target.criterion} estimated")
            alternative = replace(alternative, figures=figures, marks=marks)
        alternatives.append(alternative)
    ordered = sorted([*alternatives, *known.values()], key=lambda a: _place(a, evidence))
    estimated = [a.title for a in ordered if _is_estimated(a, target.criterion)]
    notes = (*_notes(join, observations, target, corpora, estimated, others), *evidence.study.notes)
    return replace(
        evidence,
        study=replace(evidence.study, notes=notes),
        alternatives=tuple(ordered),
    )


def _place(alternative: Alternative, evidence: Evidence) -> tuple[int, str]:
    names = [known.name for known in evidence.alternatives]
    name = alternative.name
    return (names.index(name), "") if name in names else (len(names), name)


def _is_estimated(alternative: Alternative, criterion: str) -> bool:
    figure = alternative.figures.get(criterion)
    return figure is not None and figure.origin == "estimated" and figure.value is not None


def _corpora(evidence: Evidence, target: Source) -> dict[str, float]:
    """The corpora of the figure that is estimated, with their shares."""
    names = {one.corpus for one in target.observations}
    shares = {name: share for name, share in evidence.study.corpora.items() if name in names}
    if not shares:  # the study prints means over its corpora
        return dict.fromkeys(sorted(names)[:1], 1.0)
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def checks(
    join: Join,
    observations: Sequence[Observation],
    study: str,
    corpora: Mapping[str, float] | None = None,
) -> Iterator[Check]:
    """Each figure of a study, estimated after leaving out all the study says of its encoder.

    Parameters
    ----------
    join : Join
        Fitted to all of `observations`.
    observations : sequence of Observation
    study : str
    corpora : mapping from corpus to float, optional
        Check the means over these corpora; by default the figure on each corpus by itself.
    """
    for encoder in sorted({one.encoder for one in observations if one.study == study}):
        if not join.elsewhere(study, encoder):
            continue
        own = {o.corpus: o.value for o in observations if (o.study, o.encoder) == (study, encoder)}
        rest = [o for o in observations if (o.study, o.encoder) != (study, encoder)]
        without = Join(rest, start=join)
        for shares in [corpora] if corpora else [{corpus: 1.0} for corpus in own]:
            if not set(shares) <= set(own) or not without.has_corpora(study, list(shares)):
                continue
            yield Check(
                study,
                encoder,
                sum(share * own[corpus] for corpus, share in shares.items()),
                without.estimate(study, encoder, shares),
                float(np.mean(_means(rest, study, shares))),
            )


def _means(
    observations: Sequence[Observation], study: str, corpora: Mapping[str, float]
) -> list[float]:
    """The mean of each encoder over the corpora, of those that have figures on all of them."""
    values: dict[str, dict[str, float]] = {}
    for one in observations:
        if one.study == study and one.corpus in corpora:
            values.setdefault(one.encoder, {})[one.corpus] = one.value
    return [
        sum(share * of[corpus] for corpus, share in corpora.items())
        for of in values.values()
        if len(of) == len(corpora)
    ]


def _refusal(
    join: Join, observations: Sequence[Observation], target: Source, corpora: Mapping[str, float]
) -> str | None:
    """Why nothing can be estimated; None where the model does better than to know nothing."""
    if not join.has_corpora(target.name, list(corpora)):
        return "too few figures to tell corpora from encoders"
    found = list(checks(join, observations, target.name, corpora))
    if len(found) < FEWEST_CHECKS:
        return (
            f"the studies have {len(found)} encoders in common by which an estimate could be "
            f"checked, and {FEWEST_CHECKS} are needed"
        )
    error = sum((check.value - check.estimate.value) ** 2 for check in found)
    if error >= sum((check.value - check.others) ** 2 for check in found):
        return "estimates from other studies do no better here than the mean of the encoders"
    return None


def _estimate(
    join: Join, target: Source, encoder: str, corpora: Mapping[str, float]
) -> Estimate | str:
    """The estimate, or why there is none."""
    if not join.elsewhere(target.name, encoder):
        return "no study that is joined has a figure of it"
    estimate = join.estimate(target.name, encoder, corpora)
    values = _means(target.observations, target.name, corpora)
    if len(values) > 1:
        reach = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1))
        if estimate.high - estimate.low >= 2 * reach * (1 + 1 / len(values)) ** 0.5:
            return "an estimate from other studies says no more than the spread of all encoders"
    return estimate


def _figure(target: Source, estimate: Estimate | str, others: str) -> Figure:
    if isinstance(estimate, str):
        return Figure(target.criterion, None, origin="estimated", unknown=estimate)
    return Figure(
        target.criterion,
        round(estimate.value, _DIGITS),
        low=round(estimate.low, _DIGITS),
        high=round(estimate.high, _DIGITS),
        interval="prediction",
        origin="estimated",
        source=f"what {target.name} would find, estimated from {others}",
        notes=(f"estimated from {others}, not measured",),
    )


def _newcomer(name: str, title: str, evidence: Evidence) -> Alternative:
    """A candidate of which the first study has nothing."""
    return Alternative(
        name=name,
        title=title,
        backbone=name,
        weights_kind="published",
        weights_id="published",
        weights_origin="; ".join(evidence.study.studies),
        synthetic=False,
        folds=0,
        folds_total=0,
        seeds=0,
        device="",
        corpora=(),
        runs=(),
        finished="",
        marks=(),
        figures={},
        facts=encoder_facts(name),
    )


def _notes(
    join: Join,
    observations: Sequence[Observation],
    target: Source,
    corpora: Mapping[str, float],
    estimated: Sequence[str],
    others: str,
) -> Iterator[str]:
    """What rests on the model, and how well it does where it can be checked."""
    if not estimated:
        yield f"Nothing of {target.criterion} could be estimated from {others}."
        return
    yield f"Estimated from {others}, not measured: {target.criterion} of {', '.join(estimated)}."
    found = list(checks(join, observations, target.name, corpora))
    held = sum(check.holds for check in found)
    tau = stats.kendalltau([c.value for c in found], [c.estimate.value for c in found]).statistic
    yield (
        f"Of the {len(found)} figures of {target.name} that can be checked, each estimated without "
        f"what the study says of its encoder, {held} lie in their 95 % intervals; Kendall's tau "
        f"between figures and estimates is {tau:.2f}."
    )
