"""`trustser profile`: measure backbones on a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from profiles_db.errors import InputError
from trustser import api
from trustser.api import DEFAULT_DB, EngineName
from trustser.commands.profiles import as_record, print_aspects
from trustser.extras import require_profile
from trustser.options import (
    AllowOutside,
    Cache,
    CacheLimit,
    Classes,
    Database,
    DataRoot,
    Device,
    LabelMap,
    ProtocolFile,
    ProtocolSettings,
    TestOn,
    WeightsSeed,
    Workers,
)
from trustser.stopping import Terminated
from trustser.terminal import TerminalProgress, print_json

Only = Literal["sustainability"]


def profile(
    backbone: Annotated[
        list[str],
        typer.Option(
            help="Backbone to profile; may be repeated. See `backbones`. `NAME@6` has its first 6 "
            "layers alone, `NAME+last1` its last layer tuned, `NAME+int8` linear layers in int8."
        ),
    ],
    depths: Annotated[
        str | None,
        typer.Option(
            help="Profile each backbone whole and at these numbers of layers, `4,8` or `all`: its "
            "features are made once."
        ),
    ] = None,
    tune: Annotated[
        str | None,
        typer.Option(
            help="Train the last N transformer layers of each backbone together with the head: "
            "`last:N`, or `all`."
        ),
    ] = None,
    dataset: Annotated[str, typer.Option(help="Corpus to profile on. See `datasets`.")] = "demo",
    data_root: DataRoot = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="`pretrained` (the default), `random` (untrained stand-in), a folder or a file."
        ),
    ] = None,
    only: Annotated[
        Only | None,
        typer.Option(help="Measure this aspect alone: no corpus, and no weights, needed."),
    ] = None,
    measures: Annotated[
        str | None,
        typer.Option(help="`default`, `all`, or names with commas; see `trustser measure --help`."),
    ] = None,
    db: Database = DEFAULT_DB,
    protocol: ProtocolFile = None,
    setting: ProtocolSettings = None,
    classes: Classes = None,
    folds: Annotated[int | None, typer.Option(help="Run the first so many folds only.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of the emotion head.")] = None,
    repetitions: Annotated[
        int | None,
        typer.Option("--repetitions", "--seeds", help="Train every head so often."),
    ] = None,
    cache: Cache = None,
    cache_limit: CacheLimit = None,
    device: Device = "auto",
    workers: Workers = None,
    engine: Annotated[
        EngineName, typer.Option(help="Where jobs run: this machine, or a Ray cluster.")
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of a Ray cluster, or `auto`; if not given, one starts here."),
    ] = None,
    weights_seed: WeightsSeed = 0,
    allow_outside: AllowOutside = False,
    test_on: TestOn = None,
    label_map: LabelMap = None,
    json: Annotated[bool, typer.Option("--json", help="Print the profiles as JSON.")] = False,
) -> None:
    """Train heads on backbones, frozen or tuned, and measure the five aspects of trust.

    Example: trustser profile --backbone whisper_tiny --dataset ravdess --data-root RAVDESS
    --db profiles.duckdb

    Tested on another corpus: trustser profile --backbone whisper_tiny --dataset ravdess --data-root
    RAVDESS --measures performance,generalisation --test-on crema_d=CREMA-D
    """
    require_profile("profile")
    from profiler.pipeline.measuring import require_measured  # noqa: PLC0415
    from profiler.protocol import load_protocol  # noqa: PLC0415

    if only and measures:
        raise InputError("names measures twice", where="--only", remedy="drop one of the two")
    progress = TerminalProgress()
    settings = load_protocol(
        protocol,
        setting or (),
        say=progress.say,
        classes=classes,
        folds=folds,
        epochs=epochs,
        repetitions=repetitions,
    )
    with keeping_said(db, progress):
        found = api.profile(
            backbone,
            dataset,
            data_root=data_root,
            weights=weights,
            measures=only or measures or "default",
            protocol=settings,
            db=db,
            cache=cache,
            cache_limit=cache_limit,
            device=device,
            workers=workers,
            engine=engine,
            ray_address=ray_address,
            weights_seed=weights_seed,
            allow_outside=allow_outside,
            depths=depths,
            test_on=test_on or (),
            label_map=label_map,
            tune=tune,
            progress=progress,
        )
    if json:
        print_json([as_record(one) for one in found])
    else:
        print_aspects(found)
    require_measured(found)


@contextmanager
def keeping_said(db: Path, progress: TerminalProgress) -> Iterator[None]:
    """Say, where the block is stopped, that what was finished is kept."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        progress.say(f"Stopped. Finished folds are kept in {db}; the same command goes on there.")
        raise
