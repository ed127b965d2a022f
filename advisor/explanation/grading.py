"""What a figure is worth by itself, in a word: the best of a bad lot is not good for that.

Scores compare candidates on scales that fit the field, so that even a poor one may score high.
Grades hold a figure against what it could be at best and at worst: from guessing to always right,
from every gender inferred to chance, from every answer changed to none, from a gap of 20 points
(the four-fifths rule) to none, from the costliest backbone of the paper to no cost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, get_args

from advisor.explanation.wording import listed
from advisor.records import Candidate, Figure, Grade, OnFlag
from profiles_db.criteria import ASPECT_TITLES, CRITERIA, GUESSED, Scale

GRADES: Final[tuple[tuple[float, Grade], ...]] = ((0.75, "strong"), (0.5, "fair"), (0.25, "weak"))
"""The least share of the way from the worst to the best end for each word; below, `poor`."""

_ENDS: Final[dict[str, Scale]] = {
    "uar": Scale(0.0, 1.0, "from guessing to always right"),
    "accuracy": Scale(0.0, 1.0, "from guessing to always right"),
    "macro_f1": Scale(0.0, 1.0, "from guessing to always right"),
    "gender_accuracy": Scale(1.0, 0.5, "from certainty to chance in a balanced corpus"),
    "attack_success_rate": Scale(1.0, 0.0, "from every right answer changed to none"),
    "conditional_total_variation": Scale(0.2, 0.0, "from 20 points to none"),
}
"""Where the criterion's own scale is one for comparing, not from end to end."""


def ends(figure: Figure) -> Scale:
    """The worst and the best that the figure could be; guessing is the worst where it is known.

    Examples
    --------
    >>> ends(Figure("uar", 0.6, baseline=0.25)).worst, ends(Figure("macs", 1e9)).worst
    (0.25, 48000000000.0)
    """
    scale = _ENDS.get(figure.criterion, CRITERIA[figure.criterion].scale)
    floor = figure.baseline if figure.criterion in GUESSED else None
    return scale if floor is None or floor >= scale.best else replace(scale, worst=floor)


def grade(figure: Figure | None, flagged: OnFlag) -> Grade:
    """The word for a figure: by its value, not by who else stands beside it.

    Examples
    --------
    >>> grade(Figure("gender_accuracy", 0.974), "distrust")
    'poor'
    >>> known = Figure("uar", 0.67, baseline=0.25)
    >>> grade(Figure("uar", 0.67), "distrust"), grade(known, "distrust")
    ('fair', 'fair')
    """
    if figure is None or figure.value is None:
        return "unknown"
    if figure.distrusted(flagged):
        return "flagged"
    if figure.guessed:
        return "no better than guessing"
    share = ends(figure).score(figure.value)
    return next((word for least, word in GRADES if share >= least), "poor")


def grades_text(candidate: Candidate) -> str:
    """The grades of a candidate in words, aspects of one grade together, the best first."""
    words: dict[Grade, list[str]] = {word: [] for word in get_args(Grade)}
    for aspect, word in candidate.grades.items():
        words[word].append(ASPECT_TITLES[aspect].lower())
    return listed([f"{word} on {listed(aspects)}" for word, aspects in words.items() if aspects])
