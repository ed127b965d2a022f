"""How candidates that are made of an encoder are named.

`whisper_small@6` has its first six layers, `whisper_tiny+last2` has its last two trained with the
head, and `whisper_tiny+int8` has its linear layers in int8.
"""

from __future__ import annotations

import re
from typing import Final

_DEPTH: Final = re.compile(r"(.+)@([1-9][0-9]*)", re.DOTALL)
_TUNED: Final = re.compile(r"(.+)\+last([0-9]+)", re.DOTALL)
_INT8: Final = "+int8"


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
    found = _DEPTH.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


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
    found = _TUNED.fullmatch(name)
    return (found[1], found[2]) if found else (name, None)


def with_int8(name: str) -> str:
    """The name, or the weights' id, where the linear layers are in int8."""
    return f"{name}{_INT8}"


def split_int8(name: str) -> tuple[str, bool]:
    """What the encoder is called in float32, and whether `name` is that of one in int8.

    Examples
    --------
    >>> split_int8("whisper_small@6+int8"), split_int8("whisper_small@6")
    (('whisper_small@6', True), ('whisper_small@6', False))
    """
    plain = name.removesuffix(_INT8)
    return plain, bool(plain) and plain != name
