"""How the first layers of an encoder are named: `whisper_small@6` has the first six."""

from __future__ import annotations

import re
from typing import Final

_NAMED: Final = re.compile(r"(.+)@([1-9][0-9]*)", re.DOTALL)


def with_depth(name: str, depth: int) -> str:
    """The name, or the weights' id, of the first `depth` layers."""
    return f"{name}@{depth}"


def split_depth(name: str) -> tuple[str, int | None]:
    """What stands before the depth, and the depth; None where `name` has none.

    Examples
    --------
    >>> split_depth("whisper_small@6"), split_depth("whisper_small")
    (('whisper_small', 6), ('whisper_small', None))
    """
    found = _NAMED.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)
