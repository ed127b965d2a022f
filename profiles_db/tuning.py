"""How an encoder whose last layers are trained with the head is named: `whisper_tiny+last2`."""

from __future__ import annotations

import re
from typing import Final

_NAMED: Final = re.compile(r"(.+)\+last([0-9]+)", re.DOTALL)


def with_tuned(name: str, layers: int) -> str:
    """The name, or the weights' id, where the last `layers` layers are trained."""
    return f"{name}+last{layers}"


def split_tuned(name: str) -> tuple[str, str | None]:
    """What stands before the tuned layers, and their number as written; None where there are none.

    Examples
    --------
    >>> split_tuned("whisper_small@6+last2"), split_tuned("whisper_small@6")
    (('whisper_small@6', '2'), ('whisper_small@6', None))
    """
    found = _NAMED.fullmatch(name)
    return (found[1], found[2]) if found else (name, None)
