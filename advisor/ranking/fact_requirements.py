"""Requirements on facts: what an encoder is, beside what it measures."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from advisor.explanation.wording import listed
from advisor.ranking.findings import Expected, FactBound, FactTest
from advisor.records import Outcome
from profiles_db.encoder_facts import FACTS, Fact

_WORDS: Final[dict[FactTest, str]] = {
    "is": "is",
    "one_of": "is one of",
    "none_of": "is none of",
    "includes": "include",
    "excludes": "do not include",
    "after": "after",
    "before": "before",
    "at_least": "at least",
    "at_most": "at most",
}


_SHOWN: Final = 6
"""Longer lists are counted."""
_COUNTS: Final = frozenset({"at_least", "at_most"})


def fact_text(fact: str, test: FactTest, expected: tuple[Expected, ...]) -> str:
    """A requirement on a fact, as people say it.

    Examples
    --------
    >>> fact_text("licence_allows_commercial_use", "is", (True,))
    'Commercial use of the weights: yes'
    >>> fact_text("languages", "includes", ("de", "fr"))
    'Training languages include de and fr'
    """
    colon = ":" if isinstance(expected[0], bool) else ""
    return f"{FACTS[fact].title}{colon} {asked_text(test, expected)}"


def asked_text(test: FactTest, expected: tuple[Expected, ...]) -> str:
    """What is asked of a fact, without its title.

    Examples
    --------
    >>> asked_text("is", (True,)), asked_text("one_of", ("MIT", "Apache-2.0"))
    ('yes', 'is one of MIT and Apache-2.0')
    """
    if isinstance(expected[0], bool):
        return "yes" if expected[0] else "no"
    words = [f"{one:,}" if test in _COUNTS else str(one) for one in expected]
    return f"{_WORDS[test]} {listed(words)}"


def judge_fact(bound: FactBound, facts: Mapping[str, Fact]) -> Outcome:
    """How an encoder does on a requirement on a fact; what is unknown never passes.

    Examples
    --------
    >>> bound = FactBound("languages", "languages", "", "includes", ("de",), "fail", "", "")
    >>> judge_fact(bound, {"languages": Fact(("en",), "arXiv:2006.11477")}).status
    'fail'
    >>> judge_fact(bound, {"languages": Fact(("en",), complete=False)}).status
    'unknown'
    """
    fact = facts.get(bound.fact)
    if fact is None or fact.value is None:
        reason = fact.unknown if fact else "no facts are at hand"
        return Outcome(bound.id, "unknown", blocks=bound.on_unknown == "fail", reason=reason)
    said = _said(fact, bound.expected)
    found = f"{said} ({fact.source})" if fact.source else said
    holds = _TESTS[bound.test](fact, bound.expected)
    if holds is None:
        reason = f"only this is known: {found}"
        return Outcome(bound.id, "unknown", blocks=bound.on_unknown == "fail", reason=reason)
    return Outcome(bound.id, "pass" if holds else "fail", blocks=not holds, found=found)


def _said(fact: Fact, expected: tuple[Expected, ...]) -> str:
    """What a fact says; of a long list what was asked for, and how many others."""
    names = _names(fact)
    if len(names) <= _SHOWN:
        return fact.text
    asked = [name for name in names if name in expected]
    others = f"{len(names) - len(asked)}{' others' if asked else ''}"
    return f"{', '.join([*asked, others])}{'' if fact.complete else ' and more'}"


def period(text: str) -> tuple[date, date]:
    """First and last day of a year, a month or a day.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> [str(day) for day in period("2024-02")]
    ['2024-02-01', '2024-02-29']
    """
    parts = [int(part) if part.isascii() and part.isdigit() else 0 for part in text.split("-")]
    match parts:
        case [year]:
            return date(year, 1, 1), date(year, 12, 31)
        case [year, month]:
            first = date(year, month, 1)
            return first, date(year, month, calendar.monthrange(year, month)[1])
        case [year, month, day]:
            return (only := date(year, month, day)), only
    raise ValueError(text)


def _is(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    if isinstance(fact.value, str):
        return fact.value.casefold() in {str(one).casefold() for one in expected}
    return fact.value in expected


def _is_not(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    return not _is(fact, expected)


def _includes(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    if set(expected) <= set(_names(fact)):
        return True
    return False if fact.complete else None


def _excludes(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    if set(expected) & set(_names(fact)):
        return False
    return True if fact.complete else None


def _names(fact: Fact) -> tuple[str, ...]:
    return fact.value if isinstance(fact.value, tuple) else ()


def _after(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    """Known to lie after the last day that is meant; unknown where a part of it may not."""
    (first, last), (_, bound) = period(str(fact.value)), period(str(expected[0]))
    if first > bound:
        return True
    return False if last <= bound else None


def _before(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    (first, last), (bound, _) = period(str(fact.value)), period(str(expected[0]))
    if last < bound:
        return True
    return False if first >= bound else None


def _at_least(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    return int(str(fact.value)) >= int(expected[0])


def _at_most(fact: Fact, expected: tuple[Expected, ...]) -> bool | None:
    return int(str(fact.value)) <= int(expected[0])


_TESTS: Final[dict[FactTest, Callable[[Fact, tuple[Expected, ...]], bool | None]]] = {
    "is": _is,
    "one_of": _is,
    "none_of": _is_not,
    "includes": _includes,
    "excludes": _excludes,
    "after": _after,
    "before": _before,
    "at_least": _at_least,
    "at_most": _at_most,
}
