"""IEMOCAP: dyadic sessions of ten actors, five sessions with one woman and one man each.

Labels are the consensus in ``EmoEvaluation``; excited counts as happy, as in the reference.
Clips on which the annotators disagree (``xxx``) or that are ``oth`` are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from profiler.corpora.base import Corpus, Utterance
from profiler.corpora.info import BASIC_CLASSES, CorpusInfo, select, unique_by_id
from profiler.corpora.tables import read_lines
from profiler.folds import kfold_by_session
from profiles_db.errors import CorpusError

INFO: Final = CorpusInfo(
    name="iemocap",
    title="IEMOCAP",
    licence="IEMOCAP release form (research, on request)",
    request="https://sail.usc.edu/iemocap/",
    layout=(
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt\n"
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav\n..."
    ),
    classes=BASIC_CLASSES,
    all_classes=(*BASIC_CLASSES, "frustrated", "surprised", "fearful", "disgust"),
    folding="5 folds, one session each as test, the last of the others as dev",
)
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


def read(root: Path, classes: str = "default") -> Corpus:
    """Read IEMOCAP's evaluation files under `root`; the audio need not be there.

    Raises
    ------
    CorpusError
        Where there is no session with evaluations, or a line of them is not as published.
    """
    chosen = INFO.choose(classes)
    folder = root / "IEMOCAP_full_release"
    folder = folder if folder.is_dir() else root
    left_out: dict[str, str] = {}
    every = unique_by_id(_read_sessions(folder, left_out), folder)
    if not every:
        raise INFO.not_found(root, "no Session*/dialog/EmoEvaluation/*.txt with labels")
    utterances, notes = select(every, chosen)
    sessions = len({utterance.session for utterance in every})
    if sessions != SESSIONS:
        notes = (*notes, f"Incomplete: {sessions} of {SESSIONS} sessions.")
    folds = kfold_by_session(utterances)
    notes = ("Excited counts as happy.", *notes)
    return Corpus(INFO.name, chosen, utterances, folds, left_out=left_out, notes=notes)


def _read_sessions(folder: Path, left_out: dict[str, str]) -> Iterator[Utterance]:
    for session in sorted(folder.glob("Session[1-5]")):
        for path in sorted((session / "dialog" / "EmoEvaluation").glob("Ses*.txt")):
            yield from _read_evaluation(path, session, left_out)


def _read_evaluation(path: Path, session: Path, left_out: dict[str, str]) -> Iterator[Utterance]:
    """The labelled lines: ``[start - end]``, utterance, label and dimensions, tab-separated."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.startswith("[") or "Ses" not in line:
            continue
        cells = line.split("\t")
        match = _NAME.fullmatch(cells[1]) if len(cells) == _CELLS else None
        if match is None or f"Session{int(match['session'])}" != session.name:
            raise CorpusError(f"not a labelled utterance: {line!r}", where=f"{path}:{number}")
        code = cells[2]
        if code in EMOTIONS:
            yield _utterance(match, session, EMOTIONS[code])
        else:
            left_out[match[0]] = _REASONS.get(code, f"unknown label {code!r}")


def _utterance(match: re.Match[str], session: Path, label: str) -> Utterance:
    path = session / "sentences" / "wav" / match["dialog"] / f"{match[0]}.wav"
    gender = match["gender"]
    return Utterance(
        id=match[0],
        path=path,
        speaker=f"Ses{match['session']}{gender}",
        gender="female" if gender == "F" else "male",
        label=label,
        session=session.name,
    )
