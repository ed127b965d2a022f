"""Published figures as evidence: the YAML files of `profiles_db/published/`, read into profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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

_FACTORS: Final = {
    "percent": Decimal("0.01"),
    "fraction": Decimal(1),
    "count": Decimal(1),
    "mega": Decimal(10**6),
    "giga": Decimal(10**9),
}
_DIMENSIONS: Final = ("arousal/", "dominance/", "valence/")
DEFAULT_STUDY: Final = "trustser-2023"
"""The study that published evidence means where a scenario names none."""
_FOLDER: Final = files("profiles_db").joinpath("published")


@dataclass(frozen=True, slots=True)
class StudiedEncoder:
    """An encoder, or a fine-tuned model, as a publication has it.

    Parameters
    ----------
    name : str
        What scenarios call it. That of the backbone in the catalogue where it is one of those.
    title : str
    called : str
        Its name in the publication.
    checkpoint : str
        The checkpoint that the publication's name stands for; '' where that is not certain.
    baseline : bool
        Whether it is a random baseline, which is never a candidate.
    """

    name: str
    title: str
    called: str
    checkpoint: str = ""
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class StudiedCorpus:
    """A corpus as a publication used it; None where it does not say."""

    name: str
    title: str
    language: str = ""
    classes: int | None = None
    speakers: int | None = None
    clips: int | None = None


@dataclass(frozen=True, slots=True)
class PublishedStudy:
    """One publication's figures, and what one has to know to use them.

    A study is of one of two kinds. Where `by_corpus` is false its figures are means over all of
    `corpora`, and each encoder has one profile. Where it is true each encoder has a profile for
    each corpus. `joins` says whether its figures may be joined with those of other studies: not
    where they are of fine-tuned models.
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
    url: str
    doi: str
    table: str
    licence: str
    joins: bool
    by_corpus: bool
    encoders: tuple[StudiedEncoder, ...]
    details: Mapping[str, str]
    corpus_facts: tuple[StudiedCorpus, ...]

    def complete_corpora(self, criterion: str) -> tuple[str, ...]:
        """The corpora on which every encoder that has `criterion` anywhere has a figure of it."""
        measured = [
            (p.backbone, p.corpus, found)
            for p in self.profiles
            if (found := p.pooled(criterion)) is not None
        ]
        everyone = {backbone for backbone, _, _ in measured}
        known = [(corpus, name) for name, corpus, found in measured if found.value is not None]
        return tuple(
            corpus
            for corpus in self.corpora
            if everyone and everyone == {name for on, name in known if on == corpus}
        )


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
    by_corpus = data.get("kind") == "benchmark"
    return PublishedStudy(
        **_about(data),
        **(_benchmark(data) if by_corpus else _means(data)),
        by_corpus=by_corpus,
    )


def _about(data: dict[str, Any]) -> dict[str, Any]:
    """What both kinds of studies state alike."""
    aspects = data["aspect_criterion"]
    return {
        "name": data["study"],
        "title": data["title"],
        "source": data["source"],
        "corpora": tuple(data["corpora"]),
        "protocol": {key: str(value) for key, value in data["protocol"].items()},
        "aspect_criterion": {aspect: entry["criterion"] for aspect, entry in aspects.items()},
        "aspect_reasons": {aspect: entry["reason"] for aspect, entry in aspects.items()},
        "notes": tuple(data["notes"]),
        "url": data["url"],
        "doi": data["doi"],
        "table": data["table"],
        "licence": data["licence"],
        "joins": data["joins"],
    }


def _means(data: dict[str, Any]) -> dict[str, Any]:
    """What a study of means over its corpora states in its own way."""
    corpus = "+".join(data["corpora"])
    return {
        "assumed": _assumed(data["figures"]),
        "unknown": data["unknown"],
        "titles": {name: entry["title"] for name, entry in data["backbones"].items()},
        "optional": tuple(data["optional"]),
        "profiles": tuple(
            _profile(data, name, corpus, _measurements(data, name)) for name in data["backbones"]
        ),
        "encoders": tuple(
            StudiedEncoder(name, entry["title"], entry["title"])
            for name, entry in data["backbones"].items()
        ),
        "details": {},
        "corpus_facts": tuple(StudiedCorpus(name, name) for name in data["corpora"]),
    }


def _benchmark(data: dict[str, Any]) -> dict[str, Any]:
    """What a study that prints a figure for each corpus states in its own way."""
    encoders = data["encoders"]
    rows = {corpus: list(_rows(data, corpus)) for corpus in data["corpora"]}
    candidates = [name for name, entry in encoders.items() if not entry.get("baseline")]
    profiles = (
        _profile(data, name, corpus, found)
        for corpus, measured in rows.items()
        for name in candidates
        if (found := [m for m in measured if m.backbone == name])
    )
    return {
        "assumed": _assumed(data["measures"]),
        "unknown": data["unknown"],
        "titles": {name: encoders[name]["title"] for name in candidates},
        "optional": (),
        "profiles": tuple(profiles),
        "encoders": tuple(
            StudiedEncoder(
                name,
                entry["title"],
                entry["called"],
                entry.get("checkpoint", ""),
                entry.get("baseline", False),
            )
            for name, entry in encoders.items()
        ),
        "details": data.get("details", {}),
        "corpus_facts": tuple(
            StudiedCorpus(name, **{key: value for key, value in entry.items() if key != "data"})
            for name, entry in data["corpora"].items()
        ),
    }


def _assumed(columns: Mapping[str, Any]) -> dict[str, str]:
    return {name: c["reason"] for name, c in columns.items() if "half_width" in c}


def _rows(data: dict[str, Any], corpus: str) -> Iterator[Measurement]:
    """All figures on one corpus: those of criteria, and details that only `studies` shows."""
    groups: dict[Any, list[str]] = {}
    for name, entry in data["encoders"].items():
        groups.setdefault(entry.get("group"), []).append(name)
    for measure, by_corpus in data["figures"].items():
        if corpus not in by_corpus:
            continue
        column = data["measures"].get(measure, {"unit": "fraction"})
        names = groups[_group_of(measure, groups)]
        for name, printed in zip(names, by_corpus[corpus], strict=True):
            reason = data["unknown"].get(corpus, {}).get(name)
            yield _figure(data, name, corpus, measure, column, printed, reason)


def _group_of(measure: str, groups: Mapping[Any, list[str]]) -> Any:
    """Fine-tuned models are for classes, or for a dimension, which the measure's name then begins.

    Where all encoders are alike there is one group.
    """
    if None in groups:
        return None
    return "dimensions" if measure.startswith(_DIMENSIONS) else "classes"


def _figure(
    data: dict[str, Any],
    backbone: str,
    corpus: str,
    measure: str,
    column: dict[str, Any],
    printed: float | None,
    reason: str | None,
) -> Measurement:
    interval = _interval(measure, column, printed)
    return Measurement(
        study=data["study"],
        backbone=backbone,
        weights="published",
        corpus=corpus,
        criterion=measure,
        **interval,
        unknown=reason if printed is None else None,
        origin="published",
        source=f"{data['title']}, {column.get('called', measure)} on "
        f"{data['corpora'][corpus]['title']}",
    )


def _interval(measure: str, column: dict[str, Any], printed: float | None) -> dict[str, Any]:
    """Value, ends and kind of the interval of a printed figure, in the criterion's unit."""
    if printed is None:
        return {"value": None}
    factor, figure = _FACTORS[column["unit"]], Decimal(str(printed))
    known = CRITERIA.get(measure)
    if known is None:
        return {"value": float(figure * factor)}
    half_width = Decimal(str(column.get("half_width", 0)))
    most = Decimal(1) if known.unit == "fraction" else Decimal("Infinity")
    return {
        "value": float(figure * factor),
        "low": float(max(Decimal(0), (figure - half_width) * factor)),
        "high": float(min(most, (figure + half_width) * factor)),
        "interval": "assumed" if half_width else "exact",
    }


def _profile(
    data: dict[str, Any], backbone: str, corpus: str, measurements: Iterable[Measurement]
) -> Profile:
    return Profile(
        study=data["study"],
        backbone=backbone,
        corpus=corpus,
        weights_kind="published",
        weights_id="published",
        weights_origin=data["source"],
        synthetic=False,
        folds=0,
        folds_total=0,
        repetitions=0,
        device="",
        protocol=data["protocol"],
        measurements=tuple(measurements),
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
    note = data["figure_notes"].get(backbone, {}).get(criterion)
    chart = data["optional"].get(backbone) if column["unit"] == "percent" else None
    return Measurement(
        study=data["study"],
        backbone=backbone,
        weights="published",
        corpus="+".join(data["corpora"]),
        criterion=criterion,
        **_interval(criterion, column, data["backbones"][backbone][criterion]),
        notes=(note,) if note else (),
        origin=cast(Origin, "digitised" if chart else column["origin"]),
        source=chart or column["source"],
    )
