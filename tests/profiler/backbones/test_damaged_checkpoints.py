"""Checkpoints with random bytes changed: they load, or are refused in one line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
import transformers as hf

from profiler.backbones.load import load
from profiles_db.errors import CheckpointError
from tests.profiler.backbones.checkpoints import (
    WHISPER,
    apc_checkpoint,
    cnn14_checkpoint,
    saved,
    saved_as_torch,
    tera_checkpoint,
)

CASES = 80
LONGEST_MESSAGE = 700


def checkpoint(kind: str, folder: Path) -> tuple[str, Path, Path]:
    """The backbone, what `--weights` takes, and the file to damage."""
    if kind == "apc":
        file = apc_checkpoint(folder / "apc.ckpt", namespace=True)
        return "apc", file, file
    if kind == "cnn14":
        file = cnn14_checkpoint(folder / "cnn14.pth")
        return "cnn14", file, file
    if kind.startswith("tera"):
        file = tera_checkpoint(folder / "tera.ckpt", legacy=kind == "tera legacy")
        return "tera", file, file
    model = hf.WhisperModel(hf.WhisperConfig(**WHISPER))
    if kind == "pytorch_model.bin":
        return "whisper_tiny", saved_as_torch(model, model.config, folder), folder / kind
    return "whisper_tiny", saved(model, folder), folder / kind


def damaged(whole: bytes, draws: random.Random) -> bytes:
    """`whole` with up to eight bytes changed, mostly near its ends, sometimes cut short."""
    content = bytearray(whole)
    reach = draws.choice([len(content), min(len(content), 4_000)])
    for _ in range(draws.choice([1, 2, 8])):
        place = draws.randrange(reach)
        content[draws.choice([place, -1 - place])] = draws.randrange(256)
    return bytes(content[: draws.randrange(len(content))] if draws.random() < 0.1 else content)


@pytest.mark.parametrize(
    "kind",
    [
        "apc",
        "cnn14",
        "tera",
        "tera legacy",
        "model.safetensors",
        "pytorch_model.bin",
        "config.json",
    ],
)
def test_damage_is_told_in_one_line(tmp_path: Path, kind: str) -> None:
    name, weights, file = checkpoint(kind, tmp_path)
    whole, draws = file.read_bytes(), random.Random(kind)  # noqa: S311 - a seeded test
    messages = []
    for _ in range(CASES):
        file.write_bytes(damaged(whole, draws))
        try:
            load(name, str(weights))
        except CheckpointError as error:
            messages.append(str(error))

    assert len(messages) > CASES // 4
    assert all(message.isprintable() for message in messages)
    assert max(map(len, messages)) < LONGEST_MESSAGE


def test_names_in_a_hostile_file_reach_no_terminal_as_they_are(tmp_path: Path) -> None:
    model = hf.WhisperModel(hf.WhisperConfig(**WHISPER))
    folder = saved_as_torch(model, model.config, tmp_path)
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    state["\x1b[2Jcleared" + 5_000 * "x"] = torch.zeros(1)
    torch.save(state, folder / "pytorch_model.bin")

    with pytest.raises(CheckpointError, match=r"unexpected \(\?\[2Jcleared") as caught:
        load("whisper_tiny", str(folder))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < LONGEST_MESSAGE
