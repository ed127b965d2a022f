"""CNN14 of the PANNs: a convolutional network on log-Mel images, trained to name sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

from profiler.backbones.base import Weights
from profiler.backbones.catalogue import Entry
from profiler.backbones.checkpoint import named_tensors, read_torch
from profiler.backbones.encoder import Encoder
from profiler.backbones.weights import drawn, fitted
from profiles_db.errors import CheckpointError

SAMPLE_RATE: Final = 16_000
N_FFT: Final = 512
HOP: Final = 160
MEL_BINS: Final = 64
LOWEST_HZ: Final = 50.0
CHANNELS: Final = (64, 128, 256, 512, 1024, 2048)
POOLED: Final = 32
"""Frames of 10 ms that the five poolings make one."""

_FLOOR: Final = 1e-10
_FILTERS: Final = "logmel_extractor.melW"
_FILTERS_TOLERANCE: Final = 1e-5
_LEFT_OUT: Final = ("spectrogram_extractor.", "logmel_extractor.", "fc1.", "fc_audioset.")
_UNUSED: Final = "num_batches_tracked"

_ARRAY: Final = np.zeros(0).__reduce__()[0]
_SCALAR: Final = np.int64(0).__reduce__()[0]
ALLOWED: Final[tuple[Any, ...]] = (
    np.ndarray,
    np.dtype,
    np.dtypes.Int64DType,
    np.dtypes.Int32DType,
    np.dtypes.Float64DType,
    *((_ARRAY, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
)
"""All that a PANNs checkpoint may name beside tensors and plain values: the numbers and arrays of
indices in which its sampler keeps its place."""


class LogMel(nn.Module):
    """Power in 64 Mel bands from 50 Hz to 8 kHz, in dB, of 32 ms windows every 10 ms."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", torch.from_numpy(mel_filters()), persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """dB of `waveform` (batch, samples), shape (batch, 1 + samples // 160, 64)."""
        spectrum = torch.stft(waveform, N_FFT, HOP, window=self.window, return_complex=True)
        power = torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2)
        return 10.0 * (power @ self.filters).clamp(min=_FLOOR).log10()


def mel_filters() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Slaney's Mel filters of equal area, shape (257, 64)."""
    filters = mel_filter_bank(
        1 + N_FFT // 2,
        MEL_BINS,
        LOWEST_HZ,
        SAMPLE_RATE / 2,
        SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return np.ascontiguousarray(filters, dtype=np.float32)


class _Norm(nn.BatchNorm2d):
    """A batch norm for inference alone: it does not count batches."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.num_batches_tracked = None

    def _load_from_state_dict(self, *arguments: Any) -> None:
        """As any module does: a batch norm would put the count back."""
        nn.Module._load_from_state_dict(self, *arguments)


class _Block(nn.Module):
    """Two convolutions of 3 x 3, each with its norm and a rectifier."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1, self.bn2 = _Norm(outputs), _Norm(outputs)
        nn.init.xavier_uniform_(self.conv1.weight)
        nn.init.xavier_uniform_(self.conv2.weight)

    def forward(self, image: Tensor) -> Tensor:
        image = F.relu(self.bn1(self.conv1(image)))
        return F.relu(self.bn2(self.conv2(image)))


class Blocks(nn.Module):
    """The convolutional part of CNN14, under the names of its checkpoints."""

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.bn0 = _Norm(MEL_BINS)
        for number, (inputs, outputs) in enumerate(zip((1, *channels), channels, strict=False), 1):
            self.add_module(f"conv_block{number}", _Block(inputs, outputs))
        self.channels = tuple(channels)

    def forward(self, features: Tensor) -> list[Tensor]:
        """Output of each block, shape (batch, channels, frames, bins), both halved five times."""
        image = self.bn0(features.transpose(1, 2).unsqueeze(-1)).permute(0, 3, 2, 1)
        outputs = []
        for number in range(1, len(self.channels) + 1):
            image = self.get_submodule(f"conv_block{number}")(image)
            if number < len(self.channels):
                image = F.avg_pool2d(image, 2)
            outputs.append(image)
        return outputs


class Cnn14(Encoder):
    """The outputs of CNN14's six blocks.

    Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
    Recognition", 2020, in its variant for 16 kHz.

    From block to block there are twice the channels and half the bands, so that each frame of the
    first five blocks has equally many values: channel by band, 2048. The sixth is averaged over
    its two bands, as the network itself does. Frames are averaged to those of the last block, about
    one every 320 ms.
    """

    min_samples = (POOLED - 1) * HOP

    def __init__(self, name: str, encoder: Blocks, weights: Weights) -> None:
        super().__init__()
        self.name, self.weights = name, weights
        self.hidden_size = encoder.channels[-1]
        self.layers = len(encoder.channels)
        self.log_mel = LogMel()
        self.encoder = encoder

    def front_end(self, waveform: Tensor) -> Tensor:
        """Log-Mel in dB, shape (batch, 1 + samples // 160, 64)."""
        features: Tensor = self.log_mel(waveform)
        return features

    def encode(self, features: Tensor) -> Tensor:
        """Hidden states of log-Mel `features`, shape (batch, 6, frames // 32, 2048)."""
        outputs = self.encoder(features)
        frames = outputs[-1].shape[2]
        flat = [image.transpose(1, 2).flatten(2) for image in outputs[:-1]]
        states = [*flat, outputs[-1].mean(3).transpose(1, 2)]
        return torch.stack([_averaged(state, frames) for state in states], dim=1)


def _averaged(state: Tensor, frames: int) -> Tensor:
    """`state` (batch, more frames, width) averaged over equal stretches to `frames`."""
    return F.adaptive_avg_pool1d(state.transpose(1, 2), frames).transpose(1, 2)


def build(entry: Entry, weights: str, seed: int) -> Cnn14:
    """CNN14; see `profiler.backbones.load.load` for the parameters and errors."""
    if weights == "random":
        model, carried = drawn(lambda: Blocks(_channels(entry)), seed)
        return Cnn14(entry.name, model, carried)
    return _read(entry.name, _checkpoint_file(entry, weights))


def _channels(entry: Entry) -> tuple[int, ...]:
    given: Any = (entry.architecture or {}).get("channels", CHANNELS)
    return tuple(given)


def _checkpoint_file(entry: Entry, weights: str) -> Path:
    if weights == "pretrained":
        raise CheckpointError(
            f"checkpoint {entry.checkpoint} lies on no hub",
            where=entry.name,
            remedy=(
                f"download it from {entry.url} and give --weights PATH, "
                "or use --weights random for a dry run"
            ),
        )
    return Path(weights)


def _read(name: str, file: Path) -> Cnn14:
    content = read_torch(file, ALLOWED)
    part = content.get("model") if isinstance(content, Mapping) else None
    if not isinstance(part, Mapping):
        raise _unfit(file, "part model is missing")
    tensors = named_tensors(part, str(file))
    _refuse_other_front_end(file, tensors)
    channels = _channels_of(file, tensors)
    left_out = tuple(beginning.rstrip(".") for beginning in _LEFT_OUT)
    own = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.startswith(_LEFT_OUT) and not name.endswith(_UNUSED)
    }
    model, carried = fitted(lambda: Blocks(channels), own, str(file))
    present = tuple(part for part in left_out if any(n.startswith(f"{part}.") for n in tensors))
    weights = Weights(carried.kind, carried.id, carried.origin, carried.size, present)
    return Cnn14(name, model, weights)


def _refuse_other_front_end(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """The checkpoint carries its Mel filters: other ones mean another sampling rate or range."""
    wanted, found = torch.from_numpy(mel_filters()), tensors.get(_FILTERS)
    if found is None:
        raise _unfit(file, f"tensor {_FILTERS} is missing")
    if found.shape != wanted.shape:
        shapes = f"{tuple(found.shape)} instead of {tuple(wanted.shape)}"
        raise _unfit(file, f"{_FILTERS} is {shapes}: it is trained for another sampling rate")
    if not torch.allclose(found.float(), wanted, rtol=0, atol=_FILTERS_TOLERANCE):
        raise _unfit(file, f"{_FILTERS} holds other Mel filters than those of 50 Hz to 8 kHz")


def _channels_of(file: Path, tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Channels of the six blocks, each twice those of the block before."""
    found = [tensors.get(f"conv_block{number}.conv2.weight") for number in range(1, 7)]
    channels = tuple(int(t.shape[0]) if t is not None and t.ndim else 0 for t in found)
    if channels != tuple(channels[0] * 2**place for place in range(6)) or not channels[0]:
        raise _unfit(file, f"its blocks have {', '.join(map(str, channels))} channels")
    return channels


def _unfit(file: Path, what: str) -> CheckpointError:
    return CheckpointError(
        what,
        where=str(file),
        rule="a CNN14 checkpoint of the PANNs for 16 kHz",
        remedy="give Cnn14_16k_mAP=0.438.pth as its publishers wrote it",
    )
