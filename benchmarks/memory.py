"""Peak memory of a profile as the corpus grows tenfold: it must stay flat, and below 4 GiB.

Run it with `python -m benchmarks.memory` (`--backbone`, `--clips` for others). Each size is a
process of its own on synthetic speech of 6 s a clip, with few epochs: neither memory nor what is
read depends on their number. Shared pages count once.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from benchmarks.tree_memory import tree_memory
from profiler.corpora import demo
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiler.settings import SAMPLE_RATE
from profiles_db.store import Store

SECONDS: Final = 6
SPEAKERS: Final = 10
SHORT: Final = Protocol.of(
    study={"seconds": SECONDS},
    training={"epochs": 2, "repetitions": 1},
    privacy={"probe_epochs": 1},
    safety={"pgd_steps": 0, "snr_curve_db": ()},
    resamples=100,
)
LIMIT_GIB: Final = 4.0


def corpus(folder: Path, clips: int) -> Path:
    """A manifest of `clips` synthetic clips, each of another noise; returns its path."""
    manifest = folder / "many.csv"
    classes = demo.Demo.classes
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "label", "gender"])
        for number in range(clips):
            speaker, style = 1 + number % SPEAKERS, classes[number // SPEAKERS % len(classes)]
            _write(folder / f"{number}.wav", f"speaker_{speaker:02d}/{style}_1", number)
            writer.writerow([f"{number}.wav", f"s{speaker}", style, demo.gender_of(speaker)])
    return manifest


def _write(path: Path, name: str, seed: int) -> None:
    voice = np.frombuffer(demo.samples_of(name), dtype="<i2") / 2**15
    noise = np.random.default_rng(seed).standard_normal(SECONDS * SAMPLE_RATE)
    samples = np.resize(voice, len(noise)) + 0.003 * noise
    soundfile.write(path, np.clip(samples, -1, 1), SAMPLE_RATE)


def peak(backbone: str, clips: int) -> dict[str, float]:
    """Peak memory of one profile in GiB, and the features it made."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = corpus(folder, clips)
        with tree_memory() as memory:
            profile_all(
                [backbone], "manifest", manifest, SHORT, Store(folder / "a.duckdb"),
                weights="random", weights_seed=0, cache=folder / "cache", device="cpu",
                workers=None, progress=Silent(),
            )  # fmt: skip
        features = sum(file.stat().st_size for file in (folder / "cache").rglob("*.npy"))
    return {"peak": memory.bytes / 2**30, "features": features / 2**30}


def _in_a_process(backbone: str, clips: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", "--one", "--backbone", backbone]
    done = subprocess.run(
        [*command, "--clips", str(clips)], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Profile `--clips` clips and ten times as many; print both peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="whisper_tiny")
    parser.add_argument("--clips", type=int, default=150)
    parser.add_argument("--one", action="store_true", help="this size alone, as JSON")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(peak(chosen.backbone, chosen.clips)))
        return
    sizes = (chosen.clips, 10 * chosen.clips)
    found = [_in_a_process(chosen.backbone, clips) for clips in sizes]
    print(f"{chosen.backbone}, random weights, synthetic clips of {SECONDS} s, all folds")
    for clips, one in zip(sizes, found, strict=True):
        print(f"  {clips:6} clips  {one['features']:6.2f} GiB of features  peak {one['peak']:5.2f}")
    print(f"  10x / 1x {found[1]['peak'] / found[0]['peak']:.2f}, limit {LIMIT_GIB:.0f} GiB")


if __name__ == "__main__":
    main()
