"""How the command line shows things: tables, progress, and one way to write JSON.

Rich is imported where something is drawn with it: commands that print JSON start faster without.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from profiles_db.printing import shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PLAIN_INTERVAL_SECONDS = 10.0
"""Where there is no terminal, a stage says how far it is at most this often."""
PLAIN_WIDTH = 200
"""Columns of a table that is written to a file or a pipe."""


def tell(line: str) -> None:
    """One line on standard error."""
    typer.echo(f"trustser: {line}", err=True)


def print_json(value: Any) -> None:
    """`value` as JSON on standard output, for programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """A table on standard output; the columns numbered in `right` are aligned to the right."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    table = Table(title=title, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def print_narrow_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> None:
    """A table without lines between its columns, so that more of them fit into 80."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    table.pad_edge, table.collapse_padding = False, True
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def print_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Facts under a title, one a line, their names aligned; long ones go on in their column."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        grid.add_row(f"  {name}", shown(value))
    console.print(title, style="bold", markup=False, highlight=False)
    console.print(grid, markup=False)


class TerminalProgress:
    """Progress bars on a terminal, plain lines elsewhere, always on standard error."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415

        self._console = Console(stderr=True)
        self._live = self._console.is_terminal

    def say(self, message: str) -> None:
        """One line that stays; names of files in it cannot steer the terminal."""
        self._console.print(shown(message), markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[_Bar | _Lines]:
        """A stage of `total` steps."""
        if not self._live:
            lines = _Lines(self, title, total)
            yield lines
            lines.close()
            return
        with _bars(self._console) as bars:
            yield _Bar(bars, bars.add_task(title, total=total))


def _bars(console: Console) -> Bars:
    """Title, bar, count and the time left, for each stage."""
    from rich import progress  # noqa: PLC0415

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )


class _Bar:
    """One rich progress bar."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, steps: int = 1) -> None:
        self._bars.advance(self._task, steps)

    def grow(self, steps: int) -> None:
        total = self._bars.tasks[self._bars.task_ids.index(self._task)].total or 0
        self._bars.update(self._task, total=total + steps)


class _Lines:
    """A stage as plain lines: now and then how far it is, at the end how long it took."""

    def __init__(self, progress: TerminalProgress, title: str, total: int) -> None:
        self._progress, self._title, self._total = progress, title, total
        self._done, self._start = 0, time.monotonic()
        self._last = self._start

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        now = time.monotonic()
        if now - self._last >= PLAIN_INTERVAL_SECONDS:
            self._last = now
            self._progress.say(f"{self._title}: {self._done} of {self._total}")

    def grow(self, steps: int) -> None:
        self._total += steps

    def close(self) -> None:
        seconds = time.monotonic() - self._start
        self._progress.say(f"{self._title}: {self._done} of {self._total} in {seconds:.1f} s")
