"""Folders of sounds that people name in settings, known by what they hold, not where they lie."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from profiles_db.errors import InputError

SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})
MOST_SOUNDS: Final = 10_000
"""Sounds of one folder, at most: each is read to name the folder by its content."""
MOST_FILES: Final = 100_000
"""Files and folders that are looked at, at most: `/` is no folder of sounds."""


class SoundFolder(BaseModel):
    """A folder of sounds: where it lies, and a digest of its files' names and bytes.

    A setting may name the path alone; the digest is then taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, max_length=4096)
    digest: str = Field(pattern=r"sha256:[0-9a-f]{64}")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value.strip():
            raise ValueError("an empty text names no folder")
        folder = Path(value).expanduser().absolute()
        return {"path": str(folder), "digest": _digest(folder)}

    def sounds(self) -> list[Path]:
        """Its sounds in the order of their names.

        Raises
        ------
        InputError
            If the folder is gone, or holds other sounds than when it was named.
        """
        folder = Path(self.path)
        if _digest(folder) != self.digest:
            raise InputError(
                "holds other sounds than when it was named",
                where=self.path,
                remedy="name the folder again with --set, which makes a run of its own",
            )
        return _files(folder)


def _digest(folder: Path) -> str:
    """Name of what the folder holds; read once in a process while no file changes.

    Raises
    ------
    InputError
        If there is no such folder, or no sound in it, or more than are read.
    """
    files = tuple(_files(folder))
    if not files:
        kind = "holds no sounds" if folder.is_dir() else "is no folder"
        rule = f"a folder with files that end in {', '.join(sorted(SUFFIXES))}"
        raise InputError(kind, where=str(folder), rule=rule)
    if len(files) > MOST_SOUNDS:
        raise InputError(
            f"holds {len(files)} sounds", where=str(folder), rule=f"at most {MOST_SOUNDS}"
        )
    try:
        states = tuple((stat.st_size, stat.st_mtime_ns) for stat in (f.stat() for f in files))
        return _digest_of(folder, files, states)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(folder)) from error


@lru_cache(maxsize=8)
def _digest_of(folder: Path, files: tuple[Path, ...], states: tuple[tuple[int, int], ...]) -> str:  # noqa: ARG001 - the states tell whether a file changed
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            own = hashlib.file_digest(handle, "sha256").hexdigest()
        whole.update(f"{file.relative_to(folder).as_posix()}\0{own}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _files(folder: Path) -> list[Path]:
    """The sounds of a folder and of those in it, sorted; links to folders are not followed.

    Raises
    ------
    InputError
        If it holds more files than anyone keeps sounds in.
    """
    found: list[Path] = []
    seen = 0
    for parent, _, names in os.walk(folder):
        seen += 1 + len(names)
        if seen > MOST_FILES:
            raise InputError(
                f"holds more than {MOST_FILES} files and folders", where=str(folder),
                remedy="name the folder with the sounds alone",
            )  # fmt: skip
        paths = (Path(parent, name) for name in names)
        found += [p for p in paths if p.suffix.lower() in SUFFIXES and p.is_file()]
    return sorted(found)
