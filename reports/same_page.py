"""Whether two pages show the same, though a browser wrote one of them; and what people entered.

A browser that saves a page writes the same elements in other words: `<rect ... />` becomes
`<rect ...></rect>`, `&#39;` an apostrophe. So pages are compared as what a parser reads in them,
the entries of the sign-off left out. Tags count only where they are written as TrustSER and
browsers write them: of others, parsers read different things.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import zip_longest
from typing import Final

ENTRY: Final = "data-entry"
"""Attribute of the fields that people fill in; its value is what the entry is called."""

_FILLED: Final = ("value", "checked")
_VOID: Final = frozenset({"br", "input", "meta", "link", "img", "hr", "area", "base", "col"})
_UNSHOWN: Final = str.maketrans("", "", "\x00\ufffd")
"""Browsers drop the one character or write the other in its place."""
_VALUE: Final = r'"(?:[^"&]|&(?:#[0-9]+|#x[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);)*"'
_START: Final = re.compile(
    rf"<[A-Za-z][A-Za-z0-9-]*(?:[ \t\r\n]+[A-Za-z][A-Za-z0-9:_-]*(?:={_VALUE})?)*[ \t\r\n]*/?>"
)
_END: Final = re.compile(r"</[A-Za-z][A-Za-z0-9-]*[ \t\r\n]*>")


@dataclass(frozen=True, slots=True)
class Piece:
    """A tag or a run of text, in the form in which all that shows the same is equal.

    `bare` is the same without the characters that browsers may drop or replace.
    """

    content: tuple[object, ...]
    bare: tuple[object, ...]
    line: int = field(compare=False)
    shown: str = field(compare=False)

    def shows(self, right: Piece) -> bool:
        """Whether it shows what `right` does, or what a browser may make of `right`."""
        altered = right.content != right.bare
        return self.bare == right.bare if altered else self.content == right.content


class _Reader(HTMLParser):
    """What is in a page, piece by piece, and what people entered there."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[Piece] = []
        self.entries: dict[str, str] = {}
        self._text: list[str] = []
        self._text_line = 1
        self._entry: str | None = None
        self._drawings = 0
        self.feed(page)
        self.close()
        self._end_text()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_text()
        self._drawings += tag == "svg"
        given = {name: value or "" for name, value in reversed(attrs)}
        entry = given.get(ENTRY)
        if entry is not None:
            attrs = [pair for pair in attrs if not self._is_filled(tag, given, pair[0])]
            if tag == "textarea":
                self._entry = entry
            elif given.get("type") != "radio" or "checked" in given:
                self.entries[entry] = given.get("value", "")
        written = self.get_starttag_text() or tag
        if not _START.fullmatch(written):
            self._unlike(written)
        kept = tuple((name, value or "") for name, value in attrs)
        bare = tuple((name, value.translate(_UNSHOWN)) for name, value in kept)
        self._add((tag, kept), written, (tag, bare))

    @staticmethod
    def _is_filled(tag: str, given: Mapping[str, str], name: str) -> bool:
        """Whether an attribute holds what was entered; the value of a radio button is no entry."""
        if tag != "input" or name not in _FILLED:
            return False
        return (name == "checked") == (given.get("type") == "radio")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in _VOID:
            return
        if not self._drawings:
            # Browsers overlook the slash here, and what follows is inside of the element.
            self._unlike(self.get_starttag_text() or tag)
        self.handle_endtag(tag)

    def parse_endtag(self, i: int) -> int:
        end = super().parse_endtag(i)
        written = self.rawdata[i:end]
        if end >= 0 and self.cdata_elem is None and not _END.fullmatch(written):
            self._unlike(written)
        return end

    def handle_endtag(self, tag: str) -> None:
        self._end_text()
        self._drawings -= tag == "svg"
        if tag == "textarea":
            self._entry = None
        self._add(("end", tag), f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._entry is not None:
            self.entries[self._entry] = self.entries.get(self._entry, "") + data
            return
        if not self._text:
            self._text_line = self.getpos()[0]
        self._text.append(data)

    def handle_decl(self, decl: str) -> None:
        self._other("declaration", decl.lower())

    def handle_comment(self, data: str) -> None:
        self._other("comment", data)

    def handle_pi(self, data: str) -> None:
        self._other("instruction", data)

    def unknown_decl(self, data: str) -> None:
        self._other("section", data)

    def _other(self, kind: str, data: str) -> None:
        self._end_text()
        self._add((kind, data), data)

    def _end_text(self) -> None:
        """Text so far as a piece, unless it is but space between two elements."""
        text = "".join(self._text).strip()
        self._text = []
        if text.replace("\x00", "").strip():
            bare = text.translate(_UNSHOWN).strip()
            self.pieces.append(Piece(("text", text), ("text", bare), self._text_line, text))

    def _unlike(self, written: str) -> None:
        """Add a piece that no other is like: parsers read different things in `written`."""
        self._add(("unlike", object()), written)

    def _add(
        self, content: tuple[object, ...], shown: str, bare: tuple[object, ...] | None = None
    ) -> None:
        self.pieces.append(Piece(content, bare or content, self.getpos()[0], shown))


def first_difference(page: str, expected: str) -> tuple[int, str] | None:
    """Line and words of the first thing in `page` that is not as in `expected`.

    Entries count for nothing; so does how a page is written down.

    Returns
    -------
    tuple of int and str, or None
        None where both show the same.

    Examples
    --------
    >>> first_difference('<p title="&#39;">a<br/></p>', '<p title="\\'">a<br></p>\\n')
    >>> first_difference("<p>\\n73.7 %</p>", "<p>63.7 %</p>")
    (1, '73.7 %')
    >>> first_difference('<input data-entry="Role" value="Judge">',
    ...                  '<input data-entry="Role" value="">')
    """
    for found, right in zip_longest(_Reader(page).pieces, _Reader(expected).pieces):
        if found is None or right is None or not found.shows(right):
            return (found.line, found.shown) if found else (page.count("\n") + 1, "")
    return None


def text_of(page: str) -> str:
    """What a page says, without scripts and without any space.

    Examples
    --------
    >>> text_of("<p>Whisper <a href='#x'>63.7 %</a>, fair</p><script>let x</script>")
    'Whisper63.7%,fair'
    """
    found, code = [], False
    for piece in _Reader(page).pieces:
        if "script" in (piece.content[0], piece.content[1]):
            code = piece.content[0] == "script"
        elif piece.content[0] == "text" and not code:
            found.append(piece.shown)
    return "".join("".join(found).split())


def entries(page: str) -> Mapping[str, str]:
    """What people entered in a page, by what the entry is called; blank ones are left out.

    Examples
    --------
    >>> dict(entries('<textarea data-entry="Conditions">None &amp; all</textarea>'))
    {'Conditions': 'None & all'}
    """
    return {name: text.strip() for name, text in _Reader(page).entries.items() if text.strip()}
