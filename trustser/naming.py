"""How people name profiles on the command line: by run, the start of a run, or the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiles_db.errors import InputError
from profiles_db.profile import Profile


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
