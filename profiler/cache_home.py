"""Where the program keeps what it can make again: features, and the demo corpus' clips."""

from __future__ import annotations

import os
from pathlib import Path


def cache_home() -> Path:
    """`$TRUSTSER_CACHE`, else `trustser` in `$XDG_CACHE_HOME`, else `~/.cache/trustser`."""
    named = os.environ.get("TRUSTSER_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trustser"
