"""How numbers are written: never a zero, a certainty or an interval that is not there."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.ranking.findings import Bound
from advisor.records import Comparison, Outcome
from advisor.scenario.quantities import in_shown_unit
from profiles_db.criteria import Unit
from reports import wording

_UNITS = get_args(Unit)
_values = st.floats(1e-4, 1e12)


@pytest.mark.parametrize("unit", [*_UNITS, None])
def test_none_is_unknown_and_never_zero(unit: Unit | None) -> None:
    assert wording.quantity(None, unit) == "unknown"
    assert wording.interval(None, 1.0, unit) == ""
    assert wording.interval(0.0, None, unit) == ""


def _bound(comparison: Comparison, value: float, unit: Unit) -> Bound:
    return Bound(
        "x", "requirement", "uar", "", unit, comparison, value, "value", "fail", "distrust", "", ""
    )


def test_none_is_unknown_in_every_way_of_writing() -> None:
    nobody = Outcome("x", "unknown", blocks=True)
    written = {wording.score(None), wording.probability(None)}
    assert written | {wording.margin(nobody, _bound("at_most", 1.0, "MAC"))} == {"unknown"}


@given(st.floats(0, 1))
def test_a_probability_of_0_or_100_percent_is_one(share: float) -> None:
    text = wording.probability(share)
    assert (text == "100 %") == (share == 1)
    assert (text == "0 %") == (share == 0)


def _number(text: str) -> Decimal:
    return Decimal(text.split(" ", maxsplit=1)[0].replace("\N{MINUS SIGN}", "-"))


@given(_values, _values, st.sampled_from(_UNITS))
def test_a_value_and_its_margin_add_up_to_the_bound(value: float, bound: float, unit: Unit) -> None:
    """1.53 GMAC above 5 GMAC beside 6.54 GMAC is an error that a reader finds by adding up."""
    margin = bound - value
    outcome = Outcome("x", "pass", blocks=False, tested=value, margin=margin)
    own, distance = wording.margin(outcome, _bound("at_most", bound, unit)).split(", ")
    assert distance[0] == ("\N{MINUS SIGN}" if margin < 0 else "+")
    with localcontext(prec=60):
        total = _number(own) + _number(distance)
        assert total == in_shown_unit(bound, unit)
        assert (_number(distance) == 0) == (margin == 0), "on the right side of the bound"
        shown = in_shown_unit(value, unit)
        rounding = Decimal("0.05") + shown * Decimal("1e-15")  # and that of a float
        assert abs(_number(own) - shown) <= rounding, "rounded, not changed"


@given(_values, _values, st.sampled_from(_UNITS))
def test_an_interval_names_both_ends(one: float, other: float, unit: Unit) -> None:
    low, high = sorted((one, other))
    text = wording.interval(low, high, unit)
    if low == high:
        assert text == ""
        return
    first, last = text.split("–")
    assert first != last.split(" ")[0]
    ends = (wording.quantity(low, unit), wording.quantity(high, unit))
    if ends[0] != ends[1]:
        assert last == ends[1]
        assert first in (ends[0], ends[0].split(" ")[0])


def test_a_narrow_interval_does_not_vanish() -> None:
    """An interval that is not printed reads as none, or as exact."""
    assert wording.interval(0.66996, 0.67004, "fraction") == "66.996–67.004 %"


@given(st.floats(0, 1))
def test_no_share_is_rounded_to_none(share: float) -> None:
    assert (wording.percent(share) == "0.0 %") == (share == 0)


def test_a_small_ratio_is_not_zero() -> None:
    assert wording.quantity(0.00034, "ratio") == "0.00034"


@given(st.text())
def test_prose_changes_nothing_but_spaces(text: str) -> None:
    assert wording.prose(text).replace("\N{NO-BREAK SPACE}", " ") == text.replace(
        "\N{NO-BREAK SPACE}", " "
    )
