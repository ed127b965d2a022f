"""Sentences of a decision with links from their numbers to the rows that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup, escape

from advisor.decision import Decision
from advisor.explanation.citing import parts_of
from advisor.ranking.findings import Cited, CitedKind
from reports.wording import prose

_OF_WHAT: Final[Mapping[CitedKind, tuple[bool, bool]]] = {
    "figure": (True, True),
    "score": (True, False),
    "contribution": (True, False),
    "weight": (False, True),
    "outcome": (True, False),
    "confidence": (False, False),
    "beats": (True, False),
    "stability": (False, True),
    "flip": (False, False),
    "sway": (True, True),
}
"""Whether there is a row for each candidate, and one for each criterion."""


class Rows:
    """The ids of the rows of a report's tables, one for each number that a sentence may cite."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self._numbers = {c.name: number for number, c in enumerate(decision.candidates)}

    def id(self, kind: CitedKind, candidate: str = "", criterion: str = "") -> str:
        """The id of the row of one number; KeyError where the decision has no such candidate.

        Examples
        --------
        >>> from advisor import advise
        >>> Rows(advise("edge")).id("figure", "whisper_tiny", "uar")
        'row-figure-uar-0'
        """
        by_candidate, by_criterion = _OF_WHAT[kind]
        parts = ["row", kind]
        parts += [criterion] if by_criterion else []
        parts += [str(self._numbers[candidate])] if by_candidate else []
        return "-".join(parts)

    def sentences(self) -> dict[str, Markup]:
        """Each sentence's text, and what the page shows for it."""
        return {
            sentence.text: Markup("").join(
                self._link(text, cited) if cited else escape(prose(text))
                for text, cited in parts_of(sentence)
            )
            for sentence in self._decision.explanation
        }

    def _link(self, text: str, cited: Cited) -> Markup:
        if cited.candidate and cited.candidate not in self._numbers:
            return escape(prose(text))
        row = self.id(cited.kind, cited.candidate, cited.criterion)
        return Markup('<a class="cited" href="#{}">{}</a>').format(row, prose(text))
