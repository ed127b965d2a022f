"""`trustser datasets`: the corpora the profiler reads, and what is wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trustser.options import DataRoot
from trustser.terminal import TerminalProgress, print_json, print_table

if TYPE_CHECKING:
    from profiler.corpora.audit.check import Audit
    from profiler.corpora.reader import CorpusReader

FAILED = 1
"""Exit code where a check failed."""

datasets_app = typer.Typer(invoke_without_command=True)


@datasets_app.callback()
def list_datasets(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the corpora that can be profiled on: language, classes, licence, source, citation.

    Example: trustser datasets --json
    """
    if context.invoked_subcommand is not None:
        return
    from profiler.corpora.registry import installed  # noqa: PLC0415 - loaded only when asked for

    readers = list(installed())
    if json:
        print_json([_as_record(reader) for reader in readers])
        return
    print_table(
        "Corpora",
        ("name", "languages", "classes", "folds", "licence", "from"),
        [
            (
                f"{reader.name} (synthetic)" if reader.synthetic else reader.name,
                ", ".join(reader.languages) or "as recorded",
                ", ".join(reader.classes) or "as labelled",
                reader.folding,
                reader.licence,
                reader.request,
            )
            for reader in readers
        ],
    )
    for reader in readers:
        if reader.citation:
            doi = f", doi:{reader.doi}" if reader.doi else ""
            typer.echo(f"- Cite {reader.title} as {reader.citation}{doi}")


@datasets_app.command()
def check(
    name: Annotated[str, typer.Argument(help="Corpus to check. See `trustser datasets`.")],
    data_root: DataRoot = None,
    classes: Annotated[
        str, typer.Option(help="`default`, `all`, or class names with commas.")
    ] = "default",
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Open the clips, or count from metadata.")
    ] = True,
    allow_outside: Annotated[
        bool, typer.Option(help="Let a manifest name files outside its own folder.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the audit as JSON.")] = False,
) -> None:
    """Count a corpus and name what is wrong with it; exit code 1 when a fold would leak.

    Example: trustser datasets check ravdess --data-root RAVDESS
    """
    from profiler.corpora.audit.check import check as audit  # noqa: PLC0415 - loaded only when asked for
    from profiler.corpora.registry import read  # noqa: PLC0415 - loaded only when asked for

    corpus = read(name, data_root, classes=classes, allow_outside=allow_outside)
    result = audit(corpus, audio=audio, progress=TerminalProgress())
    if json:
        print_json(result.to_json())
    else:
        print_audit(result)
    if not result.sound:
        raise typer.Exit(FAILED)


def print_audit(audit: Audit) -> None:
    """The audit as tables: clips by class and gender, folds and their balance, findings."""
    _print_counts(audit)
    _print_folds(audit)
    _print_balance(audit)
    for note in (*audit.notes, *(f"{n} left out: {why}" for why, n in audit.left_out.items())):
        typer.echo(f"- {note}")
    if not audit.findings:
        typer.echo("Nothing found to be wrong.")
    for finding in audit.findings:
        aspects = ", ".join(finding.aspects)
        said = " ".join(text for text in (finding.what, finding.effect, finding.remedy) if text)
        typer.echo(f"{finding.severity}: {said} [{aspects}]")
    typer.echo("A fold would leak." if audit.leaks else "No fold leaks.")


def _print_counts(audit: Audit) -> None:
    kind = " (synthetic speech)" if audit.synthetic else ""
    sound = f"{audit.audio.hours:.2f} h" if audit.audio.opened else "audio not opened"
    speakers = len(audit.speakers)
    typer.echo(f"{audit.corpus}{kind}: {audit.clips} clips, {speakers} speakers, {sound}")
    rows = [("class " + name, str(count)) for name, count in audit.classes.items()]
    rows += [("gender " + name, str(count)) for name, count in audit.genders.items()]
    rows += [("rated on " + name, str(count)) for name, count in audit.ratings.items()]
    if audit.cramers_v is not None:
        rows.append(("Cramér's V of class and gender", f"{audit.cramers_v:.3f}"))
    rows += [(f"{rate} Hz", str(count)) for rate, count in audit.audio.rates.items()]
    rows += [(f"{number} channel(s)", str(n)) for number, n in audit.audio.channels.items()]
    print_table("Clips", ("", "clips"), rows, right=(1,))


def _print_folds(audit: Audit) -> None:
    rows = [
        (
            str(fold.number),
            part,
            str(count.clips),
            str(count.speakers),
            ", ".join(f"{name} {n}" for name, n in count.classes.items()),
            ", ".join(f"{name} {n}" for name, n in count.genders.items()),
        )
        for fold in audit.folds
        for part, count in fold.parts.items()
    ]
    columns = ("fold", "part", "clips", "speakers", "classes", "genders")
    print_table("Folds", columns, rows, right=(0, 2, 3))


def _print_balance(audit: Audit) -> None:
    rows = [
        (part, name, f"{min(known):.1%}", f"{max(known):.1%}", f"{shares.corpus:.1%}")
        for part, balance in audit.balance.items()
        for name, shares in (*balance.classes.items(), *balance.genders.items())
        if (known := shares.known)
    ]
    columns = ("part", "share of", "lowest", "highest", "corpus")
    print_table("Balance over the folds", columns, rows, right=(2, 3, 4))
    for part, balance in audit.balance.items():
        typer.echo(balance.sentence(part))


def _as_record(reader: type[CorpusReader]) -> dict[str, Any]:
    return {
        "name": reader.name,
        "title": reader.title,
        "languages": list(reader.languages),
        "classes": list(reader.classes),
        "all_classes": list(reader.all_classes),
        "folds": reader.folding,
        "synthetic": reader.synthetic,
        "shares_speakers": reader.shares_speakers,
        "licence": reader.licence,
        "citation": reader.citation,
        "doi": reader.doi,
        "request": reader.request,
        "needs_root": reader.needs_root,
        "layout": reader.layout.splitlines(),
    }
