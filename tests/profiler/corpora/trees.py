"""Small trees in the corpora's own published layouts, as their documentation describes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile


def write_tone(
    path: Path, *, hertz: float = 220.0, seconds: float = 1.0, rate: int = 16_000
) -> Path:
    """A tone as 16-bit WAV; the pitch makes clips differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    moments = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * moments), rate, format="WAV")
    return path


def write_lines(path: Path, lines: Iterable[str], *, end: str = "\n") -> Path:
    """A text file, its folder made where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + end for line in lines), encoding="utf-8", newline="")
    return path


def ravdess(root: Path, actors: Iterable[int], *, emotions: Iterable[int] = range(1, 9)) -> Path:
    """Empty files under RAVDESS' names: one statement of each emotion by each actor."""
    emotions = tuple(emotions)
    for actor in actors:
        folder = root / f"Actor_{actor:02d}"
        folder.mkdir(parents=True)
        for emotion in emotions:
            (folder / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav").touch()
    return root


def iemocap(root: Path) -> Path:
    """Five sessions of one dialogue each, with every label IEMOCAP uses."""
    codes = ("neu", "hap", "exc", "sad", "ang", "fru", "sur", "fea", "dis", "oth", "xxx")
    for session in range(1, 6):
        dialog = f"Ses0{session}F_impro01"
        lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        for number, code in enumerate(codes):
            gender = "FM"[number % 2]
            lines += [
                f"[6.2901 - 8.2357]\t{dialog}_{gender}{number:03d}\t{code}\t[2.5000, 2.5, 2.5]",
                "C-E2:\tNeutral;\t()",
                "A-E3:\tval 3; act 2; dom  2;\t()",
                "",
            ]
        folder = root / f"Session{session}" / "dialog" / "EmoEvaluation"
        write_lines(folder / f"{dialog}.txt", lines)
        write_lines(folder / f"._{dialog}.txt", ["resource fork"])
        write_lines(
            folder / "Categorical" / f"{dialog}_e2_cat.txt", ["Ses01F_impro01_F000 :Neutral; ()"]
        )
    return root


def msp_improv(root: Path, *, name: str = "Evalution.txt") -> Path:
    """Six sessions of two speakers with every label MSP-Improv uses."""
    lines = []
    for session in range(1, 7):
        for gender in "FM":
            for number, code in enumerate("NHSAOX"):
                speaker = f"{gender}{session:02d}"
                clip = f"UTD-IMPROV-S01A-{speaker}-P-{'MF' if gender == 'F' else 'FM'}{number:02d}"
                lines.append(
                    f"{clip}.avi; {code}; A:2.600000; V:2.200000; D:3.000000 ; N:4.400000; "
                )
                lines.append("ANN0002; Happy; Excited; A:2.000000; V:4.000000; D:3.000000; N:4.0; ")
                lines.append("")
    write_lines(root / name, lines)
    return root


def msp_podcast(root: Path, *, labels: str = "labels_consensus.csv") -> Path:
    """Three partitions, unknown speakers and genders, and labels without agreement."""
    header = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
    rows = []
    splits = (("Train", 10), ("Validation", 20), ("Test1", 30), ("Test2", 40))
    for number, (split, speaker) in enumerate(splits):
        for index, code in enumerate("NHSAUFDCOX"):
            gender = ("Male", "Female")[index % 2]
            name = f"MSP-PODCAST_{number:04d}_{index:04d}.wav"
            rows.append(f"{name},{code},4.2,3.4,4.0,{speaker + index % 2},{gender},{split}")
    rows.append("MSP-PODCAST_0009_0001.wav,N,4.2,3.4,4.0,Unknown,Male,Train")
    rows.append("MSP-PODCAST_0009_0002.wav,N,4.2,3.4,4.0,77,Unknown,Train")
    write_lines(root / "Labels" / labels, [header, *rows])
    return root


def meld(root: Path) -> Path:
    """Three parts whose main character speaks in all of them."""
    header = (
        "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
        "StartTime,EndTime"
    )
    emotions = ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
    for part in ("train", "dev", "test"):
        rows = [
            f'{n},"Oh, ""no""\x92!",{"Joey" if n % 2 else part + " guest"},{emotion},neutral,0,{n},'
            '8,21,"00:16:16,059","00:16:21,731"'
            for n, emotion in enumerate(emotions)
        ]
        path = write_lines(root / f"{part}_sent_emo.csv", [header, *rows])
        path.write_bytes(path.read_bytes().replace("\x92".encode(), b"\x92"))
    return root
