"""What a corpus is to the profiler: utterances, classes, and the rule that folds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from profiles_db.dimensions import Dimension

Gender = Literal["female", "male"]
GENDERS: Final[tuple[Gender, ...]] = ("female", "male")
"""In the order of the gender probe's classes."""
Part = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled clip.

    Parameters
    ----------
    id : str
        Unique within the corpus, stable across machines (never an absolute path).
    path : Path
        The audio file; it need not exist where only metadata is at hand.
    speaker : str
    gender : 'female', 'male' or None
        None where the corpus does not say.
    label : str
        One of the corpus' classes.
    session : str or None
        The recording session, where the corpus folds by it.
    split : 'train', 'dev', 'test' or None
        The corpus' own split, where it defines one.
    ratings : mapping from dimension to float
        How it was rated, in [0, 1] from the lower to the upper end of the corpus' scale; without
        the dimensions on which it was not.
    groups : tuple of (attribute, value)
        Further groups that the clip belongs to, such as ("age_band", "60+"); an attribute whose
        value the corpus does not know is not among them.
    text : str or None
        What is said, where it is known.
    """

    id: str
    path: Path
    speaker: str
    gender: Gender | None
    label: str
    session: str | None = None
    split: Part | None = None
    ratings: Mapping[Dimension, float] = field(default_factory=dict, hash=False)
    groups: tuple[tuple[str, str], ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """One speaker-disjoint division of the utterance ids; `number` counts from 1."""

    number: int
    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]

    def parts(self) -> tuple[tuple[Part, tuple[str, ...]], ...]:
        """Each part's name with its ids."""
        return ("train", self.train), ("dev", self.dev), ("test", self.test)


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus as read: its utterances in a fixed order, its classes and its folds.

    `synthetic` marks speech that no person spoke. `left_out` names the entries the corpus' own
    rules exclude or that cannot be found, with the reason; `notes` are facts a report should
    carry (licence, quirks).
    """

    name: str
    classes: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    folds: tuple[Fold, ...]
    synthetic: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
