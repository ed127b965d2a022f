"""Files written atomically, and files read only where they are files.

A pipe that nobody writes, a device that never ends or a file of a terabyte would hang a program
or fill its memory. So every file that people name is opened by `open_regular`, directly or
through `read_text`, `read_json` and `require_regular`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from profiles_db.errors import InputError, OutputError, TrustserError

LONGEST_STEM = 100
"""Bytes of the name that the temporary name keeps, so that it stays within any limit."""
PART: Final = ".part"
"""Ending of the temporary names; a killed process can leave one behind."""

MEBIBYTE: Final = 2**20

_OPEN_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without O_NONBLOCK, opening a pipe that nobody writes would wait for ever."""
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
    if not path.name or path.is_dir():
        raise OutputError(
            "cannot be written: it is a folder", where=str(path), remedy="name a file in it"
        )
    part = path.with_name(f".{_stem(path.name)}.{secrets.token_hex(4)}{PART}")
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


@contextmanager
def replacing_folder(
    path: Path, names: Collection[str], is_such: Callable[[Path], bool]
) -> Iterator[Path]:
    """A folder beside `path` to fill; it takes the place of `path` when the block ends well.

    After an error nothing is left behind, and what stood at `path` stands there still.

    Parameters
    ----------
    path : Path
    names : collection of str
        All files that such a folder may hold: one that holds others is never replaced.
    is_such : callable
        Whether a folder that holds nothing but these files may be replaced.

    Raises
    ------
    OutputError
        If `path` is another kind of folder or no folder, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     for text in ("one", "two"):
    ...         with replacing_folder(Path(place) / "a", {"a.txt"}, Path.is_dir) as part:
    ...             _ = (part / "a.txt").write_text(text)
    ...     (Path(place) / "a" / "a.txt").read_text()
    'two'
    """
    _require_replaceable(path, names, is_such)
    part = path.with_name(f".{_stem(path.name)}.{secrets.token_hex(4)}{PART}")
    before = part.with_suffix(f".before{PART}")
    try:
        part.mkdir()
        yield part
        if path.exists():
            path.replace(before)
        try:
            part.replace(path)
        except OSError:
            if before.exists():
                before.replace(path)
            raise
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        for gone in (part, before):
            shutil.rmtree(gone, ignore_errors=True)


def _require_replaceable(
    path: Path, names: Collection[str], is_such: Callable[[Path], bool]
) -> None:
    if not path.name:
        raise OutputError("is no folder of its own", where=str(path), remedy="name a new folder")
    try:
        if not path.is_symlink() and not path.exists():
            return
        held = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise unwritable(path, error) from error
    others = sorted(held - set(names))
    if others or (held and not is_such(path)):
        raise OutputError(
            f"is a folder with other things in it ({(others or sorted(held))[0]})",
            where=str(path),
            rule="a new folder, an empty one, or one that the same command made",
            remedy="name another folder",
        )


def _stem(name: str) -> str:
    """The start of `name`: so many bytes at most, since systems limit names in bytes."""
    return os.fsdecode(os.fsencode(name)[:LONGEST_STEM])


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, line ends as they are, atomically.

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


def require_folder(path: Path) -> None:
    """Refuse to write `path` before any work is done for it, where its folder is not there.

    Raises
    ------
    OutputError
        If there is no such folder.
    """
    if not path.parent.is_dir():
        raise unwritable(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))


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


def open_regular(path: Path, most: int | None = None) -> BufferedReader:
    """The file at `path`, open to be read as bytes.

    Parameters
    ----------
    path : Path
    most : int, optional
        Most bytes that it may hold.

    Raises
    ------
    OSError
        If it cannot be opened, is a folder, pipe or device, or holds more than `most` bytes.

    Examples
    --------
    >>> open_regular(Path("/dev/zero"))
    Traceback (most recent call last):
    OSError: [Errno 22] not a regular file: '/dev/zero'
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    refused = _refusal(path, os.fstat(descriptor), most)
    if refused is not None:
        os.close(descriptor)
        raise refused
    return os.fdopen(descriptor, "rb")


def _refusal(path: Path, state: os.stat_result, most: int | None) -> OSError | None:
    if stat.S_ISDIR(state.st_mode):
        return IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    if not stat.S_ISREG(state.st_mode):
        return OSError(errno.EINVAL, "not a regular file", str(path))
    if most is not None and state.st_size > most:
        return OSError(errno.EFBIG, f"holds more than {_size(most)}", str(path))
    return None


def require_regular(path: Path, error: type[TrustserError] = InputError) -> None:
    """Raise `error` unless there is a regular file at `path`.

    For files that a library opens itself. Nothing is opened here: closing a file would let go of
    the locks that DuckDB holds on it elsewhere in this process.
    """
    try:
        refused = _refusal(path, path.stat(), None)
    except OSError as missing:
        refused = missing
    if refused is not None:
        raise unreadable(path, refused, error) from refused


def read_bytes(path: Path, most: int, error: type[TrustserError] = InputError) -> bytes:
    """The bytes of a regular file of at most `most` bytes; `error` is raised where it is none."""
    try:
        with open_regular(path, most) as stream:
            content = stream.read(most + 1)
    except OSError as refused:
        raise unreadable(path, refused, error) from refused
    if len(content) > most:  # what the system makes as it is read, as in /proc, has no size
        raise error(f"holds more than {_size(most)}", where=str(path))
    return content


def read_text(path: Path, most: int = MEBIBYTE, error: type[TrustserError] = InputError) -> str:
    """The UTF-8 text of a regular file of at most `most` bytes, line ends as they are.

    A byte order mark is left out.

    Raises
    ------
    TrustserError
        An `error`, where it is none of that.
    """
    content = read_bytes(path, most, error)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as refused:
        raise error(
            f"byte {refused.start} is not UTF-8", where=str(path), rule="UTF-8 text"
        ) from refused


def read_json(
    path: Path, most: int = 32 * MEBIBYTE, error: type[TrustserError] = InputError
) -> Any:
    """What a regular file of at most `most` bytes holds as JSON.

    Raises
    ------
    TrustserError
        An `error`, where there is none, however it fails: also of brackets nested too deep.
    """
    text = read_text(path, most, error)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as refused:
        what = "nested too deep" if isinstance(refused, RecursionError) else str(refused)
        raise error(f"is not JSON: {what}", where=str(path)) from refused


def unreadable(path: Path, refused: OSError, error: type[TrustserError]) -> TrustserError:
    """What to raise where the system, or `open_regular`, refused to read `path`."""
    if isinstance(refused, FileNotFoundError):
        return error("no such file", where=str(path))
    return error(
        f"cannot be read: {refused.strerror or refused}",
        where=str(path),
        rule="a regular file that may be read",
    )


def _size(size: int) -> str:
    return f"{size / MEBIBYTE:g} MiB"
