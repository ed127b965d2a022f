"""`trustser export-model` and `predict` as people and programs use them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import soundfile

import trustser
from tests.conftest import REPOSITORY
from tests.deployment.conftest import Runs
from trustser.__main__ import run


@pytest.fixture(scope="module")
def folder(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of fbank, made by the command."""
    target = tmp_path_factory.mktemp("command") / "recogniser"
    code = run(
        ["export-model", "fbank", "-o", str(target), "--db", str(runs.db), "--cache",
         str(runs.cache)]
    )  # fmt: skip
    assert code == 0
    return target


@pytest.fixture(scope="module")
def sounds(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, one of them long, and three files that are no sound."""
    place = tmp_path_factory.mktemp("sounds")
    clip, _ = soundfile.read(runs.clip(runs.rows("fbank")[0].utterance), dtype="float32")
    soundfile.write(place / "a.wav", clip, 16_000)
    soundfile.write(place / "b.flac", np.resize(clip, 8 * 16_000), 16_000)
    (place / "c.wav").write_bytes(b"RIFF and no more")
    soundfile.write(place / "d.wav", np.zeros(16_000), 16_000)
    soundfile.write(place / "e.wav", clip[:800], 16_000)
    return place


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], list[str]]:
    code = run(["predict", *words])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()


def test_a_folder_is_heard_and_bad_files_are_told(
    folder: Path, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, str(folder), str(sounds), "--json")
    records = [json.loads(line) for line in out]
    assert code == 1
    assert [Path(record["file"]).name for record in records] == [
        "a.wav", "b.flac", "c.wav", "d.wav", "e.wav",
    ]  # fmt: skip
    for record in records[:2]:
        assert sum(record["probabilities"].values()) == pytest.approx(1.0)
        assert record["predicted"] == max(
            record["probabilities"], key=lambda name: record["probabilities"][name]
        )
        assert record["error"] is None
        assert record["seconds"] > 0
    assert [record["goes_on"] for record in records[:2]] == [False, True]
    assert records[1]["end"] == 6.0
    for record, line, what in zip(
        records[2:], err[-3:], ("decoded", "silent", "at least"), strict=True
    ):
        assert record["probabilities"] is None
        assert record["predicted"] is None
        assert what in record["error"]
        assert line == f"trustser: {record['error']}"
        assert Path(record["file"]).name in line


def test_people_read_lines(folder: Path, sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, str(folder), str(sounds / "a.wav"), str(sounds / "b.flac"))
    recogniser = trustser.load_model(folder)
    answer = recogniser.predict(*soundfile.read(sounds / "a.wav", dtype="float32"))
    assert code == 0
    assert f": {answer.predicted} ({answer.predicted} " in out[0]
    for name, value in answer.probabilities.items():
        assert f"{name} {value:.3f}" in out[0]
    assert "the recording goes on" in out[1]
    calibration = recogniser.config.calibration
    if calibration.temperature is None:
        assert f"trustser: probabilities are NOT CALIBRATED: {calibration.reason}" in err


def test_windows_of_a_file_are_those_of_a_stream(
    folder: Path, sounds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--window", "3", "--hop", "1", "--json")
    code, out, _ = said(capsys, str(folder), str(sounds / "b.flac"), *options)
    records = [json.loads(line) for line in out]
    assert code == 0
    assert [(record["start"], record["end"]) for record in records] == [
        (float(start), start + 3.0) for start in range(6)
    ]
    samples, _ = soundfile.read(sounds / "b.flac", dtype="int16")
    answer = trustser.load_model(folder).predict(samples[16_000 : 4 * 16_000] / 32768)
    assert records[1]["probabilities"] == pytest.approx(answer.probabilities, abs=1e-6)

    wav = io.BytesIO()
    soundfile.write(wav, samples, 16_000, format="WAV")
    raw = samples.astype("<i2").tobytes()
    for content, more in ((wav.getvalue(), ()), (raw, ("--sample-rate", "16000"))):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        code, out, _ = said(capsys, str(folder), "-", *options, *more)
        streamed = [json.loads(line) for line in out]
        assert code == 0
        assert [one["probabilities"] for one in streamed] == [
            one["probabilities"] for one in records
        ]


def test_a_stream_is_answered_while_it_goes_on(folder: Path, sounds: Path) -> None:
    samples, _ = soundfile.read(sounds / "b.flac", dtype="int16")
    raw = samples.astype("<i2").tobytes()
    with subprocess.Popen(
        [sys.executable, "-m", "trustser", "predict", str(folder), "-", "--sample-rate", "16000",
         "--window", "2", "--json"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(raw[: 2 * 16_000 * 3])
        process.stdin.flush()
        first: dict[str, Any] = json.loads(process.stdout.readline())  # while more may come
        assert (first["start"], first["end"]) == (0.0, 2.0)
        process.stdin.close()
        assert json.loads(process.stdout.readline())["end"] == 3.0
    assert process.returncode == 0


def test_a_run_answers_as_its_export(
    folder: Path, runs: Runs, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--db", str(runs.db), "--cache", str(runs.cache))
    clip = str(sounds / "a.wav")
    found = [
        json.loads(said(capsys, *words, clip, "--json")[1][0])["probabilities"]
        for words in ((str(folder),), (runs.names["fbank"][:8], *where))
    ]
    assert found[0] == found[1]


def test_untrained_weights_are_told_before_any_answer(
    runs: Runs, sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = runs.export("apc", tmp_path / "apc")
    code, out, err = said(capsys, str(export), str(sounds / "a.wav"), "--json")
    assert code == 0
    assert err[0].startswith("trustser: UNTRAINED: ")
    assert any("NOT CALIBRATED: one fold alone" in line for line in err)
    record = json.loads(out[0])
    assert record["untrained"] is True
    assert record["calibrated"] is False


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("FOLDER", "a.wav", "--hop", "1"), "--hop: is given without a window"),
        (("FOLDER", "a.wav", "--window", "9"), "--window: 9 s"),
        (("FOLDER", "a.wav", "--db", "x"), "--db: belongs to a run"),
        (("FOLDER", "-", "-"), "is named twice"),
        (("no/such", "a.wav"), "no/such: no such folder"),
        (("FOLDER", "a.wav", "--device", "tpu"), "auto, cpu, cuda"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(
    words: tuple[str, ...], line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, *(str(folder) if word == "FOLDER" else word for word in words))
    assert code == 2
    assert line in err[-1]


def test_a_backbone_with_several_runs_is_asked_which(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = shutil.copy(runs.db, tmp_path / "a.duckdb")
    with duckdb.connect(str(db)) as connection:
        connection.execute("UPDATE runs SET backbone = 'fbank' WHERE backbone = 'apc'")
    code = run(["export-model", "fbank", "-o", str(tmp_path / "x"), "--db", str(db)])
    assert code == 2
    line = capsys.readouterr().err
    assert "'fbank' names 2 runs" in line
    assert runs.names["apc"] in line
