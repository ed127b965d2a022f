"""The pictures' geometry, against closed forms, and their manners."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.canvas import TOKENS, Canvas
from reports.plots import Axis, Curve, Dot, Frame, curves, scatter, shorten
from reports.radar import Spoke, radar

_TITLES = ("System performance", "Privacy", "Safety", "Fairness", "Sustainability")


def _spokes(*scores: float | None) -> list[Spoke]:
    return [Spoke(title, "63.7 %", score) for title, score in zip(_TITLES, scores, strict=True)]


def _outline(markup: str, color: str) -> list[tuple[float, float]]:
    """Ends of the outline's sides."""
    sides = re.findall(
        rf'<path d="M ([\d.]+) ([\d.]+) L ([\d.]+) ([\d.]+)"[^>]*var\(--{color}\)"[^>]*="2.4"/>',
        markup,
    )
    return [point for a, b, c, d in sides for point in ((float(a), float(b)), (float(c), float(d)))]


def _rings(markup: str) -> list[list[tuple[float, float]]]:
    rings = re.findall(r'<path d="M ([^"z]+) z" fill="none" stroke="var\(--line\)"', markup)
    return [
        [(float(x), float(y)) for x, y in (point.split() for point in ring.split(" L ")[:5])]
        for ring in rings
    ]


def test_a_score_lies_at_its_share_of_the_way_to_the_rim() -> None:
    scores = (1.0, 0.5, 0.25, 0.75, 0.1)
    markup = radar(_spokes(*scores), "accent", "a profile")
    rim = _rings(markup)[-1]
    centre = (sum(x for x, _ in rim) / 5, sum(y for _, y in rim) / 5)
    for (x, y), score, corner in zip(_outline(markup, "accent")[::2], scores, rim, strict=True):
        assert math.dist((x, y), centre) == pytest.approx(
            score * math.dist(corner, centre), abs=0.02
        )


def test_the_first_spoke_points_up_and_the_rest_go_clockwise() -> None:
    top, right = _rings(radar(_spokes(*[1.0] * 5), "accent", "a profile"))[-1][:2]
    assert top[1] < right[1]
    assert right[0] > top[0]


@pytest.mark.parametrize("unknown", range(5))
def test_an_unknown_score_opens_the_outline_and_is_named(unknown: int) -> None:
    scores = [0.5 if number != unknown else None for number in range(5)]
    markup = radar(_spokes(*scores), "accent", "a profile")
    assert len(_outline(markup, "accent")) == 2 * 3
    assert markup.count(">unknown</text>") == 1
    assert "stroke-dasharray" in markup


def test_the_interval_is_a_tint_between_its_ends() -> None:
    spokes = [Spoke(title, "x", 0.5, 0.4, 0.7) for title in _TITLES]
    assert radar(spokes, "accent", "a").count('fill-opacity="0.2"') == 5
    assert 'fill-opacity="0.2" d' not in radar(_spokes(*[0.5] * 5), "accent", "a")


@given(st.text())
def test_any_text_makes_a_well_formed_picture(text: str) -> None:
    canvas = Canvas(100, 50)
    canvas.text((10, 10), text)
    root = ElementTree.fromstring(canvas.markup(text))  # noqa: S314
    assert [node.tag for node in root] == ["text"]


def test_a_picture_has_no_style_no_ids_and_no_colours_of_its_own() -> None:
    canvas = Canvas(100, 50)
    for number, token in enumerate(TOKENS):
        canvas.line([(0, number), (100, number)], token)
        canvas.marker((5, number), number, token)
    canvas.text((1, 1), "words", bold=True, anchor="center")
    markup = canvas.markup("lines")
    assert all(f"var(--{token})" in markup for token in TOKENS)
    assert not re.search(r"style=|\bid=|#[0-9a-f]{6}|xlink|<style|<defs|metadata", markup)


_X = Axis("cost", 0.0, 10.0, "{:g}".format)
_Y = Axis("gain", 0.0, 1.0, "{:g}".format)


def test_a_frame_is_linear_and_y_grows_upwards() -> None:
    frame = Frame(_X, _Y)
    low, middle, high = (frame.at(x, y) for x, y in ((0, 0), (5, 0.5), (10, 1)))
    assert middle == pytest.approx(((low[0] + high[0]) / 2, (low[1] + high[1]) / 2))
    assert high[0] > low[0]
    assert high[1] > low[1]


@settings(deadline=None)  # the first picture imports matplotlib
@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_a_frame_holds_whatever_it_is_given(one: float, other: float) -> None:
    axis = Axis("any", min(one, other), max(one, other), "{:g}".format)
    frame = Frame(axis, _Y)
    for value in (one, other):
        x, _ = frame.at(value, 0.5)
        assert -1 <= x <= frame.canvas.width + 1


def _dot(name: str, x: float, y: float, *, front: bool) -> Dot:
    return Dot(name, x, y, (x - 0.5, x + 0.5), (y - 0.1, y + 0.1), "accent", 0, front)


def test_the_front_is_filled_and_joined_and_all_are_named() -> None:
    dots = [_dot("a", 1, 0.2, front=True), _dot("b", 5, 0.8, front=True)]
    dots.append(_dot("dominated", 6, 0.3, front=False))
    markup = scatter(_X, _Y, dots, "three")
    assert markup.count('fill="var(--paper)"') == 1
    assert markup.count('stroke-dasharray="4') == 1
    assert all(f">{name}</text>" in markup for name in ("a", "b", "dominated"))


def test_names_do_not_lie_on_one_another() -> None:
    dots = [_dot(f"backbone {n}", 5 + n / 100, 0.5 + n / 1000, front=False) for n in range(6)]
    markup = scatter(_X, _Y, dots, "crowded")
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>backbone', markup)
    places = {(round(float(x)), round(float(y))) for x, y in found}
    assert len(places) == 6


def test_names_do_not_lie_on_the_intervals_of_others() -> None:
    """The place beside `left` is that of `tall`, whose interval is all that stands there."""
    left = Dot("left", 4, 0.5, None, None, "accent", 0, front=False)
    tall = Dot("tall", 4.5, 0.2, None, (0.1, 0.9), "accent", 0, front=False)
    alone, beside = (
        re.search(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>left<', scatter(_X, _Y, dots, "two"))
        for dots in ([left], [left, tall])
    )
    assert alone is not None
    assert beside is not None
    here, there = Frame(_X, _Y).at(4, 0.5)[0], Frame(_X, _Y).at(4.5, 0.5)[0]
    assert float(alone[1]) < there < float(alone[1]) + 4 * 6
    assert not float(beside[1]) < there < float(beside[1]) + 4 * 6
    assert abs(float(beside[1]) - here) < 60


def test_a_curve_of_one_point_is_a_marker() -> None:
    line = Curve("PGD", ((5.0, 0.5, (0.4, 0.6)),), "accent", 1)
    markup = curves(_X, _Y, [line], "one point", ticks=[5.0])
    assert ">PGD</text>" in markup
    assert 'stroke-width="2"' not in markup


@given(st.text(max_size=60), st.integers(2, 30))
def test_shortened_text_fits(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text or text.startswith(short[:-1])
