"""One's own data, as a CSV: path, speaker, label, and what else is known of each clip.

The file is UTF-8 with a header line. Relative paths are relative to the file and stay below its
folder; absolute paths and paths that climb out of it are refused unless allowed, so that a
manifest from elsewhere names no file outside. Symbolic links below the folder are the owner's
decision and are followed. Labels and speakers are compared as written, without surrounding space.
Clips are taken in the order of their paths, so that the order of the rows changes nothing.

Ratings stand in columns called arousal, dominance and valence; behind a colon their scale, as in
``arousal:1-7``. Without one they lie between 0 and 1.
"""

from __future__ import annotations

import csv
import difflib
import math
import posixpath
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Final, TextIO

from profiler.corpora.base import Gender, Part, Utterance
from profiler.corpora.folds import balanced_kfold, balanced_kfold_by_session, fold_by_split
from profiler.corpora.reader import FEWEST_CLASSES, Contents, CorpusReader, FoldRule
from profiler.corpora.tables import open_table
from profiles_db.dimensions import DIMENSIONS, Dimension, RatingScale
from profiles_db.errors import CorpusError

REQUIRED: Final = ("path", "speaker", "label")
OPTIONAL: Final = ("gender", "session", "split", "text")
KNOWN: Final = (*REQUIRED, *OPTIONAL, *DIMENSIONS)
_MISSPELT: Final = tuple(name for name in KNOWN if name != "text")
"""Columns that another name may be a misspelling of: `test` is none of `text`."""
LONGEST_TEXT: Final = 10_000
"""Characters; what is spoken in a clip is shorter."""
USUAL_SCALE: Final = RatingScale(0, 1)
"""Of a column of ratings that names none."""
_NUMBER: Final = r"[+-]?\d+(?:\.\d+)?"
_SCALE: Final = re.compile(rf"({_NUMBER})\s*(?:-|\.\.|to)\s*({_NUMBER})")
GROUP: Final = "group_"
"""Columns whose names begin so hold groups of clips: `group_accent`, `group_age_band`."""
_ATTRIBUTE: Final = re.compile(r"group_[a-z0-9][a-z0-9_]*")
_TAKEN: Final = ("group_gender", "group_speaker")
"""Attributes that have columns of their own."""
LONGEST_VALUE: Final = 60
GENDERS: Final[Mapping[str, Gender | None]] = {
    **dict.fromkeys(("female", "f"), "female"),
    **dict.fromkeys(("male", "m"), "male"),
    **dict.fromkeys(("", "unknown", "other"), None),
}
SPLITS: Final[Mapping[str, Part]] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}
MOST_CLASSES: Final = 100
MOST_ERRORS: Final = 10
"""Faults named one by one; the rest are counted."""
MOST_FAULTS: Final = 10_000
"""Faults after which reading stops: such a file is of another kind altogether."""


@dataclass(slots=True)
class _Faults:
    """Everything wrong with a manifest, collected so that one reading names all of it."""

    path: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        self.found.append((line, what))
        if len(self.found) >= MOST_FAULTS:
            self.report()

    def report(self) -> None:
        """Raise one CorpusError over all faults, or none where there are none."""
        if not self.found:
            return
        (line, first), *rest = sorted(self.found)
        shown = [first, *(f"line {number}: {what}" for number, what in rest[: MOST_ERRORS - 1])]
        hidden = len(self.found) - len(shown)
        more = [f"and {hidden} more"] if hidden else []
        raise CorpusError("; ".join(shown + more), where=f"{self.path}:{line}")


class Manifest(CorpusReader):
    """A CSV, or a folder that holds ``manifest.csv``.

    Every fault is named with its line: a missing column or cell, a path named twice, a label,
    gender or split that cannot be, one speaker of two genders. With `allow_outside` absolute paths
    and paths that leave the manifest's folder are accepted.
    """

    name = "manifest"
    title = "Manifest"
    languages = ()
    licence = "as the data's owner says"
    citation = ""
    request = "your own recordings"
    layout = (
        "data/manifest.csv (path,speaker,label[,gender][,session][,split][,arousal:1-7]"
        "[,text][,group_accent]...)\n"
        "data/clips/a.wav"
    )
    classes = ()
    all_classes = ()
    folding = (
        "its split if given, else one fold per session, else 5 balanced ones over the speakers"
    )
    says_groups = True

    def contents(self, root: Path) -> Contents:
        path = root / "manifest.csv" if root.is_dir() else root
        if not path.exists():
            raise self.not_found(root, "no such CSV file")
        faults = _Faults(path)
        every, notes = _read_rows(path, faults, self.allow_outside)
        labels = _spelled_once(every, "label", faults)
        _spelled_once(every, "speaker", faults)
        _require_groups_spelled_once(every, faults)
        faults.report()
        _require_classes(labels, path)
        fold, rule = _fold_rule(every[0])
        return Contents(tuple(every), fold, notes=(*notes, rule))


def _read_rows(
    path: Path, faults: _Faults, allow_outside: bool
) -> tuple[list[Utterance], tuple[str, ...]]:
    rows = _Rows(path.parent, faults, allow_outside)
    # Bytes that are no UTF-8 become surrogates, so that the fault can be named with its line.
    with open_table(path, errors="surrogateescape", newline="") as stream:
        every = list(rows.read(stream))
    every.sort(key=attrgetter("id"))
    return every, rows.notes()


class _Rows:
    """The rows of one manifest, checked one by one and against those before."""

    def __init__(self, folder: Path, faults: _Faults, allow_outside: bool) -> None:
        self.folder = folder
        self.faults = faults
        self.allow_outside = allow_outside
        self.ignored: list[str] = []
        self.attributes: list[str] = []
        self.lines: dict[str, int] = {}
        self.genders: dict[str, tuple[Gender, int]] = {}
        self.filled: dict[str, list[int]] = {"session": [0, 0], "split": [0, 0]}
        self.scales: dict[Dimension, RatingScale] = {}

    def notes(self) -> tuple[str, ...]:
        said = {"Columns not used": self.ignored, "Groups of clips by": self.attributes}
        return tuple(f"{title}: {', '.join(names)}." for title, names in said.items() if names)

    def read(self, stream: TextIO) -> Iterator[Utterance]:
        reader = csv.reader(stream, strict=True)
        try:
            columns = self._columns(next(reader, []))
            for cells in reader:
                if cells and (utterance := self._row(reader.line_num, cells, columns)):
                    yield utterance
        except csv.Error as error:
            self.faults.add(reader.line_num, f"not CSV: {error}")
            self.faults.report()
        self._require_filled_whole()

    def _columns(self, header: Sequence[str]) -> list[str]:
        faults: list[str] = []
        columns = [self._column(name.strip().lower(), faults) for name in header]
        lacking = [name for name in REQUIRED if name not in columns]
        rated = "label" in lacking and self.scales
        why = ": ratings alone cannot be profiled, classes are needed too" if rated else ""
        faults += [f"no column {', '.join(lacking)}{why}"] if lacking else []
        groups = [name for name in dict.fromkeys(columns) if name.startswith(GROUP)]
        self.attributes = [name.removeprefix(GROUP) for name in groups]
        known = (*KNOWN, *groups)
        faults += [f"column {name!r} twice" for name in known if columns.count(name) > 1]
        faults += [fault for name in groups if (fault := _fault_of_group(name))]
        self.ignored = [name for name in columns if name and name not in known]
        for name in self.ignored:
            near = difflib.get_close_matches(name, _MISSPELT, n=1, cutoff=0.75)
            faults += [f"column {name!r}: {near[0]!r} is meant?"] if near else []
        if faults and len(columns) == 1 and any(mark in columns[0] for mark in ";\t"):
            faults.append("cells are separated by commas")
        for fault in faults:
            self.faults.add(1, fault)
        if faults:
            self.faults.report()
        return columns

    def _column(self, name: str, faults: list[str]) -> str:
        """The column that a header's cell names; the scale of ratings behind a colon is kept."""
        own, colon, text = (part.strip() for part in name.partition(":"))
        dimension = next((one for one in DIMENSIONS if one == own), None)
        if dimension is None:
            return name
        scale = USUAL_SCALE
        if colon:
            match = _SCALE.fullmatch(text)
            scale = RatingScale(float(match[1]), float(match[2])) if match else RatingScale(0, 0)
            if scale.low >= scale.high:
                faults.append(f"column {name!r}: no scale such as {own}:1-7 or {own}:-1..1")
        self.scales[dimension] = scale
        return dimension

    def _row(self, line: int, cells: list[str], columns: list[str]) -> Utterance | None:
        fault = _fault_of_cells(cells, columns)
        if fault:
            self.faults.add(line, fault)
            return None
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        empty = [name for name in REQUIRED if not row[name]]
        if empty:
            self.faults.add(line, f"no {' and no '.join(empty)}")
            return None
        id_ = self._id(line, row["path"])
        gender = self._gender(line, row)
        split = self._split(line, row)
        ratings = self._ratings(line, row)
        session = sys.intern(row.get("session", "")) or None
        self._count("session", line, session)
        if id_ is None:
            return None
        speaker, label = sys.intern(row["speaker"]), sys.intern(row["label"])
        groups = self._groups(line, row)
        text = self._text(line, row.get("text", ""))
        path = self.folder / id_
        return Utterance(id_, path, speaker, gender, label, session, split, ratings, groups, text)

    def _groups(self, line: int, row: dict[str, str]) -> tuple[tuple[str, str], ...]:
        """The clip's groups; an empty cell is an unknown one."""
        found = []
        for attribute in self.attributes:
            value = sys.intern(row[GROUP + attribute])
            if len(value) > LONGEST_VALUE or not value.isprintable():
                what = f"{value!r:.80} is no group: at most {LONGEST_VALUE} printable characters"
                self.faults.add(line, f"{GROUP}{attribute}: {what}")
            elif value:
                found.append((attribute, value))
        return tuple(found)

    def _text(self, line: int, cell: str) -> str | None:
        """What is said, with single spaces; None where the cell is empty."""
        if "\0" in cell or len(cell) > LONGEST_TEXT:
            self.faults.add(
                line, "NUL in the text" if "\0" in cell else f"a text of {len(cell)} characters"
            )
            return None
        return sys.intern(" ".join(cell.split())) or None

    def _id(self, line: int, text: str) -> str | None:
        """The path relative to the manifest, which is the clip's id; None with a fault added."""
        if "\0" in text:
            self.faults.add(line, "NUL in the path")
            return None
        absolute = text.startswith("/")
        id_ = posixpath.relpath(text, self.folder) if absolute else posixpath.normpath(text)
        outside = absolute or id_ == ".." or id_.startswith("../")
        if outside and not self.allow_outside:
            self.faults.add(line, f"path {text!r} is not below the manifest's folder")
            return None
        other = self.lines.setdefault(id_, line)
        if other != line:
            self.faults.add(line, f"path {text!r} is named in line {other} already")
            return None
        return id_

    def _gender(self, line: int, row: dict[str, str]) -> Gender | None:
        word = row.get("gender", "")
        if word.lower() not in GENDERS:
            self.faults.add(line, f"gender {word!r} is not female, male, unknown, other or empty")
            return None
        gender = GENDERS[word.lower()]
        if gender is None:
            return None
        known, where = self.genders.setdefault(row["speaker"], (gender, line))
        if known != gender:
            what = f"speaker {row['speaker']!r} is {gender} here, but {known} in line {where}"
            self.faults.add(line, f"{what}: two people under one name?")
        return gender

    def _split(self, line: int, row: dict[str, str]) -> Part | None:
        word = row.get("split", "")
        split = SPLITS.get(word.lower())
        if word and split is None:
            self.faults.add(line, f"split {word!r} is not train, dev or test")
        self._count("split", line, split)
        return split

    def _ratings(self, line: int, row: dict[str, str]) -> dict[Dimension, float]:
        found: dict[Dimension, float] = {}
        for dimension, scale in self.scales.items():
            text = row[dimension]
            if not text:
                continue
            try:
                rating = float(text)
            except ValueError:
                rating = math.nan
            if scale.holds(rating):
                found[dimension] = scale.unit(rating)
            else:
                named = f"; name another scale in the header, such as {dimension}:1-7"
                self.faults.add(line, f"{dimension} {text!r:.40} does not lie in {scale}{named}")
        return found

    def _count(self, column: str, line: int, value: str | None) -> None:
        """Remember the first line with, and the first line without, a value."""
        first = self.filled[column]
        index = 0 if value else 1
        first[index] = first[index] or line

    def _require_filled_whole(self) -> None:
        for column, (filled, empty) in self.filled.items():
            if filled and empty:
                self.faults.add(empty, f"no {column}, though line {filled} has one: all or none")


def _fault_of_cells(cells: Sequence[str], columns: Sequence[str]) -> str | None:
    if len(cells) != len(columns):
        return f"{len(cells)} cells, but {len(columns)} columns"
    text = "".join(cells)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "not UTF-8"
    return None


def _spelled_once(utterances: Sequence[Utterance], name: str, faults: _Faults) -> tuple[str, ...]:
    """The sorted distinct values; a fault for each pair that differs by case or accents' coding."""
    values = sorted({getattr(utterance, name) for utterance in utterances})
    seen: dict[str, str] = {}
    for value in values:
        other = seen.setdefault(unicodedata.normalize("NFC", value).casefold(), value)
        if other != value:
            faults.add(1, f"{name} {value!r} is also spelled {other!r}")
    return tuple(values)


def _fault_of_group(column: str) -> str | None:
    if column in _TAKEN:
        return f"column {column!r}: {column.removeprefix(GROUP)!r} is a column of its own"
    if _ATTRIBUTE.fullmatch(column) is None:
        return f"column {column!r}: after {GROUP!r} stand letters a to z, digits and _"
    return None


def _require_groups_spelled_once(utterances: Sequence[Utterance], faults: _Faults) -> None:
    """A fault for each pair of one attribute's values that differs by case alone."""
    seen: dict[tuple[str, str], str] = {}
    for attribute, value in sorted({group for one in utterances for group in one.groups}):
        plain = unicodedata.normalize("NFC", value).casefold()
        other = seen.setdefault((attribute, plain), value)
        if other != value:
            faults.add(1, f"{GROUP}{attribute} {value!r} is also spelled {other!r}")


def _require_classes(labels: Sequence[str], path: Path) -> None:
    if not FEWEST_CLASSES <= len(labels) <= MOST_CLASSES:
        raise CorpusError(
            f"{len(labels)} different labels",
            where=str(path),
            rule=f"{FEWEST_CLASSES} to {MOST_CLASSES} classes",
        )


def _fold_rule(utterance: Utterance) -> tuple[FoldRule, str]:
    """How to fold a manifest, which any clip shows: all have a split or none, as with sessions."""
    if utterance.split is not None:
        return fold_by_split, "One fold: the manifest's own split."
    if utterance.session is not None:
        return balanced_kfold_by_session, "Folds by session."
    return balanced_kfold, "Folds by speaker, balanced."
