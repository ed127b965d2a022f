"""A sheet to draw on: matplotlib's SVG renderer, made fit for a page with themes and a strict CSP.

Pictures are drawn straight on matplotlib's renderer instead of through its `Figure`: importing the
axes costs a good part of the time that `advise` may take. What the renderer writes is then
cleaned: no `style` attribute (a strict Content-Security-Policy forbids them), no metadata, no ids,
and every colour a CSS variable, so that light, dark and print are a matter of the style sheet.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, Final, Literal
from xml.etree import ElementTree

from markupsafe import Markup, escape

from profiles_db.criteria import ASPECTS
from reports.matplotlib_home import settle_matplotlib

Point = tuple[float, float]
Anchor = Literal["left", "center", "right"]

TOKENS: Final[tuple[str, ...]] = (
    "ink",
    "muted",
    "line",
    "paper",
    "accent",
    "warn",
    *(f"aspect-{number}" for number in range(len(ASPECTS))),
    *(f"backbone-{number}" for number in range(8)),
)
"""Colours by name; the style sheet gives each its value per theme."""

_NUMBER: Final = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_SENTINEL: Final = re.compile(r"#0000([0-9a-f]{2})")
_UNPRINTABLE: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Canvas:
    """An SVG picture of `width` x `height` CSS pixels; y grows upwards, as in a plot.

    Examples
    --------
    >>> canvas = Canvas(40, 20)
    >>> canvas.line([(0, 0), (40, 20)], "accent")
    >>> print(canvas.markup("a rising line"))  # doctest: +NORMALIZE_WHITESPACE
    <svg class="picture" role="img" viewBox="0 0 40 20" aria-label="a rising line"><path
    d="M 0 20 L 40 0" fill="none" stroke="var(--accent)" stroke-width="1.5"/></svg>
    """

    def __init__(self, width: int, height: int) -> None:
        settle_matplotlib()
        from matplotlib.backends.backend_svg import RendererSVG  # noqa: PLC0415 (costs 0.5 s)

        self.width, self.height = width, height
        self._buffer = io.StringIO()
        renderer: Any = RendererSVG
        self._renderer = renderer(width, height, self._buffer)

    def line(
        self,
        points: Sequence[Point],
        color: str,
        *,
        width: float = 1.5,
        dashes: Sequence[float] | None = None,
        closed: bool = False,
    ) -> None:
        """Draw a polyline through `points`."""
        graphics = self._graphics(color, width)
        if dashes is not None:
            graphics.set_dashes(0, list(dashes))
        self._draw(graphics, points, None, closed=closed)

    def polygon(self, points: Sequence[Point], fill: str, *, opacity: float = 1.0) -> None:
        """Fill a closed polygon."""
        self._draw(self._graphics(fill, 0.0), points, (*_sentinel(fill), opacity), closed=True)

    def marker(
        self, at: Point, shape: int, color: str, *, size: float = 4.5, hollow: bool = False
    ) -> None:
        """Draw the marker number `shape` (circle, square, diamond, triangles, ...)."""
        from matplotlib.markers import MarkerStyle  # noqa: PLC0415
        from matplotlib.transforms import Affine2D  # noqa: PLC0415

        style = MarkerStyle("osD^v<>p"[shape % 8])
        outline = style.get_path().transformed(style.get_transform() + Affine2D().scale(2 * size))
        face = _sentinel("paper" if hollow else color)
        graphics = self._graphics(color, 1.8)
        self._renderer.draw_path(graphics, outline, Affine2D().translate(*at), face)

    def text(
        self,
        at: Point,
        text: str,
        color: str = "ink",
        *,
        size: float = 12,
        anchor: Anchor = "left",
        bold: bool = False,
    ) -> None:
        """Write one line whose baseline starts at, ends at or is centred on `at`."""
        from matplotlib import rc_context  # noqa: PLC0415
        from matplotlib.font_manager import FontProperties  # noqa: PLC0415
        from matplotlib.text import Text  # noqa: PLC0415

        font = FontProperties(size=size, weight="bold" if bold else "normal")
        text = _printable(text)
        graphics, placed = self._graphics(color, 1.0), Text(*at, text, ha=anchor)
        with rc_context({"svg.fonttype": "none"}):
            self._renderer.draw_text(
                graphics, at[0], self.height - at[1], text, font, 0, mtext=placed
            )

    def stamp(self, text: str) -> None:
        """Print a warning along the upper edge, so that it travels with the picture."""
        if text:
            at = (self.width - 2, self.height - 13)
            self.text(at, text.upper(), "warn", size=10.5, anchor="right", bold=True)

    def markup(self, alt: str) -> Markup:
        """Finish the picture: an element for the page, with `alt` as its text alternative."""
        self._renderer.finalize()
        root = ElementTree.fromstring(self._buffer.getvalue())  # noqa: S314 (written above)
        body = "".join(_cleaned(child) for child in root)
        size, words = f"0 0 {self.width} {self.height}", escape(_printable(alt))
        opening = f'<svg class="picture" role="img" viewBox="{size}" aria-label="{words}">'
        return Markup(f"{opening}{body}</svg>")  # noqa: S704 (made of escaped parts)

    def _graphics(self, color: str, width: float) -> Any:
        graphics = self._renderer.new_gc()
        graphics.set_foreground((*_sentinel(color), 1.0), isRGBA=True)
        graphics.set_linewidth(width)
        graphics.set_joinstyle("round")
        return graphics

    def _draw(self, graphics: Any, points: Sequence[Point], face: Any, *, closed: bool) -> None:
        from matplotlib.path import Path  # noqa: PLC0415
        from matplotlib.transforms import IdentityTransform  # noqa: PLC0415

        path = Path([*points, points[0]] if closed else list(points), closed=closed)
        path.should_simplify = False
        self._renderer.draw_path(graphics, path, IdentityTransform(), face)


def _sentinel(token: str) -> tuple[float, float, float]:
    """A colour of no meaning that stands for `token` until the markup is cleaned."""
    return (0.0, 0.0, (TOKENS.index(token) + 1) / 255)


def _printable(text: str) -> str:
    """`text` without control characters, for which XML has no place."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _cleaned(element: ElementTree.Element) -> str:
    """Serialise `element` without namespaces, styles, ids and needless digits."""
    tag = element.tag.rpartition("}")[2]
    if tag in {"metadata", "defs"}:
        return ""
    attributes = "".join(f' {name}="{escape(text)}"' for name, text in _attributes(tag, element))
    inner = escape(element.text or "") if tag == "text" else ""
    inner += "".join(_cleaned(child) for child in element)
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _attributes(tag: str, element: ElementTree.Element) -> list[tuple[str, str]]:
    style = dict(part.split(": ", 1) for part in element.get("style", "").split("; ") if part)
    style.pop("font-family", None)  # the page's own
    own = {name: element.get(name, "") for name in ("d", "x", "y") if element.get(name)}
    if tag == "path" and "fill" not in style:
        style["fill"] = "var(--ink)"
    return [(name, _short(text)) for name, text in (own | style).items()]


def _short(text: str) -> str:
    text = _SENTINEL.sub(lambda found: f"var(--{TOKENS[int(found[1], 16) - 1]})", text)
    text = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), text)
    return " ".join(text.split())
