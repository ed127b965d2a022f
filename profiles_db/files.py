"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from profiles_db.errors import OutputError

LONGEST_STEM = 100
"""Characters of the name that the temporary name keeps, so that it stays within any limit."""
PART: Final = ".part"
"""Ending of the temporary names; a killed process can leave one behind."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends well.

    After an error nothing is left behind, and what stood at `path` stands there still.

    Raises
    ------
    OutputError
        If the file cannot be written: no such folder, no permission, a full disk.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as part:
    ...         _ = part.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    part = path.with_name(f".{path.name[:LONGEST_STEM]}.{secrets.token_hex(4)}{PART}")
    try:
        yield part
        part.replace(path)
    except BaseException as error:
        # Where it cannot be removed it was never made, or the first error says why.
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, line ends as they are, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def make_folder(path: Path) -> Path:
    """`path`, made with its parents if it is not there.

    Raises
    ------
    OutputError
        If it cannot be made, or something else has its name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def unwritable(path: Path, error: OSError) -> OutputError:
    """What to raise where the system refused to write `path`."""
    full = error.errno in _FULL
    return OutputError(
        f"cannot be written: {error.strerror or error}",
        where=str(path),
        remedy="make room there, then run the same command again"
        if full
        else "name a place in a folder that exists and can be written to",
    )
