"""The trust-profile radar: one score an aspect on fixed scales, the rim best, the centre worst."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from reports.canvas import Canvas, Point

_WIDTH: Final = 344
_HEIGHT: Final = 292
_CENTRE: Final[Point] = (172, 134)
_RADIUS: Final = 92
_FEW: Final = 5
"""With more spokes, their ends lie nearer to the sides, and labels further out."""
_RINGS: Final = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Spoke:
    """One axis of the radar.

    `score`, `low` and `high` are scores in [0, 1]; `score` is None where the figure is unknown,
    `low` and `high` where no interval is known. `reading` is the figure in words, for the text
    alternative: beside a spoke stands the score, which is what its length shows.
    """

    title: str
    reading: str
    score: float | None
    low: float | None = None
    high: float | None = None


def radar(
    spokes: Sequence[Spoke],
    color: str,
    alt: str,
    *,
    reference: Sequence[float | None] = (),
    stamp: str = "",
) -> Markup:
    """Draw one profile, its interval as a band, and `reference` as a dashed outline.

    An unknown score is a gap in the outline and a dotted spoke with the word: never the centre.
    `stamp` is printed across the foot of the picture, for evidence that must not be trusted.
    """
    canvas = Canvas(_WIDTH, _HEIGHT)
    canvas.stamp(stamp)
    _grid(canvas, spokes)
    if reference:
        _outline(canvas, reference, "muted", width=1.4, dashes=(4, 3))
    _uncertainty(canvas, spokes, color)
    scores = [spoke.score for spoke in spokes]
    _outline(canvas, scores, color, width=2.4)
    for number, spoke in enumerate(spokes):
        if spoke.score is not None:
            canvas.marker(_at(number, len(spokes), spoke.score), 0, color, size=3.2)
        _label(canvas, number, len(spokes), spoke)
    return canvas.markup(alt)


def _at(number: int, count: int, score: float) -> Point:
    angle = math.pi / 2 - 2 * math.pi * number / count
    x, y = _CENTRE
    return (x + _RADIUS * score * math.cos(angle), y + _RADIUS * score * math.sin(angle))


def _grid(canvas: Canvas, spokes: Sequence[Spoke]) -> None:
    count = len(spokes)
    for ring in _RINGS:
        points = [_at(number, count, ring) for number in range(count)]
        canvas.line(points, "line", width=1.0 if ring < 1 else 1.4, closed=True)
    for number, spoke in enumerate(spokes):
        known = spoke.score is not None
        ends = [_CENTRE, _at(number, count, 1.0)]
        canvas.line(ends, "line" if known else "warn", width=1.0, dashes=None if known else (2, 4))


def _outline(
    canvas: Canvas,
    scores: Sequence[float | None],
    color: str,
    *,
    width: float,
    dashes: Sequence[float] | None = None,
) -> None:
    count = len(scores)
    for number, score in enumerate(scores):
        following = scores[(number + 1) % count]
        if score is not None and following is not None:
            ends = [_at(number, count, score), _at((number + 1) % count, count, following)]
            canvas.line(ends, color, width=width, dashes=dashes)


def _uncertainty(canvas: Canvas, spokes: Sequence[Spoke], color: str) -> None:
    """Tint between the low and the high end, sector by sector, so that a gap stays a gap."""
    count = len(spokes)
    for number, spoke in enumerate(spokes):
        after = (number + 1) % count
        here, there = _ends(spoke), _ends(spokes[after])
        if here is None or there is None:
            continue
        corners = [
            _at(number, count, here[0]),
            _at(number, count, here[1]),
            _at(after, count, there[1]),
            _at(after, count, there[0]),
        ]
        canvas.polygon(corners, color, opacity=0.2)


def _ends(spoke: Spoke) -> tuple[float, float] | None:
    if spoke.score is None:
        return None
    if spoke.low is None or spoke.high is None:
        return spoke.score, spoke.score
    return spoke.low, spoke.high


def _label(canvas: Canvas, number: int, count: int, spoke: Spoke) -> None:
    x, y = _at(number, count, 1.0)
    x += (x - _CENTRE[0]) * (0.34 if count <= _FEW else 0.42)
    y += 24 if y > _CENTRE[1] else -20
    canvas.text((x, y), spoke.title, "ink", size=12.5, anchor="center", bold=True)
    known = spoke.score is not None
    said, color = (f"score {spoke.score:.2f}", "muted") if known else ("unknown", "warn")
    canvas.text((x, y - 15), said, color, size=12, anchor="center")
