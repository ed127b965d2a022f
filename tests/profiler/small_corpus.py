"""Eighty of the synthetic clips as one's own data: enough for a run, little to wait for.

They are rated, all but one, by style and take: nobody heard them.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from profiler.corpora import demo

SPEAKERS = range(1, 11)
TAKES = (1, 2)
RATINGS = {"neutral": (3, -0.2), "happy": (5, 0.8), "sad": (2, -0.6), "angry": (6, -0.9)}
"""Of each style its arousal, from 1 to 7, and its valence, from -1 to 1."""
UNRATED = "speaker_01/happy_1"
CLIPS = len(SPEAKERS) * len(demo.Demo.classes) * len(TAKES)


def small_corpus(folder: Path) -> Path:
    """Write the clips and their manifest; returns the manifest."""
    manifest = folder / "small.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "label", "gender", "arousal:1-7", "valence:-1..1"])
        for speaker in SPEAKERS:
            for style in demo.Demo.classes:
                for take in TAKES:
                    name = f"speaker_{speaker:02d}/{style}_{take}"
                    path = name.replace("/", "-") + ".wav"
                    soundfile.write(folder / path, _samples_of(name), 16_000)
                    arousal, valence = RATINGS[style]
                    ratings = ["", ""] if name == UNRATED else [arousal + take / 4, valence]
                    writer.writerow([path, f"s{speaker}", style, demo.gender_of(speaker), *ratings])
    return manifest


@functools.cache
def _samples_of(name: str) -> NDArray[np.int16]:
    """The samples of a clip, made once in a process."""
    return np.frombuffer(demo.samples_of(name), dtype="<i2")
