"""How an encoder whose linear layers are in int8 is named: `whisper_tiny+int8`."""

from __future__ import annotations

from typing import Final

_ENDING: Final = "+int8"


def with_int8(name: str) -> str:
    """The name, or the weights' id, where the linear layers are in int8."""
    return f"{name}{_ENDING}"


def split_int8(name: str) -> tuple[str, bool]:
    """What the encoder is called in float32, and whether `name` is that of one in int8.

    Examples
    --------
    >>> split_int8("whisper_small@6+int8"), split_int8("whisper_small@6")
    (('whisper_small@6', True), ('whisper_small@6', False))
    """
    plain = name.removesuffix(_ENDING)
    return plain, bool(plain) and plain != name
