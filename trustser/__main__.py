"""Entry point: run a command, and turn what went wrong into one line and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from profiles_db.errors import TrustserError
from profiles_db.printing import shown
from trustser.app import app
from trustser.stopping import Terminated, hear_sigterm
from trustser.streams import flush_streams, prepare_streams, reader_is_gone

FAILED = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141
TERMINATED = 143
_BROKEN_PIPE = 1
"""With which Typer and Rich leave where the reader of a pipe is gone, and never else."""


def main() -> None:
    """Run the command line; `profiles_db.errors` documents the exit codes."""
    prepare_streams()
    hear_sigterm()
    code = run(sys.argv[1:])
    flush_streams()
    if code in (INTERRUPTED, TERMINATED):
        # Everything worth keeping is on disk; waiting for workers to wind up would only delay.
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        return _run(arguments)
    except TrustserError as error:
        return _complain(str(error), error.exit_code)
    except typer.TyperException as error:
        return _complain(f"{error.format_message()} See trustser --help.", error.exit_code)
    except OSError as error:  # the system refused: a full disk, a folder that went away
        return _refused(error)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted.", INTERRUPTED)
    except Terminated:
        return _complain("terminated.", TERMINATED)


def _run(arguments: list[str]) -> int:
    try:
        code = app(args=arguments, prog_name="trustser", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as error:
        if error.code != _BROKEN_PIPE:
            raise
        return OUTPUT_CLOSED
    if code == INTERRUPTED:  # what Typer makes of Ctrl-C
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _refused(error: OSError) -> int:
    if reader_is_gone():
        return OUTPUT_CLOSED
    place = f"{error.filename}: " if error.filename else ""
    return _complain(f"{place}{error.strerror or error}.", FAILED)


def _complain(message: str, code: int) -> int:
    lines = "\n".join(shown(line) for line in message.split("\n"))
    try:
        sys.stderr.write(f"trustser: {lines}\n")
        sys.stderr.flush()
    except OSError:
        if not reader_is_gone():
            raise
    return code


if __name__ == "__main__":
    main()
