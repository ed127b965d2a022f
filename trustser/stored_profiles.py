"""Profiles as commands find them in a database and name them to people."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from profiles_db.errors import InputError
from profiles_db.profile import Profile
from trustser.terminal import tell

if TYPE_CHECKING:
    from profiles_db.snapshot import Snapshot


def open_to_read(db: Path) -> AbstractContextManager[Snapshot]:
    """The profiles at `db`; where a run is writing it, wait in turn and say so.

    Raises
    ------
    StoreError
        On entering: if there is none, or a process holds it too long, which is then named.
    """
    from profiles_db.snapshot import reading  # noqa: PLC0415 - DuckDB takes a while to load

    return reading(db, on_wait=tell)


def named(profiles: Sequence[Profile], names: Sequence[str], db: Path) -> list[Profile]:
    """The profiles that any of `names` names, in the order of the database; all without names.

    Raises
    ------
    InputError
        If there is no profile at all, or a name fits none.
    """
    if not profiles:
        raise InputError("no finished profile", where=str(db), remedy="run `trustser profile`")
    for name in names:
        if not any(_is_called(profile, name) for profile in profiles):
            raise InputError(
                f"no run or backbone is called {name!r}",
                where=str(db),
                remedy="list them with `trustser profiles list`",
            )
    return [p for p in profiles if not names or any(_is_called(p, name) for name in names)]


def _is_called(profile: Profile, name: str) -> bool:
    return bool(name) and (profile.run.startswith(name) or profile.backbone == name)


def weights_mark(profile: Profile) -> str:
    """The kind of weights, random ones marked as untrained."""
    kinds = {"random": "RANDOM (untrained)", "none": "none needed"}
    return kinds.get(profile.weights_kind, profile.weights_kind)


def corpus_mark(profile: Profile) -> str:
    """The corpus, synthetic speech marked as such; costs are measured without one."""
    if not profile.corpus:
        return "no corpus"
    return f"{profile.corpus} (SYNTHETIC speech)" if profile.synthetic else profile.corpus
