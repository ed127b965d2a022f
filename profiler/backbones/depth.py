"""Which numbers of layers of an encoder may be asked for, to be kept or tuned, and how.

Both count transformer layers. Importing this module does not import torch.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from profiles_db.errors import InputError

Depths: TypeAlias = tuple[int, ...] | None
"""Depths asked for beside the whole encoder; None for all that it has."""
ALL: Final = "all"
Tuning: TypeAlias = int | Literal["all"] | None
"""How many of an encoder's last layers are asked to be trained with the head; None for none."""
_LAST: Final = "last:"
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
    if not _is_count(text):
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


def require_tunable(name: str, tuned: int, layers: int) -> None:
    """Refuse to train the last `tuned` transformer layers of an encoder that has not so many.

    Raises
    ------
    InputError
        Where it has no transformer layers, or `tuned` is not from 1 to all of them.
    """
    if layers == 0:
        raise InputError(
            f"{name} has no transformer layers to tune",
            where=f"last:{tuned}",
            remedy=f"profile it frozen, as {name}",
        )
    if not 1 <= tuned <= layers:
        raise InputError(
            f"{name} has no last {tuned} layers to tune",
            where=f"last:{tuned}",
            rule=f"1 to {layers}, which is all" if layers > 1 else "its only layer is last:1",
            remedy=f"profile it frozen, as {name}" if tuned == 0 else "",
        )


def parse_tuning(text: str) -> Tuning:
    """What `--tune` asks for.

    Raises
    ------
    InputError
        Where it is neither `all` nor `last:` with a whole number from 1 on.

    Examples
    --------
    >>> parse_tuning("last:2"), parse_tuning("all")
    (2, 'all')
    """
    text = text.strip()
    if text == ALL:
        return "all"
    return parse_tuned(text.removeprefix(_LAST) if text.startswith(_LAST) else "", "--tune", text)


def parse_tuned(number: str, where: str, written: str | None = None) -> int:
    """A number of layers to be tuned as people write it, in `written` if not alone.

    Raises
    ------
    InputError
        Where it is no whole number from 1 on.
    """
    if not _is_count(number):
        raise InputError(
            f"{number if written is None else written!r:.40} names no layers to tune",
            where=where,
            rule="last:N with N from 1 on, or all",
            remedy="write it as whisper_small+last2, or --tune last:2",
        )
    return int(number)


def tuned_layers(name: str, layers: int, asked: int | Literal["all"]) -> int:
    """How many of the last of `layers` transformer layers of the encoder `name` are to be trained.

    Raises
    ------
    InputError
        Where it does not have so many.

    Examples
    --------
    >>> tuned_layers("whisper_tiny", 4, "all"), tuned_layers("whisper_tiny", 4, 1)
    (4, 1)
    """
    number = max(layers, 1) if asked == "all" else asked
    require_tunable(name, number, layers)
    return number


def _is_count(text: str) -> bool:
    """Whether `text` is a number of layers as people write it, from 1 on."""
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST and int(text) > 0
