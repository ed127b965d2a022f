"""Profiles as files: CSV, Parquet, Markdown, and the `model-index` of a Hugging Face model card."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from profiles_db.criteria import CRITERIA, format_value
from profiles_db.errors import OutputError
from profiles_db.figure_table import COLUMNS, as_relation, rows
from profiles_db.files import replacing
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from trustser.card_parts import index_entry, index_metrics
from trustser.stored_profiles import corpus_mark, weights_mark

Format = Literal["csv", "parquet", "markdown", "model-index"]


def as_csv(profiles: Sequence[Profile]) -> str:
    """All measurements as CSV with a header; an unknown value is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(profiles))
    return text.getvalue()


def as_markdown(profiles: Sequence[Profile]) -> str:
    """A table of every criterion, one column per profile."""
    names = [name for name in CRITERIA if any(p.pooled(name) for p in profiles)]
    heads = [f"{p.backbone} ({weights_mark(p)}, {corpus_mark(p)})" for p in profiles]
    lines = [
        "| criterion | " + " | ".join(map(_cell, heads)) + " |",
        "|---|" + "---|" * len(profiles),
    ]
    for name in names:
        values = [_value(profile.pooled(name)) for profile in profiles]
        lines.append(f"| {name} | " + " | ".join(map(_cell, values)) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _value(measurement: Measurement | None) -> str:
    if measurement is None:
        return "not measured"
    if measurement.value is None:
        return f"unknown: {measurement.unknown}"
    unit = measurement.definition.unit
    text = format_value(measurement.value, unit)
    if measurement.low is not None and measurement.high is not None:
        ends = (format_value(end, unit) for end in (measurement.low, measurement.high))
        text += f" [{', '.join(ends)}]"
    return text + (" (flagged)" if measurement.flags else "")


def as_model_index(profiles: Sequence[Profile]) -> str:
    """The `model-index` block of a Hugging Face model card, as YAML.

    Unknown figures are left out, since a model card has no way to say so; untrained weights and
    synthetic speech are named in the model's and data set's names.
    """
    models = [
        {"name": _model_name(profile), "results": [model_result(profile)]} for profile in profiles
    ]
    text: str = yaml.safe_dump({"model-index": models}, sort_keys=False, allow_unicode=True)
    return text


def _model_name(profile: Profile) -> str:
    untrained = " (untrained, random weights)" if profile.weights_kind == "random" else ""
    return profile.backbone + untrained


def model_result(profile: Profile) -> dict[str, Any]:
    """A profile as one entry of a `model-index`; unknown figures are left out."""
    pooled = {name: profile.pooled(name) for name in CRITERIA}
    metrics = index_metrics({name: found.value for name, found in pooled.items() if found})
    return index_entry(profile.corpus, corpus_mark(profile), metrics)


def write_parquet(profiles: Sequence[Profile], path: Path) -> None:
    """All measurements as a Parquet file, written by DuckDB."""
    import duckdb  # noqa: PLC0415 - takes a while to load

    with replacing(path) as part, duckdb.connect() as connection:
        try:
            as_relation(profiles, connection).write_parquet(str(part))
        except duckdb.IOException as error:
            raise OutputError(
                f"cannot be written: {str(error).splitlines()[0]}", where=str(path)
            ) from error
