"""The functions for Python: the same runs, figures, decisions and errors as the command line's."""

from __future__ import annotations

import csv
import inspect
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import trustser
from profiles_db import errors
from profiles_db.figure_table import COLUMNS
from profiles_db.records import Epoch, Prediction
from profiles_db.store import Store
from reports.embedded import decision_text
from tests.conftest import REPOSITORY
from tests.profiler.small_corpus import small_corpus
from trustser.__main__ import run

PUBLIC = {
    "AudioError", "CacheError", "CheckpointError", "Chosen", "CorpusError", "Database", "Decision",
    "EngineError", "EvidenceError", "InputError", "Measurement", "MeasuringError",
    "MissingExtraError", "OutputError", "Profile", "ScenarioError", "StoreBusyError", "StoreError",
    "TrustserError", "__version__", "advise", "choose", "export_model", "load_model", "measure",
    "open", "profile", "write_report",
}  # fmt: skip
SETTINGS = {"study.folds": 2, "training": {"repetitions": 1, "epochs": 2}}
SCENARIO: dict[str, Any] = {
    "version": 1,
    "title": "Toy with a microphone",
    "priorities": {"system_performance": "high", "sustainability": 2},
    "requirements": [{"criterion": "uar", "at_least": "60 %", "why": "fun"}],
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


def profiled(manifest: Path, folder: Path, **options: Any) -> list[trustser.Profile]:
    """A short run in `folder`."""
    given: dict[str, Any] = {
        "data_root": manifest,
        "measures": ["performance"],
        "settings": SETTINGS,
        "workers": 0,
        "device": "cpu",
        "db": folder / "a.duckdb",
        "cache": folder / "cache",
    }
    return trustser.profile("fbank", "manifest", **(given | options))


@pytest.fixture(scope="module")
def folder(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run lies that the API made."""
    path = tmp_path_factory.mktemp("api")
    profiled(manifest, path)
    return path


@pytest.fixture(scope="module")
def db(folder: Path) -> Path:
    return folder / "a.duckdb"


# Names


def test_the_public_names_are_these_and_are_there() -> None:
    assert set(trustser.__all__) == PUBLIC
    assert sorted(trustser.__all__) == trustser.__all__
    assert set(dir(trustser)) >= PUBLIC
    for name in trustser.__all__:
        assert getattr(trustser, name).__doc__ or name == "__version__", name
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        trustser.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_every_error_is_public() -> None:
    own = {
        name
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, trustser.TrustserError)
    }
    assert own == {name for name in trustser.__all__ if name.endswith("Error")}


def _modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
    )  # fmt: skip
    return set(done.stdout.split())


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "duckdb", "typer", "rich", "numpy", "pydantic", "scipy"}
    assert not heavy & _modules_after("import trustser; dir(trustser)")
    heavy -= {"numpy", "pydantic"}
    assert not heavy & _modules_after("import trustser; trustser.advise('edge')")


# Profiling


def test_a_run_is_the_one_that_the_command_line_makes(
    folder: Path, db: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        ["profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", str(manifest),
         "--measures", "performance", "--folds", "2", "--repetitions", "1", "--epochs", "2",
         "--device", "cpu", "--db", str(db), "--cache", str(folder / "cache"), "--json"]
    )  # fmt: skip
    shown = capsys.readouterr()
    assert code == 0
    assert "already profiled" in shown.err
    with trustser.open(db) as database:
        (profile,) = database.profiles()
    assert json.loads(shown.out)[0]["run"] == profile.run
    assert [one.run for one in profiled(manifest, folder)] == [profile.run]


def test_progress_is_shown_where_it_is_asked_for(
    folder: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profiled(manifest, folder)
    assert capsys.readouterr() == ("", "")
    profiled(manifest, folder, progress=True)
    shown = capsys.readouterr()
    assert "nothing to do" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("by_pipe", [False, True])
def test_a_script_without_a_guard_has_workers(
    by_pipe: bool, manifest: Path, tmp_path: Path
) -> None:
    text = (
        "import trustser\n"
        f"found = trustser.profile('fbank', 'manifest', data_root={str(manifest)!r},\n"
        f"    measures='performance', settings={SETTINGS!r}, workers=2, device='cpu',\n"
        f"    db={str(tmp_path / 'a.duckdb')!r}, cache={str(tmp_path / 'cache')!r})\n"
        "print(len(found), found[0].failed)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, "-" if by_pipe else str(script)],
        input=text if by_pipe else None,
        capture_output=True, text=True, cwd=REPOSITORY, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "1 {}\n"), done.stderr


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ({"settings": {"training.epoch": 3}}, trustser.InputError, "no setting is called"),
        ({"settings": {"training.epochs": 0}}, trustser.InputError, "settings training.epochs:"),
        ({"settings": {"training": {"epochs": True}}}, trustser.InputError, "no numbers"),
        ({"measures": "beauty"}, trustser.InputError, "no measure is called 'beauty'"),
        ({"measures": []}, trustser.InputError, "names no measure"),
        ({"cache_limit": "20 apples"}, trustser.InputError, "--cache-limit"),
        ({"data_root": "nowhere.csv"}, trustser.CorpusError, "nowhere.csv"),
        ({"device": "tpu"}, trustser.InputError, "auto, cpu, cuda"),
        ({"db": "/no/such/folder/a.duckdb"}, trustser.StoreError, "folder does not exist"),
    ],
)
def test_what_is_wrong_is_an_error_of_its_kind(
    options: dict[str, Any],
    kind: type[trustser.TrustserError],
    expected: str,
    manifest: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(kind) as raised:
        profiled(manifest, tmp_path, **options)
    assert expected in str(raised.value)


def test_settings_of_a_program_win_over_a_file(manifest: Path, folder: Path) -> None:
    protocol = folder / "protocol.yaml"
    protocol.write_text("training: {repetitions: 1, epochs: 5}\nstudy: {folds: 2}\n")
    (found,) = profiled(manifest, folder, protocol=protocol, settings={"training.epochs": 2})
    with trustser.open(folder / "a.duckdb") as database:
        assert [one.run for one in database.profiles("fbank")] == [found.run]


# Measuring further


def test_figures_are_recomputed_with_other_settings(db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.duckdb"
    copy.write_bytes(db.read_bytes())
    with trustser.open(db) as database:
        (before,) = database.profiles()
    (after,) = trustser.measure("fbank", recompute=True, db=copy)
    assert after.measurements == before.measurements
    with pytest.raises(trustser.InputError, match="other rows would be needed"):
        trustser.measure("fbank", recompute=True, settings={"training.epochs": 9}, db=copy)
    with pytest.raises(trustser.InputError, match="changes settings of training"):
        trustser.measure("fbank", settings={"training.epochs": 9}, db=copy)


def test_a_run_is_measured_further(folder: Path, db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.duckdb"
    copy.write_bytes(db.read_bytes())
    (after,) = trustser.measure(
        "fbank", measures="fairness", db=copy, cache=folder / "cache", workers=0, device="cpu"
    )
    assert {one.measure for one in after.measured} == {"performance", "fairness"}


def test_measuring_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(trustser.InputError, match="no such file"):
        trustser.measure("fbank", db=tmp_path / "a.duckdb")
    assert not list(tmp_path.iterdir())


# Advice


def test_advice_is_that_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["advise", "edge", "--json", "--seed", "3"]) == 0
    assert capsys.readouterr().out == trustser.advise("edge", seed=3).to_json(indent=2) + "\n"


def test_a_scenario_as_data_is_the_same_as_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(SCENARIO, sort_keys=False))
    assert trustser.advise(SCENARIO) == trustser.advise(file)
    extended = trustser.advise({"extends": "edge", "title": "Mine"})
    assert extended.ranking == trustser.advise("edge").ranking


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"priorities": {"beauty": "high"}}, "beauty"),
        ({"title": object()}, "no plain data"),
        ({"priorities": {"safety": math.nan}}, "no plain data"),
        ({"extends": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_a_scenario_as_data_that_is_wrong_says_so(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(trustser.ScenarioError, match=expected):
        trustser.advise(SCENARIO | change)


def test_advice_on_a_database_and_on_profiles_at_hand(db: Path) -> None:
    scenario = {
        "version": 1,
        "title": "Own figures",
        "evidence": {"source": "measured"},
        "flagged": "accept",
        "priorities": {"uar": 1},
    }
    with trustser.open(db) as database:
        profiles = database.profiles()
    said: list[str] = []
    decision = trustser.advise(scenario, db=db, say=said.append)
    assert decision == trustser.advise(scenario, profiles=profiles)
    assert [candidate.name for candidate in decision.candidates] == ["fbank"]
    assert said == []
    trustser.advise("edge", db=db, say=said.append)
    assert said == [f"edge weighs published figures, {db} is not read."]
    with pytest.raises(trustser.StoreError, match="no such database"):
        trustser.advise(scenario, db=db.with_name("b.duckdb"))


def test_reports_are_written(db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decision = trustser.advise(SCENARIO)
    file = trustser.write_report(decision, tmp_path / "a.html", made_at="2026-01-31T12:00:00Z")
    assert decision_text(file.read_text(), "") == decision.to_json()
    assert "2026-01-31T12:00:00+00:00" in file.read_text()
    assert run(["verify", str(file)]) == 0
    capsys.readouterr()
    with trustser.open(db) as database:
        profiles = database.profiles()
    one = trustser.write_report(profiles[0], str(tmp_path / "b.html"), made_at="2026-01-31")
    several = trustser.write_report(profiles, tmp_path / "c.html", made_at="2026-01-31")
    assert one.read_text() == several.read_text()
    with pytest.raises(trustser.InputError, match="is no time"):
        trustser.write_report(decision, tmp_path / "d.html", made_at="noon")
    with pytest.raises(trustser.OutputError):
        trustser.write_report(decision, tmp_path / "no" / "d.html")


# Databases


def test_figures_are_those_of_an_export(db: Path, tmp_path: Path) -> None:
    exported = tmp_path / "a.csv"
    assert run(["profiles", "export", str(exported), "--db", str(db)]) == 0
    expected = list(csv.DictReader(exported.open()))
    with trustser.open(db) as database:
        table = database.figures()
        assert database.figures(study="another").empty
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == len(expected) > 0
    for (_, row), other in zip(table.iterrows(), expected, strict=True):
        for name in ("value", "low", "baseline"):
            found = row[name]
            assert (found == float(other[name])) if other[name] else math.isnan(found), name
        assert (row["criterion"], row["run"]) == (other["criterion"], other["run"])


def test_rows_are_those_of_the_store(db: Path) -> None:
    store = Store(db, read_only=True)
    (profile,) = store.profiles()
    with trustser.open(db) as database:
        assert {"predictions", "epochs", "runs"} <= set(database.tables())
        for kind, name in ((Prediction, "predictions"), (Epoch, "epochs")):
            by_kind, by_name = database.rows(kind), database.rows(name, run=profile.run)
            assert by_kind.equals(by_name)
            rows = store.rows(profile.run, kind)
            assert len(by_kind) == len(rows) > 0
            assert list(by_kind["fold"]) == [row.fold for row in rows]
            assert set(by_kind["run"]) == {profile.run}
        predicted = [row.predicted for row in store.rows(profile.run, Prediction)]
        assert list(database.rows(Prediction)["predicted"]) == predicted
        assert database.rows("epochs", run="none").empty


def test_tables_are_of_arrow_where_asked_for(db: Path) -> None:
    import pyarrow  # noqa: PLC0415 - an extra

    with trustser.open(db) as database:
        for table, same in (
            (database.figures(to="arrow"), database.figures()),
            (database.rows("predictions", to="arrow"), database.rows("predictions")),
        ):
            assert isinstance(table, pyarrow.Table)
            assert table.num_rows == len(same)
            assert table.column_names == list(same.columns)
        unknown = database.figures(to="arrow").column("low")
        assert unknown.null_count < len(unknown)


@pytest.mark.parametrize(("to", "library"), [("pandas", "pandas"), ("arrow", "pyarrow")])
def test_a_missing_library_is_named(
    to: Any, library: str, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trustser.database.is_installed", lambda _: False)
    with (
        trustser.open(db) as database,
        pytest.raises(trustser.MissingExtraError, match=rf"{library}.*trustser\[{to}\]"),
    ):
        database.rows("predictions", to=to)


def test_a_database_refuses_what_it_cannot_give(db: Path, tmp_path: Path) -> None:
    with pytest.raises(trustser.StoreError, match="no such database"):
        trustser.open(tmp_path / "none.duckdb")
    database = trustser.open(db)
    with pytest.raises(trustser.StoreError, match=r"no table is called 'nonsense'.*predictions"):
        database.rows("nonsense")
    with pytest.raises(trustser.InputError, match="no kind of row"):
        database.rows(Path)
    with pytest.raises(trustser.InputError, match="pandas, arrow"):
        database.figures(to="polars")  # type: ignore[call-overload]
    with pytest.raises(trustser.InputError, match="no run or backbone is called 'x'"):
        database.profiles("x")
    database.close()
    database.close()
    assert repr(database) == f"Database({str(db)!r}, closed)"
    with pytest.raises(trustser.StoreError, match="is closed"):
        database.profiles()


def test_a_database_that_is_read_is_not_written(db: Path) -> None:
    with trustser.open(db) as database:
        with pytest.raises(trustser.StoreError, match=r"open in this process already.*Close it"):
            trustser.measure("fbank", recompute=True, db=db)
        with trustser.open(db) as another:
            assert another.profiles() == database.profiles()


def test_a_database_that_is_open_changes_nothing_and_lets_go(db: Path) -> None:
    before = db.read_bytes()
    with trustser.open(db) as database:
        database.profiles()
    assert db.read_bytes() == before
    Store(db).outlines()
