"""Values as people write them: `66 %`, `5 GMAC`, `40 ms`, `300 MB`, `20 M`.

Decimal arithmetic throughout: `66.2 %` is the very number `0.662`, so that a bound equal to a
measured value holds.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from difflib import get_close_matches
from typing import Final

from profiles_db.criteria import Unit

_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(\S.*)?", re.ASCII)
_LONGEST = 64

_KILO, _MEGA, _GIGA, _TERA = (Decimal(10) ** power for power in (3, 6, 9, 12))

SUFFIXES: Final[dict[Unit, dict[str, Decimal]]] = {
    "fraction": {"%": Decimal("0.01")},
    "MAC": {"MAC": Decimal(1), "kMAC": _KILO, "MMAC": _MEGA, "GMAC": _GIGA, "TMAC": _TERA},
    "parameters": {"parameters": Decimal(1), "k": _KILO, "M": _MEGA, "G": _GIGA, "B": _GIGA},
    "bytes": {
        "B": Decimal(1),
        "kB": _KILO,
        "MB": _MEGA,
        "GB": _GIGA,
        "KiB": Decimal(2**10),
        "MiB": Decimal(2**20),
        "GiB": Decimal(2**30),
    },
    "seconds": {"s": Decimal(1), "ms": Decimal("0.001"), "us": Decimal("0.000001")},
    "ratio": {},
    "coefficient": {},
}
"""Units a scenario may write, by the unit of the criterion."""

SHOWN: Final[dict[Unit, str]] = {
    "fraction": " %",
    "MAC": " GMAC",
    "parameters": " M",
    "bytes": " MB",
    "seconds": " ms",
    "ratio": "",
    "coefficient": "",
}

_DIGITS: Final = 4
"""Digits to which a quantity is rounded."""
_MOST_PLACES: Final = 12
_MOST_LEADING: Final = 15
"""No quantity in earnest is as small or large; longer texts would not be read back."""


class QuantityError(ValueError):
    """A value that is no quantity of the unit asked for; `rule` and `remedy` say what would be."""

    def __init__(self, what: str, *, rule: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.rule, self.remedy = what, rule, remedy


def parse_quantity(raw: str | float, unit: Unit) -> float:
    """`raw` in the unit of its criterion: a fraction, MACs, parameters, bytes, seconds, or none.

    Rates may be written `66 %` or `0.66`; costs need a unit.

    Raises
    ------
    QuantityError
        `raw` is no number, lacks its unit, has another one, or lies outside the unit's range.

    Examples
    --------
    >>> parse_quantity("66 %", "fraction"), parse_quantity("5 GMAC", "MAC")
    (0.66, 5000000000.0)
    >>> parse_quantity(66, "fraction")
    Traceback (most recent call last):
        ...
    advisor.scenario.quantities.QuantityError: 66 is not a fraction
    """
    text = str(raw).strip()
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or isinstance(raw, bool):
        raise QuantityError(f"{_cut(text)!r} is no quantity", rule=_rule(unit), remedy=_how(unit))
    value = _in_unit(Decimal(match[1].replace("_", "")), match[2], text, unit)
    if unit == "coefficient":
        if not -1 <= value <= 1:
            raise QuantityError(f"{text} is no correlation", rule="-1 to 1", remedy=_how(unit))
        return float(value)
    if value < 0:
        raise QuantityError(f"{text} is negative", rule="0 or more", remedy=_how(unit))
    if unit == "fraction" and value > 1:
        raise QuantityError(f"{text} is above 100 %", rule="0 to 100 %", remedy="lower the bound")
    if not math.isfinite(float(value)):
        raise QuantityError(f"{text} is too large", rule="a finite number", remedy=_how(unit))
    return float(value)


def _in_unit(number: Decimal, suffix: str | None, text: str, unit: Unit) -> Decimal:
    if suffix is not None:
        return number * _factor(suffix, text, unit)
    if unit == "fraction" and not 0 <= number <= 1:
        raise QuantityError(
            f"{text} is not a fraction",
            rule="rates lie between 0 and 1",
            remedy=f"write {text} % or {float(number) / 100:g}",
        )
    if SUFFIXES[unit] and unit != "fraction":
        example = SHOWN[unit].strip()
        raise QuantityError(
            f"{text} lacks its unit",
            rule="a cost is written with its unit, one of " + ", ".join(SUFFIXES[unit]),
            remedy=f"write for example {text} {example}",
        )
    return number


def _factor(suffix: str, text: str, unit: Unit) -> Decimal:
    known = SUFFIXES[unit]
    for name, factor in known.items():
        if suffix == name or (unit == "MAC" and suffix.casefold() == name.casefold()):
            return factor
    near = [name for name in known if name.casefold() == suffix.casefold()]
    near = near or get_close_matches(suffix, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else _how(unit)
    raise QuantityError(
        f"unknown unit {_cut(suffix)!r} in {_cut(text)!r}", rule=_rule(unit), remedy=remedy
    )


def _rule(unit: Unit) -> str:
    names = ", ".join(SUFFIXES[unit])
    return f"a number and one of {names}" if names else "a number"


def _how(unit: Unit) -> str:
    examples: dict[Unit, str] = {
        "fraction": "write for example 66 % or 0.66",
        "MAC": "write for example 5 GMAC",
        "parameters": "write for example 20 M",
        "bytes": "write for example 300 MB",
        "seconds": "write for example 40 ms",
        "ratio": "write for example 0.2",
        "coefficient": "write for example 0.5",
    }
    return examples[unit]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def write_quantity(value: float, unit: Unit, *, up: bool) -> str:
    """`value` as a scenario writes it, rounded up or down, never to nearest.

    Rounding to the side that keeps a bound true makes the text safe to paste. Four digits are
    written, more only before the decimal point.

    Examples
    --------
    >>> write_quantity(0.63742, "fraction", up=False), write_quantity(2.593e9, "MAC", up=True)
    ('63.74 %', '2.593 GMAC')
    """
    suffix, shown = SHOWN[unit], in_shown_unit(value, unit)
    leading = shown.adjusted() if shown else 0
    large = leading > _MOST_LEADING
    places = _DIGITS - 1 - leading
    step = Decimal(1).scaleb(-(places if large else min(_MOST_PLACES, max(0, places))))
    rounded = shown.quantize(step, rounding=ROUND_CEILING if up else ROUND_FLOOR).normalize()
    return f"{rounded:e}{suffix}" if large else f"{rounded:f}{suffix}"


def quantity_text(value: float, unit: Unit) -> str:
    """`value` as a scenario writes it, all its digits kept.

    Examples
    --------
    >>> quantity_text(0.66, "fraction"), quantity_text(5e9, "MAC"), quantity_text(0.0405, "seconds")
    ('66 %', '5 GMAC', '40.5 ms')
    """
    return f"{in_shown_unit(value, unit).normalize():f}{SHOWN[unit]}"


def in_shown_unit(value: float, unit: Unit) -> Decimal:
    """`value` in the unit that `SHOWN` names: percent, GMAC, M, MB or ms.

    Examples
    --------
    >>> in_shown_unit(0.66, "fraction"), in_shown_unit(5e9, "MAC")
    (Decimal('66'), Decimal('5.0'))
    """
    return Decimal(repr(value)) / SUFFIXES[unit].get(SHOWN[unit].strip(), Decimal(1))
