"""A recogniser: an encoder, the heads upon it, and a temperature; from a waveform to probabilities.

Of the training nothing is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from profiler.backbones.base import Backbone, LastLayers
from profiler.backbones.precision import hidden_states, passing
from profiler.corpora.audio import clip_of
from profiler.deployment.calibration import tempered
from profiler.deployment.format import Config
from profiler.machine import batch_of, device_of
from profiler.settings import SAMPLE_RATE, Pooling, Precision
from profiles_db.errors import AudioError

_LAST: Final = "last."
"""How the names of tuned layers' tensors begin: in a `TunedHead` as trained, and in several."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recogniser says of one clip.

    Parameters
    ----------
    predicted : str
        The likeliest class, the first of equals.
    probabilities : mapping of str to float
        Of every class, in the recogniser's order; they sum to 1.
    """

    predicted: str
    probabilities: Mapping[str, float]


class Heads(nn.Module):
    """Several heads of `profiler.training.head.Head` at once, for inference alone.

    Parameters
    ----------
    heads, layers, features, width, classes : int
    convolutions, pooling
        As of `Head`.

    Examples
    --------
    >>> Heads(heads=3, layers=2, features=5, width=4, classes=2)(torch.ones(1, 2, 7, 5)).shape
    torch.Size([1, 3, 2])
    """

    def __init__(
        self,
        *,
        heads: int,
        layers: int,
        features: int,
        width: int,
        classes: int,
        convolutions: int = 2,
        pooling: Pooling = "mean",
    ) -> None:
        super().__init__()
        further = [f"further.{number}" for number in range(convolutions - 2)]
        self._convolutions = ["first", "second", *further][:convolutions]
        self._attention = pooling == "attention"
        shapes: dict[str, tuple[int, ...]] = {"layer_logits": (layers,)}
        for name in (*self._convolutions, "hidden", "output"):
            given = features if name == "first" else width
            made = classes if name == "output" else width
            shapes |= {f"{name}.weight": (made, given), f"{name}.bias": (made,)}
        if self._attention:
            shapes["attention.weight"] = (1, width)
        for name, shape in shapes.items():
            self.register_buffer(_buffer(name), torch.zeros(heads, *shape))

    @staticmethod
    def stacked(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """The state of all heads together, from the state of each as it was trained.

        Layers that were tuned with the heads stay apart, as `TunedHeads` names them.
        """
        layers = {
            f"{_LAST}{number}.{name.removeprefix(_LAST)}": tensor
            for number, one in enumerate(states)
            for name, tensor in one.items()
            if name.startswith(_LAST)
        }
        return layers | {
            _buffer(name): torch.stack([one[name] for one in states]).contiguous()
            for name in states[0]
            if not name.startswith(_LAST)
        }

    def forward(self, states: Tensor) -> Tensor:
        """Logits, shape (batch, heads, classes).

        Parameters
        ----------
        states : Tensor, shape (batch, layers, frames, features)
            Of clips of equal length.
        """
        return self.upon(torch.einsum("hl,bltf->bhtf", self.layer_weights, states))

    @property
    def layer_weights(self) -> Tensor:
        """Softmax weights of the hidden states, shape (heads, layers)."""
        return torch.softmax(self._get("layer_logits"), dim=1)

    def upon(self, mixed: Tensor) -> Tensor:
        """Logits, shape (batch, heads, classes).

        Parameters
        ----------
        mixed : Tensor, shape (batch, heads, frames, features)
            Weighted sums of hidden states, for each head its own.
        """
        *before, last = self._convolutions
        frames = mixed
        for name in before:
            frames = functional.relu(self._linear(name, frames))
        # Pooling commutes with the last convolution.
        pooled = self._linear(last, self._pooled(frames, last))
        return self._linear("output", functional.relu(self._linear("hidden", pooled))).squeeze(2)

    def _pooled(self, frames: Tensor, last: str) -> Tensor:
        """What enters the last convolution, over the frames: shape (batch, heads, 1, ...)."""
        if not self._attention:
            return frames.mean(dim=2, keepdim=True)
        score = torch.matmul(self._get("attention_weight"), self._get(_buffer(f"{last}.weight")))
        weights = torch.softmax(torch.matmul(frames, score.transpose(1, 2)), dim=2)
        return (weights * frames).sum(dim=2, keepdim=True)

    def _linear(self, name: str, given: Tensor) -> Tensor:
        """One layer of each head, of what each head is given, shape (batch, heads, frames, ...)."""
        weight, bias = (self._get(_buffer(f"{name}.{of}")) for of in ("weight", "bias"))
        return torch.matmul(given, weight.transpose(1, 2)) + bias[:, None]

    def _get(self, name: str) -> Tensor:
        found: Tensor = self.get_buffer(name)
        return found


class TunedHeads(Heads):
    """Several heads, each with its own copy of an encoder's last layers: `TunedHead` at once.

    Parameters
    ----------
    encoder : Backbone
        With `tuned` layers.
    heads, width, classes : int
    precision : 'float32' or 'bfloat16'
        In which the layers are passed.
    convolutions, pooling
        As of `Head`.
    """

    def __init__(
        self,
        encoder: Backbone,
        *,
        heads: int,
        width: int,
        classes: int,
        precision: Precision,
        convolutions: int = 2,
        pooling: Pooling = "mean",
    ) -> None:
        super().__init__(
            heads=heads,
            layers=encoder.layers,
            features=encoder.hidden_size,
            width=width,
            classes=classes,
            convolutions=convolutions,
            pooling=pooling,
        )
        self.last = nn.ModuleList(LastLayers(encoder).requires_grad_(False) for _ in range(heads))
        self._before = encoder.layers - encoder.tuned
        self._precision: Precision = precision

    def forward(self, states: Tensor) -> Tensor:
        """Logits, shape (batch, heads, classes).

        Parameters
        ----------
        states : Tensor, shape (batch, frozen layers, frames, features)
            Of the encoder's frozen part; the last of them is what enters the tuned layers.
        """
        mixed = []
        for layers, weights in zip(self.last, self.layer_weights, strict=True):
            with passing(self._precision, states.device):
                tuned = layers(states[:, -1])
            own = torch.cat([states[:, : self._before], tuned.to(states.dtype)], dim=1)
            mixed.append(torch.einsum("l,bltf->btf", weights, own))
        return self.upon(torch.stack(mixed, dim=1))


class Recogniser:
    """An encoder with trained heads: emotions of waveforms, as probabilities.

    `trustser.load_model` makes one of an exported folder.

    Parameters
    ----------
    config : Config
        What the folder says; `config.warning` is set where the encoder is untrained.
    encoder : Backbone
    heads : Heads
        On the encoder's device.

    Attributes
    ----------
    frozen : Backbone
        Whose hidden states the heads take: the encoder, or its part below the tuned layers.
    """

    def __init__(self, config: Config, encoder: Backbone, heads: Heads) -> None:
        self.config, self.encoder, self.heads = config, encoder, heads
        self.frozen = encoder.frozen_part() if encoder.tuned else encoder

    def to(self, device: torch.device) -> Recogniser:
        """The same on `device`."""
        return Recogniser(self.config, self.encoder.to(device), self.heads.to(device))

    @property
    def classes(self) -> tuple[str, ...]:
        """The emotions, in the order of all probabilities."""
        return self.config.classes

    @property
    def temperature(self) -> float | None:
        """What logits are divided by; None where the probabilities are not calibrated."""
        return self.config.calibration.temperature

    @property
    def longest(self) -> int:
        """Samples at 16 kHz that are heard, at most."""
        return round(self.config.audio.longest_seconds * SAMPLE_RATE)

    @property
    def shortest(self) -> int:
        """Samples at 16 kHz that are needed."""
        least = round(self.config.audio.shortest_seconds * SAMPLE_RATE)
        return max(least, self.encoder.min_samples)

    def predict(
        self, waveform: NDArray[Any] | Sequence[float] | Tensor, sample_rate: int = SAMPLE_RATE
    ) -> Answer:
        """The emotion of one clip.

        Parameters
        ----------
        waveform : array of float, shape (samples,) or (samples, channels), in [-1, 1]
            At most its first `config.audio.longest_seconds` are heard.
        sample_rate : int, optional
            In Hz.

        Raises
        ------
        AudioError
            If it is of another kind or shape, too short, silent, not finite or not scaled.
        """
        given = _mono(waveform)
        clip = clip_of(
            given,
            sample_rate,
            seconds=self.config.audio.longest_seconds,
            min_samples=self.shortest,
            where="waveform",
        )
        return self.answer(clip)

    def answer(self, clip: NDArray[np.float32]) -> Answer:
        """The emotion of a clip as `profiler.corpora.audio` gives it: mono, 16 kHz, cut."""
        found = self.probabilities([clip])[0]
        named = dict(zip(self.classes, found.tolist(), strict=True))
        return Answer(self.classes[int(found.argmax())], named)

    def probabilities(
        self, clips: Sequence[NDArray[np.float32]], *, calibrated: bool = True
    ) -> NDArray[np.float64]:
        """Probabilities of clips of equal length, shape (clips, classes).

        Parameters
        ----------
        clips : sequence of array, float32, shape (samples,), 16 kHz
        calibrated : bool, optional
            If not, the temperature is left out: the mean of the heads as they were measured.
        """
        logits = self.logits(batch_of(clips, device_of(self.heads)))
        mean = torch.softmax(logits.double(), dim=2).mean(dim=1).cpu().numpy()
        if calibrated and self.temperature is not None:
            return tempered(mean, self.temperature)
        found: NDArray[np.float64] = mean
        return found

    @torch.inference_mode()
    def logits(self, waveforms: Tensor) -> Tensor:
        """Logits of each head, shape (batch, heads, classes), of waveforms (batch, samples)."""
        states = hidden_states(self.frozen, waveforms, self.config.encoder.precision)
        found: Tensor = self.heads(states.to(torch.float16).to(torch.float32))
        return found


def heads_of(config: Config, encoder: Backbone, tensors: dict[str, Tensor]) -> Heads:
    """The heads that `config` describes, with their tensors, on the CPU.

    Parameters
    ----------
    config : Config
    encoder : Backbone
        On which they stand; of its tuned layers each has its own.
    tensors : mapping of name to Tensor
        As `Heads.stacked` names them.

    Raises
    ------
    RuntimeError
        Where tensors are lacking, or of other shapes.
    """
    members, width, classes = len(config.heads.members), config.heads.width, len(config.classes)
    heads: Heads
    if encoder.tuned:
        _require_layers(encoder, members, tensors)
        heads = TunedHeads(
            encoder,
            heads=members,
            width=width,
            classes=classes,
            precision=config.encoder.precision,
            convolutions=config.heads.convolutions,
            pooling=config.heads.pooling,
        )
    else:
        heads = Heads(
            heads=members,
            layers=encoder.layers,
            features=encoder.hidden_size,
            width=width,
            classes=classes,
            convolutions=config.heads.convolutions,
            pooling=config.heads.pooling,
        )
    heads.load_state_dict(tensors)
    return heads.eval()


def _buffer(name: str) -> str:
    """A parameter's name as that of a buffer, which has no dots."""
    return name.replace(".", "_")


def _require_layers(encoder: Backbone, members: int, tensors: Mapping[str, Tensor]) -> None:
    """Look for every head's layers before any are copied: a configuration may claim any number."""
    layers = encoder.transformer[-encoder.tuned :].state_dict()
    for number in range(members):
        for name, tensor in layers.items():
            found = tensors.get(f"{_LAST}{number}.layers.{name}")
            if found is None or found.shape != tensor.shape:
                raise RuntimeError(f"{name} of the layers tuned with head {number}")


def _mono(waveform: NDArray[Any] | Sequence[float] | Tensor) -> NDArray[np.float32]:
    if isinstance(waveform, Tensor):
        waveform = waveform.detach().cpu().numpy()
    given = np.asarray(waveform)
    if not np.issubdtype(given.dtype, np.floating) or given.ndim not in (1, 2):
        raise AudioError(
            f"an array of {given.dtype}, shape {given.shape}",
            where="waveform",
            rule="floating-point samples in [-1, 1], shape (samples,) or (samples, channels)",
            remedy="divide 16-bit samples by 32768",
        )
    if given.ndim == 2:  # noqa: PLR2004
        given = given.mean(axis=1, dtype=np.float64)
    return np.ascontiguousarray(given, dtype=np.float32)
