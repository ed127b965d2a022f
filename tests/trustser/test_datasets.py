"""`trustser datasets`: the list, the check, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from profiles_db.errors import CorpusError
from tests.profiler.corpora import trees
from trustser.commands.datasets import datasets_app

NAMES = ["demo", "ravdess", "crema_d", "iemocap", "msp_improv", "msp_podcast", "meld", "manifest"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(datasets_app, [str(argument) for argument in arguments])


def manifest(folder: Path, *rows: str, header: str = "path,speaker,label,gender") -> str:
    return str(trees.write_lines(folder / "data.csv", [header, *rows]))


def sound_rows(folder: Path) -> list[str]:
    """Twelve speakers with a tone for each of two labels, and the rows that name them."""
    rows = []
    for index, speaker in enumerate("abcdefghijkl"):
        for number, label in enumerate(("happy", "sad")):
            name = f"{speaker}{number}.wav"
            hertz = 200.0 + 20 * index + 10 * number
            trees.write_tone(folder / name, hertz=hertz, seconds=0.6)
            rows.append(f"{name},{speaker},{label},{'fm'[index % 2]}")
    return rows


def test_the_list_names_every_corpus_and_marks_the_synthetic_one() -> None:
    result = run()
    assert result.exit_code == 0
    for name in NAMES:
        assert name in result.stdout
    assert "demo (synthetic)" in result.stdout
    assert "- Cite MELD as Poria et al. (2019)" in result.stdout


def test_the_list_as_json() -> None:
    records = json.loads(run("--json").stdout)
    assert [record["name"] for record in records] == NAMES
    assert [record["name"] for record in records if record["synthetic"]] == ["demo"]
    assert [record["name"] for record in records if not record["needs_root"]] == ["demo"]
    assert {record["name"] for record in records if not record["doi"]} == {"demo", "manifest"}
    assert [record["languages"] for record in records] == [["zxx"], *[["en"]] * 6, []]
    assert all(record["licence"] and record["request"] and record["layout"] for record in records)


def test_a_sound_manifest_passes(tmp_path: Path) -> None:
    result = run("check", "manifest", "--data-root", manifest(tmp_path, *sound_rows(tmp_path)))
    assert result.exit_code == 0, result.output
    assert "24 clips, 12 speakers" in result.stdout
    assert "No fold leaks." in result.stdout


def test_the_balance_reached_is_said_and_what_cannot_be_had(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path)
    root = manifest(tmp_path, *rows)
    shown = run("check", "manifest", "--data-root", root, "--no-audio").stdout
    assert "Test parts: 4 to 6 clips, 5 on average; shares of the classes within 0.0" in shown
    assert "Balance over the folds" in shown
    record = json.loads(
        run("check", "manifest", "--data-root", root, "--no-audio", "--json").stdout
    )
    assert record["balance"]["test"]["clips"]["folds"] == [6, 6, 4, 4, 4]
    assert record["balance"]["dev"]["classes"]["sad"] == {"corpus": 0.5, "folds": [0.5] * 5}

    few = [row.replace("sad", "happy") for row in rows[:18]] + rows[18:]
    root = manifest(tmp_path, *few)
    shown = run("check", "manifest", "--data-root", root, "--no-audio").stdout
    assert "Spoken by fewer than 5 speakers: sad (3)." in shown
    assert "Record it by 5 speakers or more" in shown


def test_a_speaker_in_train_and_test_fails(tmp_path: Path) -> None:
    parts = ["train"] * 12 + ["dev"] * 5 + ["test"] * 7
    rows = [f"{row},{part}" for row, part in zip(sound_rows(tmp_path), parts, strict=True)]
    root = manifest(tmp_path, *rows, header="path,speaker,label,gender,split")
    result = run("check", "manifest", "--data-root", root, "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert record["leaks"]
    assert record["classes"] == {"happy": 12, "sad": 12}
    (leak,) = [found for found in record["findings"] if found["code"] == "speaker_leak"]
    assert "i." in leak["what"]


def test_one_recording_under_two_speakers_fails(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path)
    (tmp_path / "l1.wav").write_bytes((tmp_path / "a1.wav").read_bytes())
    result = run("check", "manifest", "--data-root", manifest(tmp_path, *rows))
    assert result.exit_code == 1
    assert "A fold would leak." in result.stdout


@pytest.mark.real_audio
def test_metadata_alone_are_counted(real_data: Path) -> None:
    root = str(real_data / "crema_d_metadata")
    result = run("check", "crema_d", "--data-root", root, "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["classes"] == {"neutral": 1972, "happy": 1219, "sad": 588, "angry": 1019}
    assert record["audio"]["missing"] == 4798
    assert "audio is missing" in run("check", "crema_d", "--data-root", root).stdout


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = run("check", "iemocap", "--data-root", str(tmp_path))
    assert isinstance(result.exception, CorpusError)
    assert "EmoEvaluation" in str(result.exception)


def test_names_are_shown_as_written(tmp_path: Path) -> None:
    rows = [row.replace("happy", "[red]happy[/red]") for row in sound_rows(tmp_path)]
    result = run("check", "manifest", "--data-root", manifest(tmp_path, *rows))
    assert "class [red]happy[/red]" in result.stdout


def test_without_audio_nothing_is_opened(tmp_path: Path) -> None:
    rows = sound_rows(tmp_path)
    (tmp_path / "a0.wav").write_bytes(b"broken")
    root = manifest(tmp_path, *rows)
    assert "unreadable" in run("check", "manifest", "--data-root", root).stdout
    quiet = run("check", "manifest", "--data-root", root, "--no-audio")
    assert "unreadable" not in quiet.stdout
    assert "audio not opened" in quiet.stdout


def test_outside_files_only_where_allowed(tmp_path: Path) -> None:
    rows = [f"{tmp_path}/{row}" for row in sound_rows(tmp_path)]
    root = manifest(tmp_path / "elsewhere", *rows)
    refused = run("check", "manifest", "--data-root", root)
    assert isinstance(refused.exception, CorpusError)
    assert run("check", "manifest", "--data-root", root, "--allow-outside").exit_code == 0
