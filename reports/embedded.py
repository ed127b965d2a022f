"""The data a report carries: put into the page so that it cannot break out, and read back."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from profiles_db.errors import InputError

DECISION_ID: Final = "trustser-decision"
_MAXIMUM_BYTES: Final = 20_000_000
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
    data = text.translate(_ESCAPES)
    return Markup(f'<script type="application/json" id="{element_id}">{data}</script>')  # noqa: S704


def read_decision(path: Path) -> dict[str, Any]:
    """The decision that the report at `path` carries, as plain data.

    Raises
    ------
    InputError
        If the file cannot be read, is no report of this program, or carries broken data.
    """
    import json  # noqa: PLC0415

    text = decision_text(path)
    try:
        decision = json.loads(text)
    except ValueError as error:
        raise InputError(f"the decision inside is not JSON: {error}", where=str(path)) from error
    if not isinstance(decision, dict):
        raise InputError("the decision inside is not an object", where=str(path))
    return decision


def decision_text(path: Path) -> str:
    """The JSON text of the decision that the report at `path` carries."""
    finder = _Finder()
    finder.feed(_read(path))
    finder.close()
    if len(finder.found) != 1:
        raise InputError(
            "no decision inside" if not finder.found else "more than one decision inside",
            where=str(path),
            rule="an advice report carries exactly one",
            remedy="give a report that `trustser advise` wrote",
        )
    return finder.found[0]


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise InputError(
                "too large for a report", where=str(path), rule=f"at most {_MAXIMUM_BYTES} bytes"
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from error


class _Finder(HTMLParser):
    """Collects the contents of the scripts that hold a decision."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and dict(attrs).get("id") == DECISION_ID
        if self._inside:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False
