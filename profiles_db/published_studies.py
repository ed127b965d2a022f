"""Published figures as evidence: the YAML files of `profiles_db/published/`, read into profiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final, cast

from profiles_db.criteria import CRITERIA, Aspect
from profiles_db.errors import EvidenceError, ScenarioError
from profiles_db.located_yaml import read_tree
from profiles_db.measurement import Measurement, Origin
from profiles_db.profile import Profile

_FACTORS: Final = {"percent": Decimal("0.01"), "mega": Decimal(10**6), "giga": Decimal(10**9)}
DEFAULT_STUDY: Final = "trustser-2023"
"""The study that published evidence means where a scenario names none."""
_FOLDER: Final = files("profiles_db").joinpath("published")


@dataclass(frozen=True, slots=True)
class PublishedStudy:
    """One publication's figures, and what one has to know to use them.

    `aspect_criterion` says which criterion stands for an aspect in this study where it is not the
    usual one, `aspect_reasons` why. `assumed` maps a criterion to the reason for the width of its
    assumed interval. `unknown` maps a criterion that one would expect to why it is not there.
    `optional` names the profiles that are candidates only where a scenario includes them.
    """

    name: str
    title: str
    source: str
    corpora: tuple[str, ...]
    protocol: Mapping[str, str]
    aspect_criterion: Mapping[Aspect, str]
    aspect_reasons: Mapping[Aspect, str]
    assumed: Mapping[str, str]
    unknown: Mapping[str, str]
    notes: tuple[str, ...]
    titles: Mapping[str, str]
    optional: tuple[str, ...]
    profiles: tuple[Profile, ...]


def published_names() -> tuple[str, ...]:
    """Names of the studies that ship with the program."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def load_published(name: str) -> PublishedStudy:
    """The published study called `name`.

    Raises
    ------
    EvidenceError
        No study of that name ships with the program.

    Examples
    --------
    >>> study = load_published("trustser-2023")
    >>> study.profiles[0].backbone, study.profiles[0].pooled("gender_accuracy").value
    ('apc', 0.956)
    """
    if name not in published_names():
        raise EvidenceError(
            f"no published study called {name!r}", rule="one of " + ", ".join(published_names())
        )
    text = _FOLDER.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    root, problems = read_tree(text, f"{name}.yaml")
    if problems:
        raise ScenarioError.of(problems)
    return _study(root.plain())


def _study(data: dict[str, Any]) -> PublishedStudy:
    aspects = data["aspect_criterion"]
    return PublishedStudy(
        name=data["study"],
        title=data["title"],
        source=data["source"],
        corpora=tuple(data["corpora"]),
        protocol={key: str(value) for key, value in data["protocol"].items()},
        aspect_criterion={aspect: entry["criterion"] for aspect, entry in aspects.items()},
        aspect_reasons={aspect: entry["reason"] for aspect, entry in aspects.items()},
        assumed={
            criterion: column["reason"]
            for criterion, column in data["figures"].items()
            if "half_width" in column
        },
        unknown=data["unknown"],
        notes=tuple(data["notes"]),
        titles={name: entry["title"] for name, entry in data["backbones"].items()},
        optional=tuple(data["optional"]),
        profiles=tuple(_profile(data, name) for name in data["backbones"]),
    )


def _profile(data: dict[str, Any], backbone: str) -> Profile:
    return Profile(
        study=data["study"],
        backbone=backbone,
        corpus="+".join(data["corpora"]),
        weights_kind="published",
        weights_id="published",
        weights_origin=data["source"],
        synthetic=False,
        folds=0,
        folds_total=0,
        repetitions=0,
        device="",
        protocol=data["protocol"],
        measurements=tuple(_measurements(data, backbone)),
    )


def _measurements(data: dict[str, Any], backbone: str) -> Iterator[Measurement]:
    for criterion in data["figures"]:
        yield _measurement(data, backbone, criterion)
    for criterion, reason in data["unknown"].items():
        yield Measurement(
            data["study"],
            backbone,
            "published",
            "+".join(data["corpora"]),
            criterion,
            None,
            unknown=reason,
            origin="published",
            source=data["source"],
        )


def _measurement(data: dict[str, Any], backbone: str, criterion: str) -> Measurement:
    column = data["figures"][criterion]
    factor = _FACTORS[column["unit"]]
    printed = Decimal(str(data["backbones"][backbone][criterion]))
    half_width = Decimal(str(column.get("half_width", 0)))
    most = Decimal(1) if CRITERIA[criterion].unit == "fraction" else Decimal("Infinity")
    note = data["figure_notes"].get(backbone, {}).get(criterion)
    chart = data["optional"].get(backbone) if column["unit"] == "percent" else None
    return Measurement(
        study=data["study"],
        backbone=backbone,
        weights="published",
        corpus="+".join(data["corpora"]),
        criterion=criterion,
        value=float(printed * factor),
        low=float(max(Decimal(0), (printed - half_width) * factor)),
        high=float(min(most, (printed + half_width) * factor)),
        interval="assumed" if half_width else "exact",
        notes=(note,) if note else (),
        origin=cast(Origin, "digitised" if chart else column["origin"]),
        source=chart or column["source"],
    )
