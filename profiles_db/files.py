"""Files that appear whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from profiles_db.errors import OutputError

LONGEST_STEM = 100
"""Characters of the name that the temporary name keeps, so that it stays within any limit."""


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
    part = path.with_name(f".{path.name[:LONGEST_STEM]}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}", where=str(path)
        ) from error
    finally:
        part.unlink(missing_ok=True)
