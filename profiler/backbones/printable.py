"""Text from a file that may be hostile, made fit for one line of a terminal."""

from __future__ import annotations


def printable(text: str, most: int = 160) -> str:
    """The first line of `text`, without control characters, at most so many characters.

    Examples
    --------
    >>> printable("red \\x1b[31m alert\\nsecond line")
    'red ?[31m alert'
    """
    line = next(iter(text.splitlines()), "")
    shown = "".join(character if character.isprintable() else "?" for character in line)
    return shown if len(shown) <= most else shown[: most - 3] + "..."
