"""`trustser profile`: measure backbones on a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from profiles_db.errors import InputError
from trustser.commands.profiles import as_record, print_aspects
from trustser.extras import require_profile
from trustser.sizes import parse_size
from trustser.stopping import Terminated
from trustser.terminal import TerminalProgress, print_json

Only = Literal["sustainability"]
EngineName = Literal["local", "ray"]

DEFAULT_DB = Path("trustser.duckdb")
MOST_WEIGHTS_SEED = 2**64 - 1
"""PyTorch's generator takes no larger one."""


def profile(
    backbone: Annotated[
        list[str], typer.Option(help="Backbone to profile; may be repeated. See `backbones`.")
    ],
    dataset: Annotated[str, typer.Option(help="Corpus to profile on. See `datasets`.")] = "demo",
    data_root: Annotated[
        Path | None, typer.Option(help="Folder of the corpus, or the manifest's CSV file.")
    ] = None,
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
    db: Annotated[Path, typer.Option(help="DuckDB file that keeps the profiles.")] = DEFAULT_DB,
    protocol: Annotated[Path | None, typer.Option(help="YAML file with protocol settings.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.NAME=VALUE", help="One setting of the protocol; repeatable."
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="`default`, `all`, or class names with commas.")
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Run the first so many folds only.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of the emotion head.")] = None,
    repetitions: Annotated[
        int | None,
        typer.Option("--repetitions", "--seeds", help="Train every head so often."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the feature cache (default: $TRUSTSER_CACHE, ~/.cache/trustser)."
        ),
    ] = None,
    cache_limit: Annotated[
        str | None,
        typer.Option(
            help="Keep so much of features, say 20GB; the rest is computed again when read."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="`auto`, `cpu` or `cuda`.")] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes, 0 for none; measured and chosen if not given."),
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="Where jobs run: this machine, or a Ray cluster.")
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of a Ray cluster, or `auto`; if not given, one starts here."),
    ] = None,
    weights_seed: Annotated[
        int, typer.Option(min=0, max=MOST_WEIGHTS_SEED, help="Seed of `--weights random`.")
    ] = 0,
    allow_outside: Annotated[
        bool,
        typer.Option("--allow-outside", help="Let a manifest name files outside its own folder."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the profiles as JSON.")] = False,
) -> None:
    """Train heads on frozen backbones and measure the five aspects of trust.

    Example: trustser profile --backbone whisper_tiny --dataset ravdess --data-root RAVDESS
    --db profiles.duckdb
    """
    require_profile("profile")
    from profiler.cache_home import cache_home  # noqa: PLC0415
    from profiler.measures.registry import chosen as chosen_measures  # noqa: PLC0415
    from profiler.pipeline.measuring import require_measured  # noqa: PLC0415
    from profiler.protocol import load_protocol  # noqa: PLC0415
    from profiler.session import profile_all, profile_all_costs  # noqa: PLC0415
    from profiles_db.store import Store  # noqa: PLC0415

    progress = TerminalProgress()
    chosen = load_protocol(
        protocol,
        setting or (),
        say=progress.say,
        classes=classes,
        folds=folds,
        epochs=epochs,
        repetitions=repetitions,
    )
    wanted = chosen_measures(measures or "default")
    if only and measures:
        raise InputError("names measures twice", where="--only", remedy="drop one of the two")
    limit = None if cache_limit is None else parse_size(cache_limit, "--cache-limit")
    store = Store(db, on_wait=progress.say)
    try:
        if only or wanted == ("sustainability",):
            found = profile_all_costs(
                backbone, store, weights=weights or "random", device=device, progress=progress
            )
        else:
            found = profile_all(
                backbone,
                dataset,
                data_root,
                chosen,
                store,
                weights=weights or "pretrained",
                weights_seed=weights_seed,
                cache=cache or cache_home(),
                device=device,
                workers=workers,
                progress=progress,
                wanted=wanted,
                allow_outside=allow_outside,
                engine=engine,
                ray_address=ray_address,
                cache_limit=limit,
            )
    except (KeyboardInterrupt, Terminated):
        progress.say(f"Stopped. Finished folds are kept in {db}; the same command goes on there.")
        raise
    if json:
        print_json([as_record(one) for one in found])
    else:
        print_aspects(found)
    require_measured(found)
