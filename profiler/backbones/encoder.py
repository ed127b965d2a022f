"""A backbone in two steps: a front end from waveform to features, and an encoder upon them."""

from __future__ import annotations

import abc

from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.precision import in_float32
from profiles_db.errors import AudioError


class Encoder(Backbone):
    """A backbone whose front end and encoder can be run, and counted, apart.

    Subclasses implement `front_end` and `encode`; costs are counted over `encode` alone.
    """

    beyond: tuple[str, ...] = ()
    """Modules that `published_pass` runs and the hidden states do not need."""

    @abc.abstractmethod
    def front_end(self, waveform: Tensor) -> Tensor:
        """Features that the encoder takes, one row of the batch per clip.

        Parameters
        ----------
        waveform : Tensor, shape (batch, samples), float32, 16 kHz
        """

    @abc.abstractmethod
    def encode(self, features: Tensor) -> Tensor:
        """Hidden states of `features`, shape (batch, layers, frames, hidden_size)."""

    def published_pass(self, features: Tensor) -> Tensor:
        """What published counts of this backbone ran upon the features: `encode`, and no more."""
        return self.encode(features)

    def hidden_states(self, waveform: Tensor) -> Tensor:
        """Hidden states of all layers; see `Backbone.hidden_states`.

        The front end runs in float32 in mixed precision too.

        Raises
        ------
        AudioError
            Where the clips are shorter than `min_samples`.
        """
        return self.encode(self._features(waveform))

    def entering(self, waveform: Tensor) -> Tensor:
        """See `Backbone.entering`; the front end runs in float32 here too.

        Raises
        ------
        AudioError
            Where the clips are shorter than `min_samples`.
        """
        return self.enter(self._features(waveform))

    def enter(self, features: Tensor) -> Tensor:
        """What enters the first transformer layer, given what `front_end` gave."""
        raise NotImplementedError(f"{type(self).__name__} cannot be run up to its first layer")

    def _features(self, waveform: Tensor) -> Tensor:
        require_length(self, waveform)
        with in_float32(waveform):
            return self.front_end(waveform)


def require_length(backbone: Backbone, waveform: Tensor) -> None:
    """Refuse clips that are shorter than `backbone` can take.

    Raises
    ------
    AudioError
        Where they are shorter than `min_samples`.
    ValueError
        Where `waveform` is not (batch, samples).
    """
    if waveform.ndim != 2:  # noqa: PLR2004
        raise ValueError(f"waveform of shape {tuple(waveform.shape)}: give (batch, samples)")
    if waveform.shape[1] < backbone.min_samples:
        raise AudioError(
            f"clip of {waveform.shape[1]} samples at 16 kHz",
            where=backbone.name,
            rule=f"at least {backbone.min_samples} samples",
            remedy="leave the clip out",
        )
