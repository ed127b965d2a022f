"""What mixed precision saves in the passes through a backbone, and how far it moves them.

Run it with `python -m benchmarks.precision --backbone whisper_tiny --backbone wav2vec2_base`; on
other clips with `--dataset ravdess --data-root FOLDER --clips 40`. With random weights (or
`--weights`), on the same clips, one at a time, in one run:

    forward           seconds in float32 / seconds in bfloat16, from waveform to hidden states
    forward+backward  the same with the way back to the waveform, as the attack takes it

with one thread and with all, the two precisions taking turns, medians over the rounds. Then, with
one thread, against float32, the mean over the clips and the range:

    states            relative error of a clip's hidden states, all layers together
    signs             share of a clip's samples at which the loss gradient has another sign, so
                      that FGSM steps the other way; the gradient is that of an untrained head's
                      cross-entropy at the class it gives
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, get_args

import torch
from torch import Tensor

from profiler.backbones.base import Backbone
from profiler.backbones.load import load
from profiler.backbones.precision import hidden_states
from profiler.cache_home import cache_home
from profiler.corpora.audio import load_clip
from profiler.measures.attacks import loss_gradient
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.settings import Precision
from profiler.study import open_study
from profiler.training.head import Head

CLASSES: Final = 4
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)


@dataclasses.dataclass(frozen=True)
class Ratios:
    """One round's seconds in float32 / seconds in bfloat16."""

    forward: float
    both_ways: float


@dataclasses.dataclass(frozen=True)
class Change:
    """What bfloat16 changes of one clip: relative error of its states, share of other signs."""

    states: float
    signs: float


def ratios(backbone: Backbone, waves: Sequence[Tensor]) -> Ratios:
    """One round: every clip in both precisions, one after the other."""
    forward, both_ways = dict.fromkeys(PRECISIONS, 0.0), dict.fromkeys(PRECISIONS, 0.0)
    for wave in waves:
        for precision in PRECISIONS:
            start = time.perf_counter()
            with torch.no_grad():
                hidden_states(backbone, wave, precision)
            halfway = time.perf_counter()
            given = wave.clone().requires_grad_(True)
            torch.autograd.backward(hidden_states(backbone, given, precision).sum())
            forward[precision] += halfway - start
            both_ways[precision] += time.perf_counter() - halfway
    return Ratios(
        forward["float32"] / forward["bfloat16"], both_ways["float32"] / both_ways["bfloat16"]
    )


def change(backbone: Backbone, head: Head, wave: Tensor) -> Change:
    """How far bfloat16 moves one clip, shape (1, samples)."""
    states, gradients = [], []
    with torch.no_grad():
        target = head(list(hidden_states(backbone, wave, "float32").unbind(0))).argmax(dim=1)
    for precision in PRECISIONS:

        def model(given: Tensor, precision: Precision = precision) -> Tensor:
            states.append(hidden_states(backbone, given, precision))
            logits: Tensor = head(list(states[-1].unbind(0)))
            return logits

        gradients.append(loss_gradient(model, wave, target).values.sign())
    full, mixed = (one.detach() for one in states)
    return Change(
        states=float((mixed - full).norm() / full.norm()),
        signs=float((gradients[0] != gradients[1]).float().mean()),
    )


def waveforms(dataset: str, root: Path | None, clips: int) -> list[Tensor]:
    """So many clips of a corpus, evenly over it, each of shape (1, samples)."""
    protocol = Protocol.of()
    root = cache_home() / "demo" if dataset == "demo" and root is None else root
    paths = [clip.path for clip in open_study(dataset, root, protocol, Silent()).clips.values()]
    chosen = paths[:: max(1, len(paths) // clips)][:clips]
    waves = [load_clip(path, seconds=protocol.study.seconds) for path in chosen]
    return [torch.from_numpy(wave).unsqueeze(0) for wave in waves]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def report(name: str, weights: str, waves: Sequence[Tensor], rounds: int) -> None:
    """Measure one backbone and print a line for the times and one for the change."""
    backbone = load(name, weights)
    for count in sorted({1, torch.get_num_threads()}):
        with threads(count):
            ratios(backbone, waves[:1])
            found = [ratios(backbone, waves) for _ in range(rounds)]
        forward = statistics.median(one.forward for one in found)
        both_ways = statistics.median(one.both_ways for one in found)
        print(
            f"{name:16} {count:2} threads   forward {forward:5.2f}   "
            f"forward+backward {both_ways:5.2f}"
        )
    torch.manual_seed(0)
    head = Head(layers=backbone.layers, features=backbone.hidden_size, classes=CLASSES, width=128)
    with threads(1):
        changes = [change(backbone, head.eval().requires_grad_(False), wave) for wave in waves]
    print(
        f"{name:16} states {_spread([one.states for one in changes])}   "
        f"signs {_spread([one.signs for one in changes])}"
    )


def _spread(values: Sequence[float]) -> str:
    mean, least, most = (
        100 * value for value in (statistics.mean(values), min(values), max(values))
    )
    return f"{mean:.2f} % ({least:.2f} to {most:.2f})"


def main() -> None:
    """Measure the backbones asked for, and print ratios and changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", action="append")
    parser.add_argument("--weights", default="random")
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--clips", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    waves = waveforms(chosen.dataset, chosen.data_root, chosen.clips)
    print(
        f"{chosen.weights} weights, {len(waves)} clips of {chosen.dataset}, medians of "
        f"{chosen.rounds} rounds"
    )
    for name in chosen.backbone or ["whisper_tiny"]:
        report(name, chosen.weights, waves, chosen.rounds)


if __name__ == "__main__":
    main()
