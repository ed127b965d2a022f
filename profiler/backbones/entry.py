"""What is known of a backbone before its weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from profiler.backbones.depth import require_depth, require_tunable
from profiles_db.candidate_names import with_depth, with_int8, with_tuned

STATES_BEFORE: Final[Mapping[str, int]] = MappingProxyType(
    {
        "whisper": 0,
        "wav2vec2": 0,
        "hubert": 0,
        "wavlm": 0,
        "data2vec-audio": 0,
        "wav2vec2-bert": 0,
        "tera": 1,
    }
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
        A key of `catalogue.FACTORIES`, or any word where `factory` is given; '' where only the
        checkpoint's own `config.json` says it.
    licence : str
        Licence of the weights, short; '' where unknown.
    licence_note : str
        Where the licence is stated, or what is open about it; '' where `source` says it plainly.
    pre_training_data : str
        '' where unknown.
    training_hours : int or None
        Hours of audio that the weights were trained on, as published; 0 where there are no
        weights, None where unknown.
    languages : str
        Languages of that audio; '' where unknown.
    source : str
        Where these facts are published; '' where nowhere.
    hidden_size, layers : int or None
        Width and number of the hidden states; None until the checkpoint is read.
    hub_id : str or None
        Repository on the Hugging Face hub.
    file : str or None
        Name of the checkpoint file, where it is a single file.
    url : str or None
        Page where people download `file`, where it is on no hub; nothing is fetched from it.
    folder : Path or None
        A local folder in the transformers format.
    architecture : mapping or None
        What the family's configuration must be told beyond its defaults to build the encoder
        without a checkpoint; None where only the checkpoint says it.
    factory : str or None
        `module:function` that builds it; by default that of the family.
    outside_torch : str
        Why torch sees nothing of what it computes, where that is so; '' elsewhere.
    depth : int or None
        Where only so many of its transformer layers are meant; all else is the whole encoder's.
    """

    name: str
    title: str
    family: str
    licence: str = ""
    licence_note: str = ""
    pre_training_data: str = ""
    training_hours: int | None = None
    languages: str = ""
    source: str = ""
    hidden_size: int | None = None
    layers: int | None = None
    hub_id: str | None = None
    file: str | None = None
    url: str | None = None
    folder: Path | None = None
    architecture: Mapping[str, object] | None = None
    factory: str | None = None
    outside_torch: str = ""
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

    def tune(self, layers: int) -> Entry:
        """The entry of the same encoder, whose last `layers` transformer layers are tuned.

        Raises
        ------
        InputError
            Where it is known not to have them.
        """
        if self.transformer_layers is not None:
            require_tunable(self.name, layers, self.transformer_layers)
        return replace(
            self,
            name=with_tuned(self.name, layers),
            title=f"{self.title}, last {f'{layers} layers' if layers > 1 else 'layer'} tuned",
        )

    def in_int8(self) -> Entry:
        """The entry of the same encoder with its linear layers in int8."""
        return replace(
            self, name=with_int8(self.name), title=f"{self.title}, linear layers in int8"
        )

    @property
    def licence_in_words(self) -> str:
        """The licence with what is open about it; '' where it is unknown."""
        return f"{self.licence} ({self.licence_note})" if self.licence_note else self.licence

    @property
    def checkpoint(self) -> str:
        """The checkpoint it stands for, as people name it."""
        parts = [str(self.folder)] if self.folder else [self.hub_id, self.file]
        return "/".join(part for part in parts if part) or self.name
