"""The backbones known by name, and how any other is found: hub id, local folder, entry point.

Importing this module does not import torch. Adding a checkpoint of a known family takes only an
entry in `entries.py`; `docs/adding-a-backbone.md` shows it, and how another package adds its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final

from profiler.backbones.depth import parse_depth, parse_tuned
from profiler.backbones.entries import ENTRIES
from profiler.backbones.entry import Entry
from profiles_db.candidate_names import split_int8, split_tuned
from profiles_db.errors import InputError
from profiles_db.files import read_json

__all__ = [
    "CATALOGUE",
    "ENTRY_POINT_GROUP",
    "FACTORIES",
    "HUB_PREFIX",
    "TRANSFORMERS_FAMILIES",
    "Entry",
    "installed",
    "model_type",
    "resolve",
]

ENTRY_POINT_GROUP: Final = "trustser.backbones"
HUB_PREFIX: Final = "hf:"

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

FACTORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "whisper": "profiler.backbones.whisper:build",
        "wav2vec2": "profiler.backbones.waveform:build",
        "hubert": "profiler.backbones.waveform:build",
        "wavlm": "profiler.backbones.waveform:build",
        "data2vec-audio": "profiler.backbones.waveform:build",
        "wav2vec2-bert": "profiler.backbones.wav2vec2_bert:build",
        "apc": "profiler.backbones.apc:build",
        "tera": "profiler.backbones.tera:build",
        "cnn14": "profiler.backbones.cnn14:build",
        "fbank": "profiler.backbones.fbank:build",
        "egemaps": "profiler.backbones.egemaps:build",
    }
)
"""Where each family is built, as `module:function`; called as `function(entry, weights, seed)`."""

TRANSFORMERS_FAMILIES: Final = (
    "whisper",
    "wav2vec2",
    "hubert",
    "wavlm",
    "data2vec-audio",
    "wav2vec2-bert",
)
"""The families whose checkpoints are transformers folders, by their `model_type`."""

CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType({entry.name: entry for entry in ENTRIES})


def resolve(name: str) -> Entry:
    """The entry that `name` stands for.

    Looked up in this order: the catalogue; `hf:ORG/NAME`, a repository on the Hugging Face hub;
    the entry points of the group `trustser.backbones`; a local folder in the transformers format.
    Nothing is fetched and torch is not imported.

    Raises
    ------
    InputError
        Where nothing of that name is known; the nearest known name is given.

    Examples
    --------
    >>> resolve("whisper_tiny").hub_id
    'openai/whisper-tiny'
    >>> resolve("hf:openai/whisper-medium").hub_id
    'openai/whisper-medium'
    >>> resolve("tera@1").layers  # the input embedding is no layer
    2
    """
    plain, quantised = unquantised(name)
    frozen, tuned = untuned(plain)
    whole, depth = whole_and_depth(frozen)
    if (quantised and tuned is not None) or any(unquantised(n)[1] for n in (plain, frozen, whole)):
        raise InputError(
            f"{name!r} names no encoder in int8",
            where="--backbone",
            rule="+int8 comes once, last, and where no layers are tuned",
            remedy="write it as whisper_tiny+int8, or whisper_small@6+int8",
        )
    entry = _resolve_whole(whole)
    if depth is not None:
        entry = entry.first_layers(depth)
    if quantised:
        return entry.in_int8()
    return entry if tuned is None else entry.tune(tuned)


def unquantised(name: str) -> tuple[str, bool]:
    """What a name calls the encoder in float32, and whether its linear layers are to be in int8.

    A folder that is there is meant in float32, whatever its name ends with.

    Examples
    --------
    >>> unquantised("whisper_small@6+int8")
    ('whisper_small@6', True)
    """
    plain, quantised = split_int8(name)
    return (name, False) if Path(name).is_dir() else (plain, quantised)


def untuned(name: str) -> tuple[str, int | None]:
    """What a name calls the encoder with all layers frozen, and how many of them are tuned.

    None where none are. A folder that is there is meant frozen, whatever its name ends with.

    Raises
    ------
    InputError
        Where what follows is no number of layers.

    Examples
    --------
    >>> untuned("whisper_small@6+last2"), untuned("whisper_small@6")
    (('whisper_small@6', 2), ('whisper_small@6', None))
    """
    frozen, number = split_tuned(name)
    if number is None or Path(name).is_dir():
        return name, None
    return frozen, parse_tuned(number, name)


def whole_and_depth(name: str) -> tuple[str, int | None]:
    """What a name calls the whole encoder, and at what depth; None for all of it.

    A folder that is there is meant whole, whatever its name ends with.

    Raises
    ------
    InputError
        Where what follows the `@` is no number of layers.
    """
    whole, _, depth = name.rpartition("@")
    if not whole or "/" in depth or Path(name).is_dir():
        return name, None
    return whole, parse_depth(depth, name)


def _resolve_whole(name: str) -> Entry:
    if name in CATALOGUE:
        return CATALOGUE[name]
    if name.startswith(HUB_PREFIX):
        return _hub_entry(name)
    plugins = {point.name: point for point in _entry_points()}
    if name in plugins:
        return _plugin_entry(plugins[name])
    if name and Path(name).is_dir():
        return _folder_entry(Path(name))
    raise _unknown(name, [*CATALOGUE, *plugins])


def installed() -> Iterator[Entry]:
    """Every backbone known by name: the catalogue, then what other packages add."""
    yield from CATALOGUE.values()
    for point in _entry_points():
        yield _plugin_entry(point)


def _entry_points() -> list[EntryPoint]:
    """The entry points of other packages; a name of the catalogue keeps its meaning."""
    points = entry_points(group=ENTRY_POINT_GROUP)
    return sorted((point for point in points if point.name not in CATALOGUE), key=lambda p: p.name)


def _plugin_entry(point: EntryPoint) -> Entry:
    where = f"entry point {point.name} of {ENTRY_POINT_GROUP}"
    remedy = f"mend or uninstall the package that declares {point.value}"
    try:
        entry = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"cannot be imported: {error}", where=where, remedy=remedy) from error
    if not isinstance(entry, Entry) or entry.name != point.name:
        raise InputError(
            f"{point.value} is not a backbone entry of that name",
            where=where,
            rule=f"a profiler.backbones.catalogue.Entry named {point.name}",
            remedy=remedy,
        )
    return entry


def _hub_entry(name: str) -> Entry:
    hub_id = name.removeprefix(HUB_PREFIX)
    if not _HUB_ID.fullmatch(hub_id):
        raise InputError(
            f"{name!r} names no repository of the Hugging Face hub",
            where="--backbone",
            rule="hf:ORG/NAME",
            remedy="write it as hf:openai/whisper-medium",
        )
    return Entry(name=name, title=hub_id, family="", hub_id=hub_id)


def _folder_entry(folder: Path) -> Entry:
    family = model_type(folder / "config.json")
    return Entry(name=folder.resolve().name, title=str(folder), family=family, folder=folder)


def model_type(config: Path) -> str:
    """The family that a transformers `config.json` names.

    Raises
    ------
    InputError
        Where the file is missing, is no JSON object, or names a family that is not known here.
    """
    rule = f"a config.json whose model_type is one of {', '.join(TRANSFORMERS_FAMILIES)}"
    content = read_json(config)
    found = content.get("model_type") if isinstance(content, dict) else None
    if found not in TRANSFORMERS_FAMILIES:
        raise InputError(f"model_type is {found!r}", where=str(config), rule=rule)
    return str(found)


def _unknown(name: str, known: list[str]) -> InputError:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    guess = f"did you mean {nearest[0]}? " if nearest else ""
    return InputError(
        f"unknown backbone {name!r}",
        where="--backbone",
        remedy=f"{guess}Known are {', '.join(known)}, hf:ORG/NAME, or a local folder",
    )
