"""The data a report carries: put into the page so that it cannot break out, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from profiles_db.errors import InputError
from profiles_db.files import MEBIBYTE, read_text

DECISION_ID: Final = "trustser-decision"
_OPENING: Final = '<script type="application/json" id="{}">'
_CLOSING: Final = "</script>"
_MAXIMUM_BYTES: Final = 20 * MEBIBYTE
_ESCAPES: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def as_script(text: str, element_id: str = DECISION_ID) -> Markup:
    """JSON as a data block: no `<` is left in it, so no text in it can end the element.

    Examples
    --------
    >>> print(as_script('{"title": "</p>"}', "data"))
    <script type="application/json" id="data">{"title": "\\u003c/p\\u003e"}</script>
    """
    return Markup(_OPENING.format(element_id) + text.translate(_ESCAPES) + _CLOSING)  # noqa: S704


def read_decision(path: Path) -> dict[str, Any]:
    """The decision that the report at `path` carries, as plain data.

    Raises
    ------
    InputError
        If the file cannot be read, is no report of this program, or carries broken data.
    """
    text = decision_text(read_report(path), str(path))
    try:
        decision = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the decision inside is not JSON: {error}", where=str(path)) from error
    if not isinstance(decision, dict):
        raise InputError("the decision inside is not an object", where=str(path))
    return decision


def decision_text(report: str, where: str) -> str:
    """The JSON text of the decision inside the text of a report; `where` names it in errors."""
    parts = report.split(_OPENING.format(DECISION_ID))
    if len(parts) != 2 or _CLOSING not in parts[1]:  # noqa: PLR2004
        raise InputError(
            "more than one decision inside" if len(parts) > 2 else "no decision inside",  # noqa: PLR2004
            where=where,
            rule="an advice report carries exactly one",
            remedy="give a report that `trustser advise` wrote",
        )
    return parts[1].partition(_CLOSING)[0]


def read_report(path: Path) -> str:
    """The text of the report at `path`, its lines ended as this program ends them.

    Raises
    ------
    InputError
        If the file cannot be read, is too large for a report, or is no text.
    """
    # Mail and version control may have changed the line ends, which alters nothing that is shown.
    return read_text(path, _MAXIMUM_BYTES).replace("\r\n", "\n").replace("\r", "\n")
