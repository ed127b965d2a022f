"""Reading checkpoints as data: safetensors, or torch files without code. Nothing in them runs."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from profiler.backbones.catalogue import TRANSFORMERS_FAMILIES
from profiler.backbones.hub import CONFIG, missing, weights_file
from profiler.backbones.printable import printable
from profiles_db.errors import CheckpointError
from profiles_db.files import read_json, require_regular

Global = Any  # what torch's allow-list takes: an object, or (object, 'module.name')


def read_torch(file: Path, allowed: Sequence[Global] = ()) -> Any:
    """Content of a torch checkpoint file, read without running anything in it.

    Parameters
    ----------
    file : Path
    allowed : sequence
        What the file may name beside tensors and plain containers, as
        `torch.serialization.safe_globals` takes it.

    Raises
    ------
    CheckpointError
        Where the file cannot be read, or would run code.
    """
    _require_file(file)
    try:
        with torch.serialization.safe_globals(list(allowed)), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, on uncommon pickle protocols
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(file, error) from error
    except Exception as error:  # a damaged file makes torch raise nearly anything
        raise _unreadable(file, error) from error


def read_folder(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder in the transformers format, by name.

    Raises
    ------
    CheckpointError
        Where the weights are missing or cannot be read.
    """
    file = weights_file(folder)
    if file is None:
        raise missing(str(folder), "the folder holds no model.safetensors or pytorch_model.bin")
    if file.name.endswith(".index.json"):
        return _read_shards(file)
    return read_tensors(file)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of one file, by name: safetensors, or a torch file that holds nothing else.

    Raises
    ------
    CheckpointError
        Where the file cannot be read, would run code, or holds anything but named tensors.
    """
    if file.suffix == ".safetensors":
        _require_file(file)
        try:
            return dict(safetensors.torch.load_file(file))
        except (OSError, safetensors.SafetensorError) as error:
            raise _unreadable(file, error) from error
    return named_tensors(read_torch(file), str(file))


def named_tensors(content: object, where: str) -> dict[str, Tensor]:
    """`content` as a mapping from name to tensor.

    Raises
    ------
    CheckpointError
        Where it is anything else.
    """
    named = isinstance(content, Mapping) and all(isinstance(name, str) for name in content)
    if not named or not all(isinstance(value, Tensor) for value in content.values()):  # type: ignore[attr-defined]
        raise CheckpointError(
            "holds something other than tensors by name",
            where=where,
            rule="a state dict",
            remedy="give the checkpoint of this architecture",
        )
    return dict(content)  # type: ignore[call-overload, no-any-return]


def read_config(folder: Path, family: str = "") -> dict[str, Any]:
    """The `config.json` of a transformers folder, which must be of `family` where one is given.

    Raises
    ------
    CheckpointError
        Where it is missing, no JSON object, or names another family or one not known here.
    """
    file = folder / CONFIG
    if not file.exists():
        raise missing(str(folder), f"the folder holds no {CONFIG}")
    content = read_json(file, error=CheckpointError)
    found = content.get("model_type") if isinstance(content, dict) else None
    wanted = (family,) if family else TRANSFORMERS_FAMILIES
    if found not in wanted:
        raise CheckpointError(
            f"model_type is {printable(repr(found))}",
            where=str(file),
            rule=f"one of {', '.join(wanted)}" if len(wanted) > 1 else f"{family} is needed",
            remedy="give the checkpoint of this architecture",
        )
    read: dict[str, Any] = content
    return read


def _read_shards(index: Path) -> dict[str, Tensor]:
    content = read_json(index, error=CheckpointError)
    try:
        names = set(content["weight_map"].values())
    except (KeyError, AttributeError, TypeError) as error:
        raise _unreadable(index, error) from error
    tensors: dict[str, Tensor] = {}
    for name in sorted(map(str, names)):
        if Path(name).name != name:
            raise CheckpointError(
                f"shard {printable(repr(name))} lies outside its folder",
                where=str(index),
                rule="shards lie beside their index",
                remedy="do not use this checkpoint",
            )
        tensors |= read_tensors(index.parent / name)
    return tensors


def _require_file(file: Path) -> None:
    """Pipes and devices have no end, and the libraries would read them to it."""
    if not file.exists():
        raise missing(str(file), "there is no such file")
    require_regular(file, CheckpointError)


def _refused(file: Path, error: Exception) -> CheckpointError:
    # torch says at length how to load the file all the same: only what it found is passed on.
    text = str(error)
    start = max(text.find("Unsupported"), text.find("GLOBAL"), text.find("Trying to"), 0)
    found = printable(text[start:].partition(" was not an allowed")[0]).rstrip(".")
    return CheckpointError(
        f"refused: the file holds more than weights ({found})",
        where=str(file),
        rule="a checkpoint holds tensors and plain values and never runs code",
        remedy="get it from its publisher, or as safetensors",
    )


def _unreadable(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"cannot be read as a checkpoint ({type(error).__name__}: {printable(str(error))})",
        where=str(file),
        remedy="fetch or copy the file again",
    )
