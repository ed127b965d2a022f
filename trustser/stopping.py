"""SIGTERM, by which schedulers end a job, as an exception that unwinds the command."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


class Terminated(BaseException):
    """The system asked this process to end.

    No `KeyboardInterrupt`, since Typer makes an exit code of its own of each of those.
    """


def hear_sigterm() -> None:
    """From now on SIGTERM raises `Terminated`, unless who started the program had it ignored."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
