"""What phones and rooms do to speech: each kind of corruption, what people call it, its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Corruption = Literal[
    "background", "babble", "white_noise", "tone", "gain", "clipping", "append", "prepend",
    "crop_start", "crop_end", "high_pass", "low_pass", "telephone", "tilt", "reverberation", "room",
    "speed_up", "fade",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of corruption: its title, and the unit of its levels."""

    title: str
    unit: str


KINDS: Final[dict[str, Kind]] = {
    "background": Kind("Background sounds", "dB"),
    "babble": Kind("Babble of other speakers", "dB"),
    "white_noise": Kind("White noise", "dB"),
    "tone": Kind("Tone between 5 and 7 kHz", "dB"),
    "gain": Kind("Gain", "dB"),
    "clipping": Kind("Clipping, share of the samples", ""),
    "append": Kind("Silence appended", "samples"),
    "prepend": Kind("Silence prepended", "samples"),
    "crop_start": Kind("Cropped at the start", "samples"),
    "crop_end": Kind("Cropped at the end", "samples"),
    "high_pass": Kind("High-pass filter", "Hz"),
    "low_pass": Kind("Low-pass filter", "Hz"),
    "telephone": Kind("Telephone band and codec", "kbit/s"),
    "tilt": Kind("Spectral tilt", "dB/octave"),
    "reverberation": Kind("Simulated room, reverberation time", "s"),
    "room": Kind("Measured rooms", ""),
    "speed_up": Kind("Part of the clip sped up, factor", ""),
    "fade": Kind("Fade in (+) or out (-), share per second", ""),
}
"""In the order in which they are shown."""


def said(corruption: str, level: float | None) -> str:
    """A kind and its level, for people.

    Examples
    --------
    >>> said("babble", 20.0), said("fade", -0.02), said("room", None)
    ('babble 20 dB', 'fade -0.02', 'room')
    """
    return f"{corruption} {level_text(corruption, level)}".rstrip()


def level_text(corruption: str, level: float | None) -> str:
    """A level with the unit of its kind; empty where it is None."""
    unit = KINDS[corruption].unit if corruption in KINDS else ""
    return "" if level is None else f"{level:g} {unit}".rstrip()
