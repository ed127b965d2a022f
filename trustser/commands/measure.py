"""`trustser measure`: measure runs further, or compute their figures again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustser import api
from trustser.api import DEFAULT_DB
from trustser.commands.profile import keeping_said
from trustser.commands.profiles import as_record, print_aspects
from trustser.options import Database, Device, LabelMap, TestOn, Workers
from trustser.terminal import TerminalProgress, print_json


def measure(
    name: Annotated[
        str,
        typer.Argument(help="A run (or its first characters), or a backbone: then all its runs."),
    ],
    measures: Annotated[
        str | None,
        typer.Option(
            help="`default`, `all`, or names with commas: performance, privacy, safety, fairness, "
            "sustainability; on request robustness, dimensional, dimensional_safety, groups, "
            "embeddings, data_amount, generalisation, linguistic; and those of other packages."
        ),
    ] = None,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Compute figures again from the stored rows: no sound, no weights, no torch.",
        ),
    ] = False,
    db: Database = DEFAULT_DB,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="MEASURE.NAME=VALUE",
            help="A setting of these measures, such as robustness.gain_db=[3]; with --recompute "
            "one that rows suffice for, such as fairness.resamples.",
        ),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Where the corpus lies, if not where it lay.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Where the weights lie, if not where they lay.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of the heads (default: $TRUSTSER_CACHE, ~/.cache/trustser)."),
    ] = None,
    cache_limit: Annotated[
        str | None, typer.Option(help="Keep so much of features, say 20GB.")
    ] = None,
    device: Device = "auto",
    workers: Workers = None,
    test_on: TestOn = None,
    label_map: LabelMap = None,
    allow_outside: Annotated[
        bool,
        typer.Option(
            "--allow-outside", help="Let a manifest of --test-on name files outside its folder."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the profiles as JSON.")] = False,
) -> None:
    """Measure finished runs further, with the heads that were trained, or recompute their figures.

    With settings that the run does not have, a run of its own is made, of the same heads.

    Example: trustser measure whisper_tiny --measures safety --db profiles.duckdb

    On another corpus: trustser measure whisper_tiny --measures generalisation
    --test-on crema_d=CREMA-D --db profiles.duckdb
    """
    from profiler.pipeline.measuring import require_measured  # noqa: PLC0415

    progress = TerminalProgress()
    with keeping_said(db, progress):
        done = api.measure(
            name,
            measures=measures,
            recompute=recompute,
            settings=setting,
            db=db,
            data_root=data_root,
            weights=weights,
            cache=cache,
            cache_limit=cache_limit,
            device=device,
            workers=workers,
            test_on=test_on or (),
            label_map=label_map,
            allow_outside=allow_outside,
            progress=progress,
        )
    if json:
        print_json([as_record(one) for one in done])
    else:
        print_aspects(done)
    require_measured(done)
