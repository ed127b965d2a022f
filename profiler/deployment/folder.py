"""An exported recogniser as a folder: safetensors and JSON, read as data, nothing in it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import safetensors
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from profiler.backbones.printable import printable
from profiler.deployment.encoders import encoder_of, require_same, tensors_of
from profiler.deployment.format import (
    CARD,
    CONFIG,
    ENCODER,
    FILES,
    FORMAT,
    HEADS,
    ONNX,
    READABLE,
    TENSORS,
    VERSION,
    Config,
)
from profiler.deployment.recogniser import Recogniser, heads_of
from profiles_db.errors import CheckpointError, InputError
from profiles_db.files import MEBIBYTE, read_json, replacing_folder, require_regular

_MOST_CONFIG: Final = 4 * MEBIBYTE


def write_folder(
    recogniser: Recogniser, folder: Path, card: Callable[[Config], str], *, onnx: bool = False
) -> None:
    """Write `recogniser` and its model card as a folder, all of it or nothing.

    Parameters
    ----------
    recogniser : Recogniser
        On the CPU.
    folder : Path
        A new folder, an empty one, or one that an export made.
    card : callable
        What README.md says, of what `config.json` does.
    onnx : bool, optional
        Whether to write it as an ONNX graph too.

    Raises
    ------
    OutputError
        If it cannot be written, or holds anything else.
    CheckpointError
        If the encoder is to be included and cannot be built again from its tensors.
    InputError
        If there is to be a graph, and it would not say what torch says.
    """
    config = recogniser.config
    part = config.encoder
    with replacing_folder(folder, FILES, is_export) as made:
        tensors = {f"{HEADS}{n}": t.contiguous() for n, t in recogniser.heads.state_dict().items()}
        if part.included:
            own = tensors_of(recogniser.encoder)
            require_same(recogniser.encoder, encoder_of(part, own, str(folder)))
            tensors |= {f"{ENCODER}{name}": tensor for name, tensor in own.items()}
        save_file(tensors, made / TENSORS, metadata={"format": FORMAT})
        if onnx:
            from profiler.deployment.onnx_graph import write_onnx  # noqa: PLC0415 - an extra

            graph = write_onnx(recogniser, made / ONNX)
            config = config.model_copy(update={"onnx": graph})
        text = config.model_dump_json(indent=2) + "\n"
        (made / CONFIG).write_text(text, encoding="utf-8")
        (made / CARD).write_text(card(config), encoding="utf-8")
        # safetensors lets nobody else read what it writes.
        (made / TENSORS).chmod((made / CONFIG).stat().st_mode)


def is_export(folder: Path) -> bool:
    """Whether the `config.json` of `folder` says that an export made it, of whatever version."""
    try:
        content = read_json(folder / CONFIG, _MOST_CONFIG)
    except InputError:
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def read_config(folder: Path) -> Config:
    """What an exported folder says of itself.

    Raises
    ------
    CheckpointError
        Where it is no such folder, of a newer format, or says what cannot be.
    """
    file = folder / CONFIG
    content = read_json(file, _MOST_CONFIG, CheckpointError)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            "is no exported recogniser",
            where=str(file),
            rule=f"format {FORMAT}",
            remedy="make one with `trustser export-model RUN -o FOLDER`",
        )
    if content.get("format_version") not in READABLE:
        raise CheckpointError(
            f"format version {printable(repr(content.get('format_version')))}",
            where=str(file),
            rule=f"this release reads versions {READABLE[0]} to {VERSION}",
            remedy="export again, or use the release that exported it",
        )
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        first: Any = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CheckpointError(
            printable(f"{place}: {first['msg']}".removeprefix(": ")),
            where=str(file),
            remedy="export or copy the folder again",
        ) from error


def load_folder(folder: Path, device: torch.device | None = None) -> Recogniser:
    """The recogniser that `write_folder` wrote.

    Parameters
    ----------
    folder : Path
    device : torch.device, optional
        The CPU if not given.

    Raises
    ------
    CheckpointError
        Where the folder is none, damaged, or names weights that are not to be had.
    """
    config = read_config(folder)
    tensors = _tensors(folder / TENSORS)
    encoder = encoder_of(config.encoder, _named(tensors, ENCODER), str(folder))
    if (encoder.layers, encoder.hidden_size) != (
        config.encoder.hidden_states,
        config.encoder.hidden_size,
    ):
        raise _unfit(folder, "the encoder has other hidden states than the heads were trained on")
    try:
        heads = heads_of(config, encoder, _named(tensors, HEADS))
    except RuntimeError as error:
        raise _unfit(folder, f"the heads' tensors do not fit: {printable(str(error))}") from error
    if not all(tensor.isfinite().all() for tensor in heads.state_dict().values()):
        raise _unfit(folder, "the heads hold NaN or infinity")
    return Recogniser(config, encoder, heads).to(device or torch.device("cpu"))


def _tensors(file: Path) -> dict[str, Tensor]:
    require_regular(file, CheckpointError)
    try:
        return dict(load_file(file))
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"cannot be read ({printable(str(error))})",
            where=str(file),
            remedy="export or copy the folder again",
        ) from error


def _named(tensors: dict[str, Tensor], beginning: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(beginning): tensor
        for name, tensor in tensors.items()
        if name.startswith(beginning)
    }


def _unfit(folder: Path, what: str) -> CheckpointError:
    return CheckpointError(
        what, where=str(folder / TENSORS), remedy="export or copy the folder again"
    )
