"""A transformers encoder from whatever the user named: random, hub, cache or local folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from torch import Tensor, nn
from transformers import PretrainedConfig

from profiler.backbones import hub
from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.checkpoint import read_config, read_folder
from profiler.backbones.printable import printable
from profiler.backbones.weights import drawn, fitted
from profiles_db.errors import CheckpointError

MOST_LAYERS: Final = 512
"""More layers than that are taken for a broken or hostile configuration."""

# Fields by which a configuration could make transformers fetch or choose other code.
_NEVER_READ: Final = frozenset({"auto_map", "quantization_config", "attn_implementation"})

Make = Callable[[Mapping[str, Any]], nn.Module]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a family writes its checkpoints.

    Parameters
    ----------
    anchor : str
        A tensor that every checkpoint of the family has: it tells the encoder's prefix.
    prefixes : tuple of str
        What may stand before the encoder's names, by which model was saved.
    ignored : tuple of str
        Beginnings of the names of parts that are no encoder: decoders, quantisers, heads, adapters
        for them; with the encoder's prefix or without.
    optional : tuple of str
        Tensors of the encoder that inference never reads.
    renamed : mapping
        Endings of names, as other versions wrote them, to those of the present one.
    """

    anchor: str
    prefixes: tuple[str, ...]
    ignored: tuple[str, ...]
    optional: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)


def encoder(
    entry: Entry, weights: str, seed: int, layout: Layout, make: Make
) -> tuple[nn.Module, Weights]:
    """The encoder that `make` builds from a configuration, with the weights asked for.

    Parameters
    ----------
    weights : str
        'pretrained', 'random', or the path of a local folder in the transformers format.

    Raises
    ------
    CheckpointError
        Where the checkpoint is missing, unreadable, or does not fit.
    """
    if weights == "random" and entry.architecture is not None:
        architecture = entry.architecture
        return drawn(lambda: make(architecture), seed)
    folder = folder_for(entry, weights)
    config = read_config(folder, entry.family)
    build = _guarded(make, config, folder)
    if weights == "random":
        return drawn(build, seed)
    whole = read_folder(folder)
    tensors = encoder_tensors(whole, layout, str(folder))
    origin = entry.checkpoint if weights == "pretrained" else str(folder)
    model, carried = fitted(build, tensors, origin, layout.optional)
    return model, replace(carried, left_out=parts_left_out(whole, layout))


def folder_for(entry: Entry, weights: str) -> Path:
    """Local folder in the transformers format that `weights` stands for.

    Raises
    ------
    CheckpointError
        Where there is none.
    """
    if weights not in {"pretrained", "random"}:
        return _existing(Path(weights))
    if entry.folder is not None:
        return entry.folder
    if entry.hub_id is None:
        raise hub.missing(entry.name, "its entry names no repository")
    return hub.folder_of(entry.hub_id, weights=weights == "pretrained")


def encoder_tensors(tensors: Mapping[str, Tensor], layout: Layout, where: str) -> dict[str, Tensor]:
    """Those of `tensors` that are the encoder's, by the names it gives them itself.

    A tensor that belongs neither to the encoder nor to a part known to be none keeps its name, so
    that fitting refuses it as unexpected.

    Raises
    ------
    CheckpointError
        Where the encoder's anchor is nowhere.
    """
    found = [prefix for prefix in layout.prefixes if prefix + layout.anchor in tensors]
    if not found:
        raise CheckpointError(
            f"tensor {layout.anchor} is missing",
            where=where,
            rule="a checkpoint of this family holds it",
            remedy="give the checkpoint of this architecture",
        )
    named = {name.removeprefix(found[0]): tensor for name, tensor in tensors.items()}
    return {
        _renamed(name, layout.renamed): tensor
        for name, tensor in named.items()
        if not name.startswith(layout.ignored)
    }


def parts_left_out(tensors: Mapping[str, Tensor], layout: Layout) -> tuple[str, ...]:
    """The parts of a checkpoint that are no encoder, with how many tensors each has.

    Examples
    --------
    >>> layout = Layout("a.weight", ("wav2vec2.", ""), ("classifier.",))
    >>> names = ["wav2vec2.a.weight", "classifier.dense.weight", "classifier.dense.bias"]
    >>> parts_left_out(dict.fromkeys(names, Tensor()), layout)
    ('classifier (2 tensors)',)
    """
    prefix = next(p for p in layout.prefixes if p + layout.anchor in tensors)
    found = Counter(
        beginning.rstrip(".")
        for name in tensors
        for beginning in layout.ignored
        if name.removeprefix(prefix).startswith(beginning)
    )
    counted = sorted(found.items())
    return tuple(f"{part} ({count} tensor{'s' * (count > 1)})" for part, count in counted)


def configuration(
    kind: type[PretrainedConfig], fields: Mapping[str, Any], attention: str = "sdpa"
) -> PretrainedConfig:
    """A configuration of `kind` from those of `fields` that describe an architecture.

    Only fields that `kind` itself knows are taken, and `attention` names the implementation
    whatever the file says, so that a configuration can never choose code.
    """
    known = set(kind().to_dict()) - _NEVER_READ
    taken = {n: v for n, v in fields.items() if n in known and not n.startswith("_")}
    return kind(**taken, attn_implementation=attention)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise hub.missing(str(folder), "there is no such folder")
    return folder


def _renamed(name: str, endings: Mapping[str, str]) -> str:
    for old, new in endings.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _guarded(make: Make, config: Mapping[str, Any], folder: Path) -> Callable[[], nn.Module]:
    """`make(config)`, with whatever it finds wrong in the configuration told as one line."""
    layers = [config.get(name) for name in ("num_hidden_layers", "encoder_layers")]
    excessive = any(isinstance(count, int) and count > MOST_LAYERS for count in layers)

    def build() -> nn.Module:
        try:
            if excessive:
                raise ValueError(f"more than {MOST_LAYERS} layers")  # noqa: TRY301
            return make(config)
        except Exception as error:
            reason = f"{type(error).__name__}: {printable(str(error))}"
            raise CheckpointError(
                f"describes no architecture that can be built ({reason})",
                where=str(folder / hub.CONFIG),
                remedy="give the checkpoint as its publisher wrote it",
            ) from error

    return build
