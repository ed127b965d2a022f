"""CREMA-D: 7,442 acted clips by 91 actors, labelled by the vote of those who saw and heard them.

A clip's label is its ``MultiModalVote`` where that names one emotion; ties are left out, and so is
the clip ``1076_MTI_SAD_XX``, which has no sound. The four default classes then hold 1,972 neutral,
1,219 happy, 588 sad and 1,019 angry clips, as in the paper's Table 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from profiler.corpora.base import Gender, Utterance
from profiler.corpora.folds import kfold_by_speaker
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
    "N": "neutral",
    "H": "happy",
    "S": "sad",
    "A": "angry",
    "F": "fearful",
    "D": "disgust",
}
SENTENCES: Final = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
UNUSABLE: Final = "1076_MTI_SAD_XX"
_NAME: Final = re.compile(r"(\d{4})_([A-Z]{3})_[A-Z]{3}_[A-Z]{2}")
_GENDERS: Final[Mapping[str, Gender]] = {"Female": "female", "Male": "male"}


class CremaD(CorpusReader):
    """CREMA-D's metadata; the audio need not be there."""

    name = "crema_d"
    title = "CREMA-D"
    languages = ("en",)
    licence = "ODbL 1.0 (database), DbCL 1.0 (contents)"
    citation = (
        "Cao et al. (2014), CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, "
        "IEEE Transactions on Affective Computing 5(4), 377-390"
    )
    doi = "10.1109/TAFFC.2014.2336244"
    request = "https://github.com/CheyneyComputerScience/CREMA-D"
    layout = (
        "VideoDemographics.csv\nprocessedResults/summaryTable.csv\n"
        "AudioWAV/1001_DFA_ANG_XX.wav\n..."
    )
    all_classes = (*BASIC_CLASSES, "fearful", "disgust")
    texts_by_id = True
    folding = "5 folds over the actors 1001 to 1091, dev the last fifth of the rest"

    def contents(self, root: Path) -> Contents:
        table = root / "processedResults" / "summaryTable.csv"
        demographics = root / "VideoDemographics.csv"
        for path in (table, demographics):
            if not path.is_file():
                raise self.not_found(root, f"no {path.relative_to(root).as_posix()}")
        genders = dict(_read_genders(demographics))
        left_out: dict[str, str] = {}
        every = unique_by_id(_read_clips(root, table, genders, left_out), table)
        fold = partial(kfold_by_speaker, speakers=sorted(genders))
        return Contents(every, fold, left_out)


def _read_genders(path: Path) -> Iterator[tuple[str, Gender]]:
    for row in read_table(path, ("ActorID", "Sex")):
        if row["Sex"] not in _GENDERS:
            raise CorpusError(
                f"actor {row['ActorID']} has the sex {row['Sex']!r}",
                where=str(path),
                rule="Male or Female",
            )
        yield row["ActorID"], _GENDERS[row["Sex"]]


def _read_clips(
    root: Path, table: Path, genders: Mapping[str, Gender], left_out: dict[str, str]
) -> Iterator[Utterance]:
    audio = first_existing(root, "AudioWAV", "AudioMP3") or root / "AudioWAV"
    suffix = ".mp3" if audio.name == "AudioMP3" else ".wav"
    for row in read_table(table, ("FileName", "MultiModalVote")):
        name, vote = row["FileName"], row["MultiModalVote"]
        match = _NAME.fullmatch(name)
        if match is None or match[1] not in genders:
            raise CorpusError(f"{name!r} is no clip of a known actor", where=str(table))
        reason = _reason_to_leave_out(name, vote)
        if reason:
            left_out[name] = reason
        else:
            actor = match[1]
            yield Utterance(
                name,
                audio / f"{name}{suffix}",
                actor,
                genders[actor],
                EMOTIONS[vote],
                text=SENTENCES.get(match[2]),
            )


def _reason_to_leave_out(name: str, vote: str) -> str:
    if name == UNUSABLE:
        return "the corpus' own unusable clip"
    return "" if vote in EMOTIONS else "no single emotion has the most votes"
