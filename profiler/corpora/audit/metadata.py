"""What a corpus' metadata alone say: counts, gaps, leaks between folds, confounded labels."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from profiler.corpora.audit.findings import EVERY_ASPECT, Finding
from profiler.corpora.base import Corpus, Fold, Part, Utterance
from profiler.corpora.folds import Leak, leaks
from profiles_db.criteria import Aspect

UNKNOWN: Final = "unknown"
GENDERS: Final = ("female", "male")
FEWEST_CLIPS: Final = 10
"""Clips a class needs of each gender over all test parts, for fairness to be measured."""
NOTED_CONFOUNDING: Final = 0.1
STRONG_CONFOUNDING: Final = 0.3
"""Cramér's V at which an association of two variables is conventionally called moderate."""
UNBALANCED: Final = 10.0
PARTS: Final[tuple[Part, ...]] = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class PartCount:
    """How many clips and speakers a part of a fold has, by class and by gender."""

    clips: int
    speakers: int
    classes: Mapping[str, int]
    genders: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FoldCount:
    """The three parts of one fold, counted."""

    number: int
    parts: Mapping[Part, PartCount]


def count_folds(corpus: Corpus) -> tuple[FoldCount, ...]:
    """Count every part of every fold by class, gender and speaker."""
    by_id = {utterance.id: utterance for utterance in corpus.utterances}
    return tuple(_count_fold(fold, by_id, corpus.classes) for fold in corpus.folds)


def count_genders(utterances: Sequence[Utterance]) -> dict[str, int]:
    """Clips by gender; `unknown` stands for those whose corpus does not say."""
    counts = Counter(utterance.gender or UNKNOWN for utterance in utterances)
    return {name: counts[name] for name in (*GENDERS, UNKNOWN) if counts[name]}


def cramers_v(utterances: Sequence[Utterance]) -> float | None:
    """Cramér's V between label and gender over the clips whose gender is known.

    V = sqrt(chi² / (n · (min(rows, columns) - 1))), without correction for bias (Cramér 1946,
    Mathematical Methods of Statistics, 21.9): 0 where the two are independent, 1 where one
    follows from the other. Uncorrected, it lies above 0 by chance in small corpora.

    Returns
    -------
    float or None
        In [0, 1]; None with fewer than two labels or two genders.
    """
    cells = Counter((clip.label, clip.gender) for clip in utterances if clip.gender)
    rows: Counter[str] = Counter()
    columns: Counter[str] = Counter()
    for (label, gender), count in cells.items():
        rows[label] += count
        columns[str(gender)] += count
    total = sum(rows.values())
    freedom = min(len(rows), len(columns)) - 1
    if freedom < 1:
        return None
    ratio = sum(n**2 / (rows[label] * columns[str(gender)]) for (label, gender), n in cells.items())
    return math.sqrt(max(0.0, ratio - 1.0) / freedom) if total else None


def findings_of(corpus: Corpus, folds: Sequence[FoldCount]) -> Iterator[Finding]:
    """Everything the metadata show to be wrong or worth knowing."""
    yield from _leaks(leaks(corpus))
    yield from _gaps(folds, set(count_genders(corpus.utterances)) & set(GENDERS))
    tested = {id_ for fold in corpus.folds for id_ in fold.test}
    test_clips = [clip for clip in corpus.utterances if clip.id in tested]
    yield from _small_classes(test_clips, corpus.classes)
    yield from _small_groups(test_clips, corpus.classes)
    yield from _unbalanced(corpus)
    yield from _genders(corpus)
    yield from _confounding(cramers_v(corpus.utterances))


def _count_fold(fold: Fold, by_id: Mapping[str, Utterance], classes: Sequence[str]) -> FoldCount:
    ids = {"train": fold.train, "dev": fold.dev, "test": fold.test}
    return FoldCount(
        fold.number, {part: _count_part([by_id[i] for i in ids[part]], classes) for part in PARTS}
    )


def _count_part(utterances: Sequence[Utterance], classes: Sequence[str]) -> PartCount:
    counts = Counter(utterance.label for utterance in utterances)
    return PartCount(
        clips=len(utterances),
        speakers=len({utterance.speaker for utterance in utterances}),
        classes={name: counts[name] for name in classes},
        genders=count_genders(utterances),
    )


def _leaks(found: Sequence[Leak]) -> Iterator[Finding]:
    for number in sorted({leak.fold for leak in found}):
        names = [leak.speaker for leak in found if leak.fold == number]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
        yield Finding(
            "speaker_leak",
            "error",
            f"Fold {number}: {len(names)} speaker(s) in more than one part: {shown}.",
            "Every figure of this fold is too good: it is not measured on unseen speakers.",
        )


_Gap = tuple[str, Part, str]
"""Code of a finding, the part it concerns, and what that part is or lacks."""

_GAP_EFFECTS: Final[Mapping[tuple[str, Part], str]] = {
    ("missing_class", "train"): "The head cannot learn the class: its recall is 0 there.",
    ("missing_class", "dev"): "The best epoch is chosen without the class.",
    ("missing_class", "test"): "Recall, UAR and fairness leave the class out there.",
    ("missing_gender", "train"): "The gender probe cannot be trained: privacy is unknown there.",
    ("missing_gender", "dev"): "The gender probe's best epoch is chosen on one gender.",
    ("missing_gender", "test"): "Gender inference and the genders' gap rest on the other folds.",
}


def _gaps(folds: Sequence[FoldCount], genders: set[str]) -> Iterator[Finding]:
    """Parts that are empty or lack a class or gender; folds with the same gap together."""
    found: defaultdict[_Gap, list[int]] = defaultdict(list)
    for fold in folds:
        for part, count in fold.parts.items():
            for gap in _gaps_of_part(part, count, genders):
                found[gap].append(fold.number)
    for (code, part, what), numbers in found.items():
        where = f"Fold{'s' if numbers[1:] else ''} {', '.join(map(str, numbers))}"
        text = f"{where}: the {part} part {what}."
        if code == "empty_part":
            yield Finding(code, "error", text, "The fold cannot be run.")
        else:
            effect = _GAP_EFFECTS[code, part]
            aspects: tuple[Aspect, ...] = ("privacy", "fairness")
            aspects = aspects if code == "missing_gender" else EVERY_ASPECT
            yield Finding(code, "warning", text, effect, aspects)


def _gaps_of_part(part: Part, count: PartCount, genders: set[str]) -> Iterator[_Gap]:
    if not count.clips:
        yield "empty_part", part, "is empty"
        return
    lacking = [name for name, clips in count.classes.items() if not clips]
    if lacking:
        yield "missing_class", part, f"lacks {', '.join(lacking)}"
    absent = sorted(genders - set(count.genders))
    if absent and len(genders) > 1:
        yield "missing_gender", part, f"has no {' and no '.join(absent)} speaker"


def _small_classes(test_clips: Sequence[Utterance], classes: Sequence[str]) -> Iterator[Finding]:
    counts = Counter(clip.label for clip in test_clips)
    small = [f"{name} ({counts[name]})" for name in classes if counts[name] < FEWEST_CLIPS]
    if small:
        yield Finding(
            "small_class",
            "warning",
            f"Fewer than {FEWEST_CLIPS} test clips over all folds: {', '.join(small)}.",
            "Recall of these classes is coarse, and their fairness is unknown.",
            ("system_performance", "fairness"),
        )


def _small_groups(test_clips: Sequence[Utterance], classes: Sequence[str]) -> Iterator[Finding]:
    """Classes with too few clips of a gender to compare the genders."""
    cells = Counter((clip.label, clip.gender) for clip in test_clips)
    if any(not sum(cells[name, gender] for name in classes) for gender in GENDERS):
        return
    few = [
        f"{name} {gender} ({cells[name, gender]})"
        for name in classes
        for gender in GENDERS
        if cells[name, gender] < FEWEST_CLIPS
    ]
    if few:
        yield Finding(
            "small_group",
            "warning",
            f"Fewer than {FEWEST_CLIPS} test clips over all folds: {', '.join(few)}.",
            "Fairness of these classes is unknown.",
            ("fairness",),
        )


def _unbalanced(corpus: Corpus) -> Iterator[Finding]:
    counts = Counter(clip.label for clip in corpus.utterances)
    smallest, *_, largest = sorted(counts[name] for name in corpus.classes)
    if smallest and largest / smallest >= UNBALANCED:
        yield Finding(
            "unbalanced_classes",
            "note",
            f"The largest class has {largest / smallest:.0f} times the clips of the smallest.",
            "Read UAR rather than accuracy; intervals of the small class are wide.",
            ("system_performance", "fairness"),
        )


def _genders(corpus: Corpus) -> Iterator[Finding]:
    counts = count_genders(corpus.utterances)
    known = [name for name in GENDERS if name in counts]
    if not known:
        what, effect = "No clip has a gender.", "Gender inference and fairness are unknown."
    elif len(known) == 1:
        what, effect = f"All speakers are {known[0]}.", "Gender inference and fairness are unknown."
    elif UNKNOWN in counts:
        what = f"{counts[UNKNOWN]} of {len(corpus.utterances)} clips have no gender."
        effect = "Gender inference and fairness rest on the others."
    else:
        return
    code = "unknown_gender" if UNKNOWN in counts else "one_gender"
    yield Finding(code, "warning", what, effect, ("privacy", "fairness"))


def _confounding(value: float | None) -> Iterator[Finding]:
    if value is None or value < NOTED_CONFOUNDING:
        return
    yield Finding(
        "label_gender_confounded",
        "warning" if value >= STRONG_CONFOUNDING else "note",
        f"Label and gender go together: Cramér's V is {value:.2f} (not corrected for bias).",
        "A gender probe can read gender off the emotion, and parity differs without any bias.",
        ("privacy", "fairness"),
    )
