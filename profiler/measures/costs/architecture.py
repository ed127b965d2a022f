"""What the architecture of a backbone costs, whatever weights it carries."""

from __future__ import annotations

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.measures.costs.costs import Costs
from profiler.measures.costs.counting import count

__all__ = ["Costs", "architecture_costs", "costs_of"]


def costs_of(backbone: Backbone) -> Costs:
    """The costs of a loaded backbone.

    Multiply-accumulates are unknown, never 0, where torch does not see what it computes.
    """
    counted = None if backbone.outside_torch else count(backbone)
    return Costs(
        macs=counted.macs if counted else None,
        paper_macs=counted.paper_macs if counted else None,
        parameters=sum(parameter.numel() for parameter in backbone.parameters()),
        size=backbone.weights.size,
        hidden_size=backbone.hidden_size,
        layers=backbone.layers,
        transformer_layers=backbone.transformer_layers,
        uncounted=counted.uncounted if counted else {},
        uncountable=backbone.outside_torch,
    )


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
