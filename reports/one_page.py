"""The first part of an advice report as one page of PDF, from the same words and figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from advisor.decision import Decision
from profiles_db.files import replacing
from reports import wording
from reports.advice_view import View
from reports.matplotlib_home import settle_matplotlib
from reports.minute import Minute, Risk, minute
from reports.trust_axis import TrustAxis

if TYPE_CHECKING:
    from fpdf import FPDF

_Color = tuple[int, int, int]

_MARGIN: Final = 15.0
_WIDTH: Final = 210.0 - 2 * _MARGIN
_GAP: Final = 8.0
_FOOT: Final = 279.0
"""Where the last lines begin, in mm from the top of an A4 sheet."""
_POINT: Final = 25.4 / 72
_INK: Final[_Color] = (24, 33, 45)
_MUTED: Final[_Color] = (84, 95, 110)
_LINE: Final[_Color] = (216, 222, 230)
_SUNK: Final[_Color] = (238, 241, 245)
_WARN: Final[_Color] = (164, 64, 12)
_WARN_BACK: Final[_Color] = (253, 238, 227)
_ACCENT: Final[_Color] = (21, 90, 156)
_GRADES: Final[dict[str, _Color]] = {
    "strong": (23, 105, 79),
    "poor": (163, 42, 42),
} | dict.fromkeys(("flagged", "unknown", "no better than guessing"), _WARN)
_ASPECTS: Final[tuple[_Color, ...]] = (
    (31, 78, 140), (189, 98, 171), (181, 54, 31), (47, 158, 128), (176, 138, 18), (93, 63, 160),
)  # fmt: skip
"""The colours of the aspects in `style.css`, on paper."""
_FONTS: Final = {
    ("sans", ""): "DejaVuSans.ttf",
    ("sans", "B"): "DejaVuSans-Bold.ttf",
    ("mono", ""): "DejaVuSansMono.ttf",
}


def write_page(decision: Decision, path: Path, *, made_at: str) -> None:
    """Write the first part of the report of `decision` as one A4 page of PDF, atomically.

    Parameters
    ----------
    decision : Decision
    path : Path
        The PDF file; its folder must exist.
    made_at : str
        Time of making, as ISO 8601: a PDF file always has one.

    Raises
    ------
    ModuleNotFoundError
        If fpdf2 is not installed.
    OutputError
        If the file cannot be written.
    """
    content = render_one_page(decision, made_at=made_at)
    with replacing(path) as part:
        part.write_bytes(content)


def render_one_page(decision: Decision, *, made_at: str) -> bytes:
    """The page of `decision` as the bytes of a PDF file; see `write_page`."""
    sheet = _Sheet(decision, made_at)
    view = View(decision)
    shown = minute(view)
    sheet.shouts(view)
    sheet.heading(view, shown)
    sheet.facts(view)
    if shown.risks:
        sheet.risks(view, shown)
    sheet.below(shown)
    sheet.foot()
    return sheet.content()


class _Sheet:
    """One sheet, written from the top down; `_y` is where the next thing goes, in mm."""

    def __init__(self, decision: Decision, made_at: str) -> None:
        self._decision, self._made_at = decision, made_at
        self._pdf = _blank()
        self._known = set(self._pdf.fonts["sans"].cmap)
        self._y = _MARGIN
        title = f"{decision.choice or 'No candidate'} for {decision.scenario.title}"
        self._pdf.set_title(self._plain(title))
        self._pdf.set_lang("en")
        self._pdf.set_creation_date(datetime.fromisoformat(made_at))

    def content(self) -> bytes:
        """The bytes of the file."""
        return bytes(self._pdf.output())

    def shouts(self, view: View) -> None:
        """Say first where the evidence is no basis for a choice."""
        if not view.shouts:
            return
        self._pdf.set_fill_color(*_WARN_BACK)
        self._pdf.rect(_MARGIN, self._y, _WIDTH, 9, style="F")
        self._y += 2
        said = f"Do not choose by this page: {' and '.join(view.shouts)}."
        self._text(said, 10, _MARGIN + 3, _WIDTH - 6, most=1, style="B", color=_WARN)
        self._y += 5

    def heading(self, view: View, shown: Minute) -> None:
        """The choice or the tie, in large letters, and what it rests on."""
        said = f"TrustSER advice · {self._decision.scenario.title}"
        self._text(said, 9, most=1, color=_MUTED)
        self._y += 3
        if view.chosen:
            self._text(view.eyebrow, 10, style="B", color=_ACCENT, most=1)
        title = _either([view.title(name) for name in view.alike]) if view.chosen else view.nothing
        self._text(title, 26, style="B", most=3, spacing=1.15)
        marks = sorted({mark for candidate in shown.shown for mark in candidate.marks})
        if marks:
            self._text(", ".join(marks), 9, style="B", color=_WARN, most=2)
        self._y += 2
        self._text(shown.lede, 12, most=5)
        self._y += 6

    def facts(self, view: View) -> None:
        """How sure, of how many, on what evidence: side by side."""
        decision = self._decision
        facts = [
            ("Candidates", str(len(decision.candidates)), view.standings),
            ("Evidence", decision.study.kind, decision.study.title),
        ]
        if view.chosen:
            draws = f"of {decision.sampling.draws:,} draws"
            facts.insert(0, ("Same choice in", wording.probability(decision.confidence), draws))
        width, top, lowest = _WIDTH / len(facts), self._y, self._y
        for number, (name, value, more) in enumerate(facts):
            self._y, left = top, _MARGIN + number * width
            self._text(name, 8, left, width - 4, color=_MUTED, most=1)
            self._text(value, 12, left, width - 4, style="B", most=1)
            self._text(more, 8, left, width - 4, color=_MUTED, most=2)
            lowest = max(lowest, self._y)
        self._y = lowest + 8

    def risks(self, view: View, shown: Minute) -> None:
        """One row an aspect, one column a candidate: figure, interval, grade and a line."""
        self._title("What it does and costs")
        first = 58.0
        width = (_WIDTH - first) / len(shown.shown)
        top = self._y
        for number, candidate in enumerate(shown.shown):
            self._y = top
            left = _MARGIN + first + number * width
            self._text(candidate.title, 10, left, width - 4, style="B", most=1)
        self._y = max(self._y, top + 4) + 1
        for risk in shown.risks:
            self._risk(risk, first, width)
        said = f"{view.costs_caption} {shown.level_too}".strip()
        self._text(said, 8, color=_MUTED, most=2)
        self._y += 7

    def _risk(self, risk: Risk, first: float, width: float) -> None:
        self._rule()
        top = self._y
        self._dot(_MARGIN + 1.2, top + 2.3, 1.3, _ASPECTS[risk.number])
        self._text(risk.words, 10, _MARGIN + 4, first - 8, most=3)
        lowest = self._y
        for number, (axis, grade) in enumerate(zip(risk.axes, risk.graded, strict=True)):
            self._y, left = top, _MARGIN + first + number * width
            known = axis.score is not None
            color = _GRADES.get(grade, _INK)
            said = f"{axis.reading}, {grade}" if known else axis.reading
            self._text(said, 10, left, width - 2, style="B", color=color, most=2)
            if known:
                self._text(axis.certainty, 8, left, width - 3, _MUTED, most=2)
                self._span(axis, left, min(width - 6, 44), _ASPECTS[risk.number])
            lowest = max(lowest, self._y)
        self._y = lowest + 2.5

    def _span(self, axis: TrustAxis, left: float, width: float, color: _Color) -> None:
        place = axis.place
        if place is None:
            return
        here, low, high = (left + share * width for share in place)
        middle = self._y + 1.8
        self._pdf.set_fill_color(*_LINE)
        self._pdf.rect(left, middle - 0.3, width, 0.6, style="F")
        self._pdf.set_fill_color(*_between(color, (255, 255, 255)))
        self._pdf.rect(low, middle - 1, max(high - low, 0.1), 2, style="F")
        self._dot(here, middle, 1.2, color)
        self._y += 3.8

    def below(self, shown: Minute) -> None:
        """What would change it, and what to measure next: side by side."""
        half = (_WIDTH - _GAP) / 2
        top = self._y
        for title, changes in shown.changes.items():
            self._title(title, half)
            for change in changes:
                self._text(change.cause, 10, _MARGIN, half, _MUTED, most=2)
                self._text(change.result, 10, _MARGIN, half, style="B", most=1)
                self._y += 1.5
            self._y += 2
        if not shown.changes:
            self._title("What would change it", half)
            self._text(shown.unchanged, 10, _MARGIN, half, most=2)
        step = shown.next_step
        if step is None:
            return
        self._y, left = top, _MARGIN + half + _GAP
        self._title("What to measure next", half, left)
        self._text(f"{step.what} {step.gain}".strip(), 10, left, half, most=6)
        if step.command:
            self._command(step.command, left, half)
            self._text(step.note, 9, left, half, _MUTED, most=1)

    def _command(self, command: str, left: float, width: float) -> None:
        self._y += 2
        self._pdf.set_font("mono", "", 7.5)
        lines = self._lines(command.replace("\n", " ; "), width - 4, 6)
        height = 1.35 * 7.5 * _POINT
        self._pdf.set_fill_color(*_SUNK)
        self._pdf.rect(left, self._y, width, len(lines) * height + 3, style="F")
        self._y += 1.5
        self._write(lines, left + 2, height, _INK)
        self._y += 3.5

    def foot(self) -> None:
        """Which decision this is, so that the page leads back to its report."""
        version = self._decision.versions.get("trustser", "")
        made = f"Made by TrustSER {version} on {self._made_at}"
        said = f"{made} from the decision {self._decision.hash}."
        self._y = _FOOT
        self._text(said, 6.5, color=_MUTED, most=2)

    def _title(self, text: str, width: float = _WIDTH, left: float = _MARGIN) -> None:
        self._text(text, 12, left, width, style="B", most=1)
        self._y += 1.5

    def _rule(self) -> None:
        self._pdf.set_draw_color(*_LINE)
        self._pdf.line(_MARGIN, self._y, _MARGIN + _WIDTH, self._y)
        self._y += 1.5

    def _dot(self, x: float, y: float, radius: float, color: _Color) -> None:
        self._pdf.set_fill_color(*color)
        self._pdf.circle(x, y, radius, style="F")

    def _text(
        self,
        text: str,
        size: float,
        left: float = _MARGIN,
        width: float = _WIDTH,
        color: _Color = _INK,
        *,
        most: int,
        style: str = "",
        spacing: float = 1.35,
    ) -> None:
        """Write text from where the sheet is, broken into lines, `most` of them."""
        self._pdf.set_font("sans", style, size)
        self._write(self._lines(text, width, most), left, spacing * size * _POINT, color)

    def _lines(self, text: str, width: float, most: int) -> list[str]:
        """The lines of a text in the font that is set, the last one cut where there are more."""
        lines: list[str] = self._pdf.multi_cell(
            width, text=self._plain(text), dry_run=True, output="LINES", align="L"
        )
        if len(lines) <= most:
            return lines
        last = lines[most - 1]
        while last and self._pdf.get_string_width(f"{last}…") > width - 2:
            last = last[:-1]
        return [*lines[: most - 1], f"{last.rstrip()}…"]

    def _write(self, lines: Sequence[str], left: float, height: float, color: _Color) -> None:
        self._pdf.set_text_color(*color)
        for line in lines:
            self._pdf.set_xy(left, self._y)
            self._pdf.cell(0, height, line)
            self._y += height

    def _plain(self, text: str) -> str:
        """Text on one line, what the font cannot write replaced by the sign for that."""
        kept = (c if c.isprintable() else " " for c in text)
        words = wording.prose(" ".join("".join(kept).split()))
        return "".join(c if ord(c) in self._known else "\N{REPLACEMENT CHARACTER}" for c in words)


def _blank() -> FPDF:
    """An empty sheet with the fonts that ship with matplotlib."""
    settle_matplotlib()
    # Both take a while to load, and who writes no PDF needs neither.
    import matplotlib as mpl  # noqa: PLC0415
    from fpdf import FPDF  # noqa: PLC0415

    pdf: Any = FPDF(format="A4")
    pdf.set_auto_page_break(auto=False)
    pdf.c_margin = 0
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for (family, style), name in _FONTS.items():
        pdf.add_font(family, style, str(folder / name))
    pdf.add_page()
    pdf.set_creator("TrustSER")
    return pdf


def _either(titles: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(titles[:-1]), titles[-1]]))


def _between(color: _Color, other: _Color) -> _Color:
    """A tint: opaque, since paper has no transparency."""
    red, green, blue = (round(0.4 * one + 0.6 * two) for one, two in zip(color, other, strict=True))
    return red, green, blue
