"""What an audit finds: each finding with its severity and what it does to which aspect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from profiles_db.criteria import ASPECTS, OPTIONAL_ASPECTS, Aspect

Severity = Literal["error", "warning", "note"]
"""`error`: figures would be wrong or cannot be had; `warning`: some would be weaker or unknown;
`note`: good to know."""

SHOWN_CLIPS: Final = 20
EVERY_ASPECT: Final = tuple(
    aspect for aspect in ASPECTS if aspect != "sustainability" and aspect not in OPTIONAL_ASPECTS
)
"""The aspects measured on clips, unless others are asked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an audit found.

    Parameters
    ----------
    code : str
        Stable name, for programs: `speaker_leak`, `silent_clips`.
    severity : Severity
    what : str
        What was found, as a sentence.
    effect : str
        What it does to the measurements, as a sentence.
    aspects : tuple of Aspect
        The aspects it touches.
    clips : tuple of str
        Ids of the clips concerned, where it concerns single clips.
    remedy : str
        What would help, as a sentence; '' where nothing or only the obvious does.
    """

    code: str
    severity: Severity
    what: str
    effect: str
    aspects: tuple[Aspect, ...] = EVERY_ASPECT
    clips: tuple[str, ...] = ()
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data; the ids of clips are cut after the first twenty, their number is not."""
        return {
            "code": self.code,
            "severity": self.severity,
            "what": self.what,
            "effect": self.effect,
            "remedy": self.remedy,
            "aspects": list(self.aspects),
            "clip_count": len(self.clips),
            "clips": list(self.clips[:SHOWN_CLIPS]),
        }
