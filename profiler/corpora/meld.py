"""MELD: utterances of the television series Friends, with the corpus' own split.

The split divides dialogues, not speakers: the six main characters speak in train, dev and test.
Figures on MELD are therefore not speaker-independent, and the corpus gives no gender.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from profiler.corpora.base import Part, Utterance
from profiler.corpora.folds import fold_by_split
from profiler.corpora.reader import (
    BASIC_CLASSES,
    Contents,
    CorpusReader,
    first_existing,
    unique_by_id,
)
from profiler.corpora.tables import read_table
from profiles_db.errors import CorpusError

EMOTIONS: Final = {
    "neutral": "neutral",
    "joy": "happy",
    "sadness": "sad",
    "anger": "angry",
    "surprise": "surprised",
    "fear": "fearful",
    "disgust": "disgust",
}
_FOLDERS: Final[Mapping[Part, str]] = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
_COLUMNS: Final = ("Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
_NOTES: Final = (
    "The published split shares speakers between its parts: figures are not speaker-independent.",
    "MELD does not give its speakers' gender.",
)


class Meld(CorpusReader):
    """MELD's three annotation files; the audio need not be there."""

    name = "meld"
    title = "MELD"
    languages = ("en",)
    licence = "GPL-3.0 (annotations); clips of a television series, research use"
    citation = (
        "Poria et al. (2019), MELD: A Multimodal Multi-Party Dataset for Emotion "
        "Recognition in Conversations, Proceedings of ACL, 527-536"
    )
    doi = "10.18653/v1/P19-1050"
    request = "https://affective-meld.github.io/ (MELD.Raw.tar.gz, audio extracted to WAV)"
    layout = (
        "train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv\n"
        "train_splits/waves/dia0_utt0.wav (or train_splits/dia0_utt0.wav)\n"
        "dev_splits_complete/waves/...\noutput_repeated_splits_test/waves/..."
    )
    all_classes = (*BASIC_CLASSES, "surprised", "fearful", "disgust")
    folding = "one fold: the corpus' own train, dev and test, which share speakers"
    shares_speakers = True

    def contents(self, root: Path) -> Contents:
        folder = first_existing(root, "MELD.Raw") or root
        every = unique_by_id(_read_parts(root, folder), folder)
        return Contents(every, fold_by_split, notes=_NOTES)


def _read_parts(root: Path, folder: Path) -> Iterator[Utterance]:
    for part, name in _FOLDERS.items():
        table = folder / f"{part}_sent_emo.csv"
        if not table.is_file():
            raise Meld.not_found(root, f"no {table.name}")
        yield from _read_part(table, part, first_existing(folder, f"{name}/waves") or folder / name)


def _read_part(table: Path, part: Part, audio: Path) -> Iterator[Utterance]:
    for row in read_table(table, _COLUMNS):
        emotion, dialogue, number = row["Emotion"], row["Dialogue_ID"], row["Utterance_ID"]
        if emotion not in EMOTIONS or not (dialogue.isdecimal() and number.isdecimal()):
            raise CorpusError(f"not an utterance of MELD: {row}", where=str(table))
        name = f"dia{dialogue}_utt{number}"
        path = audio / f"{name}.wav"
        yield Utterance(f"{part}/{name}", path, row["Speaker"], None, EMOTIONS[emotion], split=part)
