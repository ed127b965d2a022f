"""`trustser measure`: measure runs further, or compute their figures again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from profiles_db.errors import InputError
from trustser.commands.profile import DEFAULT_DB
from trustser.commands.profiles import as_record, print_aspects
from trustser.extras import require_profile
from trustser.naming import named
from trustser.sizes import parse_size
from trustser.stopping import Terminated
from trustser.terminal import TerminalProgress, print_json

if TYPE_CHECKING:
    from profiles_db.profile import Profile
    from profiles_db.store import Store


def measure(
    name: Annotated[str, typer.Argument(help="A run (or its first characters), or a backbone.")],
    measures: Annotated[
        str | None,
        typer.Option(
            help="`default`, `all`, or names with commas: performance, privacy, safety, fairness, "
            "sustainability, and those of other packages."
        ),
    ] = None,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Compute figures again from the stored rows: no sound, no weights, no torch.",
        ),
    ] = False,
    db: Annotated[Path, typer.Option(help="DuckDB file that keeps the profiles.")] = DEFAULT_DB,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="MEASURE.NAME=VALUE",
            help="With --recompute: a setting that rows suffice for, such as fairness.resamples.",
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
    device: Annotated[str, typer.Option(help="`auto`, `cpu` or `cuda`.")] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes, 0 for none; measured and chosen if not given."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the profiles as JSON.")] = False,
) -> None:
    """Measure finished runs further, with the heads that were trained, or recompute their figures.

    Example: trustser measure whisper_tiny --measures safety --db profiles.duckdb
    """
    from profiler.pipeline.measuring import require_measured  # noqa: PLC0415
    from profiles_db.store import Store  # noqa: PLC0415

    progress = TerminalProgress()
    if not db.exists():
        raise InputError("no such file", where=str(db), remedy="name it with --db")
    store = Store(db, on_wait=progress.say)
    runs = named(store.outlines(), [name], db)
    found = store.with_measurements(runs)
    if recompute:
        _recompute(found, store, measures, setting or (), progress)
    else:
        if setting:
            raise InputError(
                "changes what is measured",
                where="--set",
                rule="settings of a run stay as they are; with --recompute those that rows suffice "
                "for may change",
                remedy="run `trustser profile` with the setting: trained heads are used again",
            )
        _further(
            found,
            store,
            measures,
            progress,
            db,
            data_root=data_root,
            weights=weights,
            cache=cache,
            cache_limit=None if cache_limit is None else parse_size(cache_limit, "--cache-limit"),
            device=device,
            workers=workers,
        )
    done = store.with_measurements(runs)
    if json:
        print_json([as_record(one) for one in done])
    else:
        print_aspects(done)
    require_measured(done)


def _recompute(
    found: Sequence[Profile],
    store: Store,
    measures: str | None,
    settings: Sequence[str],
    progress: TerminalProgress,
) -> None:
    from profiler.measures.registry import chosen  # noqa: PLC0415
    from profiler.protocol import Protocol, load_protocol  # noqa: PLC0415
    from profiler.recompute import recompute  # noqa: PLC0415

    wanted = None if measures is None else chosen(measures)

    def changed(stored: Protocol) -> Protocol:
        return load_protocol(None, settings, say=progress.say, base=stored)

    with progress.stage("recomputing figures", len(found)) as stage:
        for profile in found:
            outcome = recompute(profile, store, wanted, settings=changed)
            for measure_name, reason in outcome.kept.items():
                progress.say(f"run {profile.run}: {measure_name} stays as it is: {reason}")
            stage.advance()


def _further(
    found: Sequence[Profile],
    store: Store,
    measures: str | None,
    progress: TerminalProgress,
    db: Path,
    *,
    cache: Path | None,
    **options: Any,
) -> None:
    require_profile("measure")
    from profiler.cache_home import cache_home  # noqa: PLC0415
    from profiler.measures.registry import chosen  # noqa: PLC0415
    from profiler.session import measure_further  # noqa: PLC0415

    try:
        for profile in found:
            measure_further(
                profile,
                chosen(measures or "default"),
                store,
                cache=cache or cache_home(),
                progress=progress,
                **options,
            )
    except (KeyboardInterrupt, Terminated):
        progress.say(f"Stopped. Finished folds are kept in {db}; the same command goes on there.")
        raise
