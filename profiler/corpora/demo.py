"""The demo corpus: synthetic speech that the program makes itself, the same on every machine.

Sixteen speakers of two genders speak ten takes in each of four emotion styles: 640 clips. It is
there to try the program without data; what a backbone scores on it says nothing about people.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from profiler.cache_home import cache_home
from profiler.corpora.base import Gender, Utterance
from profiler.corpora.folds import kfold_by_speaker
from profiler.corpora.reader import BASIC_CLASSES, Contents, CorpusReader
from profiles_db.errors import CorpusError, OutputError
from profiles_db.files import make_folder, replacing

VERSION: Final = 1
"""Goes up whenever the clips change."""
SEED: Final = 2023
SPEAKERS: Final = 16
TAKES: Final = 10


class Demo(CorpusReader):
    """The demo corpus, its clips made where they are not there yet."""

    name = "demo"
    title = "Demo (synthetic speech)"
    languages = ("zxx",)
    licence = "MIT, as the program that makes it"
    citation = ""
    request = "made by the program"
    layout = "speaker_01/neutral_1.wav\n..."
    all_classes = BASIC_CLASSES
    folding = "5 folds over the speakers, dev the last fifth of the rest"
    synthetic = True
    needs_root = False

    def own_root(self) -> Path:
        """A folder in the user's cache, by version and seed, or in the cache that was given."""
        if self.cache is not None:
            return self.cache / "demo"
        return cache_home() / f"demo-{VERSION}-{SEED}"

    def contents(self, root: Path) -> Contents:
        every = tuple(_utterances(root))
        try:
            _make_missing(every)
        except OutputError as error:
            raise CorpusError(
                f"the demo clips {error.what}",
                where=str(root),
                remedy="give another folder as --data-root",
            ) from error
        return Contents(every, kfold_by_speaker, notes=("Synthetic speech: no person spoke it.",))


def gender_of(speaker: int) -> Gender:
    """Odd speakers are male, even ones female, so that every fold holds both."""
    return "male" if speaker % 2 else "female"


def _utterances(folder: Path) -> Iterator[Utterance]:
    for speaker in range(1, SPEAKERS + 1):
        name = f"speaker_{speaker:02d}"
        for style in BASIC_CLASSES:
            for take in range(1, TAKES + 1):
                path = folder / name / f"{style}_{take}.wav"
                yield Utterance(f"{name}/{style}_{take}", path, name, gender_of(speaker), style)


def _make_missing(utterances: tuple[Utterance, ...]) -> None:
    for utterance in utterances:
        if not utterance.path.exists():
            make_folder(utterance.path.parent)
            _write(utterance.path, samples_of(utterance.id))


def samples_of(id_: str, seed: int = SEED) -> bytes:
    """The 16-bit samples (little-endian, 16 kHz, mono) of the clip `id_`."""
    from profiler.corpora import demo_voice  # noqa: PLC0415 - NumPy only where clips are made

    name, _, clip = id_.partition("/")
    style, _, take = clip.partition("_")
    speaker = int(name.removeprefix("speaker_"))
    voice = demo_voice.voice_of(seed, speaker, gender_of(speaker))
    known = next(known for known in demo_voice.STYLES if known == style)
    return demo_voice.speak(seed, speaker, voice, known, int(take)).astype("<i2").tobytes()


def _write(path: Path, samples: bytes) -> None:
    with replacing(path) as part, wave.open(str(part), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples)
