"""Attacks in batches of equally long clips: what each clip gets alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.corpora import demo
from profiler.corpora.base import Utterance
from profiler.measures.base import ClipTask
from profiler.measures.safety import PGD, SafetySettings
from profiler.measures.safety_work import attack
from profiler.pipeline.context import BackboneSpec, Context, Plan
from profiler.protocol import Protocol
from profiler.training.head import Head
from profiles_db.records import AttackOutcome

CLASSES = ("a", "b", "c")
LENGTHS = (16_000, 12_000, 16_000, 9_000, 16_000, 12_000)


def _utterances(folder: Path) -> list[Utterance]:
    """Synthetic speech cut to three lengths."""
    found = []
    for index, length in enumerate(LENGTHS):
        name = f"speaker_{index + 1:02d}/{demo.Demo.classes[0]}_1"
        samples = np.frombuffer(demo.samples_of(name), dtype="<i2")[:length]
        path = folder / f"{index}.wav"
        soundfile.write(path, samples, 16_000)
        found.append(Utterance(str(index), path, f"s{index}", "female", CLASSES[index % 3]))
    return found


SETTINGS = SafetySettings(snr_curve_db=(20.0, 60.0), snr_db=30.0, pgd_steps=3)
HARD = ("0", "2", "3")
"""Clips that PGD attacks too."""
ALL = tuple((str(number), 0) for number in range(len(LENGTHS)))


def _attacked(
    backbone: Backbone,
    folder: Path,
    batches: bool,
    tasks: Sequence[tuple[str, int]] = ALL,
) -> list[AttackOutcome]:
    backbone.pays_in_batches = batches
    utterances = {utterance.id: utterance for utterance in _utterances(folder)}
    plan = Plan(
        "m", ("safety",), BackboneSpec("b", "none", 0, "cpu"), Protocol.of(), CLASSES, utterances,
        {}, (), folder,
    )  # fmt: skip
    heads = {}
    for repetition in sorted({repetition for _, repetition in tasks}):
        torch.manual_seed(repetition)
        head = Head(layers=backbone.layers, features=backbone.hidden_size, classes=3, width=16)
        heads[repetition] = head.eval()
    todo = [ClipTask(clip, number, PGD if clip in HARD else "") for clip, number in tasks]
    found = attack(Context(plan, backbone), 1, heads, todo, SETTINGS)
    return sorted(found, key=lambda o: (o.repetition, o.utterance, o.attack, o.snr_db))


@pytest.mark.parametrize("name", ["apc", "whisper_tiny"])
def test_batches_of_equal_length_give_what_each_clip_gives_alone(name: str, tmp_path: Path) -> None:
    backbone = load(name, "random")
    together = _attacked(backbone, tmp_path, batches=True)
    alone = _attacked(backbone, tmp_path, batches=False)
    assert len(alone) == len(LENGTHS) * 3 * 2 + 3
    for ours, theirs in zip(together, alone, strict=True):
        # Gradients near zero may change their sign by rounding, and PGD goes on from there.
        assert ours.reached_snr_db == pytest.approx(theirs.reached_snr_db, abs=0.1)
        assert replace(ours, reached_snr_db=None) == replace(theirs, reached_snr_db=None)


def test_versions_of_a_clip_are_answered_together_as_each_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass with a gradient serves FGSM at all ratios; three of FGSM and three of noise go on
    together, each kind by itself, two of them at a time here."""
    backbone = load("whisper_tiny", "random")
    sizes: list[tuple[int, bool]] = []
    whole = type(backbone).hidden_states

    def counted(self: Backbone, waveform: torch.Tensor) -> torch.Tensor:
        sizes.append((len(waveform), waveform.requires_grad))
        return whole(self, waveform)

    monkeypatch.setattr(type(backbone), "hidden_states", counted)
    found = {}
    for together in (1, 2):
        backbone.answers_together = together
        sizes.clear()
        found[together] = _attacked(backbone, tmp_path, batches=False, tasks=[("1", 0), ("5", 0)])
        assert sizes == 2 * [
            (1, True),
            *([(1, False)] * 6 if together == 1 else [(2, False), (1, False)] * 2),
        ]
    assert len(found[1]) == 2 * 6
    for ours, theirs in zip(found[2], found[1], strict=True):
        assert ours == theirs


@pytest.mark.parametrize("batches", [False, True])
def test_heads_of_several_repetitions_find_what_each_finds_alone(
    batches: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each clip goes through the encoder once for all heads, clean and under noise."""
    backbone = load("apc", "random")
    first = [("0", 0), ("1", 0), ("2", 0), ("4", 0)]
    second = [("0", 1), ("2", 1), ("3", 1)]
    passes = 0
    whole = type(backbone).hidden_states

    def counted(self: Backbone, waveform: torch.Tensor) -> torch.Tensor:
        nonlocal passes
        passes += len(waveform)
        return whole(self, waveform)

    monkeypatch.setattr(type(backbone), "hidden_states", counted)
    alone = _attacked(backbone, tmp_path, batches, first)
    alone += _attacked(backbone, tmp_path, batches, second)
    apart, passes = passes, 0
    together = _attacked(backbone, tmp_path, batches, [*first, *second])
    shared = 2  # clips 0 and 2: one clean pass and three under noise are saved for each
    assert apart - passes == shared * (1 + len(SETTINGS.snrs_db))
    assert len(together) == len(alone) == 7 * 3 * 2 + 2 + 3
    for ours, theirs in zip(together, alone, strict=True):
        assert ours.reached_snr_db == pytest.approx(theirs.reached_snr_db, abs=0.1)
        assert replace(ours, reached_snr_db=None) == replace(theirs, reached_snr_db=None)
