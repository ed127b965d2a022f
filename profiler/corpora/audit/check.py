"""`check`: what a corpus holds, what is wrong with it, and what that does to which aspect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from profiler.corpora.audit import audio as audit_audio
from profiler.corpora.audit import balance as audit_balance
from profiler.corpora.audit import metadata as audit_folds
from profiler.corpora.audit.audio import AudioCount, Heard
from profiler.corpora.audit.balance import Balance
from profiler.corpora.audit.findings import Finding, Severity
from profiler.corpora.audit.metadata import FoldCount
from profiler.corpora.base import Corpus, Part
from profiler.progress import Progress, Silent
from profiles_db.dimensions import DIMENSIONS

_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Audit:
    """What a corpus holds, and everything found in it, gravest first.

    `classes`, `genders` and `speakers` count clips, `ratings` those rated on each dimension;
    `balance` is that of the test and of the dev parts; `left_out` counts the entries that the
    corpus' own rules exclude, by reason; `cramers_v` is of label and gender, uncorrected, None
    where there are not two of each.
    """

    corpus: str
    synthetic: bool
    clips: int
    classes: Mapping[str, int]
    genders: Mapping[str, int]
    speakers: Mapping[str, int]
    folds: tuple[FoldCount, ...]
    balance: Mapping[Part, Balance]
    left_out: Mapping[str, int]
    cramers_v: float | None
    audio: AudioCount
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    ratings: Mapping[str, int]

    @property
    def leaks(self) -> bool:
        """Whether a fold would leak: a speaker or a recording in more than one of its parts."""
        return any(finding.code.endswith("_leak") for finding in self.findings)

    @property
    def sound(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `datasets check --json` prints it."""
        return {
            "corpus": self.corpus,
            "synthetic": self.synthetic,
            "clips": self.clips,
            "classes": dict(self.classes),
            "genders": dict(self.genders),
            "ratings": dict(self.ratings),
            "speakers": dict(self.speakers),
            "folds": [asdict(fold) for fold in self.folds],
            "balance": {part: balance.to_json() for part, balance in self.balance.items()},
            "left_out": dict(self.left_out),
            "cramers_v": self.cramers_v,
            "audio": self.audio.to_json(),
            "notes": list(self.notes),
            "leaks": self.leaks,
            "sound": self.sound,
            "findings": [finding.to_json() for finding in self.findings],
        }


def check(corpus: Corpus, *, audio: bool = True, progress: Progress | None = None) -> Audit:
    """Audit a corpus.

    Parameters
    ----------
    corpus : Corpus
    audio : bool, optional
        Whether to open the clips; without, only whether their files are there is looked at.
    progress : Progress, optional
        Where to show how far it is.

    Returns
    -------
    Audit
    """
    folds = audit_folds.count_folds(corpus)
    there = audit_audio.present(corpus.utterances)
    missing = len(corpus.utterances) - len(there)
    heard = None
    if audio and there:
        clips = [clip for clip in corpus.utterances if clip.id in there]
        heard = audit_audio.listen(clips, progress or Silent())
    labels = Counter(utterance.label for utterance in corpus.utterances)
    found = sorted(_findings(corpus, folds, heard, len(there)), key=lambda f: _ORDER[f.severity])
    return Audit(
        corpus=corpus.name,
        synthetic=corpus.synthetic,
        clips=len(corpus.utterances),
        classes={name: labels[name] for name in corpus.classes},
        genders=audit_folds.count_genders(corpus.utterances),
        speakers=dict(sorted(Counter(clip.speaker for clip in corpus.utterances).items())),
        folds=folds,
        balance=audit_balance.balance_of(corpus, folds),
        left_out=dict(sorted(Counter(corpus.left_out.values()).items())),
        cramers_v=audit_folds.cramers_v(corpus.utterances),
        audio=audit_audio.count_audio(len(there), missing, heard),
        notes=corpus.notes,
        findings=tuple(found),
        ratings=_count_ratings(corpus),
    )


def _count_ratings(corpus: Corpus) -> dict[str, int]:
    rated = Counter(dimension for clip in corpus.utterances for dimension in clip.ratings)
    return {dimension: rated[dimension] for dimension in DIMENSIONS if rated[dimension]}


def _findings(
    corpus: Corpus, folds: tuple[FoldCount, ...], heard: list[Heard] | None, there: int
) -> Iterator[Finding]:
    yield from audit_folds.findings_of(corpus, folds)
    yield from audit_balance.findings_of(corpus, folds)
    yield from audit_audio.absence(there, len(corpus.utterances) - there)
    if heard is not None:
        yield from audit_audio.findings_of(corpus, heard)
