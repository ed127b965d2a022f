"""`trustser advise` and what belongs to scenarios: `validate`, `schema`, `init`."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from profiles_db.errors import InputError, ScenarioError
from profiles_db.files import require_folder, write_text
from trustser import api
from trustser.extras import require_pdf
from trustser.option_values import timestamp
from trustser.terminal import tell

if TYPE_CHECKING:
    from advisor.decision import Decision

NOTHING_STANDS = 3


def advise(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or a shipped one's name.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The report (HTML) to write.")
    ] = None,
    db: Annotated[
        Path | None, typer.Option("--db", help="DuckDB file, for measured evidence.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole decision as JSON.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a short version as Markdown.")
    ] = False,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", help="Write the first part as one A4 page, too.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option("--card", help="Write a model card (Markdown) of the choice, too."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the uncertainty draws.")] = 0,
    made_at: Annotated[
        str | None, typer.Option("--made-at", help="Time shown in the report, as ISO 8601.")
    ] = None,
) -> None:
    """Choose a backbone for a scenario and write the report.

    With --json or --markdown the report is written only where -o names a file. --pdf and --card
    write the page that is read in a minute, and the model card of the choice, from the same
    decision; where nothing is chosen there is no card.
    Exit code 0: a choice stands; 3: nothing is chosen, since every candidate fails a requirement or
    cannot be judged, and the output says which; 2: invalid input.

    Example: trustser advise edge -o edge.html
    """
    if json and markdown:
        raise InputError("--json and --markdown together", remedy="choose one")
    when = timestamp(made_at)
    _require_different(output, pdf, card)
    for path in (output, pdf, card):
        if path is not None:
            require_folder(path)
    if pdf is not None:
        require_pdf("advise")
    decision = api.advise(scenario, db=db, seed=seed, say=tell)
    if json:
        typer.echo(decision.to_json(indent=2))
    elif markdown:
        from advisor.explanation.summary import as_markdown  # noqa: PLC0415

        typer.echo(as_markdown(decision))
    if output is not None or not (json or markdown):
        _write_report(decision, output, when, quiet=json or markdown)
    _write_others(decision, pdf, card, when, quiet=json or markdown)
    if decision.choice is None:
        if json or markdown:
            typer.echo(f"trustser: {decision.summary}", err=True)
        raise typer.Exit(NOTHING_STANDS)


def _write_report(decision: Decision, output: Path | None, when: str, *, quiet: bool) -> None:
    from advisor.explanation.summary import as_text  # noqa: PLC0415

    path = output or Path(f"trustser-{decision.scenario.name}.html")
    api.write_report(decision, path, made_at=when)
    if not quiet:
        typer.echo(as_text(decision))
        typer.echo(f"\nReport: {path}")


def _require_different(*paths: Path | None) -> None:
    """Raise `InputError` where two outputs are to be one file."""
    named = [path.resolve() for path in paths if path is not None]
    if len(set(named)) < len(named):
        raise InputError(
            "one file for two outputs", where="trustser advise", remedy="name a file for each"
        )


def _write_others(
    decision: Decision, pdf: Path | None, card: Path | None, when: str, *, quiet: bool
) -> None:
    """The page of PDF and the model card, where they are asked for."""
    if pdf is not None:
        from reports.one_page import write_page  # noqa: PLC0415 - few want it

        write_page(decision, pdf, made_at=when)
        typer.echo(f"Page: {pdf}", err=quiet)
    if card is None:
        return
    from trustser.decision_card import decision_card  # noqa: PLC0415 - few want it

    text = decision_card(decision)
    if text is None:
        tell(f"no card at {card}: nothing is chosen")
        return
    write_text(card, text)
    typer.echo(f"Card: {card}", err=quiet)


def validate(
    files: Annotated[list[str], typer.Argument(help="Scenario files, or shipped ones' names.")],
    db: Annotated[
        Path | None, typer.Option("--db", help="DuckDB file, to check what weighs its profiles.")
    ] = None,
) -> None:
    """Check scenario files; every error of every file in one go.

    Of a valid one it says which criteria no candidate has: of the published figures, or of the
    profiles of the database that --db names.

    Example: trustser validate scenarios/edge.yaml my.yaml
    """
    problems = [problem for file in files for problem in _problems(file, db)]
    if problems:
        raise ScenarioError.of(problems)


def _problems(file: str, db: Path | None) -> list[ScenarioError]:
    from advisor.evidence.coverage import uncovered  # noqa: PLC0415
    from advisor.evidence.gathering import gather  # noqa: PLC0415
    from advisor.scenario.loading import load_scenario  # noqa: PLC0415

    gaps: list[str] = []
    try:
        scenario = load_scenario(file)
        published = scenario.spec.evidence.measured is None
        if published or db is not None:
            profiles = None if published else api.profiles_for(scenario, db, tell)
            gaps = list(uncovered(scenario, gather(scenario, profiles)))
    except ScenarioError as error:
        return list(error.problems) or [error]
    typer.echo(f"{file}: valid{', but ' if gaps else ''}{'; '.join(gaps)}")
    return []


def schema(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it here instead of printing it.")
    ] = None,
) -> None:
    """Print the JSON Schema of scenario files, for editors.

    Example: trustser schema -o scenarios/scenario.schema.json
    """
    from advisor.scenario.json_schema import scenario_schema  # noqa: PLC0415

    text = json_text.dumps(scenario_schema(), indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("scenario.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented scenario to start from.

    Example: trustser init my.yaml
    """
    from advisor.scenario.loading import starter_text  # noqa: PLC0415

    if file.exists() and not force:
        raise InputError("there is a file already", where=str(file), remedy="use --force")
    write_text(file, starter_text())
    typer.echo(f"Wrote {file}. Next: trustser advise {file}")
