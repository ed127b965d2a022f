"""eGeMAPS: 88 hand-crafted descriptors of a clip, computed by openSMILE outside of torch."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from profiler.backbones.base import Backbone, Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.egemaps_scale import SCALE
from profiler.backbones.encoder import require_length
from profiles_db.errors import MissingExtraError

SAMPLE_RATE: Final = 16_000
DESCRIPTORS: Final = len(SCALE)
LARGEST: Final = 10.0
"""Standardised descriptors are kept within this many deviations."""


class Egemaps(Backbone):
    """The extended Geneva minimalistic acoustic parameter set, version 2: one row a clip.

    Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and
    Affective Computing", 2016. The descriptors come in semitones, decibels, hertz and seconds; so
    that a head sees values of one size they are standardised by fixed means and deviations
    (`egemaps_scale.py`) and kept within 10 deviations. Nothing is fitted to the corpus measured.
    """

    hidden_size = DESCRIPTORS
    layers = 1
    min_samples = 960

    def __init__(self, entry: Entry, smile: Any, version: str) -> None:
        super().__init__()
        self.name, self.outside_torch, self._smile = entry.name, entry.outside_torch, smile
        identity = f"opensmile {version}, eGeMAPSv02 functionals"
        self.weights = Weights("none", identity, "no weights needed", 0)

    @cached_property
    def _scale(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([SCALE[name] for name in self._smile.feature_names])

    def hidden_states(self, waveform: Tensor) -> Tensor:
        """Standardised descriptors, shape (batch, 1, 1, 88).

        Raises
        ------
        AudioError
            Where the clips are shorter than 60 ms, one window of its pitch.
        ValueError
            Where a gradient is asked for: there is none.
        """
        require_length(self, waveform)
        if waveform.requires_grad and torch.is_grad_enabled():
            raise ValueError(f"{self.name} gives no gradient: {self.outside_torch}")
        rows = np.stack([self._descriptors(clip) for clip in waveform.detach().cpu().numpy()])
        mean, deviation = self._scale.T
        scaled = ((rows - mean) / deviation).clip(-LARGEST, LARGEST)
        states = torch.from_numpy(scaled.astype(np.float32)).to(waveform.device)
        return states[:, None, None, :]

    def _descriptors(
        self, clip: np.ndarray[Any, np.dtype[np.float32]]
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found: np.ndarray[Any, np.dtype[np.float64]] = self._smile.process_signal(
                clip, SAMPLE_RATE
            ).to_numpy(dtype=np.float64)[0]
        return found


def build(entry: Entry, weights: str, seed: int) -> Egemaps:  # noqa: ARG001
    """eGeMAPS, whatever weights are asked for: it has none.

    Raises
    ------
    MissingExtraError
        Where openSMILE is not installed.
    """
    try:
        import opensmile  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError(
            "needs opensmile, not installed here",
            where=entry.name,
            remedy=(
                f'install it with: pip install "trustser[egemaps]" (licence: {entry.licence}; '
                f"{entry.licence_note})"
            ),
        ) from error
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    return Egemaps(entry, smile, opensmile.__version__)
