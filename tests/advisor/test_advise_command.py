"""The advise-side commands: what they print, write, and exit with."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from advisor import shipped_names
from advisor.scenario.json_schema import scenario_schema
from profiles_db.criteria import ASPECTS, CRITERIA
from profiles_db.profile import Profile
from profiles_db.records import Run
from profiles_db.store import Store
from tests.advisor.tables import Given, profile_of
from tests.reference.make_schema_fixture import finish
from trustser.__main__ import run

FIGURES: dict[str, Given] = {
    "uar": (0.4, 0.45, 0.5),
    "gender_inference": (0.8, 0.85, 0.9),
    "attack_success_rate": 0.3,
    "excess_equalized_odds_difference": (0.0, 0.05, 0.3),
    "macs": 2.4e9,
}
EARLIER: dict[str, Given] = {
    "uar": (0.4, 0.45, 0.5),
    "equalized_odds_difference": (0.1, 0.15, 0.3),
    "equal_opportunity_difference": (0.1, 0.14, 0.3),
    "macs": 2.4e9,
}
"""What was measured before fairness was weighed beyond chance."""
IMPOSSIBLE = "extends: edge\ntitle: Nothing fits\nbudget: {macs: 1 GMAC}\n"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_advise_writes_its_report_beside_you(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["advise", "edge"]) == 0
    out = capsys.readouterr().out
    assert "Whisper Tiny is chosen" in out
    assert out.rstrip().endswith("Report: trustser-edge.html")
    assert "Whisper Tiny" in Path("trustser-edge.html").read_text(encoding="utf-8")


def test_json_alone_writes_no_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["advise", "cloud", "--json"]) == 0
    decision = json.loads(capsys.readouterr().out)
    assert decision["choice"] == "whisper_small"
    assert decision["ranking"][0] == "whisper_small"
    assert _files() == []


def test_json_and_a_report_where_both_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["advise", "cloud", "--json", "-o", "out.html"]) == 0
    json.loads(capsys.readouterr().out)
    assert _files() == ["out.html"]


def test_the_same_inputs_give_the_same_bytes() -> None:
    for name in ("a.html", "b.html"):
        assert run(["advise", "edge", "-o", name, "--made-at", "2026-01-31T12:00:00Z"]) == 0
    assert Path("a.html").read_bytes() == Path("b.html").read_bytes()


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["advise", "critical", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("### Critical application: wavlm")
    assert _files() == []


def test_no_candidate_is_exit_code_3_and_the_report_says_what_to_relax(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("none.yaml").write_text(IMPOSSIBLE, encoding="utf-8")
    assert run(["advise", "none.yaml"]) == 3
    assert "would come in if" in capsys.readouterr().out
    assert "relaxed to 2.425 GMAC" in Path("trustser-none.html").read_text(encoding="utf-8")
    assert run(["advise", "none.yaml", "--json"]) == 3
    captured = capsys.readouterr()
    assert json.loads(captured.out)["choice"] is None
    assert captured.err.startswith("trustser: None of the 7 candidates meets every requirement")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["advise", "nowhere.yaml"], "no such file or shipped scenario"),
        (["advise", "edgy"], "Did you mean 'edge'?"),
        (["advise", "edge", "--seed", "-1"], "seed -1"),
        (["advise", "edge", "--made-at", "yesterday"], "is no time"),
        (["advise", "edge", "--json", "--markdown"], "Choose one"),
        (["advise", "edge", "-o", "no/such/folder.html"], "no/such"),
        (["init", "no/such/folder.yaml"], "cannot be written"),
        (["validate", "nowhere.yaml"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert expected in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_measured_evidence_needs_its_database(capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.yaml").write_text("extends: edge\nevidence: measured\n", encoding="utf-8")
    assert run(["advise", "m.yaml", "--json"]) == 2
    assert "trustser.duckdb" in capsys.readouterr().err


def test_a_database_beside_published_evidence_is_said_not_to_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["advise", "edge", "--json", "--db", "some.duckdb"]) == 0
    assert "some.duckdb is not read" in capsys.readouterr().err


def test_validate_names_every_error_of_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text("extends: edge\nmethd: topsis\nbudget: {macs: 5}\n", encoding="utf-8")
    Path("b.yaml").write_text("extends: edge\ncandidates: {include: [apx]}\n", encoding="utf-8")
    assert run(["validate", "a.yaml", "edge", "b.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "edge: valid\n"
    lines = captured.err.splitlines()
    assert [line.removeprefix("trustser: ").split(":")[:3] for line in lines] == [
        ["a.yaml", "2", "1"],
        ["a.yaml", "3", "16"],
        ["b.yaml", "2", "24"],
    ]


def test_validate_accepts_what_ships() -> None:
    assert run(["validate", *shipped_names()]) == 0


def test_schema_prints_and_writes_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == scenario_schema()
    assert run(["schema", "-o", "s.json"]) == 0
    assert json.loads(Path("s.json").read_text(encoding="utf-8")) == scenario_schema()


def test_init_writes_a_scenario_that_advise_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "mine.yaml"]) == 0
    assert run(["validate", "mine.yaml"]) == 0
    assert run(["init", "mine.yaml"]) == 2
    assert "use --force" in capsys.readouterr().err.lower()
    assert run(["init", "mine.yaml", "--force"]) == 0
    assert run(["advise", "mine.yaml", "--json"]) == 0
    assert _files() == ["mine.yaml"]


def _store(*profiles: Profile) -> None:
    """A database p.duckdb that holds these profiles."""
    store = Store(Path("p.duckdb"))
    for profile in profiles:
        kept = {f.name: getattr(profile, f.name) for f in fields(Run) if hasattr(profile, f.name)}
        kept |= {"model": profile.run, "started": "2026-01-01T00:00:00+00:00"}
        store.begin(Run(**kept))
        ended = "2026-01-01T00:00:01+00:00"
        finish(store, profile.measurements, profile.run, ended, study=profile.study)


def test_an_earlier_database_keeps_its_figures_under_their_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No figure of it takes the name of one that it lacks; what it has can still be weighed."""
    _store(
        profile_of("tera", EARLIER, run="r1"),
        profile_of("apc", EARLIER | {"uar": 0.5}, run="r2"),
    )
    scenario = "version: 1\ntitle: T\nevidence: measured\npriorities: {uar: high, %s: high}\n"
    Path("m.yaml").write_text(scenario % "fairness", encoding="utf-8")
    assert run(["advise", "m.yaml", "--db", "p.duckdb"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no candidate has excess_equalized_odds_difference" in line
    assert "or weigh equalized_odds_difference or equal_opportunity_difference instead" in line
    assert run(["profiles", "show", "apc", "--db", "p.duckdb", "--json"]) == 0
    (profile,) = json.loads(capsys.readouterr().out)
    shown = {m["criterion"]: m["value"] for m in profile["measurements"]}
    assert shown["equal_opportunity_difference"] == 0.14
    assert not {"conditional_total_variation", "excess_equalized_odds_difference"} & set(shown)
    assert run(["report", "--db", "p.duckdb", "-o", "r.html"]) == 0
    assert "qualized odds difference" in Path("r.html").read_text(encoding="utf-8")
    assert "beyond chance" not in Path("r.html").read_text(encoding="utf-8")
    Path("m.yaml").write_text(scenario % "equalized_odds_difference", encoding="utf-8")
    capsys.readouterr()
    assert run(["advise", "m.yaml", "--db", "p.duckdb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["choice"] == "apc"


def test_beside_a_new_profile_an_earlier_one_is_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _store(profile_of("tera", EARLIER, run="r1"), profile_of("apc", FIGURES, run="r2"))
    scenario = "version: 1\ntitle: T\nevidence: measured\npriorities: {uar: high, fairness: high}\n"
    Path("m.yaml").write_text(scenario, encoding="utf-8")
    assert run(["advise", "m.yaml", "--db", "p.duckdb", "--json"]) == 0
    decision = json.loads(capsys.readouterr().out)
    assert decision["ranking"][0] == decision["choice"] == "apc"
    (gap,) = decision["missing"]
    assert (gap["candidate"], gap["criterion"]) == ("tera", "excess_equalized_odds_difference")


def test_measured_evidence_from_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    """Two profiles go in, one of them untrained: refused, then allowed, marked and chosen from."""
    _store(
        profile_of("fbank", FIGURES, weights_kind="none", weights_id="none", run="r1"),
        profile_of("apc", FIGURES, weights_kind="random", weights_id="random:8", run="r2"),
    )
    Path("m.yaml").write_text("extends: edge\nevidence: {source: measured}\n", encoding="utf-8")
    assert run(["advise", "m.yaml", "--db", "p.duckdb", "--json"]) == 0
    decision = json.loads(capsys.readouterr().out)
    assert decision["ranking"] == ["fbank"]
    assert "untrained weights" in decision["excluded"][0]["reason"]
    Path("m.yaml").write_text(
        "extends: edge\nevidence: {source: measured, allow_untrained: true}\n", encoding="utf-8"
    )
    assert run(["advise", "m.yaml", "--db", "p.duckdb"]) == 0
    assert "[untrained weights]" in capsys.readouterr().out
    assert "untrained weights" in Path("trustser-m.html").read_text(encoding="utf-8")


BOUND = "version: 1\ntitle: T\npriorities: {safety: 1}\n"


def test_an_aspect_in_place_of_a_criterion_is_answered_with_its_criteria(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = f"{BOUND}requirements:\n  - {{criterion: fairness, at_most: 10 %}}\n"
    Path("a.yaml").write_text(text, encoding="utf-8")
    assert run(["validate", "a.yaml"]) == 2
    said = capsys.readouterr().err
    assert "'fairness' is an aspect, not a criterion" in said
    assert (
        "id you mean 'conditional_total_variation' (published figures) or "
        "'excess_equalized_odds_difference' (measured ones)?"
    ) in " ".join(said.split())
    assert "attack_success_rate" not in said, "only criteria of that aspect are offered"


@pytest.mark.parametrize("aspect", ASPECTS)
def test_what_is_offered_for_an_aspect_is_valid(
    aspect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.yaml").write_text(f"{BOUND}scales: {{{aspect}: {{worst: 1, best: 2, why: x}}}}\n")
    assert run(["validate", "a.yaml"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    offered = re.findall(r"'(\w+)'", said.split("id you mean")[1])
    assert offered
    assert all(CRITERIA[name].aspect == aspect for name in offered)


def test_validate_says_what_no_evidence_has(capsys: pytest.CaptureFixture[str]) -> None:
    bounds = "requirements:\n  - {criterion: gender_auc, at_most: 80 %}\n"
    bounds += "  - {criterion: speaker_eer, at_least: 1 %, on_unknown: warn}\n"
    Path("a.yaml").write_text(f"{BOUND}{bounds}budget: {{memory: 1 GB}}\n", encoding="utf-8")
    assert run(["validate", "a.yaml", "edge"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "a.yaml: valid, but no candidate has gender_auc, so that nobody can be judged; "
        "no candidate has speaker_eer, so that it only warns; "
        "no candidate has memory, so that nobody can be judged"
    )
    assert second == "edge: valid"


def test_validate_looks_into_a_database_where_one_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _store(profile_of("apc", {"attack_success_rate": 0.5}, run="r1"))
    Path("m.yaml").write_text(
        f"{BOUND}evidence: measured\nrequirements: [{{criterion: uar, at_least: 1 %}}]\n",
        encoding="utf-8",
    )
    assert run(["validate", "m.yaml"]) == 0
    assert capsys.readouterr().out == "m.yaml: valid\n"
    assert run(["validate", "m.yaml", "--db", "p.duckdb"]) == 0
    assert "valid, but no candidate has uar, so that nobody" in capsys.readouterr().out
