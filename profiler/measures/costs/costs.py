"""What a backbone costs by its architecture, as a record that needs no torch to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs that follow from the architecture alone.

    Parameters
    ----------
    macs, paper_macs : int or None
        Multiply-accumulates for one 6 s clip, counted whole and under the paper's counting; None
        where they cannot be counted, with the reason in `uncountable`.
    parameters : int
    size : int
        Bytes of the encoder's tensors.
    hidden_size, layers : int
        Width and number of the hidden states.
    transformer_layers : int
        Of these, the layers that could be left out from the last backwards; 0 where none can.
    uncounted : mapping of str to int
        Operators that may weigh and were not counted, with how often they ran.
    uncountable : str
    """

    macs: int | None
    paper_macs: int | None
    parameters: int
    size: int
    hidden_size: int
    layers: int
    transformer_layers: int
    uncounted: Mapping[str, int]
    uncountable: str = ""
