"""`trustser diff` on real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor import advise
from reports.advice import write_advice
from trustser.__main__ import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    for name in ("edge", "cloud"):
        decision = advise(name)
        write_advice(decision, folder / f"{name}.html", made_at="2026-11-21")
        (folder / f"{name}.json").write_text(decision.to_json(indent=2), encoding="utf-8")
    return folder


def test_a_report_and_its_decision_are_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diff", str(folder / "edge.html"), str(folder / "edge.json")]) == 0
    assert capsys.readouterr().out.startswith("The choice is the same: whisper_tiny.")


@pytest.mark.parametrize("kind", ["html", "json"])
def test_another_choice_has_a_code_of_its_own(
    folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diff", str(folder / f"edge.{kind}"), str(folder / "cloud.html")]) == 4
    said = capsys.readouterr().out
    assert "The choice differs: whisper_tiny, then whisper_small." in said
    assert "- requirement: Multiply-accumulates (counted whole) at most 5 GMAC" in said


def test_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / f"{name}.html") for name in ("edge", "cloud")]
    assert run(["diff", *files, "--json"]) == 4
    content = json.loads(capsys.readouterr().out)
    assert content["turning"] == [["requirements", "priorities"]]
    assert content["same_choice"] is False
