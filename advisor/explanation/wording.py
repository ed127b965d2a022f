"""Small pieces of sentences: lists, shares, differences in a criterion's unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Final

from advisor.records import Figure
from advisor.scenario.quantities import SHOWN, in_shown_unit
from profiles_db.criteria import CRITERIA, Unit, format_value

_PLACES: Final[dict[Unit, int]] = {
    "fraction": 1, "MAC": 2, "parameters": 2, "bytes": 1, "seconds": 1, "ratio": 3,
    "coefficient": 3,
}  # fmt: skip
"""Digits after the point with which `format_value` writes each unit."""
_TIMES: Final[dict[Unit, float]] = {"fraction": 1e2, "seconds": 1e3}
_OVER: Final[dict[Unit, float]] = {"MAC": 1e9, "parameters": 1e6, "bytes": 1e6}
_MORE_PLACES: Final = 12
_PRECISION: Final = 200
"""Digits that hold any finite figure, whatever its size."""


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


def plain(value: object) -> str:
    """A setting or count as people write it: what Python calls None, True or a list is in words.

    Examples
    --------
    >>> print(plain(["neutral", "happy"]), plain(None), plain(34.419076958000005), sep="; ")
    neutral, happy; not set; 34.4191
    """
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case Mapping():
            parts = [f"{key}: {plain(inner)}" for key, inner in value.items()]
            return "; ".join(parts) or "none"
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(plain, value)) or "none"
    return str(value)


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


def against(value: float, bound: float, unit: Unit) -> tuple[str, str]:
    """A value and its distance from a bound, rounded so that the two add up to the bound.

    The value has as many digits as show on which side of the bound it lies; the distance is that
    of the value as it is written. Rates are apart by points, not percent.

    Examples
    --------
    >>> against(6.535e9, 5e9, "MAC"), against(0.637, 0.66, "fraction")
    (('6.54 GMAC', '1.54 GMAC'), ('63.7 %', '2.3 points'))
    >>> against(0.65997, 0.66, "fraction")
    ('65.997 %', '0.003 points')
    """
    with localcontext(prec=_PRECISION):
        own, other = in_shown_unit(value, unit), in_shown_unit(bound, unit)
        written = next(
            number
            for number in _roundings(value, unit)
            if (number > other, number < other) == (own > other, own < other)
        )
        distance = abs(written - other)
        if unit == "fraction":
            least = Decimal("0.1")
            points = distance if distance.as_tuple().exponent < 0 else distance.quantize(least)  # type: ignore[operator]
            return f"{written:f} %", f"{points:f} points"
        return f"{written:f}{SHOWN[unit]}", f"{distance:f}{SHOWN[unit]}"


def apart(low: float, high: float, unit: Unit) -> tuple[str, str]:
    """Two numbers that differ, to as many digits as tell them apart.

    Examples
    --------
    >>> apart(0.6999, 0.7001, "fraction"), apart(2.6149e10, 2.6151e10, "MAC")
    (('69.99 %', '70.01 %'), ('26.149 GMAC', '26.151 GMAC'))
    """
    with localcontext(prec=_PRECISION):
        pairs = zip(
            _roundings(low, unit),
            _roundings(high, unit),
            strict=True,
        )
        first, last = next((one, other) for one, other in pairs if one != other)
    return f"{first:f}{SHOWN[unit]}", f"{last:f}{SHOWN[unit]}"


def difference_text(value: float, low: float, high: float, unit: Unit) -> str:
    """A signed difference with its interval, as people write it.

    Examples
    --------
    >>> difference_text(0.012, -0.004, 0.028, "fraction"), difference_text(2e9, 2e9, 2e9, "MAC")
    ('+1.2 points (−0.4 to +2.8)', '+2.00 GMAC')
    """
    name = " points" if unit == "fraction" else SHOWN[unit]
    numbers = [f"{_shown_number(one, unit):+.{_PLACES[unit]}f}" for one in (value, low, high)]
    ends = "" if low == high else f" ({numbers[1]} to {numbers[2]})"
    return f"{numbers[0]}{name}{ends}".replace("-", "\N{MINUS SIGN}")


def _roundings(value: float, unit: Unit) -> Iterator[Decimal]:
    """The value to the digits that its unit is written with, and to ever more, then to all."""
    number = in_shown_unit(value, unit)
    least = _PLACES[unit]
    if unit == "MAC" and number and number.adjusted() < -1:
        least = 2 - number.adjusted()
    for places in range(least, least + _MORE_PLACES):
        # As `format_value` rounds, which sees the float that 2.425 stands for.
        yield Decimal(f"{_shown_number(value, unit):.{places}f}")
    yield number


def _shown_number(value: float, unit: Unit) -> float:
    return value * _TIMES[unit] if unit in _TIMES else value / _OVER.get(unit, 1.0)


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
