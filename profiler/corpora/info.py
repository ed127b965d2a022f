"""What the program knows of a corpus before it sees it, and the class choice all readers share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from profiler.corpora.base import Utterance
from profiles_db.errors import CorpusError, InputError

BASIC_CLASSES: Final = ("neutral", "happy", "sad", "angry")
"""The four classes of the reference protocol."""
FEWEST_CLASSES: Final = 2


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """A corpus as published: what it is, who gives it out, how it lies on disk.

    Parameters
    ----------
    name, title, licence : str
    request : str
        Where to obtain it.
    layout : str
        The published layout, as a file tree of a few lines.
    classes : tuple of str
        The classes used by default.
    all_classes : tuple of str
        All classes that can be asked for; empty where the corpus' file defines them.
    folding : str
        The rule of its folds, in words.
    synthetic : bool
        Whether no person spoke it.
    shares_speakers : bool
        Whether its published split has the same speakers in several parts.
    """

    name: str
    title: str
    licence: str
    request: str
    layout: str
    classes: tuple[str, ...]
    all_classes: tuple[str, ...]
    folding: str
    synthetic: bool = False
    shares_speakers: bool = False

    def choose(self, classes: str, available: Sequence[str] = ()) -> tuple[str, ...]:
        """Classes named by ``default``, ``all`` or a comma-separated list, in the corpus' order.

        `available` stands in for `all_classes` where the corpus' file defines them.

        Raises
        ------
        InputError
            On a class the corpus does not have, or fewer than two classes.
        """
        known = tuple(available) or self.all_classes
        if classes == "all":
            return known
        if classes == "default":
            return self.classes or known
        asked = {word.strip() for word in classes.split(",")} - {""}
        wrong = sorted(asked - set(known))
        if wrong or len(asked) < FEWEST_CLASSES:
            raise InputError(
                f"no class {', '.join(wrong)}" if wrong else "one class is nothing to tell apart",
                where=f"classes of {self.name}",
                rule=f"default, all, or at least {FEWEST_CLASSES} of {', '.join(known)}",
            )
        return tuple(name for name in known if name in asked)

    def not_found(self, root: Path | None, lacking: str) -> CorpusError:
        """The error for a corpus that is not at `root`: expected layout and where to request it."""
        return CorpusError(
            f"{self.title} not found: {lacking}",
            where=str(root) if root is not None else f"dataset {self.name}",
            rule=f"expected layout {' | '.join(self.layout.splitlines())}",
            remedy=f"give its folder as --data-root; it is obtained from {self.request}",
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
