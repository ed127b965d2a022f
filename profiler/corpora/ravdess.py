"""RAVDESS: 1,440 acted clips by 24 actors; the file names carry all the metadata.

Calm counts as neutral, as in the reference, whichever classes are asked for: the four default
classes hold 288 neutral (96 neutral, 192 calm), 192 happy, 192 sad and 192 angry clips.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from profiler.corpora.base import Gender, Utterance
from profiler.corpora.folds import kfold_by_speaker
from profiler.corpora.reader import BASIC_CLASSES, Contents, CorpusReader, unique_by_id

CLIPS: Final = 1_440
ACTORS: Final = 24
EMOTIONS: Final = {
    "01": "neutral",
    "02": "neutral",  # calm
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
STATEMENTS: Final = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}
_NAME: Final = re.compile(
    r"(?P<modality>\d\d)-(?P<channel>\d\d)-(?P<emotion>\d\d)-\d\d-(?P<statement>\d\d)-\d\d"
    r"-(?P<actor>\d\d)"
)
_AUDIO: Final = {".wav", ".flac"}


class Ravdess(CorpusReader):
    """RAVDESS' speech clips (WAV or FLAC) in folders of actors."""

    name = "ravdess"
    title = "RAVDESS"
    languages = ("en",)
    licence = "CC BY-NC-SA 4.0"
    citation = (
        "Livingstone and Russo (2018), The Ryerson Audio-Visual Database of Emotional "
        "Speech and Song (RAVDESS), PLoS ONE 13(5), e0196391"
    )
    doi = "10.1371/journal.pone.0196391"
    request = "https://zenodo.org/records/1188976 (Audio_Speech_Actors_01-24.zip)"
    layout = "Actor_01/03-01-01-01-01-01-01.wav\n...\nActor_24/03-01-08-02-02-02-24.wav"
    all_classes = (*BASIC_CLASSES, "fearful", "disgust", "surprised")
    texts_by_id = True
    folding = "5 folds over the sorted actors, dev the last fifth of the rest"

    def contents(self, root: Path) -> Contents:
        folder = root / "Audio_Speech_Actors_01-24"
        folder = folder if folder.is_dir() else root
        left_out: dict[str, str] = {}
        every = unique_by_id(_scan(folder, left_out), folder)
        if not every:
            raise self.not_found(root, "no Actor_* folder with speech clips")
        actors = sorted({clip.speaker for clip in every})
        return Contents(
            every,
            fold=partial(kfold_by_speaker, speakers=actors),
            left_out=left_out,
            notes=("Calm counts as neutral.", *_incomplete(every)),
        )


def gender_of(actor: int) -> Gender:
    """The corpus' own rule: odd actors are male, even ones female."""
    return "male" if actor % 2 else "female"


def _scan(folder: Path, left_out: dict[str, str]) -> Iterator[Utterance]:
    for path in sorted(folder.glob("Actor_*/*")):
        if path.suffix.lower() not in _AUDIO or path.name.startswith("."):
            continue
        match = _NAME.fullmatch(path.stem)
        reason = _reason_to_leave_out(match)
        if match is None or reason:
            left_out[path.relative_to(folder).as_posix()] = reason
        else:
            actor = match["actor"]
            label = EMOTIONS[match["emotion"]]
            text = STATEMENTS.get(match["statement"])
            yield Utterance(path.stem, path, actor, gender_of(int(actor)), label, text=text)


def _reason_to_leave_out(match: re.Match[str] | None) -> str:
    if match is None:
        return "not a RAVDESS file name"
    if match["channel"] == "02":
        return "song, not speech"
    if match["channel"] != "01" or match["emotion"] not in EMOTIONS:
        return "a code RAVDESS does not define"
    return ""


def _incomplete(every: tuple[Utterance, ...]) -> tuple[str, ...]:
    actors = len({utterance.speaker for utterance in every})
    if (len(every), actors) == (CLIPS, ACTORS):
        return ()
    return (
        f"Incomplete: {len(every)} of {CLIPS} clips, {actors} of {ACTORS} actors; the folds are "
        "made over the actors present.",
    )
