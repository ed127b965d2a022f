"""`trustser diff`: what changed between two decisions, and which change turned the choice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from profiles_db.printing import shown
from trustser.terminal import print_json

CHOICE_DIFFERS = 4


def diff(
    first: Annotated[
        Path, typer.Argument(metavar="A", help="A report, or the JSON of `advise --json`.")
    ],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, as a rule the newer one.")],
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Say what changed between two decisions: evidence, requirements, priorities, method, ranking.

    Where the choice differs it is made again with one group of changes at a time, to say which of
    them turned it. Exit code 0: the choice is the same; 4: it differs.

    Example: trustser diff yesterday.html today.html
    """
    from advisor.comparison import compare  # noqa: PLC0415

    comparison = compare(_decision(first), _decision(second), (str(first), str(second)))
    if json:
        print_json(comparison.to_dict())
    else:
        for line in comparison.lines():
            typer.echo(shown(line))
    if not comparison.same:
        raise typer.Exit(CHOICE_DIFFERS)


def _decision(file: Path) -> str:
    """The JSON of the decision in a file: the file itself, or what a report carries."""
    from reports.embedded import decision_text, read_report  # noqa: PLC0415

    text = read_report(file)
    return text if text.lstrip().startswith("{") else decision_text(text, str(file))
