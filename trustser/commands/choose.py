"""`trustser choose`: measure only as far as a decision needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trustser import api
from trustser.api import DEFAULT_DB
from trustser.commands.advise import NOTHING_STANDS
from trustser.commands.profile import keeping_said
from trustser.extras import require_profile
from trustser.option_values import parse_duration, timestamp
from trustser.options import (
    AllowOutside,
    Cache,
    CacheLimit,
    Classes,
    Database,
    DataRoot,
    Device,
    ProtocolFile,
    ProtocolSettings,
    WeightsSeed,
    Workers,
)
from trustser.terminal import TerminalProgress, print_json, print_table

if TYPE_CHECKING:
    from trustser.staged_choice import Chosen


def choose(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or a shipped one's name.")],
    dataset: Annotated[str, typer.Option(help="Corpus to measure on. See `datasets`.")],
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="A candidate; repeatable. Those the scenario includes if not given."),
    ] = None,
    data_root: DataRoot = None,
    weights: Annotated[
        str, typer.Option(help="`pretrained`, `random` (untrained stand-in), a folder or a file.")
    ] = "pretrained",
    budget: Annotated[
        str | None,
        typer.Option(help="Stop in time, say 2h or 30min, and say what is still open."),
    ] = None,
    confidence: Annotated[
        float,
        typer.Option(help="With which nobody is left out who would come out first in full."),
    ] = 0.95,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The report (HTML) to write.")
    ] = None,
    db: Database = DEFAULT_DB,
    protocol: ProtocolFile = None,
    setting: ProtocolSettings = None,
    classes: Classes = None,
    cache: Cache = None,
    cache_limit: CacheLimit = None,
    device: Device = "auto",
    workers: Workers = None,
    weights_seed: WeightsSeed = 0,
    allow_outside: AllowOutside = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the uncertainty draws.")] = 0,
    made_at: Annotated[
        str | None, typer.Option("--made-at", help="Time shown in the report, as ISO 8601.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print decision and stages as JSON.")
    ] = False,
) -> None:
    """Measure candidates on your clips only as far as the decision needs, then decide.

    What a budget excludes is never trained. The others are measured on few folds first, and left
    where they are once they cannot come out first. Everything is kept: the same command, another
    scenario, or `trustser profile` goes on from there. With --json the report is written only
    where -o names a file. Exit code 0: a choice stands; 3: no candidate meets the requirements.

    Example: trustser choose my.yaml --dataset manifest --data-root my.csv --backbone fbank
    --backbone whisper_tiny --db my.duckdb -o choice.html
    """
    require_profile("choose")
    from profiler.protocol import load_protocol  # noqa: PLC0415

    when = timestamp(made_at)
    seconds = None if budget is None else parse_duration(budget, "--budget")
    progress = TerminalProgress()
    settings = load_protocol(protocol, setting or (), say=progress.say, classes=classes)
    with keeping_said(db, progress):
        found = api.choose(
            scenario,
            dataset,
            backbone,
            data_root=data_root,
            weights=weights,
            protocol=settings,
            db=db,
            cache=cache,
            cache_limit=cache_limit,
            device=device,
            workers=workers,
            weights_seed=weights_seed,
            allow_outside=allow_outside,
            confidence=confidence,
            budget=seconds,
            seed=seed,
            progress=progress,
        )
    decision = found.decision
    target = output or (None if json else Path(f"trustser-{decision.scenario.name}.html"))
    if target is not None:
        api.write_report(decision, target, made_at=when)
    if json:
        print_json(_record(found))
    else:
        _print(found)
        typer.echo(f"\nReport: {target}")
    if decision.choice is None:
        raise typer.Exit(NOTHING_STANDS)


def _print(found: Chosen) -> None:
    from advisor.explanation.summary import as_text  # noqa: PLC0415

    typer.echo(as_text(found.decision))
    last = found.looks[-1].reach if found.looks else {}
    print_table(
        "How far each candidate was measured",
        ["backbone", "folds", "could come first in"],
        [
            [name, f"{folds} of {found.folds}", _share(last.get(name), folds)]
            for name, folds in found.measured.items()
        ],
        right=[1, 2],
    )
    typer.echo(_cost(found))


def _share(reach: float | None, folds: int) -> str:
    if reach is None:
        return "not judged" if folds else "not trained"
    least, most = 0.001, 0.999
    if 0 < reach < least:
        return "< 0.1 %"
    return "> 99.9 %" if most < reach < 1 else f"{100 * reach:.1f} %"


def _cost(found: Chosen) -> str:
    end = "" if found.settled else " Time ran out: the order of those within reach is open."
    return (
        f"Measured {100 * found.share:.0f} % of all folds of all candidates in "
        f"{found.seconds / 60:.1f} min.{end}"
    )


def _record(found: Chosen) -> dict[str, Any]:
    import json  # noqa: PLC0415

    return {
        "settled": found.settled,
        "folds": found.folds,
        "measured": dict(found.measured),
        "share_of_folds": found.share,
        "seconds": found.seconds,
        "looks": [
            {
                "folds": look.stage.folds,
                "measures": list(look.stage.measures),
                "reach": dict(look.reach),
                "still_in": list(look.still_in),
                "seconds": look.seconds,
            }
            for look in found.looks
        ],
        "decision": json.loads(found.decision.to_json()),
    }
