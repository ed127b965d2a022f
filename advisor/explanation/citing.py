"""Numbers in sentences, each with which of the decision's it is.

Sentences are put together from pieces of text. A number is marked where it is written, the marks go
with the text through every list and format, and are taken out of the whole sentence at its end. So
that no name or note that people write can pass for a mark, marks carry a key that this process
draws for itself and that is in no output.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Final

from advisor.ranking.findings import Cited, CitedKind, Sentence

_KEY: Final = secrets.token_hex(8)
_MARKED: Final = re.compile(
    rf"\ufdd0{_KEY}(?P<kind>\w+):(?P<candidate>[0-9a-f]*):(?P<criterion>[0-9a-f]*)\ufdd1"
    rf"(?P<said>.*?)\ufdd2{_KEY}",
    re.DOTALL,
)


def cite(said: str, kind: CitedKind, *, candidate: str = "", criterion: str = "") -> str:
    """`said`, marked as a number of the decision; a piece of a sentence.

    Examples
    --------
    >>> piece = cite("63.7 %", "figure", candidate="apc", criterion="uar")
    >>> unmarked(f"a UAR of {piece}.")
    'a UAR of 63.7 %.'
    """
    names = f"{candidate.encode('utf-8', 'surrogatepass').hex()}:{criterion.encode().hex()}"
    return f"\ufdd0{_KEY}{kind}:{names}\ufdd1{said}\ufdd2{_KEY}"


def unmarked(text: str) -> str:
    """The text as people read it."""
    return _MARKED.sub(lambda match: match["said"], text)


def finished(sentence: Sentence) -> Sentence:
    """A sentence with the marks of its text as its citations.

    Examples
    --------
    >>> piece = cite("0.5", "score", candidate="apc")
    >>> done = finished(Sentence("choice", "apc", f"APC scores {piece}."))
    >>> done.text, done.cited[0].said, done.cited[0].candidate
    ('APC scores 0.5.', '0.5', 'apc')
    """
    text, done, cited = "", 0, []
    for match in _MARKED.finditer(sentence.text):
        text += sentence.text[done : match.start()]
        cited.append(_cited(match, len(text)))
        text += match["said"]
        done = match.end()
    return replace(sentence, text=text + sentence.text[done:], cited=tuple(cited))


def _cited(match: re.Match[str], start: int) -> Cited:
    def name(group: str) -> str:
        return bytes.fromhex(match[group]).decode("utf-8", "surrogatepass")

    kind: CitedKind = match["kind"]  # type: ignore[assignment]
    return Cited(start, match["said"], kind, name("candidate"), name("criterion"))


def parts_of(sentence: Sentence) -> list[tuple[str, Cited | None]]:
    """The text in pieces: what is said of the decision's numbers, and what stands between.

    A number that does not stand where it should, as in a report that was altered, is left out.

    Examples
    --------
    >>> cited = (Cited(6, "2", "score", "apc"),)
    >>> [text for text, _ in parts_of(Sentence("choice", "", "1 and 2.", cited))]
    ['1 and ', '2', '.']
    """
    found: list[tuple[str, Cited | None]] = []
    done = 0
    for one in sentence.cited:
        end = one.start + len(one.said)
        if one.start < done or sentence.text[one.start : end] != one.said:
            continue
        found += [(sentence.text[done : one.start], None), (one.said, one)]
        done = end
    return [piece for piece in [*found, (sentence.text[done:], None)] if piece[0]]
