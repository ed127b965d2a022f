"""Which numbers of layers of an encoder may be asked for, and how.

A depth counts transformer layers. Importing this module does not import torch.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from profiles_db.errors import InputError

Depths: TypeAlias = tuple[int, ...] | None
"""Depths asked for beside the whole encoder; None for all that it has."""
ALL: Final = "all"
_LONGEST: Final = 4
"""Digits of a depth: no encoder has that many layers."""


def require_depth(name: str, depth: int, layers: int) -> None:
    """Refuse a depth that the encoder `name` with so many transformer layers does not have.

    Raises
    ------
    InputError
        Where it has no transformer layers, or `depth` is not from 1 to one less than all.
    """
    if layers == 0:
        raise InputError(
            f"{name} has no transformer layers to leave out",
            where=f"{name}@{depth}",
            remedy=f"profile it whole, as {name}",
        )
    if not 1 <= depth < layers:
        whole = f"{name} alone is all {layers} layers"
        raise InputError(
            f"{name} has no depth {depth}",
            where=f"{name}@{depth}",
            rule=f"1 to {layers - 1}; {whole}" if layers > 1 else whole,
        )


def parse_depth(text: str, where: str) -> int:
    """A number of layers as people write it.

    Raises
    ------
    InputError
        Where it is no whole number from 1 on.

    Examples
    --------
    >>> parse_depth("6", "whisper_small@6")
    6
    """
    digits = text.isascii() and text.isdigit() and len(text) <= _LONGEST
    if not digits or int(text) == 0:
        raise InputError(
            f"{text!r:.40} is no number of layers",
            where=where,
            rule="a whole number from 1 on",
            remedy="write it as whisper_small@6, or --depths 4,8",
        )
    return int(text)


def parse_depths(text: str) -> Depths:
    """What `--depths` asks for, in rising order.

    Raises
    ------
    InputError
        Where a part is no whole number from 1 on.

    Examples
    --------
    >>> parse_depths("8, 4,8"), parse_depths("all")
    ((4, 8), None)
    """
    if text.strip() == ALL:
        return None
    return tuple(sorted({parse_depth(part.strip(), "--depths") for part in text.split(",")}))


def depths_of(name: str, layers: int, asked: Depths) -> list[int]:
    """The depths at which to profile the encoder `name` beside itself, from `parse_depths`.

    The number of all its layers stands for itself.

    Raises
    ------
    InputError
        Where it does not have one of them.

    Examples
    --------
    >>> depths_of("whisper_tiny", 4, None), depths_of("whisper_tiny", 4, (2, 4))
    ([1, 2, 3], [2])
    """
    if layers == 0:
        require_depth(name, asked[0] if asked else 1, layers)
    wanted = range(1, layers) if asked is None else [depth for depth in asked if depth != layers]
    for depth in wanted:
        require_depth(name, depth, layers)
    return list(wanted)
