"""Small pieces of sentences: lists, shares, differences in a criterion's unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from advisor.records import Figure
from profiles_db.criteria import CRITERIA, Unit, format_value

_POINT_SHOWN: Final = 0.05
"""The least difference in points that one decimal shows."""


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def share(value: float, *, missed: float | None = None) -> str:
    """A probability or weight in percent; never rounded to a certainty that it is not.

    Nor is it rounded up to the level `missed`, which it lies below.

    Examples
    --------
    >>> share(0.632), share(0.9999), share(1.0), share(0.0001)
    ('63 %', 'over 99 %', '100 %', 'under 1 %')
    >>> share(0.9497, missed=0.95), share(0.93, missed=0.95)
    ('under 95 %', '93 %')
    """
    percent = 100 * value
    if missed is not None and round(percent) >= 100 * missed:
        return f"under {100 * missed:.0f} %"
    if 0 < percent < 1:
        return "under 1 %"
    if 99 < percent < 100:  # noqa: PLR2004
        return "over 99 %"
    return f"{percent:.0f} %"


def scores_text(first: float, second: float) -> tuple[str, str]:
    """Two scores to three digits, or to as many as tell them apart.

    Examples
    --------
    >>> scores_text(0.5864, 0.619), scores_text(0.61925, 0.61934), scores_text(1.0, 1.0)
    (('0.586', '0.619'), ('0.6192', '0.6193'), ('1.000', '1.000'))
    """
    digits = next((n for n in range(3, 17) if f"{first:.{n}f}" != f"{second:.{n}f}"), 3)
    return f"{first:.{digits}f}", f"{second:.{digits}f}"


def value_text(criterion: str, value: float) -> str:
    """A value as people write it."""
    return format_value(value, CRITERIA[criterion].unit)


def flag_text(figure: Figure) -> str:
    """The flags of a figure, which has some.

    Examples
    --------
    >>> flag_text(Figure("uar", 0.6, flags=("only 3 speakers", "fold 1 has no train clip of sad")))
    'flagged: only 3 speakers; fold 1 has no train clip of sad'
    """
    return f"flagged: {'; '.join(figure.flags)}"


def difference_text(criterion: str, difference: float) -> str:
    """The size of a difference: rates in points, not percent.

    Examples
    --------
    >>> difference_text("uar", -0.023), difference_text("macs", 1.535e9)
    ('2.3 points', '1.53 GMAC')
    """
    return size_text(difference, CRITERIA[criterion].unit)


def size_text(difference: float, unit: Unit) -> str:
    """The size of a difference in a unit; one in a rate is never rounded to none.

    Examples
    --------
    >>> size_text(-0.023, "fraction"), size_text(0.0004, "fraction"), size_text(0.0, "fraction")
    ('2.3 points', '0.04 points', '0.0 points')
    """
    if unit != "fraction":
        return format_value(abs(difference), unit)
    points = 100 * abs(difference)
    return (
        f"{points:.1f} points" if points == 0 or points >= _POINT_SHOWN else f"{points:.1g} points"
    )


def full_title(criterion: str) -> str:
    """A criterion's title, what follows its comma in brackets, so that it can be counted on."""
    name, comma, rest = CRITERIA[criterion].title.partition(", ")
    return f"{name} ({rest})" if comma else name


def title_of(criterion: str) -> str:
    """A criterion's title within a sentence.

    Examples
    --------
    >>> title_of("uar_gender_gap"), title_of("macs")
    ('UAR gap between the genders', 'multiply-accumulates (counted whole)')
    """
    title = full_title(criterion)
    return title if title[:3].isupper() or title[1:2].isupper() else title[:1].lower() + title[1:]
