"""A decision as one self-contained HTML file."""

from __future__ import annotations

import re
from html import unescape
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from advisor.decision import Decision
from advisor.ranking.methods import METHODS
from profiles_db.files import write_text
from reports.advice_pictures import plane_picture, profile_pictures
from reports.advice_view import View
from reports.embedded import as_script, decision_text
from reports.page import render_page

_MADE_AT: Final = re.compile(r'<meta name="trustser-made-at" content="([^"]*)">')
_EXCERPT: Final = 120


def write_advice(decision: Decision, path: Path, *, made_at: str | None = None) -> None:
    """Write the report of `decision` to `path`, atomically.

    Parameters
    ----------
    decision : Decision
    path : Path
        The HTML file; its folder must exist.
    made_at : str or None
        Time of making as the report shall print it, or None to leave it out. It is all that may
        tell two reports of one decision apart.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_text(path, render_advice(decision, made_at=made_at))


def render_advice(decision: Decision, *, made_at: str | None = None) -> str:
    """The report of `decision` as the text of an HTML file; see `write_advice`."""
    method = METHODS[decision.scenario.method].script
    return render_page(
        "advice.html.j2",
        _context(decision, made_at),
        script="advice.js" if method else None,
        inserts={"the method": method or ""},
    )


def shown_otherwise(report: str, where: str) -> str | None:
    """The first line of a report that is not as this version shows the decision inside.

    Parameters
    ----------
    report : str
        Text of the file.
    where : str
        What errors call it.

    Returns
    -------
    str or None
        `line 12: ...`; None where the whole page shows what its data says.

    Raises
    ------
    InputError
        If there is no decision inside.
    """
    decision = Decision.from_json(decision_text(report, where))
    made_at = _MADE_AT.search(report)
    expected = render_advice(decision, made_at=unescape(made_at[1]) if made_at else None)
    pairs = zip_longest(report.splitlines(), expected.splitlines(), fillvalue="")
    for number, (found, right) in enumerate(pairs, 1):
        if found != right:
            return f"line {number}: {found.strip()[:_EXCERPT]}"
    return None


def _context(decision: Decision, made_at: str | None) -> dict[str, Any]:
    view = View(decision)
    return {
        "decision": decision,
        "view": view,
        "made_at": made_at,
        "profiles": profile_pictures(view),
        "plane": plane_picture(view),
        "embedded": as_script(decision.to_json()),
        "methods": METHODS,
    }
