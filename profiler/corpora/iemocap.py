"""IEMOCAP: dyadic sessions of ten actors, five sessions with one woman and one man each.

Labels are the consensus in ``EmoEvaluation``; excited counts as happy, as in the reference.
Clips on which the annotators disagree (``xxx``) or that are ``oth`` are left out. Ratings are the
means over the annotators, printed as ``[valence, arousal, dominance]`` on a scale of 1 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from profiler.corpora.base import Utterance
from profiler.corpora.folds import kfold_by_session
from profiler.corpora.ratings import Ratings
from profiler.corpora.reader import BASIC_CLASSES, Contents, CorpusReader, unique_by_id
from profiler.corpora.tables import read_lines
from profiles_db.dimensions import Dimension, RatingScale
from profiles_db.errors import CorpusError

SESSIONS: Final = 5
EMOTIONS: Final = {
    "neu": "neutral",
    "hap": "happy",
    "exc": "happy",
    "sad": "sad",
    "ang": "angry",
    "fru": "frustrated",
    "sur": "surprised",
    "fea": "fearful",
    "dis": "disgust",
}
_REASONS: Final = {"xxx": "the annotators disagree", "oth": "labelled `other`"}
_NAME: Final = re.compile(r"(?P<dialog>Ses(?P<session>\d\d)[FM]_\w+)_(?P<gender>[FM])\w*\d")
_CELLS: Final = 4
_RATINGS: Final = re.compile(
    r"\[(?P<valence>[^,\]]*),(?P<arousal>[^,\]]*),(?P<dominance>[^,\]]*)\]"
)
SCALE: Final = RatingScale(1, 5)


class Iemocap(CorpusReader):
    """IEMOCAP's evaluation files; the audio need not be there."""

    name = "iemocap"
    title = "IEMOCAP"
    languages = ("en",)
    licence = "IEMOCAP release form (research, on request)"
    citation = (
        "Busso et al. (2008), IEMOCAP: Interactive emotional dyadic motion capture "
        "database, Language Resources and Evaluation 42(4), 335-359"
    )
    doi = "10.1007/s10579-008-9076-6"
    request = "https://sail.usc.edu/iemocap/"
    layout = (
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt\n"
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav\n..."
    )
    all_classes = (*BASIC_CLASSES, "frustrated", "surprised", "fearful", "disgust")
    folding = "5 folds, one session each as test, the last of the others as dev"

    def contents(self, root: Path) -> Contents:
        folder = root / "IEMOCAP_full_release"
        folder = folder if folder.is_dir() else root
        left_out: dict[str, str] = {}
        ratings = Ratings(SCALE)
        every = unique_by_id(_read_sessions(folder, left_out, ratings), folder)
        if not every:
            raise self.not_found(root, "no Session*/dialog/EmoEvaluation/*.txt with labels")
        notes: tuple[str, ...] = ("Excited counts as happy.", *ratings.notes())
        sessions = len({utterance.session for utterance in every})
        if sessions != SESSIONS:
            notes += (f"Incomplete: {sessions} of {SESSIONS} sessions.",)
        return Contents(every, kfold_by_session, left_out, notes)


def _read_sessions(folder: Path, left_out: dict[str, str], ratings: Ratings) -> Iterator[Utterance]:
    for session in sorted(folder.glob("Session[1-5]")):
        for path in sorted((session / "dialog" / "EmoEvaluation").glob("Ses*.txt")):
            yield from _read_evaluation(path, session, left_out, ratings)


def _read_evaluation(
    path: Path, session: Path, left_out: dict[str, str], ratings: Ratings
) -> Iterator[Utterance]:
    """The labelled lines: ``[start - end]``, utterance, label and dimensions, tab-separated."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.startswith("[") or "Ses" not in line:
            continue
        cells = line.split("\t")
        match = _NAME.fullmatch(cells[1]) if len(cells) == _CELLS else None
        rated = _RATINGS.fullmatch(cells[-1].strip())
        if match is None or not rated or f"Session{int(match['session'])}" != session.name:
            raise CorpusError(f"not a labelled utterance: {line!r}", where=f"{path}:{number}")
        code = cells[2]
        if code in EMOTIONS:
            found = ratings.of(match[0], rated.groupdict(), f"{path}:{number}")
            yield _utterance(match, session, EMOTIONS[code], found)
        else:
            left_out[match[0]] = _REASONS.get(code, f"unknown label {code!r}")


def _utterance(
    match: re.Match[str], session: Path, label: str, ratings: Mapping[Dimension, float]
) -> Utterance:
    path = session / "sentences" / "wav" / match["dialog"] / f"{match[0]}.wav"
    gender = match["gender"]
    return Utterance(
        id=match[0],
        path=path,
        speaker=f"Ses{match['session']}{gender}",
        gender="female" if gender == "F" else "male",
        label=label,
        session=session.name,
        ratings=ratings,
    )
