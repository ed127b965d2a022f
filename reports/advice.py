"""A decision as one self-contained HTML file."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any, Final

from advisor.decision import Decision
from advisor.ranking.methods import METHODS
from profiles_db.files import write_text
from reports.advice_pictures import plane_picture, profile_pictures
from reports.advice_view import View
from reports.auditing import general_limits, licence_titles, licences, populations
from reports.cited import Rows
from reports.embedded import as_script, decision_text
from reports.minute import minute
from reports.page import render_page
from reports.same_page import first_difference, text_of
from reports.scenario_text import SCENARIO_ID, scenario_parts

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
        scripts=("sign_off.js", "advice.js") if method else ("sign_off.js",),
        inserts={"the method": method or ""},
    )


def shown_otherwise(report: str, where: str) -> str | None:
    """The first thing in a report that is not as this version shows the decision inside.

    The entries of its sign-off are not looked at, nor whether a browser wrote the page anew.

    Parameters
    ----------
    report : str
        Text of the file.
    where : str
        What errors call it.

    Returns
    -------
    str or None
        `line 12: ...`, with the sentences that it should hold and does not; None where the whole
        page shows what its data says.

    Raises
    ------
    InputError
        If there is no decision inside.
    """
    decision = Decision.from_json(decision_text(report, where))
    made_at = _MADE_AT.search(report)
    expected = render_advice(decision, made_at=unescape(made_at[1]) if made_at else None)
    difference = None if report == expected else first_difference(report, expected)
    if difference is None:
        return None
    lost = _sentences_lost(decision, text_of(report), text_of(expected))
    return f"line {difference[0]}: {difference[1][:_EXCERPT]}{lost}"


def _sentences_lost(decision: Decision, shown: str, due: str) -> str:
    """The sentences of the decision that a page should hold and does not, in words."""
    lost = dict.fromkeys(
        sentence.text
        for sentence in decision.explanation
        if (text := "".join(sentence.text.split())) in due and text not in shown
    )
    return "".join(f" It should say “{text}”" for text in lost)


def _context(decision: Decision, made_at: str | None) -> dict[str, Any]:
    view, rows, parts = View(decision), Rows(decision), scenario_parts(decision)
    return {
        "decision": decision,
        "view": view,
        "rows": rows,
        "linked": rows.sentences(),
        "minute": minute(view),
        "populations": populations(decision.study),
        "limits": general_limits(decision.candidates),
        "licences": licences,
        "licence_titles": licence_titles(),
        "made_at": made_at,
        "profiles": profile_pictures(view),
        "plane": plane_picture(view),
        "embedded": as_script(decision.to_json()),
        "scenario": None if parts is None else as_script(parts, SCENARIO_ID),
        "methods": METHODS,
    }
