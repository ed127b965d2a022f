"""A folder for matplotlib where the usual one cannot be written, so that it says nothing of it."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import shutil
import tempfile
from pathlib import Path


@functools.cache
def settle_matplotlib() -> None:
    """Name a temporary folder to matplotlib where it could write none of its own.

    To be called before matplotlib is imported. Otherwise its complaint comes before the result
    wherever there is no home to write to: in containers, under schedulers, for service users.
    """
    if all(_writable(folder) for folder in _usual_folders()):
        return
    folder = tempfile.mkdtemp(prefix="trustser-matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["MPLCONFIGDIR"] = folder
    # It also says that it lists the fonts again, as it does in every new folder.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


def _usual_folders() -> list[Path | None]:
    """Where matplotlib keeps its settings and its cache; None where there is no home at all."""
    named = os.environ.get("MPLCONFIGDIR")
    if named:
        return [Path(named)]
    bases = [("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")]
    return [_below(os.environ.get(variable), usual) for variable, usual in bases]


def _below(base: str | None, usual: str) -> Path | None:
    try:
        return (Path(base) if base else Path.home() / usual) / "matplotlib"
    except RuntimeError:
        return None


def _writable(folder: Path | None) -> bool:
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
