"""Clips that are the same recording: harmless repeats, wrong names, leaks between folds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from profiler.corpora.audit.findings import EVERY_ASPECT, Finding, Severity
from profiler.corpora.base import Corpus, Utterance
from profiles_db.criteria import Aspect

_IDENTICAL: Final[dict[str, tuple[str, Severity, str, tuple[Aspect, ...]]]] = {
    "parts": (
        "identical_clips_leak",
        "error",
        "in more than one part of a fold: figures of these folds are too good.",
        EVERY_ASPECT,
    ),
    "speakers": (
        "identical_clips_of_speakers",
        "warning",
        "under two speakers' names: speaker verification is blurred.",
        ("privacy", "fairness"),
    ),
    "labels": (
        "identical_clips_of_labels",
        "warning",
        "under two labels: one of them is wrong.",
        ("system_performance",),
    ),
    "twice": (
        "identical_clips",
        "note",
        "counted twice; same speaker and label, same part of every fold: no leak.",
        ("system_performance",),
    ),
}
"""What identical clips break, gravest first: code, severity, effect, aspects."""


def identical_clips(corpus: Corpus, digests: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Clips that sound the same, one finding for each kind of thing they break.

    Parameters
    ----------
    corpus : Corpus
    digests : iterable of (id, digest)
        Each usable clip with the digest of what is heard of it.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for id_, digest in digests:
        groups[digest].append(id_)
    by_id = {utterance.id: utterance for utterance in corpus.utterances}
    repeated: defaultdict[str, list[list[Utterance]]] = defaultdict(list)
    for ids in groups.values():
        if len(ids) > 1:
            clips = [by_id[id_] for id_ in ids]
            repeated[_broken_by(clips, corpus)].append(clips)
    for kind in _IDENTICAL:
        if kind in repeated:
            yield _identical_finding(kind, repeated[kind])


def _identical_finding(kind: str, groups: Sequence[Sequence[Utterance]]) -> Finding:
    code, severity, effect, aspects = _IDENTICAL[kind]
    ids = tuple(clip.id for clips in groups for clip in clips)
    first = " = ".join(clip.id for clip in groups[0][:4])
    count = "1 recording is" if len(groups) == 1 else f"{len(groups)} recordings are"
    what = f"{count} there more than once, such as {first} ({_likeness(groups[0])})."
    return Finding(code, severity, what, f"The same sound is {effect}", aspects, ids)


def _broken_by(clips: Sequence[Utterance], corpus: Corpus) -> str:
    """Key of `_IDENTICAL` for clips that sound the same."""
    if _leaks(corpus, {clip.id for clip in clips}):
        return "parts"
    if len({clip.speaker for clip in clips}) > 1:
        return "speakers"
    return "labels" if len({clip.label for clip in clips}) > 1 else "twice"


def _likeness(clips: Sequence[Utterance]) -> str:
    from profiler.corpora.audio import file_digest  # noqa: PLC0415 - needs NumPy

    if len({file_digest(clip.path) for clip in clips}) == 1:
        return "byte-identical files"
    return "other bytes, equal sound"


def _leaks(corpus: Corpus, ids: set[str]) -> bool:
    return any(
        sum(not ids.isdisjoint(part) for part in (fold.train, fold.dev, fold.test)) > 1
        for fold in corpus.folds
    )
