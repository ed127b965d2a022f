"""How numbers are written: never a zero, a certainty or an interval that is not there."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles_db.criteria import Unit
from reports import wording

_UNITS = get_args(Unit)
_values = st.floats(1e-4, 1e12)


@pytest.mark.parametrize("unit", [*_UNITS, None])
def test_none_is_unknown_and_never_zero(unit: Unit | None) -> None:
    assert wording.quantity(None, unit) == "unknown"
    assert wording.interval(None, 1.0, unit) == ""
    assert wording.interval(0.0, None, unit) == ""


def test_none_is_unknown_in_every_way_of_writing() -> None:
    written = {wording.score(None), wording.probability(None), wording.margin(None, "MAC")}
    assert written == {"unknown"}


@given(st.floats(0, 1))
def test_a_probability_of_0_or_100_percent_is_one(share: float) -> None:
    text = wording.probability(share)
    assert (text == "100 %") == (share == 1)
    assert (text == "0 %") == (share == 0)


@given(_values, st.sampled_from(_UNITS))
def test_a_margin_carries_its_sign(value: float, unit: Unit) -> None:
    assert wording.margin(value, unit)[0] == "+"
    assert wording.margin(-value, unit)[0] == "\N{MINUS SIGN}"
    assert wording.margin(value, unit)[1:] == wording.margin(-value, unit)[1:]


@given(_values, _values, st.sampled_from(_UNITS))
def test_an_interval_names_both_ends(one: float, other: float, unit: Unit) -> None:
    low, high = sorted((one, other))
    text = wording.interval(low, high, unit)
    ends = (wording.quantity(low, unit), wording.quantity(high, unit))
    if ends[0] == ends[1]:
        assert text == ""
    else:
        assert text.endswith(ends[1])
        assert text.startswith(ends[0].split(" ")[0] + "–") or text.startswith(ends[0] + "–")


def test_a_small_ratio_is_not_zero() -> None:
    assert wording.quantity(0.00034, "ratio") == "0.00034"


@given(st.text())
def test_prose_changes_nothing_but_spaces(text: str) -> None:
    assert wording.prose(text).replace("\N{NO-BREAK SPACE}", " ") == text.replace(
        "\N{NO-BREAK SPACE}", " "
    )
