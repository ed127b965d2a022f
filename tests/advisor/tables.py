"""Decision matrices and studies made up for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from advisor.ranking.findings import WeightedCriterion
from advisor.ranking.matrix import Matrix
from advisor.records import ScenarioText
from advisor.scenario.loading import Scenario, parse_scenario
from profiles_db.criteria import CRITERIA
from profiles_db.measurement import IntervalKind, Measurement
from profiles_db.profile import Profile, WeightsKind

Given = float | tuple[float, float, float] | str
"""A figure for `profile_of`: its value, (low, value, high), or why it is unknown."""

SCORED = ("accuracy", "macro_f1", "speaker_worst_decile", "accuracy_under_attack")
"""Criteria whose fixed scale runs from 0 to 1, so that value and score are the same number."""


def matrix_of(
    scores: NDArray[np.float64], weights: Sequence[float], method: str = "weighted_sum"
) -> Matrix:
    """A matrix with candidates `a`, `b`, ... and these scores."""
    share = np.asarray(weights) / np.sum(weights)
    criteria = tuple(
        weighted(name, float(w)) for name, w in zip(SCORED, share.tolist(), strict=False)
    )
    names = tuple("abcdefghij"[: len(scores)])
    values = np.asarray(scores, dtype=np.float64)
    none = np.zeros(values.shape, dtype=np.bool_)
    return Matrix(names, criteria, values, share, method, "distrust", none)


def weighted(name: str, weight: float) -> WeightedCriterion:
    """A weighted criterion on its own scale."""
    criterion = CRITERIA[name]
    return WeightedCriterion(
        criterion=name,
        key=name,
        aspect=criterion.aspect,
        title=criterion.title,
        unit=criterion.unit,
        direction=criterion.direction,
        stated=f"{weight:g}",
        raw=weight,
        weight=weight,
        worst=criterion.scale.worst,
        best=criterion.scale.best,
        scale_source=criterion.scale.source,
    )


def scenario_of(text: str) -> Scenario:
    """A scenario from its text, with version, title and priorities where they are left out."""
    head = "" if "version:" in text else "version: 1\n"
    head += "" if "title:" in text else "title: Test\n"
    if "priorities:" not in text:
        head += "priorities: {system_performance: high, safety: low}\n"
    return parse_scenario((ScenarioText("test.yaml", head + text),))


def profile_of(
    backbone: str,
    values: Mapping[str, Given],
    *,
    study: str = "aaaa1111",
    corpus: str = "ravdess",
    weights_kind: WeightsKind = "pretrained",
    weights_id: str = "sha256:1",
    synthetic: bool = False,
    folds: int = 5,
    device: str = "laptop",
    finished: str = "2026-01-01T00:00:00",
    run: str = "run-1",
    protocol: Mapping[str, object] | None = None,
    flags: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Profile:
    """A measured profile: a value, (low, value, high), or the reason why it is unknown.

    `flags` and `notes` have one for a criterion.
    """

    def said(by_criterion: Mapping[str, str] | None, name: str) -> tuple[str, ...]:
        return (by_criterion[name],) if by_criterion and name in by_criterion else ()

    def measurement(name: str, given: Given) -> Measurement:
        if isinstance(given, str):
            return Measurement(study, backbone, weights_id, corpus, name, None, unknown=given)
        low, value, high = given if isinstance(given, tuple) else (None, given, None)
        kind: IntervalKind = "none" if low is None else "bootstrap"
        return Measurement(
            study, backbone, weights_id, corpus, name, value, low, high, kind,
            flags=said(flags, name), notes=said(notes, name),
        )  # fmt: skip

    return Profile(
        study=study,
        backbone=backbone,
        corpus=corpus,
        weights_kind=weights_kind,
        weights_id=weights_id,
        weights_origin="",
        synthetic=synthetic,
        folds=folds,
        folds_total=5,
        repetitions=1,
        device=device,
        run=run,
        finished=finished,
        protocol=protocol or {},
        measurements=tuple(measurement(name, given) for name, given in values.items()),
    )
