"""What the architecture of a backbone costs, whatever weights it carries."""

from __future__ import annotations

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import unquantised
from profiler.backbones.load import load
from profiler.measures.costs.costs import Costs
from profiler.measures.costs.counting import count
from profiles_db.errors import MeasuringError

__all__ = ["Costs", "architecture_costs", "costs_of"]


def costs_of(backbone: Backbone) -> Costs:
    """The costs of a loaded backbone.

    Multiply-accumulates are unknown, never 0, where torch does not see what it computes. An encoder
    in int8 has as many of them, and of parameters, as in float32.
    """
    plain = _in_float32(backbone) if backbone.quantised else backbone
    counted = None if plain.outside_torch else count(plain)
    return Costs(
        macs=counted.macs if counted else None,
        paper_macs=counted.paper_macs if counted else None,
        parameters=sum(parameter.numel() for parameter in plain.parameters()),
        size=backbone.weights.size,
        hidden_size=backbone.hidden_size,
        layers=backbone.layers,
        transformer_layers=backbone.transformer_layers,
        uncounted=counted.uncounted if counted else {},
        uncountable=backbone.outside_torch,
    )


def _in_float32(backbone: Backbone) -> Backbone:
    if backbone.loaded_as is None:
        raise MeasuringError(
            "was not loaded by a name to load it in float32 by", where=backbone.name
        )
    name, weights = backbone.loaded_as
    return load(unquantised(name)[0], weights)


def architecture_costs(name: str) -> Costs:
    """The costs of the backbone `name`, from its architecture with random weights.

    Raises
    ------
    InputError, CheckpointError
        As `profiler.backbones.load.load` does.

    Examples
    --------
    >>> architecture_costs("whisper_tiny").parameters
    8208384
    """
    return costs_of(load(name, weights="random"))
