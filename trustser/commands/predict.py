"""`trustser predict`: emotions of recordings, from an exported folder or a run."""

from __future__ import annotations

import json as json_format
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from profiles_db.errors import InputError
from profiles_db.printing import shown
from trustser.api import DEFAULT_DB, load_model
from trustser.options import Device
from trustser.terminal import tell

if TYPE_CHECKING:
    from profiler.deployment.predict import Said
    from profiler.deployment.recogniser import Recogniser

FAILED = 1


def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="An exported folder; or a run (or its first characters), or a backbone."
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(help="Sound files, folders of them, or `-` for standard input."),
    ],
    window: Annotated[
        float | None,
        typer.Option(help="Answer for each window of so many seconds, not for the first part."),
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between windows (default: the window's length).")
    ] = None,
    sample_rate: Annotated[
        int | None,
        typer.Option(help="Standard input is raw 16-bit PCM, one channel, of so many Hz."),
    ] = None,
    device: Device = "auto",
    db: Annotated[
        Path | None, typer.Option(help="With a run: DuckDB file that keeps the profiles.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="With a run: folder of the heads.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="With a run: where the weights lie, if not where they lay.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for programs.")
    ] = False,
) -> None:
    """Say the emotion of recordings as probabilities of each class.

    Without --window the first part of each recording is heard, as long as in training (6 s unless
    the study said otherwise). A recording that cannot be heard is one line on standard error, and
    the others go on.

    Exit codes: 0 every recording was heard; 1 some could not be; 2 the model or an option is wrong.

    Example: trustser predict recogniser clip.wav talks/ --json

    Example: arecord -f S16_LE -r 16000 -t raw | trustser predict recogniser - --sample-rate 16000
    --window 3 --hop 1
    """
    if hop is not None and window is None:
        raise InputError("is given without a window", where="--hop", remedy="give --window too")
    recogniser = _recogniser(model, db=db, cache=cache, weights=weights, device=device)
    from profiler.deployment.predict import predict as answers  # noqa: PLC0415 - loads torch
    from profiler.deployment.recordings import Windows  # noqa: PLC0415

    windows = (
        None
        if window is None
        else Windows.of(window, hop, shortest=recogniser.shortest, longest=recogniser.longest)
    )
    _tell_marks(recogniser)
    failed = False
    for said in answers(
        recogniser, inputs, stdin=sys.stdin.buffer, windows=windows, sample_rate=sample_rate
    ):
        if said.error is not None:
            failed = True
            tell(shown(str(said.error)))
        if json:
            typer.echo(json_format.dumps(_as_record(said, recogniser), ensure_ascii=False))
        elif said.error is None:
            typer.echo(shown(_line(said)))
    if failed:
        raise typer.Exit(FAILED)


def _recogniser(
    model: str, *, db: Path | None, cache: Path | None, weights: str | None, device: str
) -> Recogniser:
    """From the exported folder `model`, or from the run of that name where no such folder is."""
    if Path(model).is_dir():
        given = {"--db": db, "--cache": cache, "--weights": weights}
        for option, value in given.items():
            if value is not None:
                raise InputError(
                    "belongs to a run",
                    where=option,
                    rule=f"{model} is a folder, which needs neither database nor cache",
                )
        return load_model(model, device=device)
    if os.sep in model or (db is None and not DEFAULT_DB.exists()):
        raise InputError(
            "no such folder",
            where=model,
            rule="a folder of `trustser export-model`, or with --db a run of that database",
        )
    from trustser.exporting import assembled  # noqa: PLC0415

    recogniser, _ = assembled(
        model,
        command="predict",
        db=db or DEFAULT_DB,
        cache=cache,
        fold=None,
        repetition=None,
        weights=weights,
        include_encoder=False,
        say=tell,
    )
    from profiler.machine import pick_device  # noqa: PLC0415

    return recogniser.to(pick_device(device))


def _tell_marks(recogniser: Recogniser) -> None:
    """What nobody may overlook, on standard error, before any answer."""
    if recogniser.config.warning is not None:
        tell(recogniser.config.warning)
    if recogniser.config.measured.synthetic:
        tell("trained on SYNTHETIC speech: a demonstration")
    if recogniser.temperature is None:
        tell(f"probabilities are NOT CALIBRATED: {recogniser.config.calibration.reason}")


def _line(said: Said) -> str:
    part = f"{said.file} {said.start:.2f}-{said.end:.2f} s: "
    if said.answer is None:
        return f"{part}unknown: {said.unknown}"
    by_size = sorted(said.answer.probabilities.items(), key=lambda item: -item[1])
    text = ", ".join(f"{name} {value:.3f}" for name, value in by_size)
    rest = " (the recording goes on; hear all of it with --window)" if said.more else ""
    return f"{part}{said.answer.predicted} ({text}){rest}"


def _as_record(said: Said, recogniser: Recogniser) -> dict[str, Any]:
    answer = said.answer
    return {
        "file": said.file,
        "start": said.start,
        "end": said.end,
        "predicted": None if answer is None else answer.predicted,
        "probabilities": None if answer is None else dict(answer.probabilities),
        "unknown": said.unknown,
        "goes_on": said.more,
        "calibrated": recogniser.temperature is not None,
        "untrained": recogniser.config.warning is not None,
        "seconds": said.seconds,
        "error": None if said.error is None else str(said.error),
    }
