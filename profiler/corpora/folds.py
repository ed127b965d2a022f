"""Speaker-disjoint folds: those of published corpora, balanced ones, and the check that they hold.

The rule of the reference protocol is an unshuffled k-fold over sorted groups (speakers or
sessions) with the last fifth of the remaining groups, rounded up, as the development part. It
suits corpora whose speakers all say the same; balanced folds suit any.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Final, Literal

from profiler.corpora.base import Corpus, Fold, Part, Utterance
from profiles_db.errors import CorpusError

if TYPE_CHECKING:
    from profiler.corpora.balance import Integers

FOLDS: Final = 5
DEV_SHARE: Final = 5
"""One group in five of those left beside the test part goes to the dev part, rounded up."""
MOST_SESSION_FOLDS: Final = 10
"""With more sessions than these, sessions are folded by fives rather than left out one by one."""
FEWEST_GROUPS: Final = 3

Group = Literal["speaker", "session"]
"""What is kept together in one part of a fold."""
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


def balanced_kfold(
    utterances: Collection[Utterance], *, k: int = FOLDS, group: Group = "speaker"
) -> tuple[Fold, ...]:
    """K-fold whose test, dev and train parts hold their share of clips, classes and genders.

    The clips are divided into `k` test parts of equal shares; of what remains beside each, a
    fifth becomes the dev part. Both divisions are made by `profiler.corpora.balance.assign`. Folds
    are numbered by the first speaker of their test part. They depend on who speaks what, not on
    the order of the clips, which only orders the ids of each speaker in a part.

    Parameters
    ----------
    utterances : collection of Utterance
    k : int, optional
        Number of folds; with fewer groups than `k`, one fold per group.
    group : 'speaker' or 'session', optional

    Raises
    ------
    CorpusError
        With fewer than three groups, or where an utterance has no session.

    Examples
    --------
    >>> from pathlib import Path
    >>> clips = [Utterance(s, Path(s), s[0], None, "sad") for s in ("a1", "a2", "b1", "c1", "c2")]
    >>> [fold.test for fold in balanced_kfold(clips)]
    [('a1', 'a2'), ('b1',), ('c1', 'c2')]
    """
    from profiler.corpora.balance import assign  # noqa: PLC0415 - needs NumPy

    holders = [_known(utterance, group) for utterance in utterances]
    order = tuple(sorted(set(holders)))
    _require_groups(order, group)
    holdings, kinds = _holdings(utterances, holders, order)
    k = min(k, len(order))
    tested_in = _numbered(assign(holdings, kinds, [1] * k))
    divisions = []
    for number in range(k):
        test = [place == number for place in tested_in]
        rest = [not tested for tested in test]
        remaining = tuple(compress(order, rest))
        train, dev = _split_off_balanced_dev(remaining, holdings[rest], kinds)
        divisions.append((train, dev, tuple(compress(order, test))))
    return _folds(divisions, _group(zip(holders, (u.id for u in utterances), strict=True)))


def balanced_kfold_by_session(utterances: Collection[Utterance]) -> tuple[Fold, ...]:
    """One fold per session with a balanced dev part; from eleven sessions on, 5 balanced folds."""
    sessions = {_known(utterance, "session") for utterance in utterances}
    k = len(sessions) if len(sessions) <= MOST_SESSION_FOLDS else FOLDS
    return balanced_kfold(utterances, k=k, group="session")


def fold_by_split(utterances: Collection[Utterance]) -> tuple[Fold, ...]:
    """One fold: the corpus' own train, dev and test parts.

    Where the split names no dev part, a fifth of the train part becomes it, speaker-disjoint and
    balanced as in `balanced_kfold`.

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
        remedy="give each speaker one session or split, or leave that column out",
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
    holders = [utterance.speaker for utterance in training]
    order = tuple(sorted(set(holders)))
    if len(order) < FEWEST_GROUPS - 1:
        raise CorpusError(
            "the split has no dev part, and its train part has one speaker",
            rule="train and dev share no speaker",
            remedy="add a dev part",
        )
    parts = _split_off_balanced_dev(order, *_holdings(training, holders, order))
    grouped = _group((utterance.speaker, utterance.id) for utterance in training)
    train, dev = (_members(part, grouped) for part in parts)
    return Fold(1, train, dev, test)


def _split_off_balanced_dev(
    groups: Sequence[str], holdings: Integers, kinds: Sequence[int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from profiler.corpora.balance import assign  # noqa: PLC0415 - needs NumPy

    in_dev = assign(holdings, kinds, [DEV_SHARE - 1, 1])
    return tuple(compress(groups, (not dev for dev in in_dev))), tuple(compress(groups, in_dev))


def _holdings(
    utterances: Iterable[Utterance], holders: Iterable[str], order: Sequence[str]
) -> tuple[Integers, list[int]]:
    """Clips of each group by column: all, each class, each known gender; and the columns' kinds."""
    import numpy as np  # noqa: PLC0415 - only where folds are balanced

    counts: Counter[tuple[str, int, str]] = Counter()
    for utterance, holder in zip(utterances, holders, strict=True):
        counts[holder, 0, ""] += 1
        counts[holder, 1, utterance.label] += 1
        if utterance.gender:
            counts[holder, 2, utterance.gender] += 1
    columns = sorted({(kind, name) for _, kind, name in counts})
    rows = {holder: row for row, holder in enumerate(order)}
    places = {column: place for place, column in enumerate(columns)}
    holdings = np.zeros((len(rows), len(columns)), dtype=np.int64)
    for (holder, kind, name), count in counts.items():
        holdings[rows[holder], places[kind, name]] = count
    return holdings, [kind for kind, _ in columns]


def _numbered(parts: Sequence[int]) -> list[int]:
    """The same division with its parts numbered in the order in which they first appear."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(part, len(numbers)) for part in parts]


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
