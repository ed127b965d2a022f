"""The model card of a choice, and the further outputs of `trustser advise`."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from advisor import Decision, advise
from profiles_db.criteria import CRITERIA, format_value
from profiles_db.errors import InputError, MissingExtraError, OutputError
from reports.auditing import NOT_CAUSAL, general_limits
from tests.advisor.tables import profile_of, scenario_of
from tests.reports.decisions import HOSTILE, hostile, untrained, with_unknown
from trustser import extras
from trustser.app import app
from trustser.card_parts import fenced
from trustser.decision_card import decision_card

_SECTIONS = (
    "What it is, and why", "Intended use", "Out of scope until it is measured", "Figures", "Risks",
    "Limits", "What is unknown", "Licences", "How to reproduce",
)  # fmt: skip


@pytest.fixture(scope="module")
def cloud() -> Decision:
    return advise("cloud")


@pytest.fixture(scope="module")
def edge() -> Decision:
    return advise("edge")


def _parts(decision: Decision) -> tuple[dict[str, object], dict[str, str]]:
    """The front matter, and the sections by their headings."""
    card = decision_card(decision)
    assert card is not None
    start, front, body = card.split("---\n", 2)
    assert start == ""
    found = re.split(r"^## (.+)$", re.sub(r"^```.*?^```", "", body, flags=re.M | re.S), flags=re.M)
    return yaml.safe_load(front), dict(zip(found[1::2], found[2::2], strict=True))


def test_the_front_matter_is_the_hubs_and_holds_the_figures(cloud: Decision) -> None:
    front, sections = _parts(cloud)
    assert tuple(sections) == _SECTIONS
    assert front["license"] == "apache-2.0"
    assert front["base_model"] == "openai/whisper-small"
    assert front["language"] == ["en"], "those measured, not those of the training data"
    (model,) = front["model-index"]  # type: ignore[misc]
    (result,) = model["results"]  # type: ignore[has-type]
    figures = cloud.candidate("whisper_small").figures
    known = {name: figure.value for name, figure in figures.items() if figure.value is not None}
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == known
    assert set(front["metrics"]) == set(known)  # type: ignore[call-overload]


def test_it_says_who_was_measured_and_how_to_run_it_again(cloud: Decision) -> None:
    sections = _parts(cloud)[1]
    scope = sections["Out of scope until it is measured"]
    assert "- Measured on: language: English; recorded through: studio, podcast;" in scope
    assert "- language: every one but English: in no corpus" in scope
    assert sections["What it is, and why"].count("What would decide between them") == 1
    card = decision_card(cloud)
    assert card is not None
    assert "trustser advise cloud --seed 0" in card
    assert "Save the text" not in card
    (text,) = cloud.scenario.texts
    own = replace(text, name="my cloud.yaml")
    card = decision_card(replace(cloud, scenario=replace(cloud.scenario, texts=(own,))).sealed())
    assert card is not None
    assert "Save the text below as my cloud.yaml first, and run there:" in card
    assert "trustser advise 'my cloud.yaml' --seed 0" in card


def test_int8_is_not_tuned_and_random_weights_are_of_no_model(edge: Decision) -> None:
    (first, *_) = edge.candidates
    frozen, tuned = (
        general_limits([replace(first, backbone=f"whisper_tiny{suffix}")])
        for suffix in ("+int8", "+last2+int8")
    )
    assert NOT_CAUSAL in frozen
    assert NOT_CAUSAL not in tuned
    assert "base_model" not in _parts(untrained(edge))[0]


def test_every_figure_stands_with_its_interval_and_origin(cloud: Decision) -> None:
    table = _parts(cloud)[1]["Figures"]
    for name, figure in cloud.candidate("whisper_small").figures.items():
        rows = [row for row in table.splitlines() if f"(`{name}`)" in row]
        if figure.value is None:
            assert rows == []
            continue
        (row,) = rows
        unit = CRITERIA[name].unit
        assert format_value(figure.value, unit) in row
        assert figure.origin in row
        if figure.low is not None and figure.low != figure.high:
            assert f"{format_value(figure.low, unit)} to" in row


def test_what_is_unknown_is_named_with_its_reason_and_has_no_figure(edge: Decision) -> None:
    assert edge.choice is not None
    reason = "nobody labelled gender here"
    decision = with_unknown(edge, edge.choice, "gender_accuracy", reason)
    front, sections = _parts(decision)
    assert reason in sections["What is unknown"]
    assert "`gender_accuracy`" not in sections["Figures"]
    assert "gender_accuracy" not in front["metrics"]  # type: ignore[operator]
    assert "unknown" in sections["Risks"]


def test_licences_that_nobody_verified_are_unknown() -> None:
    front, sections = _parts(advise("critical"))
    assert front["license"] == "unknown"
    assert "no licence is tagged" in sections["Licences"]
    assert "children: in no corpus" in sections["Out of scope until it is measured"]


def test_evidence_that_is_none_is_marked_where_the_hub_looks(edge: Decision) -> None:
    front, _ = _parts(untrained(edge))
    card = decision_card(untrained(edge))
    assert {"untrained-random-weights", "synthetic-speech"} <= set(front["tags"])  # type: ignore[call-overload]
    assert card is not None
    assert "> **Do not choose by this card: untrained weights and synthetic speech.**" in card


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_words(text: str, edge: Decision) -> None:
    card = decision_card(hostile(edge, text))
    assert card is not None
    front, sections = _parts(hostile(edge, text))
    assert tuple(sections) == _SECTIONS
    assert not re.search(r"(?<!\\)<(script|img|b)", re.sub(r"```.*?```", "", card, flags=re.S)[
        card.index("\n# ") :
    ])  # fmt: skip
    assert front["library_name"] == "trustser"


def test_no_text_ends_its_block() -> None:
    assert fenced("a\n````\nb").splitlines() == ["`````", "a", "````", "b", "`````"]


def test_a_measured_choice_names_its_runs() -> None:
    profiles = [profile_of("whisper_tiny", {"uar": (0.60, 0.62, 0.64)})]
    text = "evidence: measured\npriorities: {system_performance: high}\n"
    decision = advise(scenario_of(text), profiles)
    sections = _parts(decision)[1]
    assert decision.candidates[0].runs[0] in sections["How to reproduce"]
    card = decision_card(decision)
    assert card is not None
    assert "--db my.duckdb --seed 0 -o report.html" in card


def test_advise_writes_all_three_from_one_decision(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.html", "a.pdf", "a.md")]
    run = CliRunner().invoke(
        app,
        ["advise", "edge", "-o", str(paths[0]), "--pdf", str(paths[1]), "--card", str(paths[2])],
    )
    assert run.exit_code == 0
    assert run.output.splitlines()[-2:] == [f"Page: {paths[1]}", f"Card: {paths[2]}"]
    assert paths[1].read_bytes().startswith(b"%PDF")
    digest = re.search(r"sha256:[0-9a-f]{64}", paths[2].read_text("utf-8"))
    assert digest is not None
    assert digest[0] in paths[0].read_text("utf-8")


def test_json_stays_json_beside_other_outputs(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    run = CliRunner().invoke(app, ["advise", "edge", "--json", "--card", str(card)])
    assert Decision.from_json(run.stdout).choice == "whisper_tiny"
    assert f"Card: {card}" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["card.md"]


def test_where_nothing_is_chosen_there_is_no_card(tmp_path: Path) -> None:
    scenario, card = tmp_path / "none.yaml", tmp_path / "card.md"
    scenario.write_text(
        "version: 1\ntitle: None\npriorities: {safety: high}\n"
        "requirements: [{criterion: uar, at_least: 99 %}]\n"
    )
    run = CliRunner().invoke(app, ["advise", str(scenario), "--markdown", "--card", str(card)])
    assert run.exit_code == 3
    assert "no card at" in run.stderr
    assert not card.exists()


def test_without_its_library_pdf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "fpdf")
    with pytest.raises(MissingExtraError, match="fpdf2") as caught:
        CliRunner().invoke(app, ["advise", "edge", "--pdf", "a.pdf"], catch_exceptions=False)
    assert 'pip install "trustser[pdf]"' in str(caught.value)


@pytest.mark.parametrize("option", ["-o", "--pdf", "--card"])
def test_where_one_folder_is_missing_nothing_is_written(option: str, tmp_path: Path) -> None:
    paths = {name: tmp_path / name[-3:] for name in ("-o", "--pdf", "--card")}
    paths[option] = tmp_path / "nowhere" / "x"
    named = [word for name, path in paths.items() for word in (name, str(path))]
    with pytest.raises(OutputError, match="cannot be written"):
        CliRunner().invoke(app, ["advise", "edge", *named], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    path = str(tmp_path / "one")
    with pytest.raises(InputError, match="one file for two outputs"):
        CliRunner().invoke(
            app, ["advise", "edge", "--pdf", path, "--card", path], catch_exceptions=False
        )


def test_a_card_loads_no_torch() -> None:
    code = (
        "import sys; from advisor import advise; from trustser.decision_card import decision_card;"
        "decision_card(advise('edge')); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == "False"
