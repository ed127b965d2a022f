"""Odd, small and broken corpora from end to end: a figure with its reasons, or one line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from profiles_db.measurement import DETAILS
from trustser.__main__ import run

pytestmark = pytest.mark.usefixtures("little_on_costs")

QUICK = ["--backbone", "fbank", "--dataset", "manifest", "--epochs", "1", "--seeds", "1",
         "--workers", "0", "--set", "probe_epochs=1", "--set", "pgd_steps=0", "--set",
         "snr_curve_db=[]",
         "--set", "resamples=100"]  # fmt: skip
PITCH = {"happy": 250.0, "sad": 150.0}


@dataclass(frozen=True)
class Row:
    """One line of a manifest; its clip is written too unless it stands there already."""

    path: str
    speaker: str
    label: str
    gender: str = ""
    split: str = ""


def sound(label: str, seed: int, seconds: float = 0.3, rate: int = 16_000) -> Any:
    """A tone of the label's pitch in noise of its own."""
    moments = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.02, len(moments))
    return 0.3 * np.sin(2 * np.pi * PITCH.get(label, 400.0) * moments) + noise


def corpus(speakers: str = "abcdef", clips: int = 2, **fixed: str) -> list[Row]:
    """`clips` clips of either label by each speaker, genders in turn."""
    return [
        Row(f"{speaker}{label}{n}.wav", speaker, label, **{"gender": "fm"[i % 2]} | fixed)
        for i, speaker in enumerate(speakers)
        for label in PITCH
        for n in range(clips)
    ]


def write(folder: Path, rows: Iterable[Row]) -> Path:
    rows = list(rows)
    columns = ["path", "speaker", "label", "gender", "split"]
    path = folder / "mine.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[getattr(row, name) for name in columns] for row in rows])
    for seed, row in enumerate(rows):
        clip = folder / row.path
        if ".." not in row.path and not (clip.exists() or clip.is_symlink()):
            soundfile.write(clip, sound(row.label, seed), 16_000, format="WAV")
    return path


Profiled = Callable[[Iterable[Row]], dict[str, Any]]


def command(folder: Path, manifest: Path) -> list[str]:
    """A short profile of `manifest` that keeps everything in `folder`."""
    kept = ["--db", str(folder / "a.duckdb"), "--cache", str(folder / "cache")]
    return ["profile", *QUICK, "--data-root", str(manifest), *kept]


@pytest.fixture
def profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Profiled:
    """Profile a manifest from the command line; gives the profile as its JSON."""

    def profiled(rows: Iterable[Row]) -> dict[str, Any]:
        code = run([*command(tmp_path, write(tmp_path, rows)), "--json"])
        shown = capsys.readouterr()
        assert code == 0, shown.err
        (found,) = json.loads(shown.out)
        return dict(found)

    return profiled


def figures(profile: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures that stand for the criteria, over all folds."""
    every = profile["measurements"]
    return {
        m["criterion"]: m
        for m in every
        if m["fold"] == -1 and all(m[detail] is None for detail in DETAILS)
    }


def test_one_gender_only(profile: Profiled) -> None:
    found = figures(profile(corpus(gender="female")))
    assert found["uar"]["value"] is not None
    assert found["equalized_odds_difference"]["unknown"] == "only female speakers"
    for criterion in ("gender_accuracy", "linear_gender_accuracy", "head_gender_accuracy"):
        assert found[criterion]["value"] is None
        assert "both genders" in found[criterion]["unknown"]


def test_genders_in_some_folds_only_are_flagged(profile: Profiled) -> None:
    """Three women can be in the test parts of three folds at most."""
    rows = corpus("abc", gender="f") + corpus("defgh", gender="m")
    found = figures(profile(rows))["gender_accuracy"]
    assert found["value"] is not None
    assert "on 3 of 5 folds: the others lack a gender in a part" in found["flags"]


def test_a_class_with_one_clip(profile: Profiled) -> None:
    result = profile([*corpus(clips=4), Row("rare.wav", "a", "rare", "f")])
    found = figures(result)
    assert any("no test clip of rare" in flag for flag in found["uar"]["flags"])
    assert any("no train clip of rare" in flag for flag in found["uar"]["flags"])
    unknown = found["equalized_odds_difference"]["unknown"]
    assert unknown == "1 test clips of rare by female speakers, 10 needed"
    (rare,) = (
        m
        for m in result["measurements"]
        if m["criterion"] == "recall" and m["label"] == "rare" and m["gender"] is None
    )
    assert (rare["n"], rare["value"]) == (1, 0.0)


def test_a_fold_with_no_positive(profile: Profiled) -> None:
    """A test part of one class: its recall is known, that of the other is unknown, never 0."""
    rows = corpus("abcd", split="train") + corpus("ef", split="dev")
    rows += [row for row in corpus("gh", split="test") if row.label == "sad"]
    result = profile(rows)
    recall = {m["label"]: m for m in result["measurements"] if m["criterion"] == "recall"}
    assert recall["happy"]["value"] is None
    assert recall["happy"]["unknown"] == "no test clip of happy"
    assert "fold 1 has no test clip of happy" in figures(result)["uar"]["flags"]


def test_a_train_and_a_dev_part_without_a_class_in_common(profile: Profiled) -> None:
    rows = [row for row in corpus("abc", split="train") if row.label == "sad"]
    rows += [row for row in corpus("de", split="dev") if row.label == "happy"]
    found = figures(profile(rows + corpus("fg", split="test")))
    assert found["uar"]["value"] == 0.5, "it can only ever answer sad"
    assert "fold 1 has no train clip of happy" in found["uar"]["flags"]


def test_speakers_with_one_clip_each(profile: Profiled) -> None:
    rows = [row for i, row in enumerate(corpus("abcdefghij", clips=1)) if i % 4 in (0, 3)]
    found = figures(profile(rows))
    assert found["uar"]["value"] is not None
    for criterion in ("speaker_eer", "head_speaker_eer"):
        assert "beyond their enrolment" in found[criterion]["unknown"]


ODD = [
    'a "b"',
    "it's",
    "two\nlines",
    "日本語 é",
    "[red]x[/red]",
    "<b>&amp;</b>",
    "-rf %s {0}",
    "a,b=c",
]


def test_odd_names_of_clips_speakers_and_classes_to_the_last_page(
    profile: Profiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        Row(f"{name} {label}{n}.wav".replace("/", "|"), name, label, "fm"[i % 2])
        for i, name in enumerate(ODD)
        for label in (ODD[0], ODD[-1], ODD[4])
        for n in range(2)
    ]
    (tmp_path / "no\x1b[31m sound.wav").write_bytes(b"")
    found = profile([*rows, Row("no\x1b[31m sound.wav", ODD[0], ODD[0], "f")])
    assert set(found["provenance"]["classes"]) == {ODD[0], ODD[-1], ODD[4]}
    assert found["provenance"]["left_out"] == {"no\x1b[31m sound.wav": "empty file"}
    database = ["--db", str(tmp_path / "a.duckdb")]
    for words in (["show", "fbank"], ["compare"], ["export", str(tmp_path / "a.csv")]):
        assert run(["profiles", *words, *database]) == 0
    assert run(["report", *database, "-o", str(tmp_path / "a.html")]) == 0
    assert "<b>&amp;</b>" not in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "\x1b" not in "".join(capsys.readouterr())


def _formats(folder: Path) -> list[Row]:
    """One clip of each rate, sample format and channel count, some under a wrong extension."""
    kinds = [(rate, "PCM_16", 1) for rate in (8_000, 22_050, 44_100, 96_000, 192_000)]
    kinds += [(16_000, kind, 1) for kind in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")]
    kinds += [(48_000, "PCM_16", channels) for channels in (2, 3, 6, 8)]
    rows = []
    for n, (rate, kind, channels) in enumerate(kinds):
        label = ("happy", "sad")[n % 2]
        name = f"{rate}-{kind}-{channels}{('.wav', '.mp3', '.flac', '')[n % 4]}"
        each = np.stack([sound(label, n, rate=rate)] * channels, axis=1)
        soundfile.write(folder / name, each, rate, subtype=kind, format="WAV")
        rows.append(Row(name, "abcdefg"[n // 2], label, "fm"[n // 2 % 2]))
    return rows


def test_every_format_is_used_and_every_broken_clip_is_named(
    profile: Profiled, tmp_path: Path
) -> None:
    good = _formats(tmp_path)
    samples = {
        "zero.wav": np.zeros(0), "one.wav": np.ones(1) / 2, "level.wav": np.full(9_000, 0.25),
        "nan.wav": np.full(9_000, np.nan), "silent.wav": np.zeros(9_000),
    }  # fmt: skip
    for name, values in samples.items():
        soundfile.write(tmp_path / name, values, 16_000, subtype="FLOAT")
    whole = (tmp_path / good[0].path).read_bytes()
    (tmp_path / "truncated.wav").write_bytes(whole[:30])
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    (tmp_path / "folder.wav").mkdir()
    broken = [*samples, "truncated.wav", "loop.wav", "folder.wav"]
    found = profile([*good, *(Row(name, "a", "sad", "f") for name in broken)])
    assert set(found["provenance"]["left_out"]) == set(broken)
    assert all(found["provenance"]["left_out"].values())
    assert found["provenance"]["clips"] == len(good)
    assert figures(found)["uar"]["n"] == len(good)


def _emptied(folder: Path, speakers: str) -> list[Row]:
    """A corpus in which every clip of some speakers is an empty file."""
    rows = corpus()
    for row in rows:
        if row.speaker in speakers:
            (folder / row.path).touch()
    return rows


TRAIN, TEST = corpus("abc", split="train"), corpus("de", split="test")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (corpus("a"), "1 speaker: no speaker-disjoint folds"),
        ([Row(row.path, row.speaker, "sad") for row in corpus()], "1 different labels"),
        ([*corpus(), Row("../../etc/passwd", "a", "sad")], "not below the manifest's folder"),
        ([*corpus(), Row("x.wav", "a", "sad", "m")], "two people under one name?"),
        (TRAIN, "the split has no test part"),
        ([*TRAIN, *TEST, Row("x.wav", "a", "sad", "f", "test")], "more than one part of a fold"),
        ("abcdef", "not one clip can be used"),
        ("c", "no usable clip in its test part"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    rows: list[Row] | str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write(tmp_path, _emptied(tmp_path, rows) if isinstance(rows, str) else rows)
    code = run(command(tmp_path, manifest))
    last = capsys.readouterr().err.splitlines()[-1]
    assert code == 2
    assert last.startswith("trustser: ")
    assert expected in last
