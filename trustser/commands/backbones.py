"""`trustser backbones`: what can be profiled, what each costs, and under which licence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from profiles_db.criteria import format_value
from trustser.extras import require_profile
from trustser.terminal import TerminalProgress, print_facts, print_json, print_narrow_table

if TYPE_CHECKING:
    from profiler.backbones.catalogue import Entry
    from profiler.measures.costs.costs import Costs


def backbones(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these, with all facts: known names, hf:ORG/NAME, or folders; NAME@6 for "
            "the first 6 layers of one."
        ),
    ] = None,
    counts: Annotated[
        bool,
        typer.Option(
            "--counts/--no-counts",
            help="Count parameters and multiply-accumulates of backbones that are not in the "
            "catalogue, which needs the extra profile.",
        ),
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print all facts as JSON.")] = False,
) -> None:
    """List the backbones, with what each costs for one 6 s clip, counted from its architecture.

    Example: trustser backbones whisper_tiny wav2vec2_base --json
    """
    from profiler.backbones.catalogue import installed, resolve  # noqa: PLC0415 - only when asked

    entries = [resolve(name) for name in names] if names else list(installed())
    costs = _costs(names or [entry.name for entry in entries], counts)
    if json:
        print_json([_as_record(*pair) for pair in zip(entries, costs, strict=True)])
    elif names:
        for pair in zip(entries, costs, strict=True):
            print_facts(pair[0].name, _facts(*pair))
    else:
        _print(entries, costs)


def _costs(names: list[str], counts: bool) -> list[Costs | None]:
    """What is known of the costs of `names`; the others are counted, where that is asked for."""
    from profiler.measures.costs.known import known_costs  # noqa: PLC0415 - only when asked

    found = {name: known_costs(name) for name in names}
    lacking = [name for name, costs in found.items() if costs is None]
    if lacking and counts:
        require_profile("backbones")
        from profiler.measures.costs.architecture import (  # noqa: PLC0415 - imports torch
            architecture_costs,
        )

        with TerminalProgress().stage("Counting", total=len(lacking)) as stage:
            for name in lacking:
                found[name] = architecture_costs(name)
                stage.advance()
    return [found[name] for name in names]


def _as_record(entry: Entry, costs: Costs | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": entry.name,
        "title": entry.title,
        "family": entry.family or None,
        "checkpoint": entry.checkpoint,
        "licence": entry.licence or None,
        "licence_note": entry.licence_note or None,
        "pre_training_data": entry.pre_training_data or None,
        "training_hours": entry.training_hours,
        "languages": entry.languages or None,
        "source": entry.source or None,
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
            "uncountable": costs.uncountable or None,
        }
    return record


def _facts(entry: Entry, costs: Costs | None) -> list[tuple[str, str]]:
    """All that is known of one backbone, in words."""
    record = _as_record(entry, costs)
    shown = {
        "title": entry.title,
        "checkpoint": entry.checkpoint,
        "licence": _known(entry.licence_in_words),
        "training": _known(record["pre_training_data"]),
        "hours": _hours(entry),
        "languages": _known(record["languages"]),
        "source": _known(record["source"]),
        "hidden states": f"{_known(record['layers'])} x {_known(record['hidden_size'])}",
        "depths": _depths(entry, costs),
    }
    if costs:
        shown |= {
            "parameters": format_value(costs.parameters, "parameters"),
            "macs": _macs(costs),
            "paper_macs": _counted(costs.paper_macs, costs),
            "size": format_value(costs.size, "bytes"),
        }
    return list(shown.items())


def _print(entries: list[Entry], costs: list[Costs | None]) -> None:
    rows = [
        [
            entry.name,
            format_value(cost.parameters, "parameters") if cost else "unknown",
            _macs(cost) if cost and cost.macs is not None else "unknown",
            _hours(entry),
            _known(entry.licence),
        ]
        for entry, cost in zip(entries, costs, strict=True)
    ]
    print_narrow_table(
        "Backbones: macs per 6 s clip, hours of audio trained on, licence of the weights",
        ["name", "parameters", "macs", "hours", "licence"],
        rows,
        right=(1, 2, 3),
    )
    typer.echo("All facts of one: trustser backbones NAME; of all: trustser backbones --json")
    typer.echo("NAME@K is the first K layers of one, a candidate of its own.")


def _macs(costs: Costs) -> str:
    return _counted(costs.macs, costs) + (" or more" if costs.uncounted else "")


def _counted(macs: int | None, costs: Costs) -> str:
    if macs is None:
        return f"unknown ({costs.uncountable})" if costs.uncountable else "unknown"
    return format_value(macs, "MAC")


def _depths(entry: Entry, costs: Costs | None) -> str:
    """Which depths it has; of a depth, none but itself."""
    layers = costs.transformer_layers if costs else entry.transformer_layers
    if layers is None:
        return "unknown"
    return f"1 to {layers - 1}" if layers > 1 and entry.depth is None else "none"


def _hours(entry: Entry) -> str:
    return "unknown" if entry.training_hours is None else f"{entry.training_hours:,}"


def _known(value: str | int | None) -> str:
    return str(value) if value else "unknown"
