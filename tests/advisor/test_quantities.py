"""Values as people write them."""

from __future__ import annotations

import pytest

from advisor.scenario.quantities import QuantityError, parse_quantity
from profiles_db.criteria import Unit


@pytest.mark.parametrize(
    ("raw", "unit", "expected"),
    [
        ("66 %", "fraction", 0.66),
        ("66%", "fraction", 0.66),
        ("66.2 %", "fraction", 0.662),
        (0.66, "fraction", 0.66),
        ("0.66", "fraction", 0.66),
        (1, "fraction", 1.0),
        (0, "fraction", 0.0),
        ("100 %", "fraction", 1.0),
        ("5 GMAC", "MAC", 5e9),
        ("5gmac", "MAC", 5e9),
        ("2.5e3 MMAC", "MAC", 2.5e9),
        ("20 M", "parameters", 20e6),
        ("4105296 parameters", "parameters", 4105296.0),
        ("300 MB", "bytes", 300e6),
        ("1 GiB", "bytes", 2.0**30),
        ("40 ms", "seconds", 0.04),
        ("1.5 s", "seconds", 1.5),
        (0.3, "ratio", 0.3),
        (0.5, "coefficient", 0.5),
        ("-0.05", "coefficient", -0.05),
        (-1, "coefficient", -1.0),
        ("1_000 MMAC", "MAC", 1e9),
    ],
)
def test_a_quantity(raw: str | float, unit: Unit, expected: float) -> None:
    assert parse_quantity(raw, unit) == expected


@pytest.mark.parametrize(
    ("raw", "unit", "what", "remedy"),
    [
        (66, "fraction", "66 is not a fraction", "write 66 % or 0.66"),
        ("101 %", "fraction", "above 100 %", "lower the bound"),
        (-0.1, "fraction", "-0.1 is not a fraction", "write"),
        ("-5 %", "fraction", "negative", "write"),
        (5, "MAC", "5 lacks its unit", "5 GMAC"),
        ("5 GFLOP", "MAC", "unknown unit 'GFLOP'", "GMAC"),
        ("40 sm", "seconds", "unknown unit 'sm'", "did you mean"),
        ("300 Mb", "bytes", "unknown unit 'Mb'", "did you mean 'MB'?"),
        ("20 million", "parameters", "unknown unit", "20 M"),
        ("abc", "MAC", "no quantity", "5 GMAC"),
        ("", "MAC", "no quantity", "5 GMAC"),
        ("nan", "fraction", "no quantity", "66 %"),
        (float("nan"), "fraction", "no quantity", "66 %"),
        (1.01, "coefficient", "no correlation", "0.5"),
        ("-1.5", "coefficient", "no correlation", "0.5"),
        ("50 %", "coefficient", "unknown unit '%'", "0.5"),
        (float("inf"), "ratio", "no quantity", "0.2"),
        ("1e999 GMAC", "MAC", "too large", "GMAC"),
        ("9" * 5000 + " MAC", "MAC", "no quantity", "GMAC"),
        (10**300, "ratio", "no quantity", "0.2"),
        ("٥ GMAC", "MAC", "no quantity", "GMAC"),
    ],
)
def test_no_quantity(raw: str | float, unit: Unit, what: str, remedy: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_quantity(raw, unit)
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert len(str(caught.value)) < 200
