"""How evenly clips, classes and genders lie in the folds, and what no division could even out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from profiler.corpora.audit.findings import Finding
from profiler.corpora.audit.metadata import FoldCount, PartCount, count_genders
from profiler.corpora.base import GENDERS, Corpus, Part

SHOWN_SPEAKERS: Final = 5
PARTS_OF_A_FOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Shares:
    """What one class or gender is of the clips of a part, fold by fold, and of the corpus.

    Parameters
    ----------
    corpus : float, in [0, 1]
    folds : tuple of float or None, in [0, 1]
        None for a fold whose part is empty.
    """

    corpus: float
    folds: tuple[float | None, ...]

    @property
    def known(self) -> tuple[float, ...]:
        """The shares in the folds whose part has clips."""
        return tuple(share for share in self.folds if share is not None)

    @property
    def distance(self) -> float:
        """The largest difference between a fold's share and the corpus', 0 without any clip."""
        return max((abs(share - self.corpus) for share in self.known), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"corpus": self.corpus, "folds": list(self.folds)}


@dataclass(frozen=True, slots=True)
class Balance:
    """How evenly the clips of one part, test or dev, are spread over the folds.

    `clips` counts them fold by fold; `classes` and `genders` are their shares of these clips.
    """

    clips: tuple[int, ...]
    classes: Mapping[str, Shares]
    genders: Mapping[str, Shares]

    @property
    def mean(self) -> float:
        """Clips of this part in a fold on average, which is a fair one's."""
        return sum(self.clips) / len(self.clips)

    def sentence(self, part: Part) -> str:
        """The balance in words.

        Examples
        --------
        >>> happy = {"happy": Shares(0.5, (0.5, 0.45))}
        >>> Balance((9, 20), happy, {}).sentence("dev").split("; ")[0]
        'Dev parts: 9 to 20 clips, 14 on average'
        """
        head = f"{part.capitalize()} parts: {min(self.clips)} to {max(self.clips)} clips"
        if len(self.clips) == 1:
            head = f"{part.capitalize()} part: {self.clips[0]} clips"
        else:
            head += f", {self.mean:.0f} on average"
        said = [head, f"shares of the classes within {_points(self.classes)} points of the corpus'"]
        if self.genders:
            said.append(f"of the genders within {_points(self.genders)}")
        return "; ".join(said) + "."

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "clips": {
                "smallest": min(self.clips),
                "largest": max(self.clips),
                "mean": self.mean,
                "folds": list(self.clips),
            },
            "classes": {name: shares.to_json() for name, shares in self.classes.items()},
            "genders": {name: shares.to_json() for name, shares in self.genders.items()},
        }


def balance_of(corpus: Corpus, folds: Sequence[FoldCount]) -> dict[Part, Balance]:
    """The balance of the test parts and of the dev parts; empty where there is no fold."""
    if not folds:
        return {}
    labels = Counter(clip.label for clip in corpus.utterances)
    classes = {name: labels[name] for name in corpus.classes}
    genders = count_genders(corpus.utterances)
    balances: dict[Part, Balance] = {}
    for part in ("test", "dev"):
        parts = [fold.parts[part] for fold in folds]
        balances[part] = Balance(
            tuple(count.clips for count in parts),
            _shares(classes, parts, [count.classes for count in parts]),
            _shares(genders, parts, [count.genders for count in parts]),
        )
    return balances


def findings_of(corpus: Corpus, folds: Sequence[FoldCount]) -> Iterator[Finding]:
    """Why no speaker-disjoint folds could be balanced, each with what would help."""
    if not folds:
        return
    yield from _large_speakers(corpus, folds)
    needed = max(len(folds), PARTS_OF_A_FOLD)
    yield from _classes_of_few(corpus, needed)
    yield from _genders_of_few(corpus, needed)


def _points(shares: Mapping[str, Shares]) -> str:
    return f"{100 * max(share.distance for share in shares.values()):.1f}"


def _shares(
    totals: Mapping[str, int], parts: Sequence[PartCount], counts: Sequence[Mapping[str, int]]
) -> dict[str, Shares]:
    clips = sum(totals.values())
    return {
        name: Shares(
            total / clips if clips else 0.0,
            tuple(
                count.get(name, 0) / part.clips if part.clips else None
                for part, count in zip(parts, counts, strict=True)
            ),
        )
        for name, total in totals.items()
    }


def _large_speakers(corpus: Corpus, folds: Sequence[FoldCount]) -> Iterator[Finding]:
    if len(folds) == 1:
        return
    fair = sum(fold.parts["test"].clips for fold in folds) / len(folds)
    counts = Counter(clip.speaker for clip in corpus.utterances)
    large = sorted((name for name in counts if counts[name] > fair), key=lambda name: -counts[name])
    if large:
        shown = ", ".join(f"{name} ({counts[name]})" for name in large[:SHOWN_SPEAKERS])
        more = f" and {len(large) - SHOWN_SPEAKERS} more" if large[SHOWN_SPEAKERS:] else ""
        yield Finding(
            "large_speaker",
            "warning",
            f"More clips than a fair test part of {fair:.0f}: {shown}{more}.",
            "Their test parts are larger than the others and rest on few voices.",
            remedy="Record more of the others, or leave out some clips of these speakers.",
        )


def _classes_of_few(corpus: Corpus, needed: int) -> Iterator[Finding]:
    speakers: defaultdict[str, set[str]] = defaultdict(set)
    for clip in corpus.utterances:
        speakers[clip.label].add(clip.speaker)
    few = [name for name in corpus.classes if len(speakers[name]) < needed]
    if few:
        listed = ", ".join(f"{name} ({len(speakers[name])})" for name in few)
        yield Finding(
            "class_of_few_speakers",
            "warning",
            f"Spoken by fewer than {needed} speakers: {listed}.",
            "No speaker-disjoint folds have such a class in every part.",
            remedy=f"Record it by {needed} speakers or more, or leave it out by --classes.",
        )


def _genders_of_few(corpus: Corpus, needed: int) -> Iterator[Finding]:
    genders = {clip.speaker: clip.gender for clip in corpus.utterances}
    counts = Counter(genders.values())
    known = [name for name in GENDERS if counts[name]]
    few = [f"{counts[name]} {name}" for name in known if counts[name] < needed]
    if few and len(known) == len(GENDERS):
        yield Finding(
            "gender_of_few_speakers",
            "warning",
            f"Fewer than {needed} speakers of a gender: {' and '.join(few)}.",
            "No speaker-disjoint folds have both genders in every part.",
            ("privacy", "fairness"),
            remedy=f"Record {needed} speakers of each gender or more.",
        )
