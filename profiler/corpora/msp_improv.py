"""MSP-Improv: improvised and read dialogues of twelve actors in six sessions.

All recordings are used (target sentences, improvisations, natural interaction, read), as in the
paper. Clips labelled other (``O``) or without agreement (``X``) are left out. Ratings are the means
over the annotators, on a scale of 1 to 5, as ``A:2.6; V:2.2; D:3.0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from profiler.corpora.base import Utterance
from profiler.corpora.folds import kfold_by_session
from profiler.corpora.ratings import Ratings
from profiler.corpora.reader import (
    BASIC_CLASSES,
    Contents,
    CorpusReader,
    first_existing,
    unique_by_id,
)
from profiler.corpora.tables import read_lines
from profiles_db.dimensions import Dimension, RatingScale
from profiles_db.errors import CorpusError

EMOTIONS: Final = {"N": "neutral", "H": "happy", "S": "sad", "A": "angry"}
_REASONS: Final = {"O": "labelled `other`", "X": "the annotators do not agree"}
_LINE: Final = re.compile(
    r"UTD-(?P<rest>IMPROV-(?P<sentence>S\d\d[A-Z])-(?P<speaker>(?P<gender>[FM])(?P<session>\d\d))"
    r"-(?P<kind>[PRST])-\w+)\.avi\s*;\s*(?P<label>[A-Z])\s*;(?P<ratings>.*)"
)
_DIMENSIONS: Final[Mapping[str, Dimension]] = {"A": "arousal", "D": "dominance", "V": "valence"}
SCALE: Final = RatingScale(1, 5)


class MspImprov(CorpusReader):
    """MSP-Improv's evaluation file; the audio need not be there."""

    name = "msp_improv"
    title = "MSP-Improv"
    languages = ("en",)
    licence = "MSP-IMPROV academic licence (research, on request)"
    citation = (
        "Busso et al. (2017), MSP-IMPROV: An Acted Corpus of Dyadic Interactions to Study "
        "Emotion Perception, IEEE Transactions on Affective Computing 8(1), 67-80"
    )
    doi = "10.1109/TAFFC.2016.2515617"
    request = "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html"
    layout = "Evalution.txt\nsession1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav (or under Audio/)\n..."
    all_classes = BASIC_CLASSES
    folding = "6 folds, one session each as test, the last of the others as dev"

    def contents(self, root: Path) -> Contents:
        table = first_existing(root, "Evalution.txt", "Evaluation.txt")  # published misspelled
        if table is None:
            raise self.not_found(root, "no Evalution.txt")
        left_out: dict[str, str] = {}
        ratings = Ratings(SCALE)
        every = unique_by_id(_read_clips(root, table, left_out, ratings), table)
        if not every:
            raise CorpusError("no labelled clip", where=str(table))
        return Contents(every, kfold_by_session, left_out, ratings.notes())


def _read_clips(
    root: Path, table: Path, left_out: dict[str, str], ratings: Ratings
) -> Iterator[Utterance]:
    audio = root / "Audio" if (root / "Audio").is_dir() else root
    for number, line in enumerate(read_lines(table), start=1):
        if not line.startswith("UTD-"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise CorpusError(f"not an evaluation: {line[:80]!r}", where=f"{table}:{number}")
        code = match["label"]
        if code in EMOTIONS:
            rated = ratings.of(f"MSP-{match['rest']}", _rated(match), f"{table}:{number}")
            yield _utterance(match, audio, EMOTIONS[code], rated)
        else:
            left_out[f"MSP-{match['rest']}"] = _REASONS.get(code, f"unknown label {code!r}")


def _rated(match: re.Match[str]) -> dict[Dimension, str]:
    """What the line says of each dimension, such as ``2.6``; naturalness (``N``) is not used."""
    parts = (part.partition(":") for part in match["ratings"].split(";"))
    return {
        _DIMENSIONS[name.strip()]: value for name, _, value in parts if name.strip() in _DIMENSIONS
    }


def _utterance(
    match: re.Match[str], audio: Path, label: str, ratings: Mapping[Dimension, float]
) -> Utterance:
    name, session = f"MSP-{match['rest']}", f"session{int(match['session'])}"
    return Utterance(
        id=name,
        path=audio / session / match["sentence"] / match["kind"] / f"{name}.wav",
        speaker=match["speaker"],
        gender="female" if match["gender"] == "F" else "male",
        label=label,
        session=session,
        ratings=ratings,
    )
