"""`trustser export-model`: what a run trained, as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustser import api
from trustser.api import DEFAULT_DB
from trustser.options import Database
from trustser.terminal import tell


def export_model(
    run: Annotated[str, typer.Argument(help="A run (or its first characters), or a backbone.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder to write: a new or empty one, or an earlier export."
        ),
    ],
    fold: Annotated[
        int | None,
        typer.Option(help="The heads of this fold alone, from 1; by default those of all folds."),
    ] = None,
    repetition: Annotated[
        int | None,
        typer.Option(help="The heads of this repetition alone, from 0; by default of all."),
    ] = None,
    include_encoder: Annotated[
        bool,
        typer.Option(
            "--include-encoder",
            help="Take weights that came from the hub into the folder too; local and random ones "
            "always are.",
        ),
    ] = False,
    onnx: Annotated[
        bool,
        typer.Option(
            "--onnx",
            help="Write an ONNX graph from the waveform to probabilities too, compared with torch; "
            "needs the extra onnx.",
        ),
    ] = False,
    weights: Annotated[
        str | None, typer.Option(help="Where the weights lie, if not where they lay.")
    ] = None,
    db: Database = DEFAULT_DB,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of the heads (default: $TRUSTSER_CACHE, ~/.cache/trustser)."),
    ] = None,
) -> None:
    """Export what a run trained: heads, encoder, model card; `trustser predict` takes the folder.

    There is a head for every fold and repetition. By default all go in, and their probabilities are
    averaged: so every speaker of the corpus has taught the recogniser. The card prints
    cross-validated figures of such heads one by one, and says that they are not the average's.

    Exit codes: 0 done; 2 no such run, heads or weights that are missing or others than then, or a
    folder that holds anything else; with --onnx also where a graph would not agree with torch.

    Example: trustser export-model whisper_tiny -o recogniser --db profiles.duckdb
    """
    folder = api.export_model(
        run,
        output,
        db=db,
        cache=cache,
        fold=fold,
        repetition=repetition,
        weights=weights,
        include_encoder=include_encoder,
        onnx=onnx,
        say=tell,
    )
    typer.echo(f"exported: {folder}")
