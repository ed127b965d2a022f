"""`trustser backbones`: what can be profiled, what each costs, and under which licence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from profiles_db.criteria import format_value
from trustser.extras import require_profile
from trustser.terminal import TerminalProgress, print_json, print_table

if TYPE_CHECKING:
    from profiler.backbones.catalogue import Entry
    from profiler.measures.costs.architecture import Costs


def backbones(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these: known names, hf:ORG/NAME, or local folders; NAME@6 for the first 6 "
            "layers of one."
        ),
    ] = None,
    counts: Annotated[
        bool,
        typer.Option(
            "--counts/--no-counts",
            help="Count parameters and multiply-accumulates, which needs trustser[profile].",
        ),
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the backbones, with what each costs for one 6 s clip, counted from its architecture.

    Example: trustser backbones whisper_tiny wav2vec2_base --json
    """
    from profiler.backbones.catalogue import installed, resolve  # noqa: PLC0415 - only when asked

    entries = [resolve(name) for name in names] if names else list(installed())
    costs = _count(names or [entry.name for entry in entries]) if counts else None
    if json:
        print_json(
            [
                _as_record(entry, costs[index] if costs else None)
                for index, entry in enumerate(entries)
            ]
        )
    else:
        _print(entries, costs)


def _count(names: list[str]) -> list[Costs]:
    require_profile("backbones")
    from profiler.measures.costs.architecture import architecture_costs  # noqa: PLC0415 - imports torch

    counted = []
    with TerminalProgress().stage("Counting", total=len(names)) as stage:
        for name in names:
            counted.append(architecture_costs(name))
            stage.advance()
    return counted


def _as_record(entry: Entry, costs: Costs | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": entry.name,
        "title": entry.title,
        "family": entry.family or None,
        "checkpoint": entry.checkpoint,
        "licence": entry.licence or None,
        "pre_training_data": entry.pre_training_data or None,
        "hidden_size": costs.hidden_size if costs else entry.hidden_size,
        "layers": costs.layers if costs else entry.layers,
        "transformer_layers": costs.transformer_layers if costs else entry.transformer_layers,
    }
    if costs:
        record |= {
            "parameters": costs.parameters,
            "macs": costs.macs,
            "paper_macs": costs.paper_macs,
            "size": costs.size,
            "uncounted": dict(costs.uncounted),
        }
    return record


def _print(entries: list[Entry], costs: list[Costs] | None) -> None:
    columns = ["name", "title", "hidden size", "layers", "depths", "licence", "pre-training data"]
    rows = [
        [
            entry.name,
            entry.title,
            _known(costs[index].hidden_size if costs else entry.hidden_size),
            _known(costs[index].layers if costs else entry.layers),
            _depths(entry, costs[index] if costs else None),
            _known(entry.licence),
            _known(entry.pre_training_data),
        ]
        for index, entry in enumerate(entries)
    ]
    if costs:
        columns[2:2] = ["parameters", "macs", "paper_macs"]
        for row, cost in zip(rows, costs, strict=True):
            row[2:2] = _shown(cost)
    right = range(2, columns.index("licence"))
    title = "Backbones, multiply-accumulates per 6 s clip; NAME@K: its first K layers, K of depths"
    print_table(title, columns, rows, right=right)


def _shown(costs: Costs) -> list[str]:
    return [
        format_value(costs.parameters, "parameters"),
        format_value(costs.macs, "MAC") + (" or more" if costs.uncounted else ""),
        format_value(costs.paper_macs, "MAC"),
    ]


def _depths(entry: Entry, costs: Costs | None) -> str:
    """Which depths it has; of a depth, none but itself."""
    layers = costs.transformer_layers if costs else entry.transformer_layers
    if layers is None:
        return "unknown"
    return f"1 to {layers - 1}" if layers > 1 and entry.depth is None else "none"


def _known(value: str | int | None) -> str:
    return str(value) if value else "unknown"
