"""Figures computed again from stored rows: no sound, no weights, no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.measures.base import Measure, OnEncoder
from profiler.measures.registry import measures
from profiler.pipeline.measuring import take
from profiler.protocol import Protocol
from profiles_db.errors import InputError
from profiles_db.profile import Profile
from profiles_db.row_tables import TRAINING, table_of
from profiles_db.store import Store

_FLAG = "fold "
_UNTRAINED = " has no train clip of "


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Which measures of a run were computed again, and which could not be, each with the reason."""

    run: str
    measures: tuple[str, ...]
    kept: dict[str, str]


def recompute(
    profile: Profile,
    store: Store,
    wanted: Sequence[str] | None = None,
    *,
    settings: Callable[[Protocol], Protocol] = lambda stored: stored,
) -> Recomputed:
    """Compute the figures of a finished run again from its rows, and store them.

    Parameters
    ----------
    profile : Profile
        With what it was measured; of any schema.
    store : Store
    wanted : sequence of str, optional
        Measures; all that the run was measured with if not given.
    settings : callable, optional
        From the settings that the run was made with to those that hold now. Only settings that
        rows suffice for may differ.

    Raises
    ------
    InputError
        If `settings` changes what other rows would be needed for.
    """
    stored = Protocol.from_record(profile.protocol)
    protocol = settings(stored)
    _require_rows_suffice(stored, protocol, profile)
    taken = {one.measure for one in profile.measured}
    done, kept = [], {}
    for name in wanted if wanted is not None else sorted(taken):
        reason = _why_not(name, taken, profile, store)
        if reason is None:
            take(
                name,
                _with_untrained(profile),
                protocol,
                store,
                provenance={"recomputed": True, "folds": profile.folds},
            )
            done.append(name)
        else:
            kept[name] = reason
    return Recomputed(profile.run, tuple(done), kept)


def _why_not(name: str, taken: set[str], profile: Profile, store: Store) -> str | None:
    """Why a measure cannot be computed from rows, or None."""
    measure: Measure | None = measures().get(name)
    if measure is None:
        return "no measure of that name is installed"
    if name not in taken:
        return "it was never taken"
    if isinstance(measure, OnEncoder):
        return "measured on the encoder: it has no rows"
    if not measure.rows:
        return None
    steps = {table_of(kind).step for kind in measure.rows}
    lacking = [
        (step, repetition, fold)
        for step in (TRAINING, *steps)
        for repetition in range(profile.repetitions)
        for fold in range(1, profile.folds + 1)
        if (step, repetition, fold) not in store.steps_done(profile.run)
    ]
    return "some of its rows are missing" if lacking else None


def _require_rows_suffice(stored: Protocol, wanted: Protocol, profile: Profile) -> None:
    before = [stored.study, stored.training, stored.own_settings]
    if before != [wanted.study, wanted.training, wanted.own_settings]:
        raise InputError(
            "other rows would be needed",
            where=f"run {profile.run}",
            rule="--recompute changes how figures are computed, not the rows behind them",
            remedy="run `trustser profile` with these settings",
        )


def _with_untrained(profile: Profile) -> Profile:
    """The profile with its folds that lack a class in training noted.

    Earlier releases noted them in the flags of UAR alone.
    """
    if "untrained" in profile.provenance:
        return profile
    uar = profile.pooled("uar")
    untrained = {}
    for flag in uar.flags if uar is not None else ():
        start, found, classes = flag.partition(_UNTRAINED)
        if found and start.startswith(_FLAG):
            untrained[start.removeprefix(_FLAG)] = classes.split(", ")
    return dataclasses.replace(profile, provenance={**profile.provenance, "untrained": untrained})
