"""What a scenario may require of facts: the tests that fit each kind, checked."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import partial
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from advisor.ranking.fact_requirements import period
from advisor.ranking.findings import Expected, FactTest
from advisor.records import OnUnknown
from advisor.scenario.breaches import Breach, BreachError, check_name
from advisor.scenario.fields import Names, Strict
from profiles_db.corpus_facts import LANGUAGES
from profiles_db.encoder_facts import FACTS, FactType

TESTS: Final[dict[FactType, tuple[FactTest, ...]]] = {
    "truth": ("is",),
    "text": ("is", "one_of", "none_of"),
    "list": ("includes", "excludes"),
    "number": ("at_least", "at_most"),
    "month": ("after", "before"),
}
"""Which tests a fact of each type can be put to."""

_CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "architecture": ("transformer", "conformer", "convolutional", "recurrent", "hand-crafted"),
    "training_labels": ("transcripts", "sounds", "emotion"),
}
"""Facts that have no other values than these."""

_CODE: Final = re.compile(r"[a-z]{2,3}")

FactName = Annotated[
    str,
    AfterValidator(partial(check_name, valid=tuple(FACTS), noun="fact")),
    WithJsonSchema({"enum": list(FACTS)}),
]
_Word = Annotated[Any, WithJsonSchema({"type": ["string", "boolean"]})]
_Date = Annotated[Any, WithJsonSchema({"type": ["string", "integer"]})]
_Count = Annotated[Any, WithJsonSchema({"type": "integer", "minimum": 0})]


class FactRequirementSpec(Strict):
    """What an encoder has to be, beside its figures: one test of one fact."""

    fact: FactName = Field(description="Which fact: licence, languages, released, ...")
    is_: _Word = Field(None, alias="is", description="The fact is this: `true`, `MIT`.")
    one_of: Names = Field((), description="The fact is one of these: `[MIT, Apache-2.0]`.")
    none_of: Names = Field((), description="The fact is none of these.")
    includes: Names = Field((), description="All of these are among it: `[de, fr]`.")
    excludes: Names = Field((), description="None of these is among it: `[msp_podcast]`.")
    after: _Date = Field(None, description="After this year, month or day: `2021-01-01`.")
    before: _Date = Field(None, description="Before this year, month or day.")
    at_least: _Count = Field(None, description="At least so many: `1000`.")
    at_most: _Count = Field(None, description="At most so many.")
    on_unknown: OnUnknown = Field(
        "fail", description="Whether an unknown fact fails the candidate or only warns."
    )
    why: Annotated[str, Field(max_length=500)] = Field("", description="The reason, shown.")

    @property
    def test(self) -> FactTest:
        """The one test that is stated."""
        return next(iter(self._stated()))

    @property
    def expected(self) -> tuple[Expected, ...]:
        """What the test is for."""
        return self._stated()[self.test]

    def _stated(self) -> dict[FactTest, tuple[Expected, ...]]:
        tests: dict[FactTest, Any] = {
            "is": self.is_, "one_of": self.one_of, "none_of": self.none_of,
            "includes": self.includes, "excludes": self.excludes, "after": self.after,
            "before": self.before, "at_least": self.at_least, "at_most": self.at_most,
        }  # fmt: skip
        return {
            test: value if isinstance(value, tuple) else (value,)
            for test, value in tests.items()
            if value is not None and value != ()
        }

    @model_validator(mode="after")
    def _check(self) -> FactRequirementSpec:
        kind, stated = FACTS[self.fact], self._stated()
        valid = TESTS[kind.type]
        if len(stated) != 1:
            what = "a requirement on a fact needs one test"
            rule = f"exactly one of {', '.join(valid)} for {kind.name}"
            raise BreachError(Breach(what, rule, "state two requirements for two tests"))
        (test, expected), *_ = stated.items()
        if test not in valid:
            rule = f"{kind.name} is tested by {' or '.join(valid)}"
            raise BreachError(Breach(f"{test} on {kind.name}", rule, None, (test,), key=True))
        for place, value in enumerate(expected):
            path: tuple[str | int, ...] = (test, place) if len(expected) > 1 else (test,)
            _check_value(self.fact, kind.type, value, path)
        return self


def _check_value(fact: str, kind: FactType, value: object, path: tuple[str | int, ...]) -> None:
    shown = f"{value!r:.60}"
    if kind == "truth":
        if not isinstance(value, bool):
            raise BreachError(Breach(f"{shown} is no answer", "true or false", path=path))
    elif kind == "number":
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise BreachError(Breach(f"{shown} is no count", "a whole number", path=path))
    elif kind == "month":
        _check_date(value, path)
    elif not isinstance(value, str) or not value:
        raise BreachError(Breach(f"{shown} is no name", "text", path=path))
    elif fact == "languages":
        check_language(value, path)
    elif fact in _CLOSED and value not in _CLOSED[fact]:
        valid = _CLOSED[fact]
        rule = f"one of {', '.join(valid)}"
        raise BreachError(Breach(f"unknown {fact} {shown}", rule, None, path, value, valid))


def _check_date(value: object, path: tuple[str | int, ...]) -> None:
    try:
        period("" if isinstance(value, bool) else str(value))
    except ValueError as error:
        rule = "a year, month or day: 2021, 2021-03 or 2021-03-01"
        raise BreachError(Breach(f"{value!r:.60} is no date", rule, path=path)) from error


def check_language(value: str, path: tuple[str | int, ...] = ()) -> str:
    """`value`, if it is written as an ISO 639 code.

    Raises
    ------
    BreachError
        It is not; where it is a language's English name, its code is offered.

    Examples
    --------
    >>> check_language("de")
    'de'
    """
    if _CODE.fullmatch(value):
        return value
    near = get_close_matches(value.casefold(), LANGUAGES, n=1, cutoff=0.8)
    remedy = f"did you mean {LANGUAGES[near[0]]!r}?" if near else None
    rule = "an ISO 639 code of two or three letters, such as en or de"
    raise BreachError(Breach(f"{value!r:.60} is no language code", rule, remedy, path))
