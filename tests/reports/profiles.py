"""Profiles to report: one with everything, one that lacks gender, one that must not be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from profiles_db.measurement import Measurement
from profiles_db.profile import Profile, WeightsKind

CLASSES = ("neutral", "happy", "sad", "angry")
NO_GENDER = "the corpus has no gender labels"


def a_profile(
    backbone: str = "whisper_tiny",
    *,
    kind: WeightsKind = "pretrained",
    synthetic: bool = False,
    gender: bool = True,
    classes: tuple[str, ...] = CLASSES,
    study: str = "5" * 64,
    notes: str = "fixed",
) -> Profile:
    """A profile as a run stores it, details and all."""
    identity: dict[str, Any] = {
        "study": study,
        "backbone": backbone,
        "weights": "w",
        "corpus": "ravdess",
    }
    rows = [*_main(gender), *_by_class(classes, gender), *_attacks(), *_layers(), *_folds()]
    return Profile(
        study=study,
        backbone=backbone,
        corpus="ravdess",
        weights_kind=kind,
        weights_id="w",
        weights_origin=notes,
        synthetic=synthetic,
        folds=2,
        folds_total=5,
        repetitions=1,
        device=notes,
        run=f"run-{backbone}",
        finished="2026-01-31T12:00:00+00:00",
        protocol={"epochs": 30, notes: notes},
        provenance={"versions": {"torch": notes}},
        measurements=tuple(Measurement(**identity, **row) for row in rows),
    )


def _row(criterion: str, value: float | None, **details: Any) -> dict[str, Any]:
    return {"criterion": criterion, "value": value, **details}


def _main(gender: bool) -> Iterator[dict[str, Any]]:
    interval: dict[str, Any] = {"interval": "bootstrap", "n": 1440}
    yield _row("uar", 0.612, low=0.58, high=0.64, baseline=0.25, **interval)
    yield _row("attack_success_rate", 0.63, low=0.58, high=0.69, flags=("noise beats FGSM",))
    yield _row("macs", 2.593e9, origin="counted", interval="exact")
    if gender:
        yield _row("gender_accuracy", 0.93, low=0.9, high=0.95, baseline=0.5, **interval)
        yield _row("equalized_odds_difference", 0.15, low=0.1, high=0.2, **interval)
    else:
        yield _row("gender_accuracy", None, unknown=NO_GENDER)
        yield _row("equalized_odds_difference", None, unknown=NO_GENDER)


def _by_class(classes: tuple[str, ...], gender: bool) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(classes):
        yield _row("recall", 0.4 + 0.1 * number, label=name)
        for other in classes:
            count = 96.0 if other == name else 7.0
            yield _row("confusion", count, label=name, predicted=other)
        for one in ("female", "male") if gender else ():
            yield _row("recall", 0.5, label=name, gender=one)
    for one in ("female", "male") if gender else ():
        yield _row("uar", 0.6, gender=one)


def _attacks() -> Iterator[dict[str, Any]]:
    for kind, rates in {"fgsm": (0.9, 0.63), "noise": (0.2, 0.1), "pgd": (0.7,)}.items():
        for snr, rate in zip((35, 45), rates[::-1] if kind == "pgd" else rates, strict=False):
            yield _row("attack_success_rate", rate, attack=kind, snr_db=float(snr))
            yield _row("accuracy_under_attack", 0.6 * (1 - rate), attack=kind, snr_db=float(snr))
            yield _row("reached_snr_db", snr + 0.25, attack=kind, snr_db=float(snr))


def _layers() -> Iterator[dict[str, Any]]:
    for layer in range(12):
        yield _row("layer_weight", (layer + 1) / 78, layer=layer + 1)


def _folds() -> Iterator[dict[str, Any]]:
    for fold, value in enumerate((0.6, 0.62), 1):
        yield _row("uar", value, fold=fold)
    yield _row("uar", 0.014, statistic="deviation over folds")
