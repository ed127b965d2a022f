"""Speaker-disjoint folds: one kernel, three rules over it, and the check that they hold.

The rule of the reference protocol is an unshuffled k-fold over sorted groups (speakers or
sessions) with the last fifth of the remaining groups, rounded up, as the development part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from profiler.corpora.base import Corpus, Fold, Part, Utterance
from profiles_db.errors import CorpusError

FOLDS: Final = 5
DEV_SHARE: Final = 5
"""One group in five of those left beside the test part goes to the dev part, rounded up."""
MOST_SESSION_FOLDS: Final = 10
"""With more sessions than these, sessions are folded by fives rather than left out one by one."""
FEWEST_GROUPS: Final = 3

Division = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Groups of the train, dev and test part."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A speaker of one fold's test or dev part who also speaks in another part of it."""

    fold: int
    speaker: str
    parts: tuple[Part, ...]


def kfold(groups: Sequence[str], k: int) -> tuple[Division, ...]:
    """Unshuffled k-fold of `groups`, in the order given; pure and unvalidated.

    The first ``len(groups) % k`` test parts hold one group more, as in scikit-learn's ``KFold``;
    the dev part is the last fifth of what remains, rounded up.

    Parameters
    ----------
    groups : sequence of str, at least 3, distinct
    k : int, 2 to ``len(groups)``

    Examples
    --------
    >>> kfold(("a", "b", "c", "d"), 2)
    ((('c',), ('d',), ('a', 'b')), (('a',), ('b',), ('c', 'd')))
    """
    size, extra = divmod(len(groups), k)
    divisions = []
    start = 0
    for number in range(k):
        stop = start + size + (number < extra)
        rest = (*groups[:start], *groups[stop:])
        divisions.append((*split_off_dev(rest), tuple(groups[start:stop])))
        start = stop
    return tuple(divisions)


def split_off_dev(groups: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide groups into a train part and a dev part: the last fifth, rounded up.

    Examples
    --------
    >>> split_off_dev(("a", "b", "c", "d", "e", "f"))
    (('a', 'b', 'c', 'd'), ('e', 'f'))
    """
    size = -(-len(groups) // DEV_SHARE)
    return tuple(groups[: len(groups) - size]), tuple(groups[len(groups) - size :])


def kfold_by_speaker(
    utterances: Collection[Utterance], *, k: int = FOLDS, speakers: Sequence[str] | None = None
) -> tuple[Fold, ...]:
    """Unshuffled k-fold over the speakers.

    Parameters
    ----------
    utterances : collection of Utterance
    k : int, optional
        Number of folds; with fewer speakers than `k`, one fold per speaker.
    speakers : sequence of str, optional
        All speakers in the order in which to fold them, where the corpus defines more than the
        utterances show; the sorted speakers of the utterances by default.

    Raises
    ------
    CorpusError
        With fewer than three speakers: train, dev and test need one each.
    """
    order = tuple(speakers) if speakers is not None else tuple(sorted(_speakers(utterances)))
    _require_groups(order, "speaker")
    grouped = _group((utterance.speaker, utterance.id) for utterance in utterances)
    return _folds(kfold(order, min(k, len(order))), grouped)


def kfold_by_session(utterances: Collection[Utterance]) -> tuple[Fold, ...]:
    """One fold per session, the session as test and the last of the others as dev.

    From eleven sessions on they are folded by fives with the same rule as speakers. Sessions are
    taken in sorted order.

    Raises
    ------
    CorpusError
        Where an utterance has no session, or there are fewer than three sessions.
    """
    sessions = [(_known(utterance, "session"), utterance.id) for utterance in utterances]
    order = tuple(sorted({session for session, _ in sessions}))
    _require_groups(order, "session")
    k = len(order) if len(order) <= MOST_SESSION_FOLDS else FOLDS
    return _folds(kfold(order, k), _group(sessions))


def fold_by_split(utterances: Collection[Utterance]) -> tuple[Fold, ...]:
    """One fold: the corpus' own train, dev and test parts.

    Where the split names no dev part, the last fifth (rounded up) of the sorted train speakers
    becomes it.

    Raises
    ------
    CorpusError
        Where an utterance has no split, or there is no train or no test part.
    """
    grouped = _group((_known(utterance, "split"), utterance.id) for utterance in utterances)
    for part in ("train", "test"):
        if part not in grouped:
            raise CorpusError(f"the split has no {part} part", rule="train and test are needed")
    if "dev" not in grouped:
        return (_fold_without_dev(utterances, tuple(grouped["test"])),)
    return (Fold(1, *(tuple(grouped[part]) for part in ("train", "dev", "test"))),)


def alternate_by_gender(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """Speakers in an order that spreads the genders evenly, so that folds hold both.

    Within a gender the order is sorted; the i-th of n speakers of a gender comes at the relative
    position (i + 1/2) / n. Where genders already alternate in sorted order, as in RAVDESS, this
    is the sorted order.
    """
    genders = {utterance.speaker: utterance.gender for utterance in utterances}
    ranked = []
    for gender in {gender or "" for gender in genders.values()}:
        same = sorted(speaker for speaker, known in genders.items() if (known or "") == gender)
        ranked += [((i + 0.5) / len(same), speaker) for i, speaker in enumerate(same)]
    return tuple(speaker for _, speaker in sorted(ranked))


def leaks(corpus: Corpus) -> tuple[Leak, ...]:
    """Every speaker who is in more than one part of a fold, by fold and speaker."""
    speakers = {utterance.id: utterance.speaker for utterance in corpus.utterances}
    return tuple(leak for fold in corpus.folds for leak in _leaks_of(fold, speakers))


def require_speaker_disjoint(corpus: Corpus) -> None:
    """Raise CorpusError, naming speakers, where a fold shares a speaker between its parts."""
    found = leaks(corpus)
    if not found:
        return
    shown = ", ".join(
        f"{leak.speaker} (fold {leak.fold}: {'+'.join(leak.parts)})" for leak in found[:5]
    )
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""  # noqa: PLR2004
    raise CorpusError(
        f"speakers in more than one part of a fold: {shown}{more}",
        where=corpus.name,
        rule="train, dev and test share no speaker",
        remedy="give each speaker one session or split",
    )


def require_filled_parts(folds: Iterable[Fold], usable: Collection[str]) -> None:
    """Raise CorpusError where no clip of a part of a fold can be used: no head can be trained.

    Parameters
    ----------
    folds : iterable of Fold
    usable : collection of str
        Ids of the clips that can be read.
    """
    for fold in folds:
        for part, ids in fold.parts():
            if not any(id_ in usable for id_ in ids):
                raise CorpusError(
                    f"no usable clip in its {part} part",
                    where=f"fold {fold.number}",
                    rule="train, dev and test need a clip each",
                    remedy="see `trustser datasets check`, mend or leave out its speakers",
                )


def untrained_classes(
    folds: Iterable[Fold], labels: Mapping[str, str], classes: Sequence[str]
) -> dict[int, tuple[str, ...]]:
    """The classes without a train clip, by the number of each fold that has such.

    Parameters
    ----------
    folds : iterable of Fold
    labels : mapping from the id of each usable clip
    classes : sequence of str
    """
    missing = {}
    for fold in folds:
        trained = {labels[id_] for id_ in fold.train if id_ in labels}
        if absent := tuple(name for name in classes if name not in trained):
            missing[fold.number] = absent
    return missing


def _leaks_of(fold: Fold, speakers: dict[str, str]) -> list[Leak]:
    parts: defaultdict[str, list[Part]] = defaultdict(list)
    for part, ids in fold.parts():
        for speaker in {speakers[id_] for id_ in ids}:
            parts[speaker].append(part)
    return [
        Leak(fold.number, name, tuple(parts[name])) for name in sorted(parts) if parts[name][1:]
    ]


def _fold_without_dev(utterances: Collection[Utterance], test: tuple[str, ...]) -> Fold:
    training = [utterance for utterance in utterances if utterance.split == "train"]
    order = tuple(sorted(_speakers(training)))
    if len(order) < FEWEST_GROUPS - 1:
        raise CorpusError(
            "the split has no dev part, and its train part has one speaker",
            rule="train and dev share no speaker",
            remedy="add a dev part",
        )
    grouped = _group((utterance.speaker, utterance.id) for utterance in training)
    train, dev = (_members(part, grouped) for part in split_off_dev(order))
    return Fold(1, train, dev, test)


def _folds(divisions: Iterable[Division], grouped: dict[str, list[str]]) -> tuple[Fold, ...]:
    return tuple(
        Fold(number, *(_members(part, grouped) for part in division))
        for number, division in enumerate(divisions, start=1)
    )


def _members(groups: Iterable[str], grouped: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(id_ for group in groups for id_ in grouped.get(group, ()))


def _group(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for group, id_ in pairs:
        grouped[group].append(id_)
    return grouped


def _speakers(utterances: Iterable[Utterance]) -> set[str]:
    return {utterance.speaker for utterance in utterances}


def _known(utterance: Utterance, field: str) -> str:
    value: str | None = getattr(utterance, field)
    if value is None:
        raise CorpusError(
            f"no {field}", where=utterance.id, rule=f"all clips have a {field} or none"
        )
    return value


def _require_groups(groups: Sequence[str], noun: str) -> None:
    if len(groups) < FEWEST_GROUPS:
        counted = f"{len(groups)} {noun}" + ("" if len(groups) == 1 else "s")
        raise CorpusError(
            f"{counted}: no {noun}-disjoint folds can be made",
            rule=f"at least {FEWEST_GROUPS} {noun}s, one each for train, dev and test",
        )
