"""What a corpus declares, and the one way in which all corpora are read.

A corpus is one subclass of `CorpusReader`: what it is, as class attributes, and a method that finds
its clips and says how they are folded. The demo and the manifest are no exceptions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from profiler.corpora.base import Corpus, Fold, Utterance
from profiles_db.errors import CorpusError, InputError

BASIC_CLASSES: Final = ("neutral", "happy", "sad", "angry")
"""The four classes of the reference protocol."""
FoldRule = Callable[[tuple[Utterance, ...]], tuple[Fold, ...]]
FEWEST_CLASSES: Final = 2


@dataclass(frozen=True, slots=True)
class Contents:
    """All labelled clips found at a corpus' root, before classes are chosen.

    Parameters
    ----------
    utterances : tuple of Utterance
        In a fixed order; of every class the corpus has.
    fold : callable
        Folds the utterances of the chosen classes, at least one; as a rule a function of
        `profiler.corpora.folds`.
    left_out : mapping, optional
        Entries that the corpus' own rules exclude, with the reason.
    notes : tuple of str, optional
        Facts that a report should carry.
    """

    utterances: tuple[Utterance, ...]
    fold: FoldRule
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class CorpusReader(ABC):
    """One corpus: what it is, what it needs at its root, how it is read and folded.

    Parameters
    ----------
    allow_outside : bool, optional
        Whether metadata may name files outside the root; only `manifest` has such metadata.
    cache : Path, optional
        Folder in which a corpus that the program makes keeps its clips; the user's cache by
        default.

    Attributes
    ----------
    name : str
        What `--dataset` and the database call it.
    title, licence : str
    languages : tuple of str
        Spoken languages by ISO 639 code (`en`); `zxx` where no language is spoken; empty where
        only the data's owner knows.
    citation : str
        The work to cite, in a line; '' where there is none.
    doi : str
        Of the work to cite, without an address before it; '' where there is none.
    request : str
        Where to obtain the corpus.
    layout : str
        What lies at the root, as a file tree of a few lines.
    classes : tuple of str
        The classes used by default; empty for all that the files show.
    all_classes : tuple of str
        All classes that can be asked for; empty where the corpus' files define them.
    folding : str
        The rule of its folds, in words.
    synthetic : bool
        Whether no person spoke it.
    shares_speakers : bool
        Whether its published split has the same speakers in several parts.
    texts_by_id : bool
        Whether a clip's id says what is spoken.
    needs_root : bool
        Whether a data root must be given and be there.
    says_groups : bool
        Whether it may say groups of its clips beyond speaker and gender (`Utterance.groups`).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    languages: ClassVar[tuple[str, ...]]
    licence: ClassVar[str]
    citation: ClassVar[str]
    doi: ClassVar[str] = ""
    request: ClassVar[str]
    layout: ClassVar[str]
    classes: ClassVar[tuple[str, ...]] = BASIC_CLASSES
    all_classes: ClassVar[tuple[str, ...]]
    folding: ClassVar[str]
    synthetic: ClassVar[bool] = False
    shares_speakers: ClassVar[bool] = False
    texts_by_id: ClassVar[bool] = False
    needs_root: ClassVar[bool] = True
    says_groups: ClassVar[bool] = False

    def __init__(self, *, allow_outside: bool = False, cache: Path | None = None) -> None:
        self.allow_outside = allow_outside
        self.cache = cache

    @abstractmethod
    def contents(self, root: Path) -> Contents:
        """Find every labelled clip under `root`, from metadata alone: no audio is opened.

        Raises
        ------
        CorpusError
            Where what lies at the root is not as published.
        """

    def own_root(self) -> Path:
        """Where the corpus lies if no root is given; asked for where `needs_root` is false."""
        raise self.not_found(None, "no data root given")

    def find(self, root: Path | None = None) -> Contents:
        """Every labelled clip at `root` (`own_root` by default), of every class, not yet folded.

        Raises
        ------
        CorpusError
            Where the corpus is missing, incomplete or not in its layout.
        """
        root = self.own_root() if root is None else root
        if self.needs_root and not root.exists():
            raise self.not_found(root, "no such folder")
        return self.contents(root)

    def read(self, root: Path | None = None, classes: str = "default") -> Corpus:
        """Read the corpus: its utterances, classes and folds. Audio is not opened.

        Parameters
        ----------
        root : Path, optional
            The folder that holds its layout; `own_root` by default.
        classes : str, optional
            ``default``, ``all``, or a comma-separated choice.

        Raises
        ------
        InputError
            On an unknown class.
        CorpusError
            Where the corpus is missing, incomplete or not in its layout.
        """
        chosen = self.choose(classes) if self.all_classes else ()
        root = self.own_root() if root is None else root
        contents = self.find(root)
        labels = sorted({utterance.label for utterance in contents.utterances})
        chosen = chosen or self.choose(classes, labels)
        utterances, others = select(contents.utterances, chosen)
        if not utterances:
            raise CorpusError("no clip of the chosen classes", where=str(root))
        return Corpus(
            name=self.name,
            classes=chosen,
            utterances=utterances,
            folds=contents.fold(utterances),
            synthetic=self.synthetic,
            left_out=contents.left_out,
            notes=(*contents.notes, *others),
        )

    @classmethod
    def choose(cls, classes: str, available: Sequence[str] = ()) -> tuple[str, ...]:
        """Classes named by ``default``, ``all`` or a comma-separated list, in the corpus' order.

        `available` stands in for `all_classes` where the corpus' file defines them.

        Raises
        ------
        InputError
            On a class the corpus does not have, or fewer than two classes.
        """
        known = tuple(available) or cls.all_classes
        if classes == "all":
            return known
        if classes == "default":
            return cls.classes or known
        asked = {word.strip() for word in classes.split(",")} - {""}
        wrong = sorted(asked - set(known))
        if wrong or len(asked) < FEWEST_CLASSES:
            raise InputError(
                f"no class {', '.join(wrong)}" if wrong else "one class is nothing to tell apart",
                where=f"classes of {cls.name}",
                rule=f"default, all, or at least {FEWEST_CLASSES} of {', '.join(known)}",
            )
        return tuple(name for name in known if name in asked)

    @classmethod
    def not_found(cls, root: Path | None, lacking: str) -> CorpusError:
        """The error for a corpus that is not at `root`: expected layout and where to request it."""
        return CorpusError(
            f"{cls.title} not found: {lacking}",
            where=str(root) if root is not None else f"dataset {cls.name}",
            rule=f"expected layout {' | '.join(cls.layout.splitlines())}",
            remedy=f"give its folder as --data-root; it is obtained from {cls.request}",
        )


def select(
    utterances: Iterable[Utterance], classes: Sequence[str]
) -> tuple[tuple[Utterance, ...], tuple[str, ...]]:
    """The utterances of the chosen classes, and a note on those of other classes."""
    chosen = set(classes)
    kept: list[Utterance] = []
    others: Counter[str] = Counter()
    for utterance in utterances:
        if utterance.label in chosen:
            kept.append(utterance)
        else:
            others[utterance.label] += 1
    if not others:
        return tuple(kept), ()
    listed = ", ".join(f"{name} {others[name]}" for name in sorted(others))
    return tuple(kept), (f"Clips of classes not asked for: {listed}.",)


def unique_by_id(utterances: Iterable[Utterance], where: Path) -> tuple[Utterance, ...]:
    """The utterances sorted by id; CorpusError where two of them share one."""
    found: dict[str, Utterance] = {}
    for utterance in utterances:
        other = found.setdefault(utterance.id, utterance)
        if other is not utterance:
            raise CorpusError(
                f"two files for {utterance.id}: {other.path.name} and {utterance.path.name}",
                where=str(where),
                rule="one file for each clip",
                remedy="remove one of them",
            )
    return tuple(found[id_] for id_ in sorted(found))


def first_existing(root: Path, *candidates: str) -> Path | None:
    """The first of several paths under `root` that exists, or None."""
    return next((root / name for name in candidates if (root / name).exists()), None)
