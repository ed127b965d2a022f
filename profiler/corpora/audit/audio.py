"""What a corpus' audio says: clips that cannot be used, that are odd, or that are the same."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from profiler.corpora.audit.findings import Finding, Severity
from profiler.corpora.audit.identical import identical_clips
from profiler.corpora.base import Corpus, Utterance
from profiler.progress import Progress
from profiler.settings import SAMPLE_RATE, StudySettings
from profiles_db.criteria import Aspect
from profiles_db.errors import AudioError

HEARD_SECONDS: Final = StudySettings().seconds
"""What the default protocol hears of a clip."""
MIN_SAMPLES: Final = round(StudySettings().min_seconds * SAMPLE_RATE)
SHORT_SECONDS: Final = 0.5
LONG_SECONDS: Final = 30.0
CLIPPED_SHARE: Final = 0.001
QUIET_PEAK: Final = 0.003
"""About -50 dB of full scale."""
_BATCH: Final = 512


@dataclass(frozen=True, slots=True)
class Heard:
    """What reading one clip gave: its facts, or the reason why it cannot be used."""

    id: str
    reason: str = ""
    what: str = ""
    duration: float = 0.0
    rate: int = 0
    channels: int = 0
    peak: float = 0.0
    clipped: float = 0.0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class AudioCount:
    """The audio of a corpus in numbers.

    `opened` says whether files were decoded; `hours` and the rest are then of the usable clips.
    """

    present: int
    missing: int
    opened: bool
    usable: int = 0
    hours: float = 0.0
    rates: dict[str, int] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def present(utterances: Sequence[Utterance]) -> frozenset[str]:
    """Ids of the utterances whose file is there."""
    return frozenset(clip.id for clip in utterances if os.path.exists(clip.path))  # noqa: PTH110


def listen(utterances: Sequence[Utterance], progress: Progress) -> list[Heard]:
    """Decode the clips, in as many threads as the machine has cores."""
    heard: list[Heard] = []
    remaining = iter(utterances)
    with (
        progress.stage("opening clips", len(utterances)) as stage,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        while batch := list(islice(remaining, _BATCH)):
            for clip in pool.map(_listen_to, batch):
                heard.append(clip)
                stage.advance()
    return heard


def count_audio(found: int, missing: int, heard: Sequence[Heard] | None) -> AudioCount:
    """The numbers over all clips; `heard` is None where nothing was opened."""
    if heard is None:
        return AudioCount(found, missing, opened=False)
    usable = [clip for clip in heard if not clip.reason]
    return AudioCount(
        present=found,
        missing=missing,
        opened=True,
        usable=len(usable),
        hours=sum(clip.duration for clip in usable) / 3600,
        rates=_tally(clip.rate for clip in usable),
        channels=_tally(clip.channels for clip in usable),
    )


def findings_of(corpus: Corpus, heard: Sequence[Heard]) -> Iterator[Finding]:
    """Everything the audio shows to be wrong or worth knowing."""
    yield from _unusable(heard)
    usable = [clip for clip in heard if not clip.reason]
    yield from _odd(usable)
    yield from identical_clips(corpus, [(clip.id, clip.digest) for clip in usable])


def absence(found: int, missing: int) -> Iterator[Finding]:
    """The finding on clips whose file is not there."""
    if missing and not found:
        yield Finding(
            "audio_missing",
            "warning",
            "The audio is missing: counted from metadata alone.",
            "Nothing can be measured until it is there.",
        )
    elif missing:
        yield Finding(
            "clips_missing",
            "warning",
            f"{missing} of {found + missing} files are not there.",
            "They are left out of every figure.",
        )


def _listen_to(utterance: Utterance) -> Heard:
    from profiler.corpora.audio import ClipError, audio_digest, read_clip  # noqa: PLC0415 - needs NumPy

    try:
        clip = read_clip(utterance.path, seconds=HEARD_SECONDS, min_samples=MIN_SAMPLES)
    except ClipError as error:
        return Heard(utterance.id, error.reason, error.what)
    except AudioError as error:
        return Heard(utterance.id, "unreadable", error.what)
    return Heard(
        id=utterance.id,
        duration=clip.duration,
        rate=clip.rate,
        channels=clip.channels,
        peak=clip.peak,
        clipped=clip.clipped,
        digest=audio_digest(clip.samples),
    )


def _tally(values: Iterator[int]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}


def _unusable(heard: Sequence[Heard]) -> Iterator[Finding]:
    by_reason: defaultdict[str, list[Heard]] = defaultdict(list)
    for clip in heard:
        if clip.reason:
            by_reason[clip.reason].append(clip)
    for reason, clips in sorted(by_reason.items()):
        name = "too short" if reason == "short" else reason
        yield Finding(
            f"{name.replace(' ', '_')}_clips",
            "warning",
            f"{len(clips)} {name}, such as {clips[0].id}: {clips[0].what}.",
            "They are left out of every figure, counted and named in the run.",
            clips=tuple(clip.id for clip in clips),
        )


def _odd(usable: Sequence[Heard]) -> Iterator[Finding]:
    yield from _over(
        "clipped_clips",
        "warning",
        [clip for clip in usable if clip.clipped > CLIPPED_SHARE],
        f"more than {100 * CLIPPED_SHARE:.1f} % of the samples at full scale",
        "Clipping sounds like anger; an attack's room shrinks, as samples stay within full scale.",
        ("system_performance", "safety"),
    )
    yield from _over(
        "quiet_clips",
        "warning",
        [clip for clip in usable if clip.peak < QUIET_PEAK],
        f"a peak below {QUIET_PEAK} of full scale",
        "An attack at a fixed signal-to-noise ratio falls below the step of 16 bits.",
        ("system_performance", "safety"),
    )
    yield from _over(
        "short_clips",
        "warning",
        [clip for clip in usable if clip.duration < SHORT_SECONDS],
        f"shorter than {SHORT_SECONDS} s",
        "Too short for the melody of an emotion; some backbones refuse them.",
        ("system_performance",),
    )
    yield from _long(usable)


def _long(usable: Sequence[Heard]) -> Iterator[Finding]:
    yield from _over(
        "long_clips",
        "warning",
        [clip for clip in usable if clip.duration > LONG_SECONDS],
        f"longer than {LONG_SECONDS:.0f} s",
        f"Perhaps not cut into utterances; only the first {HEARD_SECONDS:.0f} s are heard.",
        ("system_performance",),
    )
    yield from _over(
        "cut_clips",
        "note",
        [clip for clip in usable if HEARD_SECONDS < clip.duration <= LONG_SECONDS],
        f"longer than the {HEARD_SECONDS:.0f} s that the protocol hears",
        "The rest of them is not heard.",
        ("system_performance",),
    )


def _over(
    code: str,
    severity: Severity,
    clips: Sequence[Heard],
    what: str,
    effect: str,
    aspects: tuple[Aspect, ...],
) -> Iterator[Finding]:
    if clips:
        ids = tuple(clip.id for clip in clips)
        text = f"{len(ids)} of the clips: {what}, such as {ids[0]}."
        yield Finding(code, severity, text, effect, aspects, ids)
