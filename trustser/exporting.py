"""From the name of a run to a recogniser and its model card; importing it loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from profiles_db.errors import InputError
from profiles_db.profile import Profile
from trustser.extras import require_profile
from trustser.stored_profiles import named

if TYPE_CHECKING:
    from profiler.deployment.format import Config
    from profiler.deployment.recogniser import Recogniser


def assembled(
    name: str,
    *,
    command: str,
    db: Path,
    cache: Path | None,
    fold: int | None,
    repetition: int | None,
    weights: str | None,
    include_encoder: bool,
    say: Callable[[str], None] | None,
) -> tuple[Recogniser, Profile]:
    """The recogniser that the run `name` trained, on the CPU, and the run.

    Parameters are those of `trustser.export_model`; `command` is named where torch is missing.

    Raises
    ------
    InputError
        If `name` names no run or several.
    """
    require_profile(command)
    from profiles_db.store import Store  # noqa: PLC0415 - DuckDB takes a while to load

    store = Store(db, read_only=True, on_wait=say)
    runs = named(store.outlines(), [name], db)
    if len(runs) > 1:
        listed = ", ".join(f"{run.run} ({run.corpus or 'no corpus'})" for run in runs)
        raise InputError(
            f"{name!r} names {len(runs)} runs", where=str(db), remedy=f"name one: {listed}"
        )
    (found,) = store.with_measurements(runs)
    from profiler.cache_home import cache_home  # noqa: PLC0415
    from profiler.deployment.assembly import Choice, assemble  # noqa: PLC0415 - loads torch

    recogniser = assemble(
        found,
        store,
        Choice(fold, repetition),
        cache=cache or cache_home(),
        weights=weights,
        include_encoder=include_encoder,
    )
    return recogniser, found


def card_of(found: Profile) -> Callable[[Config], str]:
    """Makes the model card of an export of `found` from what its `config.json` says."""
    from profiler.corpora.registry import reader_of  # noqa: PLC0415
    from trustser.model_card import model_card  # noqa: PLC0415

    try:
        reader = reader_of(found.corpus)
    except InputError:  # of a package that is gone: the card says what is unknown then
        reader = None
    return lambda config: model_card(config, found, reader)
