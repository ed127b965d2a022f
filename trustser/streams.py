"""The standard streams, made to take whatever a command prints wherever they lead.

A stream may be closed, lead into a pipe whose reader is gone, or have an encoding that lacks a
character. None of that is a fault of the command, so none may bring a traceback.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
from io import TextIOWrapper
from typing import Final

ESCAPING: Final = "trustser.escaping"
_DESCRIPTORS: Final = (0, 1, 2)
_OUTPUTS: Final = (1, 2)


def prepare_streams() -> None:
    """Open the standard streams that are closed, and let them write every character.

    A closed one leads nowhere from then on: otherwise the next file to be opened, such as the
    database, would take its number, and what other libraries print would land in that file. Where
    the encoding is ASCII, no locale was set: UTF-8 is written, as Python does where it may choose.
    """
    for descriptor in _DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
    codecs.register_error(ESCAPING, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if ascii_only else stream.encoding, errors=ESCAPING)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What cannot be encoded as `\\uXXXX`, which JSON reads as the same text."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def reader_is_gone() -> bool:
    """Whether nobody reads standard output or standard error any more."""
    poll = select.poll()
    for descriptor in _OUTPUTS:
        poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def flush_streams() -> None:
    """Write what is not written yet; where that fails, leave nothing to try it again."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
