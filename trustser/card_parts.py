"""What model cards are made of: the front matter of the Hugging Face hub, and safe Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from profiles_db.criteria import CRITERIA, Unit, format_value

UNKNOWN: Final = "unknown"
UNVERIFIED: Final = "unverified"

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>&#|~@])")


def front_matter(
    *,
    licence: str,
    tags: Sequence[str],
    languages: Sequence[str],
    base_model: str | None,
    name: str,
    result: Mapping[str, Any],
    metrics: Sequence[str] = (),
    licence_name: str | None = None,
) -> str:
    """The YAML at the head of a card, between its lines.

    Parameters
    ----------
    licence : str
        As the hub calls it; `unknown`, or `other` with a `licence_name`.
    tags : sequence of str
        Beside those of every card of this program.
    languages : sequence of str
        ISO 639 codes; left out where there is none.
    base_model : str or None
        Repository on the hub.
    name : str
        Of the model, in the `model-index`.
    result : mapping
        An `index_entry`.
    metrics : sequence of str
        Names of what was measured; left out where there is none.
    """
    front: dict[str, Any] = {
        "license": licence,
        "license_name": licence_name,
        "library_name": "trustser",
        "pipeline_tag": "audio-classification",
        "tags": ["speech-emotion-recognition", "trustser", *tags],
        "language": list(languages),
        "base_model": base_model,
        "metrics": list(metrics),
        "model-index": [{"name": name, "results": [dict(result)]}],
    }
    stated = {key: value for key, value in front.items() if value}
    return f"---\n{yaml.safe_dump(stated, sort_keys=False, allow_unicode=True)}---"


def index_entry(
    dataset: str, dataset_name: str, metrics: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """One entry of a `model-index`: figures on one data set."""
    return {
        "task": {"type": "audio-classification", "name": "Speech emotion recognition"},
        "dataset": {"type": dataset, "name": dataset_name},
        "metrics": [dict(metric) for metric in metrics],
    }


def index_metrics(values: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """The known figures of a `model-index`, by criterion; it has no way to say unknown.

    Examples
    --------
    >>> index_metrics({"uar": 0.6, "macs": None})
    [{'type': 'uar', 'name': 'Unweighted average recall', 'value': 0.6}]
    """
    return [
        {"type": name, "name": criterion.title, "value": value}
        for name, criterion in CRITERIA.items()
        if (value := values.get(name)) is not None
    ]


def table_row(cells: Sequence[str]) -> str:
    """A line of a table, in which no cell can end another.

    Examples
    --------
    >>> table_row(["a|b", "c"])
    '| a\\\\|b | c |'
    """
    plain = (re.sub(r"(?<!\\)\|", r"\\|", cell).replace("\n", " ") for cell in cells)
    return f"| {' | '.join(plain)} |"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a head."""
    return "\n".join([table_row(columns), f"|{'---|' * len(columns)}", *map(table_row, rows)])


def interval_cell(low: float | None, high: float | None, unit: Unit) -> str:
    """The two ends of an interval; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{format_value(low, unit)} to {format_value(high, unit)}"


def safe(text: str) -> str:
    """Text of others that Markdown shows as it is, on one line.

    Examples
    --------
    >>> safe("<b> and *this*\\n")
    '\\\\<b\\\\> and \\\\*this\\\\*'
    """
    kept = "".join(c if c.isprintable() else " " for c in text)
    return _SPECIAL.sub(r"\\\1", " ".join(kept.split()))


def code(text: str) -> str:
    """Text of others as code within a line.

    Examples
    --------
    >>> code("whisper_small"), code("a`b")
    ('`whisper_small`', "`a'b`")
    """
    kept = "".join(c if c.isprintable() else " " for c in text)
    return f"`{' '.join(kept.split()).replace('`', chr(39))}`"


def fenced(text: str, language: str = "") -> str:
    """Text as a block of code that nothing in it can end."""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
