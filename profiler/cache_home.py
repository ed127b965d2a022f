"""Where the program keeps what it can make again: features, and the demo corpus' clips."""

from __future__ import annotations

import os
from pathlib import Path

from profiles_db.errors import InputError


def cache_home() -> Path:
    """`$TRUSTSER_CACHE`, else `trustser` in `$XDG_CACHE_HOME`, else `~/.cache/trustser`.

    Raises
    ------
    InputError
        If this user has no home folder and nothing names another.
    """
    named = os.environ.get("TRUSTSER_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "trustser"
    except RuntimeError as error:
        raise InputError(
            "there is no home folder to keep the feature cache in",
            remedy="name a folder with --cache, or in $TRUSTSER_CACHE",
        ) from error
