"""What the cache folder holds, how much of it is kept, and whether it is whole.

features/BACKBONE-KEY/   hidden states by clip, and `about.json`, which says of which weights
steps/RUN-VERSIONS/      what the jobs of a run gave, so that none is done twice
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from profiler.features.entry import ENDING, undamaged
from profiles_db.errors import InputError
from profiles_db.files import PART, read_json, write_text
from profiles_db.holding import held

ABOUT: Final = "about.json"


@dataclass(frozen=True, slots=True)
class Section:
    """The features of one backbone with one set of weights at one length of clip and precision.

    `weights` and `precision` are empty and `seconds` None where the folder does not say.
    `used` is when a run last opened it, in seconds since 1970; `in_use` whether one does now.
    """

    folder: Path
    backbone: str
    weights: str
    seconds: float | None
    precision: str
    entries: int
    size: int
    used: float
    in_use: bool


@dataclass(frozen=True, slots=True)
class StepResults:
    """What the jobs of a run gave; `size` in bytes."""

    run: str
    size: int
    in_use: bool


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` removed, and the folders it left alone because a run uses them."""

    files: int
    size: int
    in_use: tuple[str, ...]


def describe(folder: Path, about: Mapping[str, Any]) -> None:
    """Say in `folder` what its features are of, and that it is used now.

    Raises
    ------
    OutputError
        If that cannot be written.
    """
    write_text(folder / ABOUT, json.dumps(about, indent=2, sort_keys=True) + "\n")


def sections(cache: Path) -> list[Section]:
    """The features in `cache`, the largest first.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    found = [_section(folder) for folder in _folders(cache, "features")]
    return sorted(found, key=lambda section: (-section.size, section.folder.name))


def step_results(cache: Path) -> list[StepResults]:
    """The runs whose results of jobs are in `cache`, ended or not."""
    return [
        StepResults(folder.name, sum(_size(file) for file in _files(folder)), held(folder))
        for folder in _folders(cache, "steps")
    ]


def prune(cache: Path, limit: int, *, steps: bool = False) -> Pruned:
    """Remove features until at most `limit` bytes are left; those used longest ago go first.

    Within one section the oldest entries go first. Files that a killed run left half written go
    in any case, and with `steps` the step results of all runs too; one that has not ended then
    begins its folds again. What a run uses now stays.
    """
    found = sorted(sections(cache), key=lambda section: section.used)
    too_much = sum(section.size for section in found) - limit
    files = size = 0
    for section in found:
        if section.in_use:
            continue
        for file in _goes(section.folder, too_much - size):
            size += _size(file)
            files += 1
            file.unlink()
        _remove_empty(section.folder)
    if steps:
        for run in step_results(cache):
            if not run.in_use:
                files += _remove(cache / "steps" / run.run)
                size += run.size
    busy = [s.folder.name for s in found if s.in_use]
    return Pruned(files, size, tuple(busy))


def verify(cache: Path, on_entry: Callable[[], None]) -> list[Path]:
    """Entries whose content does not match their checksum; the next run makes them again.

    `on_entry` is called after each entry.
    """
    damaged = []
    for folder in _folders(cache, "features"):
        for entry in _entries(folder):
            if not undamaged(entry):
                damaged.append(entry)
            on_entry()
    return damaged


def _section(folder: Path) -> Section:
    about, sizes = _about(folder), [_size(entry) for entry in _entries(folder)]
    mark = folder / ABOUT
    return Section(
        folder=folder,
        backbone=str(about.get("backbone") or folder.name.rpartition("-")[0]),
        weights=str(about.get("weights", "")),
        seconds=about.get("seconds"),
        precision=_precision(about),
        entries=len(sizes),
        size=sum(sizes),
        used=(mark if mark.is_file() else folder).stat().st_mtime,
        in_use=held(folder),
    )


def _precision(about: Mapping[str, Any]) -> str:
    """As the folder says; one that describes itself without it is older than any but float32."""
    return str(about.get("precision", "float32" if about else ""))


def _about(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; nothing where it was made before it said so."""
    try:
        about = read_json(folder / ABOUT)
    except InputError:  # none, or a damaged one: the next run that opens the folder writes it
        return {}
    return about if isinstance(about, dict) else {}


def _folders(cache: Path, kind: str) -> Iterator[Path]:
    """The folders of one kind; never one that a link leads to."""
    if not cache.is_dir():
        raise InputError("no such folder", where=str(cache), remedy="name the cache with --cache")
    home = cache / kind
    for folder in sorted(home.iterdir()) if home.is_dir() else ():
        if folder.is_dir() and not folder.is_symlink():
            yield folder


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below `folder`, links never followed."""
    for place, _, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            file = Path(place) / name
            if file.is_file() and not file.is_symlink():
                yield file


def _entries(folder: Path) -> Iterator[Path]:
    return (file for file in _files(folder) if file.suffix == ENDING)


def _goes(folder: Path, too_much: int) -> Iterator[Path]:
    """Left-over parts, then the oldest entries until `too_much` bytes are gone."""
    yield from [file for file in _files(folder) if file.name.endswith(PART)]
    for entry in sorted(_entries(folder), key=lambda entry: entry.stat().st_mtime_ns):
        if too_much <= 0:
            return
        too_much -= _size(entry)
        yield entry


def _remove(folder: Path) -> int:
    """Remove all files below `folder`, then the folder; how many there were."""
    files = list(_files(folder))
    for file in files:
        file.unlink()
    _remove_empty(folder)
    return len(files)


def _remove_empty(folder: Path) -> None:
    """Remove the folders below `folder` that hold nothing, and itself where only its mark is."""
    for place, _, _ in os.walk(folder, topdown=False, followlinks=False):
        if Path(place) != folder and not any(Path(place).iterdir()):
            Path(place).rmdir()
    if all(file.name == ABOUT for file in folder.iterdir()):
        (folder / ABOUT).unlink(missing_ok=True)
        folder.rmdir()


def _size(file: Path) -> int:
    return file.stat().st_size
