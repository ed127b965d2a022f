"""The backbones known by name, and how any other is found: hub id, local folder, entry point.

Importing this module does not import torch. Adding a checkpoint of a known family takes only an
entry here; `docs/adding-a-backbone.md` shows it, and how another package adds its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final

from profiler.backbones.depth import parse_depth, require_depth
from profiles_db.depths import with_depth
from profiles_db.errors import InputError
from profiles_db.files import read_json

ENTRY_POINT_GROUP: Final = "trustser.backbones"
HUB_PREFIX: Final = "hf:"

_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

FACTORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "whisper": "profiler.backbones.whisper:build",
        "wav2vec2": "profiler.backbones.waveform:build",
        "hubert": "profiler.backbones.waveform:build",
        "wavlm": "profiler.backbones.waveform:build",
        "apc": "profiler.backbones.apc:build",
        "tera": "profiler.backbones.tera:build",
        "fbank": "profiler.backbones.fbank:build",
    }
)
"""Where each family is built, as `module:function`; called as `function(entry, weights, seed)`."""

TRANSFORMERS_FAMILIES: Final = ("whisper", "wav2vec2", "hubert", "wavlm")
"""The families whose checkpoints are transformers folders, by their `model_type`."""

STATES_BEFORE: Final[Mapping[str, int]] = MappingProxyType(
    {"whisper": 0, "wav2vec2": 0, "hubert": 0, "wavlm": 0, "tera": 1}
)
"""The families of transformers, and how many hidden states come before the first layer's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a backbone before its weights are loaded.

    Parameters
    ----------
    name : str
        What `--backbone`, the database and scenario files call it.
    title : str
        The name people write.
    family : str
        A key of `FACTORIES`, or any word where `factory` is given; '' where only the
        checkpoint's own `config.json` says it.
    licence, pre_training_data : str
        '' where unknown.
    hidden_size, layers : int or None
        Width and number of the hidden states; None until the checkpoint is read.
    hub_id : str or None
        Repository on the Hugging Face hub.
    file : str or None
        Name of the checkpoint file, where it is a single file.
    folder : Path or None
        A local folder in the transformers format.
    architecture : mapping or None
        What the family's configuration must be told beyond its defaults to build the encoder
        without a checkpoint; None where only the checkpoint says it.
    factory : str or None
        `module:function` that builds it; by default that of the family.
    depth : int or None
        Where only so many of its transformer layers are meant; all else is the whole encoder's.
    """

    name: str
    title: str
    family: str
    licence: str = ""
    pre_training_data: str = ""
    hidden_size: int | None = None
    layers: int | None = None
    hub_id: str | None = None
    file: str | None = None
    folder: Path | None = None
    architecture: Mapping[str, object] | None = None
    factory: str | None = None
    depth: int | None = None

    @property
    def transformer_layers(self) -> int | None:
        """Transformer layers that could be left out from the last backwards; None until the
        checkpoint is read."""
        if self.factory is not None or self.layers is None:
            return None
        before = STATES_BEFORE.get(self.family)
        return 0 if before is None else self.layers - before

    def first_layers(self, depth: int) -> Entry:
        """The entry of its first `depth` transformer layers.

        Raises
        ------
        InputError
            Where it is known not to have them.
        """
        have, layers = self.transformer_layers, self.layers
        if have is not None and layers is not None:
            require_depth(self.name, depth, have)
            layers -= have - depth
        return replace(
            self,
            name=with_depth(self.name, depth),
            title=f"{self.title}, first {f'{depth} layers' if depth > 1 else 'layer'}",
            layers=layers if have is not None else None,
            depth=depth,
        )

    @property
    def checkpoint(self) -> str:
        """The checkpoint it stands for, as people name it."""
        parts = [str(self.folder)] if self.folder else [self.hub_id, self.file]
        return "/".join(part for part in parts if part) or self.name


_WEB_AUDIO = "680,000 h of labelled audio from the web, 97 languages"
_LIBRISPEECH = "LibriSpeech 960 h"


def _whisper(size: str, title: str, width: int, layers: int) -> Entry:
    shape = {
        "d_model": width,
        "encoder_layers": layers,
        "encoder_attention_heads": width // 64,
        "encoder_ffn_dim": 4 * width,
    }
    return Entry(
        name=f"whisper_{size}",
        title=f"Whisper {title}",
        family="whisper",
        licence="Apache-2.0",
        pre_training_data=_WEB_AUDIO,
        hidden_size=width,
        layers=layers,
        hub_id=f"openai/whisper-{size}",
        architecture=MappingProxyType(shape),
    )


_ENTRIES: Final = (
    Entry(
        name="apc",
        title="APC",
        family="apc",
        licence="MIT (code; the checkpoint names none)",
        pre_training_data="LibriSpeech 360 h",
        hidden_size=512,
        layers=3,
        hub_id="leo19941227/apc_series",
        file="apc_360hr.ckpt",
    ),
    Entry(
        name="tera",
        title="TERA",
        family="tera",
        licence="Apache-2.0 (code; the checkpoint names none)",
        pre_training_data=_LIBRISPEECH,
        hidden_size=768,
        layers=4,
        hub_id="s3prl/tera",
        file="tera_logMelBase_T_F_M_AdamW_b32_1m_960hr_drop1/states-1000000.ckpt",
    ),
    _whisper("tiny", "Tiny", 384, 4),
    _whisper("base", "Base", 512, 6),
    _whisper("small", "Small", 768, 12),
    Entry(
        name="wav2vec2_base",
        title="wav2vec 2.0 Base",
        family="wav2vec2",
        licence="Apache-2.0",
        pre_training_data=_LIBRISPEECH,
        hidden_size=768,
        layers=12,
        hub_id="facebook/wav2vec2-base",
        architecture=MappingProxyType({}),
    ),
    Entry(
        name="wavlm_base_plus",
        title="WavLM Base+",
        family="wavlm",
        licence="CC BY-SA 3.0",
        pre_training_data="94,000 h: Libri-Light, GigaSpeech, VoxPopuli (English)",
        hidden_size=768,
        layers=12,
        hub_id="microsoft/wavlm-base-plus",
        architecture=MappingProxyType({}),
    ),
    Entry(
        name="hubert_base",
        title="HuBERT Base",
        family="hubert",
        licence="Apache-2.0",
        pre_training_data=_LIBRISPEECH,
        hidden_size=768,
        layers=12,
        hub_id="facebook/hubert-base-ls960",
        architecture=MappingProxyType({}),
    ),
    Entry(
        name="fbank",
        title="FBANK (log-Mel with deltas)",
        family="fbank",
        licence="none needed (no weights)",
        pre_training_data="none",
        hidden_size=240,
        layers=1,
    ),
)

CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


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
    whole, depth = whole_and_depth(name)
    return _resolve_whole(whole) if depth is None else _resolve_whole(whole).first_layers(depth)


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
