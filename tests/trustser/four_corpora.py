"""The four corpora of the published study, small, with sound, each in its own published layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from profiler.corpora import demo
from tests.profiler.corpora.trees import write_lines

CODES: Final[Mapping[str, str]] = {"neutral": "N", "happy": "H", "sad": "S", "angry": "A"}
SAMPLES: Final = 8_000
"""Of each clip: half a second."""


def four_corpora(folder: Path) -> dict[str, Path]:
    """Write all four; returns their folders by name."""
    makers = {"iemocap": iemocap, "crema_d": crema_d, "msp_improv": msp_improv,
              "msp_podcast": msp_podcast}  # fmt: skip
    for name, make in makers.items():
        make(folder / name)
    return {name: folder / name for name in makers}


def iemocap(root: Path) -> None:
    """Five sessions of a woman and a man."""
    codes = {"neutral": "neu", "happy": "exc", "sad": "sad", "angry": "ang"}
    for session in range(1, 6):
        dialog = f"Ses0{session}F_impro01"
        lines = []
        for gender, speaker in (("F", 2 * session), ("M", 2 * session - 1)):
            for number, (style, code) in enumerate(codes.items()):
                clip = f"{dialog}_{gender}{number:03d}"
                lines.append(f"[6.2901 - 8.2357]\t{clip}\t{code}\t[2.5000, 2.5000, 2.5000]")
                place = root / f"Session{session}" / "sentences" / "wav" / dialog
                _speak(place / f"{clip}.wav", speaker, style)
        evaluation = root / f"Session{session}" / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
        write_lines(evaluation, lines)


def crema_d(root: Path) -> None:
    """Ten actors, the odd ones male."""
    actors, votes = ["ActorID,Age,Sex"], ["FileName,VoiceVote,MultiModalVote"]
    for speaker in range(1, 11):
        actors.append(f"{1000 + speaker},30,{'Male' if speaker % 2 else 'Female'}")
        for style, code in CODES.items():
            clip = f"{1000 + speaker}_IEO_{style[:3].upper()}_XX"
            votes.append(f"{clip},{code},{code}")
            _speak(root / "AudioWAV" / f"{clip}.wav", speaker, style)
    write_lines(root / "VideoDemographics.csv", actors)
    write_lines(root / "processedResults" / "summaryTable.csv", votes)


def msp_improv(root: Path) -> None:
    """Six sessions of a woman and a man."""
    lines = []
    for session in range(1, 7):
        for gender, speaker in (("F", 2 * session), ("M", 2 * session - 1)):
            for number, (style, code) in enumerate(CODES.items()):
                clip = f"IMPROV-S01A-{gender}{session:02d}-P-FM{number:02d}"
                lines.append(f"UTD-{clip}.avi; {code}; A:2.6; V:2.2; D:3.0 ; N:4.4; ")
                place = root / f"session{session}" / "S01A" / "P"
                _speak(place / f"MSP-{clip}.wav", speaker, style)
    write_lines(root / "Evalution.txt", lines)


def msp_podcast(root: Path) -> None:
    """Four speakers in each of the three partitions."""
    lines = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    for part, split in enumerate(("Train", "Validation", "Test1")):
        for speaker in range(4 * part + 1, 4 * part + 5):
            gender = "Male" if speaker % 2 else "Female"
            for number, (style, code) in enumerate(CODES.items()):
                clip = f"MSP-PODCAST_{speaker:04d}_{number:04d}.wav"
                lines.append(f"{clip},{code},4.2,3.4,4.0,{speaker},{gender},{split}")
                _speak(root / "Audios" / clip, speaker, style)
    write_lines(root / "Labels" / "labels_consensus.csv", lines)


def _speak(path: Path, speaker: int, style: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.frombuffer(demo.samples_of(f"speaker_{speaker:02d}/{style}_1"), dtype="<i2")
    soundfile.write(path, samples[:SAMPLES], 16_000)
