"""The encoder of an export: described, taken apart into tensors, and built again from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from profiler.backbones.base import Backbone, Weights, WeightsKind
from profiler.backbones.catalogue import (
    TRANSFORMERS_FAMILIES,
    Entry,
    resolve,
    untuned,
    whole_and_depth,
)
from profiler.backbones.load import factory_of, load
from profiler.backbones.precision import settle
from profiler.backbones.printable import printable
from profiler.backbones.weights import content_id
from profiler.deployment.format import EncoderPart
from profiler.machine import batch_of
from profiler.settings import SAMPLE_RATE, Precision
from profiles_db.errors import CheckpointError

MOST_LAYERS: Final = 512
"""More layers than that are taken for a broken or hostile configuration."""
_SAME: Final = 1e-5
"""Largest relative difference of hidden states between an encoder and what is built again."""

_LOG_MEL: Final = "log-Mel spectrogram of the clip's own length, "
_NORMALISATION: Final[Mapping[str, str]] = MappingProxyType(
    {
        "whisper": _LOG_MEL
        + "kept within eight decades of its loudest point, then (log10 + 4) / 4, as Whisper's",
        "wav2vec2": "zero mean and unit variance over the clip",
        "hubert": "zero mean and unit variance over the clip",
        "wavlm": "zero mean and unit variance over the clip",
        "data2vec-audio": "zero mean and unit variance over the clip",
        "wav2vec2-bert": "Kaldi log-Mel frames by twos, zero mean and unit variance over the clip",
        "apc": "Kaldi log-Mel frames, zero mean and unit variance over the clip",
        "tera": "scaled to -25 dB, log-Mel frames, zero mean and unit variance over the clip",
        "cnn14": _LOG_MEL + "in dB; the scaling is the network's first batch norm",
        "fbank": "Kaldi log-Mel frames with deltas, zero mean and unit variance over the clip",
        "egemaps": "none; descriptors are standardised by fixed means and deviations",
    }
)


def normalisation(family: str) -> str:
    """In words, what becomes of the waveform before the encoder."""
    return _NORMALISATION.get(family, "as the encoder's own front end does it")


def described(
    encoder: Backbone, *, weights: str, seed: int, precision: Precision, include: bool
) -> EncoderPart:
    """What `config.json` says of `encoder`.

    Parameters
    ----------
    encoder : Backbone
        As `profiler.backbones.load.load` made it.
    weights : str
        With which it was loaded: `pretrained`, `random` or a path.
    seed : int
    precision : Precision
        Of the passes through it that heads were trained on.
    include : bool
        Whether weights from the hub go into the folder; those of this machine always do.
    """
    name = encoder.loaded_as[0] if encoder.loaded_as is not None else encoder.name
    entry = resolve(name)
    hub_id = entry.hub_id if weights == "pretrained" else None
    kind = encoder.weights.kind
    included = kind != "none" and (include or hub_id is None)
    return EncoderPart(
        name=encoder.name if included else name,
        family=_family(encoder, entry),
        depth=encoder.transformer_layers if encoder.whole is not None else None,
        tuned=encoder.tuned,
        architecture=_architecture(encoder, entry) if included else None,
        hidden_states=encoder.layers,
        hidden_size=encoder.hidden_size,
        precision=precision,
        weights_kind=kind,
        weights_id=encoder.weights.id,
        weights_origin=encoder.weights.origin,
        weights="pretrained" if kind == "none" else weights,
        seed=seed,
        included=included,
        tensors_digest=content_id(tensors_of(encoder)) if included else None,
        hub_id=hub_id if kind == "pretrained" else None,
        revision=_revision(entry) if hub_id is not None and kind == "pretrained" else None,
    )


def tensors_of(encoder: Backbone) -> dict[str, Tensor]:
    """All that is to be kept of an encoder, by its own names, on the CPU.

    Not the layers that are tuned: every head has its own.
    """
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in _kept(encoder).items()
    }


def _kept(encoder: Backbone) -> dict[str, Tensor]:
    own = encoder.transformer[-encoder.tuned :] if encoder.tuned else ()
    tuned = tuple(
        f"{name}."
        for name, module in encoder.named_modules()
        if any(module is layer for layer in own)
    )
    return {
        name: tensor for name, tensor in encoder.state_dict().items() if not name.startswith(tuned)
    }


def encoder_of(part: EncoderPart, tensors: Mapping[str, Tensor], where: str) -> Backbone:
    """The encoder that `part` describes, frozen, in eval mode, on the CPU.

    Parameters
    ----------
    part : EncoderPart
    tensors : mapping of name to Tensor
        Those of `tensors_of`; none where `part` says that they are not included.
    where : str
        The folder, for errors.

    Raises
    ------
    CheckpointError
        Where tensors are damaged or do not fit, or weights that are not included are not to be had
        or are others.
    """
    settle(torch.device("cpu"))
    if not part.included:
        return _loaded(part, where)
    if content_id(tensors) != part.tensors_digest:
        raise CheckpointError(
            "the encoder's tensors are not those that were exported",
            where=where,
            rule=f"digest {part.tensors_digest}",
            remedy="export or copy the folder again",
        )
    encoder = _built(part, tensors, where)
    encoder.load_state_dict(
        {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in tensors.items()
        },
        assign=True,
        strict=not encoder.tuned,  # all the others are there, as `_built` found
    )
    encoder.name = part.name
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    kind: WeightsKind = "random" if part.weights_kind == "random" else "pretrained"
    encoder.weights = Weights(kind, part.weights_id, part.weights_origin, size)
    return encoder.requires_grad_(False).eval()


def require_same(encoder: Backbone, again: Backbone) -> None:
    """Refuse an encoder whose rebuilt twin hears otherwise.

    Raises
    ------
    CheckpointError
        With how far they are from each other.
    """
    noise = torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0)).mul(0.1)
    wave = batch_of([noise.numpy()], torch.device("cpu"))
    with torch.inference_mode():
        before, after = _heard(encoder.cpu(), encoder, wave), _heard(again, encoder, wave)
    difference = float((before - after).norm() / before.norm().clamp(min=1e-12))
    if not difference <= _SAME:
        raise CheckpointError(
            f"cannot be taken into the folder: built again it differs by {difference:.2g}",
            where=encoder.name,
            rule=f"hidden states within {_SAME:g} of the encoder's own",
            remedy="export without --include-encoder, or from weights on the hub",
        )


def _heard(encoder: Backbone, tuned: Backbone, wave: Tensor) -> Tensor:
    """Hidden states of `encoder`; where layers are tuned, with those of `tuned` in their place."""
    if not encoder.tuned:
        found: Tensor = encoder(wave)
        return found
    below = encoder.frozen_part()(wave)
    own = encoder.pass_layers(tuned.transformer[-tuned.tuned :], below[:, -1])
    return torch.cat([below, own], dim=1)


def _loaded(part: EncoderPart, where: str) -> Backbone:
    encoder = load(part.name, part.weights, part.seed)
    if encoder.weights.id != part.weights_id:
        raise CheckpointError(
            f"its weights are not those that the heads were trained on ({encoder.weights.id})",
            where=f"{where}: {part.name}",
            rule=part.weights_id,
            remedy="export again with --include-encoder where those weights are",
        )
    return encoder


def _built(part: EncoderPart, tensors: Mapping[str, Tensor], where: str) -> Backbone:
    """An encoder of the right shape, with weights that mean nothing."""
    entry = _entry(part)
    if part.architecture is not None:
        _require_shapes(part, entry, tensors, where)
    found = _guarded(part, entry, where)
    _require({name: tuple(tensor.shape) for name, tensor in _kept(found).items()}, tensors, where)
    return found


def _require_shapes(
    part: EncoderPart, entry: Entry, tensors: Mapping[str, Tensor], where: str
) -> None:
    """Compare shapes before any memory is asked for: a configuration may claim anything."""
    with torch.device("meta"):
        outline = _guarded(part, entry, where)
    _require({n: tuple(t.shape) for n, t in _kept(outline).items()}, tensors, where)


def _require(
    expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor], where: str
) -> None:
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != dict(expected):
        wrong = sorted(
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        )
        raise CheckpointError(
            f"{len(wrong)} tensors do not fit the encoder ({printable(wrong[0])}, ...)",
            where=where,
            remedy="export or copy the folder again",
        )


def _guarded(part: EncoderPart, entry: Entry, where: str) -> Backbone:
    layers = [(part.architecture or {}).get(n) for n in ("num_hidden_layers", "encoder_layers")]
    try:
        if any(isinstance(count, int) and count > MOST_LAYERS for count in layers):
            raise ValueError(f"more than {MOST_LAYERS} layers")  # noqa: TRY301
        encoder = factory_of(entry)(entry, "random", 0)
        if part.depth is not None and part.architecture is None:
            encoder = encoder.first_layers(part.depth)
        elif part.depth is not None:
            encoder.keep_layers(part.depth)  # it has so many, and the norm behind the last
        return encoder.tune(part.tuned) if part.tuned else encoder
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(
            "describes no encoder that can be built "
            f"({type(error).__name__}: {printable(str(error))})",
            where=where,
            remedy="export or copy the folder again",
        ) from error


def _entry(part: EncoderPart) -> Entry:
    architecture = None if part.architecture is None else MappingProxyType(part.architecture)
    if part.family in TRANSFORMERS_FAMILIES:
        return Entry(part.name, part.name, part.family, architecture=architecture)
    entry = resolve(whole_and_depth(untuned(part.name)[0])[0])
    return entry if architecture is None else replace(entry, architecture=architecture)


def _family(encoder: Backbone, entry: Entry) -> str:
    config = getattr(getattr(encoder, "encoder", None), "config", None)
    return entry.family or str(getattr(config, "model_type", ""))


def _architecture(encoder: Backbone, entry: Entry) -> dict[str, Any] | None:
    family = _family(encoder, entry)
    if family == "cnn14":
        return {"channels": list(encoder.encoder.channels)}  # type: ignore[union-attr,arg-type]
    if family not in TRANSFORMERS_FAMILIES:
        return None
    model: Any = encoder.encoder
    fields: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=False))
    return {name: value for name, value in sorted(fields.items()) if not name.startswith("_")}


def _revision(entry: Entry) -> str | None:
    """The commit of the repository that the weights came from, as the hub's cache keeps it."""
    from profiler.backbones.hub import CONFIG, cached_file  # noqa: PLC0415 - where one is asked for

    path = cached_file(str(entry.hub_id), entry.file or CONFIG)
    parts = path.parts if path is not None else ()
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None
