"""The one door to a backbone: by name, with the weights asked for, frozen and ready."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import (
    FACTORIES,
    Entry,
    resolve,
    unquantised,
    untuned,
    whole_and_depth,
)
from profiler.backbones.precision import settle
from profiler.machine import HEAP
from profiles_db.errors import InputError

Factory = Callable[[Entry, str, int], Backbone]


def load(
    name: str,
    weights: str = "pretrained",
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Backbone:
    """The backbone `name`, frozen, in eval mode, on `device`.

    Parameters
    ----------
    name : str
        A name of the catalogue or of another package's entry point, `hf:ORG/NAME`, or a local
        folder in the transformers format; with `@K` behind it, its first K transformer layers;
        with `+lastN`, the last N of these to be tuned; with `+int8`, its linear layers in int8.
    weights : str
        'pretrained' (from the cache or the hub), 'random' (the true architecture, drawn from
        `seed`), or the path of a local folder (transformers) or checkpoint file (s3prl). A front
        end without weights ignores it.
    seed : int
        Seed of random weights; the global random generator is not touched.
    device : str or torch.device

    Raises
    ------
    InputError
        Where no backbone of that name is known, or none of that depth, or with so many layers to
        tune; where it is to be in int8 on another device than a CPU.
    CheckpointError
        Where the checkpoint is missing, would run code, or does not fit the architecture.

    Examples
    --------
    >>> backbone = load("fbank")
    >>> backbone(torch.zeros(1, 16_000)).shape
    torch.Size([1, 1, 98, 240])
    """
    settle(torch.device(device))
    require_runs_on(name, device)
    backbone = prepare(name, weights)(seed).requires_grad_(False).eval().to(device)
    backbone.loaded_as = (name, weights)
    if backbone.whole is not None or backbone.quantised:  # more was read, and is gone again
        if backbone.quantised:
            gc.collect()  # the weights in float32 hang in cycles
        HEAP.give_back()
    backbone.licence = resolve(name).licence_in_words
    return backbone


def require_runs_on(name: str, device: str | torch.device) -> None:
    """Refuse a backbone of that name on a device that it cannot run on.

    Raises
    ------
    InputError
    """
    if unquantised(name)[1] and torch.device(device).type != "cpu":
        raise InputError(
            "linear layers in int8 run on a CPU alone",
            where=name,
            rule=f"not on {torch.device(device).type}",
            remedy="add --device cpu",
        )


def prepare(name: str, weights: str = "pretrained") -> Callable[[int], Backbone]:
    """All of `load` that comes before the weights: the name is resolved, the libraries imported.

    Returns
    -------
    callable
        Takes the seed and makes the backbone.
    """
    resolve(name)
    plain, quantised = unquantised(name)
    if quantised:
        from profiler.backbones.int8 import Int8  # noqa: PLC0415 - loads torch's quantisation

        make_plain = prepare(plain, weights)
        return lambda seed: Int8(make_plain(seed))
    frozen, tuned = untuned(name)
    whole, depth = whole_and_depth(frozen)
    entry = _identified(resolve(whole), weights)
    factory = factory_of(entry)

    def make(seed: int) -> Backbone:
        made = factory(entry, weights, seed)
        kept = made if depth is None else made.first_layers(depth)
        return kept if tuned is None else kept.tune(tuned)

    return make


def modules_of(names: Iterable[str]) -> list[str]:
    """The modules that build the backbones `names`, as far as their names alone tell.

    Raises
    ------
    InputError
        Where no backbone of a name is known.
    """
    targets = [_target(resolve(name)) for name in names]
    return sorted({target.partition(":")[0] for target in targets if target})


def _target(entry: Entry) -> str | None:
    """The factory of `entry`, as module:function."""
    return entry.factory or FACTORIES.get(entry.family)


def _identified(entry: Entry, weights: str) -> Entry:
    """`entry` with its family, read from the checkpoint's configuration where need be."""
    if entry.family or entry.factory:
        return entry
    from profiler.backbones.checkpoint import read_config  # noqa: PLC0415
    from profiler.backbones.transformers_source import folder_for  # noqa: PLC0415

    config = read_config(folder_for(entry, "random" if weights == "pretrained" else weights))
    return replace(entry, family=config["model_type"])


def factory_of(entry: Entry) -> Factory:
    """What builds the encoder of `entry`.

    Raises
    ------
    InputError
        Where its family is unknown, or the factory it names cannot be imported.
    """
    target = _target(entry)
    if target is None:
        raise InputError(f"unknown family {entry.family!r}", where=entry.name)
    module, _, function = target.partition(":")
    try:
        factory: Factory = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"cannot be built: {error}",
            where=entry.name,
            rule="a factory is written module:function",
            remedy="reinstall the package that provides it",
        ) from error
    return factory
