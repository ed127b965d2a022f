"""Entry point: run a command, and turn what went wrong into one line and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from profiles_db.errors import TrustserError
from trustser.app import app

FAILED = 2
INTERRUPTED = 130


def main() -> None:
    """Run the command line; `profiles_db.errors` documents the exit codes."""
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        # Everything worth keeping is on disk; waiting for workers to wind up would only delay.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = app(args=arguments, prog_name="trustser", standalone_mode=False)
    except TrustserError as error:
        return _complain(str(error), error.exit_code)
    except typer.TyperException as error:
        return _complain(f"{error.format_message()} See trustser --help.", error.exit_code)
    except OSError as error:  # the system refused: a full disk, a folder that went away
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}.", FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted.", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"trustser: {message}\n")
    return code


if __name__ == "__main__":
    main()
