"""All commands, joined."""

from __future__ import annotations

from typing import Annotated

import typer

from trustser import __version__
from trustser.commands.advise import advise, init, schema, validate
from trustser.commands.backbones import backbones
from trustser.commands.cache import cache_app
from trustser.commands.choose import choose
from trustser.commands.database import database_app
from trustser.commands.datasets import datasets_app
from trustser.commands.diff import diff
from trustser.commands.export_model import export_model
from trustser.commands.measure import measure
from trustser.commands.predict import predict
from trustser.commands.profile import profile
from trustser.commands.profiles import profiles_app
from trustser.commands.report import report, verify
from trustser.commands.reproduce import reproduce
from trustser.commands.studies import studies

app = typer.Typer(
    name="trustser",
    help="Choose a speech backbone for emotion recognition on five aspects of trust.",
    add_completion=False,
    no_args_is_help=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"trustser {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(profile)
app.command()(measure)
app.add_typer(profiles_app, name="profiles")
app.command()(report)
app.command("export-model")(export_model)
app.command()(predict)
app.command()(advise)
app.command()(choose)
app.command()(reproduce)
app.command()(verify)
app.command()(diff)
app.command()(validate)
app.command()(schema)
app.command()(init)
app.command()(backbones)
app.command()(studies)
app.add_typer(datasets_app, name="datasets", short_help="List the corpora, or check one.")
app.add_typer(database_app, name="db")
app.add_typer(cache_app, name="cache")
