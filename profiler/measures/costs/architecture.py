"""What the architecture of a backbone costs, whatever weights it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.measures.costs.counting import count


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs that follow from the architecture alone.

    Parameters
    ----------
    macs, paper_macs : int
        Multiply-accumulates for one 6 s clip, counted whole and under the paper's counting.
    parameters : int
    size : int
        Bytes of the encoder's tensors.
    hidden_size, layers : int
        Width and number of the hidden states.
    transformer_layers : int
        Of these, the layers that could be left out from the last backwards; 0 where none can.
    uncounted : mapping of str to int
        Operators that may weigh and were not counted, with how often they ran.
    """

    macs: int
    paper_macs: int
    parameters: int
    size: int
    hidden_size: int
    layers: int
    transformer_layers: int
    uncounted: Mapping[str, int]


def costs_of(backbone: Backbone) -> Costs:
    """The costs of a loaded backbone."""
    counted = count(backbone)
    return Costs(
        macs=counted.macs,
        paper_macs=counted.paper_macs,
        parameters=sum(parameter.numel() for parameter in backbone.parameters()),
        size=backbone.weights.size,
        hidden_size=backbone.hidden_size,
        layers=backbone.layers,
        transformer_layers=backbone.transformer_layers,
        uncounted=counted.uncounted,
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
