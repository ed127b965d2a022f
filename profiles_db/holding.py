"""Folders that one process works in at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from profiles_db.files import unwritable

_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def holding(
    folder: Path, on_wait: Callable[[str], None] | None = None, *, shared: bool = False
) -> Iterator[None]:
    """Hold `folder` while the block runs: alone, or `shared` with others that share it.

    The hold ends with the process, however that ends. Where others hold the folder, `on_wait` is
    told once, and the block begins when they have let go.

    Raises
    ------
    OutputError
        If the folder is not there or cannot be opened.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        _hold(descriptor, folder, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, on_wait)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, folder: Path, kind: int, on_wait: Callable[[str], None] | None) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if on_wait:
            on_wait(f"another process works in {folder}: waiting")
        fcntl.flock(descriptor, kind)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        if on_wait:
            on_wait(f"{folder} lies where folders cannot be held: start the same run only once")


def held(folder: Path) -> bool:
    """Whether a process holds `folder`, alone or shared."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
