"""How reports write numbers: one place for percent, intervals, margins and probabilities."""

from __future__ import annotations

import re
from typing import Final

from advisor.explanation.wording import against, apart
from advisor.ranking.findings import Bound
from advisor.records import Comparison, Outcome
from advisor.scenario.quantities import quantity_text
from profiles_db.criteria import Unit, format_value
from profiles_db.measurement import IntervalKind, Origin

UNKNOWN: Final = "unknown"

ORIGINS: Final[dict[Origin, str]] = {
    "measured": "measured by a run",
    "published": "printed in a publication",
    "digitised": "read off a published chart",
    "counted": "counted from the architecture",
    "estimated": "estimated by a model from other studies",
}

INTERVALS: Final[dict[IntervalKind, str]] = {
    "none": "no interval",
    "bootstrap": "over speakers",
    "assumed": "assumed: nobody measured it",
    "exact": "exact",
    "quantile": "quantiles of the repetitions",
    "prediction": "over studies, corpora and encoders",
}

_PLOT_UNITS: Final[dict[Unit, tuple[str, float]]] = {
    "fraction": ("%", 1e2),
    "MAC": ("GMAC", 1e-9),
    "parameters": ("M", 1e-6),
    "bytes": ("MB", 1e-6),
    "seconds": ("ms", 1e3),
    "ratio": ("", 1.0),
    "coefficient": ("", 1.0),
}

_CERTAIN: Final = 0.995
_LEAST_SHARE: Final = 5e-4
_QUANTITY: Final = re.compile(r"(\d) (%|[MG]MAC|MB|M|ms|s|dB|points)(?!\w)")
_MINUS: Final = "\N{MINUS SIGN}"


def quantity(value: float | None, unit: Unit | None) -> str:
    """A value in its unit, or `unknown`; never a zero for what nobody knows.

    Examples
    --------
    >>> print(quantity(0.637, "fraction"), quantity(None, "MAC"))
    63.7 % unknown
    """
    if value is None:
        return UNKNOWN
    if unit is None or unit == "ratio":
        text = f"{value:.3g}"
    elif value == 0 and unit not in ("fraction", "coefficient"):
        text = "0"
    else:
        text = format_value(value, unit)
    return text.replace("-", _MINUS)


def interval(low: float | None, high: float | None, unit: Unit | None) -> str:
    """The two ends of an interval, the unit written once; empty where they are the same.

    Examples
    --------
    >>> print(interval(0.627, 0.647, "fraction"), interval(0.6999, 0.7001, "fraction"))
    62.7–64.7 % 69.99–70.01 %
    """
    if low is None or high is None:
        return ""
    if low == high:
        return ""
    first, last = quantity(low, unit), quantity(high, unit)
    if first == last and unit is not None:
        first, last = apart(low, high, unit)
    number, space, name = first.partition(" ")
    return f"{number}–{last}" if name and last.endswith(space + name) else f"{first}–{last}"


def margin(outcome: Outcome, bound: Bound) -> str:
    """What was held against a bound, and its signed distance, which add up to the bound.

    Examples
    --------
    >>> from advisor import advise
    >>> decision = advise("edge")
    >>> print(margin(decision.candidate("whisper_base").outcomes[0], decision.requirements[0]))
    6.54 GMAC, −1.54 GMAC
    """
    if outcome.tested is None or outcome.margin is None:
        return UNKNOWN
    value, distance = against(outcome.tested, bound.bound, bound.unit)
    return f"{value}, {_MINUS if outcome.margin < 0 else '+'}{distance}"


def probability(share: float | None) -> str:
    """A share of draws in whole percent that never claims certainty it has not.

    Examples
    --------
    >>> print(probability(0.714), probability(0.9999), probability(0.001))
    71 % > 99 % < 1 %
    """
    if share is None:
        return UNKNOWN
    if _CERTAIN <= share < 1:
        text = "> 99 %"
    elif 0 < share < 1 - _CERTAIN:
        text = "< 1 %"
    else:
        text = f"{100 * share:.0f} %"
    return text


def score(value: float | None) -> str:
    """A score in [0, 1] to three digits."""
    return UNKNOWN if value is None else f"{value:.3f}"


def number_word(number: int) -> str:
    """A small number as a word.

    Examples
    --------
    >>> number_word(6)
    'six'
    """
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[number] if number < len(words) else str(number)


def percent(share: float) -> str:
    """A weight or share of the whole, to a tenth of a percent; a small one is not none.

    Examples
    --------
    >>> print(percent(0.29), percent(0.0002), percent(0.0))
    29.0 % < 0.1 % 0.0 %
    """
    return "< 0.1 %" if 0 < share < _LEAST_SHARE else f"{100 * share:.1f} %"


def bound(comparison: Comparison, value: float, unit: Unit) -> str:
    """A bound in words, all its digits kept: rounded, it would let others in.

    Examples
    --------
    >>> print(bound("at_most", 5e9, "MAC"), bound("at_most", 6.535e9, "MAC"), sep=", ")
    at most 5 GMAC, at most 6.535 GMAC
    """
    return f"{comparison.replace('_', ' ')} {quantity_text(value, unit)}"


def axis(title: str, unit: Unit, better: str) -> str:
    """Title of a plot's axis, with the unit its ticks are in.

    Examples
    --------
    >>> axis("Parameters", "parameters", "lower")
    'Parameters, M (lower is better)'
    """
    name = _PLOT_UNITS[unit][0]
    return f"{title}, {name} ({better} is better)" if name else f"{title} ({better} is better)"


def tick(value: float, unit: Unit) -> str:
    """A tick of an axis that `axis` titled, without its unit.

    Examples
    --------
    >>> tick(0.675, "fraction"), tick(10e9, "MAC")
    ('67.5', '10')
    """
    return f"{value * _PLOT_UNITS[unit][1]:.6g}".replace("-", _MINUS)


def prose(text: str) -> str:
    """A sentence in which no number is parted from its unit at a line's end.

    Examples
    --------
    >>> prose("in 64 % of the draws").split(" ")
    ['in', '64\\xa0%', 'of', 'the', 'draws']
    """
    return _QUANTITY.sub("\\1\N{NO-BREAK SPACE}\\2", text)
