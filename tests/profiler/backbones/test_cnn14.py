"""CNN14 against its published size, its own description in plain functions, and hostile files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks

from profiler.backbones.cnn14 import Blocks, Cnn14, LogMel, mel_filters
from profiler.backbones.load import load
from profiler.measures.costs.counting import count
from profiles_db.errors import CheckpointError
from tests.profiler.backbones.checkpoints import cnn14_checkpoint
from tests.profiler.backbones.small import loaded, small_entry

SAMPLES = 16_000


def noise(samples: int = SAMPLES, clips: int = 2) -> Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(3))


def described(state: dict[str, Tensor], waveform: Tensor) -> list[Tensor]:
    """The blocks' outputs as the publication describes the network, from a checkpoint's tensors."""
    real, imaginary = (
        F.conv1d(
            F.pad(waveform[:, None], (256, 256), mode="reflect"),
            state[f"spectrogram_extractor.stft.conv_{part}.weight"],
            stride=160,
        )
        for part in ("real", "imag")
    )
    power = (real**2 + imaginary**2).transpose(1, 2)[:, None]
    mel = power @ state["logmel_extractor.melW"]
    image = 10 * torch.log10(mel.clamp(min=1e-10))

    def norm(image: Tensor, name: str) -> Tensor:
        shape = (1, -1, 1, 1)
        mean, variance, weight, bias = (
            state[f"{name}.{part}"].view(shape)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (image - mean) / (variance + 1e-5).sqrt() * weight + bias

    image = norm(image.transpose(1, 3), "bn0").transpose(1, 3)
    outputs = []
    for block in range(1, 7):
        for layer in (1, 2):
            name = f"conv_block{block}"
            image = F.conv2d(image, state[f"{name}.conv{layer}.weight"], padding=1)
            image = norm(image, f"{name}.bn{layer}").clamp(min=0)
        image = F.avg_pool2d(image, 2) if block < 6 else image
        outputs.append(image)
    return outputs


@pytest.mark.parametrize("samples", [4_960, SAMPLES, 20_123])
def test_blocks_equal_the_description(tmp_path: Path, samples: int) -> None:
    file = cnn14_checkpoint(tmp_path / "cnn14.pth")
    state = torch.load(file, weights_only=False)["model"]
    backbone = load("cnn14", str(file))
    outputs = described(state, noise(samples))
    states = backbone(noise(samples))

    frames = (1 + samples // 160) // 32
    assert states.shape == (2, 6, frames, 64)
    # The last block as the network pools it itself: mean over the bands.
    torch.testing.assert_close(
        states[:, -1], outputs[-1].mean(3).transpose(1, 2), rtol=1e-3, atol=1e-3
    )
    # The others keep channel and band; their means over all frames are those of the description.
    for place, output in enumerate(outputs[:-1]):
        if output.shape[2] % frames == 0:
            wanted = output.mean(2).flatten(1)
            torch.testing.assert_close(states[:, place].mean(1), wanted, rtol=1e-3, atol=1e-3)


def test_mel_filters_equal_those_of_torchaudio() -> None:
    wanted = melscale_fbanks(257, 50.0, 8_000.0, 64, 16_000, norm="slaney", mel_scale="slaney")

    assert mel_filters() == pytest.approx(wanted.numpy(), abs=1e-6)


def test_a_tone_is_loudest_in_its_band() -> None:
    """A sine of amplitude 1 has, under the window, a power of (512 / 4)^2 at its frequency."""
    time = torch.arange(SAMPLES) / 16_000
    features = LogMel()(torch.sin(2 * torch.pi * 1_000 * time)[None])[0, 50]
    filters = torch.from_numpy(mel_filters())[32]  # 1 kHz lies exactly on bin 32

    assert int(features.argmax()) == int(filters.argmax())
    assert float(features.max()) == pytest.approx(
        10 * np.log10(128**2 * float(filters.max())), abs=1.0
    )


def test_the_whole_network_has_the_parameters_that_are_published() -> None:
    """80,753,615 (table of complexities), two linear layers behind the blocks included."""
    with torch.device("meta"):
        blocks, fc1, classes = Blocks(), nn.Linear(2048, 2048), nn.Linear(2048, 527)
    sizes = [sum(p.numel() for p in module.parameters()) for module in (blocks, fc1, classes)]

    assert sizes[0] == 75_477_440
    assert sum(sizes) == 80_753_615


def test_a_small_network_costs_what_its_convolutions_do() -> None:
    """And two steps per value and norm; pooling only adds."""
    backbone = loaded(small_entry("cnn14"))
    frames, bins, macs = 1 + 96_000 // 160, 64, 0
    macs += 2 * frames * bins  # the norm of the input
    for inputs, outputs in [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 64)]:
        macs += frames * bins * (9 * (inputs + outputs) * outputs + 2 * 2 * outputs)
        frames, bins = frames // 2, bins // 2

    counted = count(backbone)
    assert (counted.macs, counted.uncounted) == (macs, {})


def test_a_checkpoint_says_what_was_left_out(tmp_path: Path) -> None:
    weights = load("cnn14", str(cnn14_checkpoint(tmp_path / "cnn14.pth"))).weights

    assert weights.kind == "pretrained"
    assert weights.left_out == (
        "spectrogram_extractor",
        "logmel_extractor",
        "fc1",
        "fc_audioset",
    )


def test_the_place_of_the_sampler_is_read_as_data(tmp_path: Path) -> None:
    sampler = {
        "indexes_per_class": [np.arange(4), np.arange(3)],
        "queue": [1, 0],
        "pointers_of_classes": [np.int64(2), 0],
    }
    plain = load("cnn14", str(cnn14_checkpoint(tmp_path / "plain.pth", sampler={})))
    trained = load("cnn14", str(cnn14_checkpoint(tmp_path / "trained.pth", sampler=sampler)))

    assert plain.weights.id == trained.weights.id


def changed(tmp_path: Path, **tensors: Tensor | None) -> str:
    """What loading says of a checkpoint with some tensors replaced or left out."""
    content: dict[str, Any] = torch.load(
        cnn14_checkpoint(tmp_path / "whole.pth"), weights_only=False
    )
    for key, tensor in tensors.items():
        name = key.replace("__", ".")
        if tensor is None:
            del content["model"][name]
        else:
            content["model"][name] = tensor
    torch.save(content, tmp_path / "changed.pth")
    with pytest.raises(CheckpointError) as caught:
        load("cnn14", str(tmp_path / "changed.pth"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_for_another_sampling_rate_is_refused(tmp_path: Path) -> None:
    message = changed(tmp_path, logmel_extractor__melW=torch.zeros(513, 64))
    assert "trained for another sampling rate" in message
    other = melscale_fbanks(257, 0.0, 8_000.0, 64, 16_000, norm="slaney", mel_scale="slaney")
    assert "other Mel filters" in changed(tmp_path, logmel_extractor__melW=other)
    assert "melW is missing" in changed(tmp_path, logmel_extractor__melW=None)


def test_misfits_are_named(tmp_path: Path) -> None:
    assert "1 missing (conv_block3.bn1.bias)" in changed(tmp_path, conv_block3__bn1__bias=None)
    assert "1 unexpected (surplus)" in changed(tmp_path, surplus=torch.zeros(2))
    assert "not finite" in changed(tmp_path, bn0__bias=torch.full((64,), torch.nan))
    assert "channels" in changed(tmp_path, conv_block6__conv2__weight=None)


@pytest.mark.parametrize("content", [[1], {"model": 3}, {"other": {}}])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "cnn14.pth")
    with pytest.raises(CheckpointError, match="part model is missing"):
        load("cnn14", str(tmp_path / "cnn14.pth"))


def test_where_no_file_is_given_the_user_is_told_where_to_find_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"on no hub.*zenodo\.org.*--weights PATH"):
        load("cnn14")
    with pytest.raises(CheckpointError, match="there is no such file"):
        load("cnn14", str(tmp_path / "nowhere.pth"))


def test_an_older_file_that_counts_no_batches_loads(tmp_path: Path) -> None:
    file = cnn14_checkpoint(tmp_path / "new.pth")
    content = torch.load(file, weights_only=False)
    state = content["model"]
    for name in [name for name in state if name.endswith("num_batches_tracked")]:
        del state[name]
    torch.save(content, tmp_path / "old.pth")

    first, second = (load("cnn14", str(tmp_path / name)) for name in ("new.pth", "old.pth"))
    assert first.weights.id == second.weights.id
    assert isinstance(second, Cnn14)
