"""Text from outside, made fit to be shown and written."""

from __future__ import annotations


def shown(text: str) -> str:
    """`text` with everything escaped that is no printable character.

    File names may hold line ends, what steers a terminal, or bytes that are no UTF-8, which Python
    keeps as half characters that no file can be written with.

    Examples
    --------
    >>> print(shown("caf\\udce9\\x1b[31m\\n.yaml"))
    caf\\udce9\\x1b[31m\\n.yaml
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
