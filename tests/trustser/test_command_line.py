"""The command line as a stranger meets it: one line per error, exit codes, no torch for advice."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

from profiles_db.measurement import DETAILS
from tests.conftest import REPOSITORY
from trustser.__main__ import run

COMMANDS = (
    "profile", "profiles list", "profiles show", "profiles compare", "profiles export", "report",
    "advise", "verify", "diff", "validate", "schema", "init", "backbones", "datasets",
    "datasets check", "db backup", "db check", "cache list", "cache prune", "cache verify",
    "export-model", "predict", "choose",
)  # fmt: skip


@pytest.fixture(scope="module")
def database(little_on_costs: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short profile of the built-in corpus, made through the command line."""
    folder = tmp_path_factory.mktemp("cli")
    path = folder / "demo.duckdb"
    code = run(
        ["profile", "--backbone", "fbank", "--db", str(path), "--cache", str(folder / "cache"),
         "--folds", "2", "--seeds", "1", "--epochs", "2", "--workers", "0",
         "--set", "pgd_steps=0", "--set", "snr_curve_db=[]", "--set", "resamples=100"]
    )  # fmt: skip
    assert code == 0
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command.split()
    assert run([*words, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"Example: trustser {words[0]}", shown)


def test_the_demo_profile_is_marked_synthetic_everywhere(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["list"], ["show", "fbank"], ["compare"]):
        assert run(["profiles", *arguments, "--db", str(database)]) == 0
        assert "SYNTHETIC" in capsys.readouterr().out, arguments


def test_profiles_as_json_hold_every_measurement(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["profiles", "show", "fbank", "--db", str(database), "--json"]) == 0
    (profile,) = json.loads(capsys.readouterr().out)
    assert profile["synthetic"] is True
    assert profile["weights_kind"] == "none"
    found = {m["criterion"] for m in profile["measurements"] if m["value"] is not None}
    assert {"uar", "gender_accuracy", "attack_success_rate", "macs", "latency_p95"} <= found


def test_exports_agree_with_each_other(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {ending: tmp_path / f"x{ending}" for ending in (".csv", ".parquet", ".md", ".yaml")}
    for file in files.values():
        assert run(["profiles", "export", str(file), "--db", str(database)]) == 0
    with files[".csv"].open(newline="") as opened:
        rows = [
            r
            for r in csv.DictReader(opened)
            if r["criterion"] == "uar" and not any(r[detail] for detail in DETAILS)
        ]
    pooled = next(float(row["value"]) for row in rows if not row["fold"])
    with duckdb.connect() as connection:
        stored = connection.execute(
            "SELECT value FROM read_parquet(?)"
            " WHERE criterion = 'uar' AND gender IS NULL AND statistic IS NULL AND fold IS NULL",
            [str(files[".parquet"])],
        ).fetchall()
    assert stored == [(pooled,)]
    card = yaml.safe_load(files[".yaml"].read_text())["model-index"][0]
    metrics = {m["type"]: m["value"] for m in card["results"][0]["metrics"]}
    assert metrics["uar"] == pooled
    assert "SYNTHETIC" in card["results"][0]["dataset"]["name"]
    assert f"| uar | {100 * pooled:.1f} % [" in files[".md"].read_text()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ("nonsense", 2, "No such command"),
        ("profile", 2, "--backbone"),
        ("profile --backbone fbank --folds 99 --db DB --cache TMP", 2, "99 folds"),
        ("profile --backbone nope --db DB", 2, "unknown backbone 'nope'"),
        ("profile --backbone fbank --dataset ravdess --db DB", 2, "zenodo.org"),
        ("profile --backbone fbank --epochs 0 --db DB", 2, "epochs"),
        ("profile --backbone fbank --device tpu --db DB --cache TMP", 2, "auto, cpu, cuda"),
        ("profile --backbone fbank --db /no/such/folder/a.duckdb", 2, "folder does not exist"),
        ("profiles list --db missing.duckdb", 2, "no such database"),
        ("profiles show nope --db DB", 2, "no run or backbone is called 'nope'"),
        ("profiles export x.docx --db DB", 2, "no format has the ending"),
        ("profiles export /no/such/folder/x.csv --db DB", 2, "cannot be written"),
        ("profiles compare --study nope --db DB", 2, "no study is called 'nope'"),
        ("advise missing.yaml", 2, "missing.yaml"),
    ],
)
def test_errors_are_one_line_with_an_exit_code(
    arguments: str,
    code: int,
    expected: str,
    database: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = arguments.replace("DB", str(database)).replace("TMP", str(tmp_path))
    assert run(line.split()) == code
    written = capsys.readouterr().err.strip().splitlines()
    assert expected in written[-1]
    assert not any("Traceback" in text for text in written)


def test_missing_weights_name_the_checkpoint_and_the_ways_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    code = run(["profile", "--backbone", "whisper_tiny", "--db", str(tmp_path / "a.duckdb")])
    line = capsys.readouterr().err
    assert code == 2
    for part in ("openai/whisper-tiny", "--weights PATH", "Hugging Face cache", "--weights random"):
        assert part in line


def test_sustainability_alone_needs_no_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        ["profile", "--backbone", "fbank", "--only", "sustainability", "--json",
         "--db", str(tmp_path / "a.duckdb")]
    )  # fmt: skip
    assert code == 0
    (profile,) = json.loads(capsys.readouterr().out)
    found = {m["criterion"]: m["value"] for m in profile["measurements"]}
    assert set(found) == {
        "macs", "paper_macs", "parameters", "size", "latency_p50", "latency_p95",
        "real_time_factor", "memory",
    }  # fmt: skip
    assert found["latency_p50"] > 0


def _modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import trustser.app",
        "import advisor, profiles_db.store, reports.advice, reports.profile",
        "from trustser.__main__ import run; run(['advise', 'edge', '--json'])",
    ],
)
def test_advice_never_imports_torch(code: str) -> None:
    modules = _modules_after(code)
    assert not {"torch", "transformers", "torchaudio", "s3prl"} & modules


def test_advice_without_a_report_loads_nothing_it_does_not_need() -> None:
    modules = _modules_after("from trustser.__main__ import run; run(['advise', 'edge', '--json'])")
    assert "advisor.choosing" in modules
    assert not {"duckdb", "matplotlib", "rich", "jinja2"} & modules


def test_reading_a_corpus_never_imports_torch() -> None:
    assert "torch" not in _modules_after("import profiler.corpora.registry, profiler.protocol")
