"""Plots with two axes: a scatter with its Pareto front, and curves with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from reports.canvas import Anchor, Canvas, Point
from reports.matplotlib_home import settle_matplotlib

Interval = tuple[float, float]

Box = tuple[float, float, float, float]
"""Left, lower, right and upper end of room that is taken."""

_WIDTH: Final = 520
_HEIGHT: Final = 340
_LEFT, _RIGHT, _BOTTOM, _TOP = 58, 22, 56, 34
_CHARACTER: Final = 6.4
"""Width in pixels that a character of a label may take, on the safe side."""
_LABEL_SIZE: Final = 12
_LONGEST: Final = 22


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: its title, what it must hold, and how it writes its ticks."""

    title: str
    low: float
    high: float
    write: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a scatter with its 95 % intervals; `front` marks the Pareto front."""

    name: str
    x: float
    y: float
    x_interval: Interval | None
    y_interval: Interval | None
    color: str
    shape: int
    front: bool
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line through (x, y) with an interval of y where one is known."""

    name: str
    points: tuple[tuple[float, float, Interval | None], ...]
    color: str
    shape: int


class Frame:
    """Two axes on a canvas, and the map from data to it."""

    def __init__(self, x: Axis, y: Axis, *, ticks: Sequence[float] | None = None) -> None:
        self.canvas = Canvas(_WIDTH, _HEIGHT)
        self._x, self._y = x, y
        self._x_ticks = list(ticks) if ticks is not None else _ticks(x)
        self._y_ticks = _ticks(y)
        self._x_ends = _span(x, self._x_ticks if ticks is None else [])
        self._y_ends = _span(y, self._y_ticks)
        self._draw()

    def at(self, x: float, y: float) -> Point:
        """Where the data point (x, y) lies on the canvas."""
        (left, right), (low, high) = self._x_ends, self._y_ends
        across = (x - left) / (right - left)
        up = (y - low) / (high - low)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _BOTTOM + up * (_HEIGHT - _BOTTOM - _TOP),
        )

    def _draw(self) -> None:
        canvas, (left, right), low = self.canvas, self._x_ends, self._y_ends[0]
        for tick in self._y_ticks:
            start = self.at(left, tick)
            canvas.line([start, self.at(right, tick)], "line", width=1)
            label = (start[0] - 8, start[1] - 4)
            canvas.text(label, self._y.write(tick), "muted", size=_LABEL_SIZE, anchor="right")
        for tick in self._x_ticks:
            x, y = self.at(tick, low)
            canvas.line([(x, y), (x, y - 4)], "muted", width=1)
            text = self._x.write(tick)
            canvas.text((x, y - 18), text, "muted", size=_LABEL_SIZE, anchor="center")
        canvas.line([self.at(left, low), self.at(right, low)], "muted", width=1)
        middle = self.at((left + right) / 2, low)
        canvas.text((middle[0], 12), self._x.title, "ink", size=12.5, anchor="center")
        canvas.text((8, _HEIGHT - 14), self._y.title, "ink", size=12.5)


def scatter(x: Axis, y: Axis, dots: Sequence[Dot], alt: str, *, stamp: str = "") -> Markup:
    """Draw `dots` with their intervals; those of the front are joined and filled."""
    frame = Frame(x, y)
    frame.canvas.stamp(stamp)
    front = sorted((dot for dot in dots if dot.front), key=lambda dot: dot.x)
    if len(front) > 1:
        points = [frame.at(dot.x, dot.y) for dot in front]
        frame.canvas.line(points, "muted", width=1.2, dashes=(4, 3))
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in (frame.at(dot.x, dot.y) for dot in dots)]
    for dot in dots:
        taken += _whiskers(frame, dot)
    taken += _along([frame.at(dot.x, dot.y) for dot in front])
    for dot in sorted(dots, key=lambda dot: not dot.strong):
        here = frame.at(dot.x, dot.y)
        size = 6.0 if dot.strong else 4.5
        frame.canvas.marker(here, dot.shape, dot.color, size=size, hollow=not dot.front)
        taken.append(_name(frame, here, dot, taken))
    return frame.canvas.markup(alt)


def curves(
    x: Axis,
    y: Axis,
    lines: Sequence[Curve],
    alt: str,
    *,
    ticks: Sequence[float] | None = None,
    stamp: str = "",
) -> Markup:
    """Draw curves with whiskers, each named beside that of its points where there is most room."""
    frame = Frame(x, y, ticks=ticks)
    frame.canvas.stamp(stamp)
    drawn = [[frame.at(across, up) for across, up, _ in curve.points] for curve in lines]
    places = _label_places(drawn)
    for curve, points, place in zip(lines, drawn, places, strict=True):
        frame.canvas.text(place, shorten(curve.name), "ink", size=_LABEL_SIZE)
        if len(points) > 1:
            frame.canvas.line(points, curve.color, width=2)
        for across, up, interval in curve.points:
            if interval is not None:
                ends = [frame.at(across, interval[0]), frame.at(across, interval[1])]
                frame.canvas.line(ends, curve.color, width=1.2)
            frame.canvas.marker(frame.at(across, up), curve.shape, curve.color, size=4)
    return frame.canvas.markup(alt)


def _label_places(curves_drawn: Sequence[Sequence[Point]]) -> list[Point]:
    """For each curve the place beside one of its points farthest from all other ink."""
    places: list[Point] = []
    for index, points in enumerate(curves_drawn):
        others = [p for i, curve in enumerate(curves_drawn) if i != index for p in curve]
        others += [_between(a, b, share) for a, b in pairwise(points) for share in (0.3, 0.6)]
        # The last point of a line has no room to its right.
        free = points[:-1] if len(points) > 1 else points
        beside = [(left + 9.0, up + shift) for left, up in free for shift in (9.0, -13.0)]
        places.append(max(beside, key=lambda here: _room(here, [*others, *places])))
    return places


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _room(here: Point, ink: Sequence[Point]) -> float:
    """Distance to the nearest ink; sideways counts less, since a label is wide."""
    return min(
        (math.hypot((left - here[0]) / 3, up - here[1]) for left, up in ink), default=math.inf
    )


def shorten(text: str, limit: int = _LONGEST) -> str:
    """`text`, cut with an ellipsis where it is longer than `limit` characters.

    Examples
    --------
    >>> shorten("wavlm_base_plus"), shorten("a" * 30, 6)
    ('wavlm_base_plus', 'aaaaa…')
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _ticks(axis: Axis) -> list[float]:
    settle_matplotlib()
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    ticks = MaxNLocator(nbins=5, min_n_ticks=3).tick_values(*_open(axis.low, axis.high))
    return [float(tick) for tick in ticks]


def _open(low: float, high: float) -> Interval:
    """The ends, pulled apart where they are the same."""
    return (low, high) if high > low else (low - abs(low) / 10 - 1e-9, high + abs(high) / 10 + 1e-9)


def _span(axis: Axis, ticks: Sequence[float]) -> Interval:
    low, high = _open(axis.low, axis.high)
    return min([low, *ticks]), max([high, *ticks])


def _whiskers(frame: Frame, dot: Dot) -> list[Box]:
    """Draw the dot's intervals; return the room they take."""
    boxes: list[Box] = []
    if dot.y_interval is not None:
        low, high = (frame.at(dot.x, end) for end in dot.y_interval)
        frame.canvas.line([low, high], dot.color, width=1.2)
        boxes.append((low[0] - 1, low[1], high[0] + 1, high[1]))
    if dot.x_interval is not None:
        left, right = (frame.at(end, dot.y) for end in dot.x_interval)
        frame.canvas.line([left, right], dot.color, width=1.2)
        boxes.append((left[0], left[1] - 1, right[0], right[1] + 1))
    return boxes


def _name(frame: Frame, here: Point, dot: Dot, taken: Sequence[Box]) -> Box:
    """Write the dot's name at the first free place beside it or at the ends of its interval;
    return the room it takes."""
    text = shorten(dot.name)
    x, y = here
    low, high = (frame.at(dot.x, end)[1] for end in dot.y_interval or (dot.y, dot.y))
    places: list[tuple[Point, Anchor]] = [
        ((x + 11, y - 4), "left"), ((x - 11, y - 4), "right"),
        ((x + 6, y + 11), "left"), ((x + 6, y - 20), "left"),
        ((x - 6, y + 11), "right"), ((x - 6, y - 20), "right"),
        ((x, y + 16), "center"), ((x, y - 26), "center"),
        ((x, low - 14), "center"), ((x, high + 6), "center"),
    ]  # fmt: skip
    free = [place for place in places if _fits(_box(place[0], text, place[1]), taken)]
    at, anchor = free[0] if free else places[0]
    frame.canvas.text(at, text, "ink", size=_LABEL_SIZE, anchor=anchor, bold=dot.strong)
    return _box(at, text, anchor)


def _along(points: Sequence[Point]) -> list[Box]:
    """Small boxes along a polyline, so that no name is written across it."""
    boxes: list[Box] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(1, int(math.hypot(x1 - x0, y1 - y0) / 6))
        for step in range(steps + 1):
            x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
            boxes.append((x - 1, y - 1, x + 1, y + 1))
    return boxes


def _box(at: Point, text: str, anchor: Anchor) -> Box:
    width = _CHARACTER * len(text)
    left = at[0] - {"left": 0.0, "center": width / 2, "right": width}[anchor]
    return left, at[1] - 3, left + width, at[1] + 10


def _fits(box: Box, taken: Sequence[Box]) -> bool:
    left, low, right, high = box
    if left < _LEFT or right > _WIDTH or low < _BOTTOM or high > _HEIGHT - _TOP:
        return False
    return not any(
        left < other[2] and other[0] < right and low < other[3] and other[1] < high
        for other in taken
    )
