"""MSP-Podcast: speech from podcasts, with the corpus' own speaker-independent partitions.

As in the reference, ``Train``, ``Validation`` (``Development`` in later releases) and ``Test1``
are the parts, and clips of unknown speaker or gender are left out: without a speaker nobody can
say that the parts share none. How many clips remain depends on the release. Ratings are the means
over the annotators, on a scale of 1 to 7; a table without them is read all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from profiler.corpora.base import Gender, Part, Utterance
from profiler.corpora.folds import fold_by_split
from profiler.corpora.ratings import Ratings
from profiler.corpora.reader import (
    BASIC_CLASSES,
    Contents,
    CorpusReader,
    first_existing,
    unique_by_id,
)
from profiler.corpora.tables import Row, read_table
from profiles_db.dimensions import Dimension, RatingScale
from profiles_db.errors import CorpusError

EMOTIONS: Final = {
    "N": "neutral",
    "H": "happy",
    "S": "sad",
    "A": "angry",
    "U": "surprised",
    "F": "fearful",
    "D": "disgust",
    "C": "contempt",
}
_REASONS: Final = {"O": "labelled `other`", "X": "the annotators do not agree"}
_SPLITS: Final[Mapping[str, Part]] = {
    "Train": "train",
    "Validation": "dev",
    "Development": "dev",
    "Test1": "test",
}
_GENDERS: Final[Mapping[str, Gender]] = {"Female": "female", "Male": "male"}
_COLUMNS: Final = ("FileName", "EmoClass", "SpkrID", "Gender", "Split_Set")
_RATED: Final[Mapping[str, Dimension]] = {
    "EmoAct": "arousal",
    "EmoDom": "dominance",
    "EmoVal": "valence",
}
SCALE: Final = RatingScale(1, 7)


class MspPodcast(CorpusReader):
    """MSP-Podcast's consensus labels; the audio need not be there."""

    name = "msp_podcast"
    title = "MSP-Podcast"
    languages = ("en",)
    licence = "MSP-Podcast academic licence (research, on request)"
    citation = (
        "Lotfian and Busso (2019), Building Naturalistic Emotionally Balanced Speech Corpus "
        "by Retrieving Emotional Speech from Existing Podcast Recordings, IEEE Transactions "
        "on Affective Computing 10(4), 471-483"
    )
    doi = "10.1109/TAFFC.2017.2736999"
    request = "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html"
    layout = (
        "Labels/labels_consensus.csv (or labels_concensus.csv)\n"
        "Audios/MSP-PODCAST_0001_0008.wav (or Audio/)\n..."
    )
    all_classes = (*BASIC_CLASSES, "surprised", "fearful", "disgust", "contempt")
    folding = "one fold: the corpus' own Train, Validation and Test1"

    def contents(self, root: Path) -> Contents:
        table = first_existing(
            root,
            "Labels/labels_consensus.csv",
            "Labels/labels_concensus.csv",
            "labels_consensus.csv",
        )
        if table is None:
            raise self.not_found(root, "no Labels/labels_consensus.csv")
        left_out: dict[str, str] = {}
        ratings = Ratings(SCALE)
        every = unique_by_id(_read_clips(root, table, left_out, ratings), table)
        return Contents(every, fold_by_split, left_out, ratings.notes())


def _read_clips(
    root: Path, table: Path, left_out: dict[str, str], ratings: Ratings
) -> Iterator[Utterance]:
    audio = first_existing(root, "Audios", "Audio") or root / "Audios"
    for row in read_table(table, _COLUMNS, optional=tuple(_RATED)):
        name = row["FileName"]
        if PurePosixPath(name).name != name or not name:
            raise CorpusError(f"{name!r} is no file name", where=str(table))
        reason = _reason_to_leave_out(row)
        if reason:
            left_out[name] = reason
            continue
        cells = {_RATED[column]: text for column, text in row.items() if column in _RATED}
        yield Utterance(
            id=name,
            path=audio / name,
            speaker=row["SpkrID"],
            gender=_GENDERS[row["Gender"]],
            label=EMOTIONS[row["EmoClass"]],
            split=_SPLITS[row["Split_Set"]],
            ratings=ratings.of(name, cells, f"{table}, {name}"),
        )


def _reason_to_leave_out(row: Row) -> str:
    if row["Split_Set"] not in _SPLITS:
        return f"in the partition {row['Split_Set']}, which the protocol does not use"
    if not row["SpkrID"] or row["SpkrID"].lower() == "unknown":
        return "unknown speaker"
    if row["Gender"] not in _GENDERS:
        return "unknown gender"
    code = row["EmoClass"]
    return "" if code in EMOTIONS else _REASONS.get(code, f"unknown label {code!r}")
