"""`trustser report` and `trustser verify` on real files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from advisor import advise
from profiles_db.errors import InputError, TrustserError
from profiles_db.profile import Profile
from profiles_db.records import Run
from profiles_db.store import Store
from reports.advice import write_advice
from tests.reference.make_schema_fixture import finish
from tests.reports.profiles import a_profile
from trustser.commands.report import report, verify

_APP = typer.Typer()
_APP.command()(report)
_APP.command()(verify)


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(_APP, [str(argument) for argument in arguments])
    if isinstance(result.exception, TrustserError):
        raise result.exception
    return result.exit_code, result.output


def _keep(store: Store, profile: Profile, finished: str) -> None:
    names = {field.name for field in dataclasses.fields(Run)} - {"started"}
    known = {name: getattr(profile, name) for name in names} | {"model": profile.run}
    store.begin(Run(started=finished, **known))
    finish(store, profile.measurements, profile.run, finished, profile.provenance, profile.study)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "profiles.duckdb"
    store = Store(path)
    _keep(store, a_profile("whisper_tiny", study="old"), "2026-01-01T00:00:00+00:00")
    _keep(store, a_profile("apc"), "2026-01-02T00:00:00+00:00")
    _keep(store, a_profile("tera"), "2026-01-03T00:00:00+00:00")
    return path


def test_the_last_study_is_reported_where_nothing_is_named(database: Path, tmp_path: Path) -> None:
    output = tmp_path / "page.html"
    assert _run("report", "--db", database, "-o", output) == (
        0,
        f"Report of 2 profiles: {output}\n",
    )
    text = output.read_text("utf-8")
    assert "2 trust profiles" in text
    assert "whisper_tiny" not in text


@pytest.mark.parametrize("name", ["whisper_tiny", "run-whis"])
def test_a_run_or_a_backbone_is_reported_by_name(name: str, database: Path, tmp_path: Path) -> None:
    output = tmp_path / "page.html"
    code, said = _run(
        "report", name, "--db", database, "-o", output, "--made-at", "2026-01-31T12:00Z"
    )
    assert (code, said) == (0, f"Report of 1 profile: {output}\n")
    assert "on 2026-01-31T12:00:00+00:00" in output.read_text("utf-8")


@pytest.mark.parametrize("name", ["hubert", ""])
def test_a_name_nobody_has_is_one_line(name: str, database: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run or backbone"):
        _run("report", name, "--db", database, "-o", tmp_path / "page.html")


def test_a_time_that_is_none_is_one_line(database: Path) -> None:
    with pytest.raises(InputError, match="'noon' is no time"):
        _run("report", "--db", database, "--made-at", "noon")


def test_an_empty_database_is_one_line(tmp_path: Path) -> None:
    Store(tmp_path / "empty.duckdb")
    with pytest.raises(InputError, match="no finished profile"):
        _run("report", "--db", tmp_path / "empty.duckdb")


def test_a_report_as_it_was_written_holds(tmp_path: Path) -> None:
    page = tmp_path / "edge.html"
    write_advice(advise("edge"), page)
    code, said = _run("verify", page)
    assert code == 0
    assert said.splitlines() == [
        "The decision comes out the same: whisper_tiny.",
        "The page shows what its data says.",
    ]


def test_a_page_with_its_time_of_making_holds(tmp_path: Path) -> None:
    page = tmp_path / "edge.html"
    write_advice(advise("edge"), page, made_at='"noon" <b> & after')
    assert _run("verify", page)[0] == 0


def test_words_that_were_altered_are_found(tmp_path: Path) -> None:
    page = tmp_path / "edge.html"
    write_advice(advise("edge"), page)
    text = page.read_text("utf-8")
    shown = '<p class="value">63.7\xa0%'
    assert text.count(shown) == 1
    page.write_text(text.replace(shown, '<p class="value">73.7\xa0%'), encoding="utf-8")
    code, said = _run("verify", page)
    assert code == 1
    assert "The page was altered" in said
    assert "73.7" in said


def test_the_page_of_another_version_is_checked_by_its_data(tmp_path: Path) -> None:
    page = tmp_path / "edge.html"
    decision = advise("edge")
    older = dataclasses.replace(decision, versions={"trustser": "0.0.1"}).sealed()
    write_advice(older, page)
    code, said = _run("verify", page)
    assert code == 0
    assert "Another version wrote this page" in said


def test_an_altered_figure_is_named(tmp_path: Path) -> None:
    page = tmp_path / "edge.html"
    write_advice(advise("edge"), page)
    text = page.read_text("utf-8")
    figure = '"criterion": "uar", "value": 0.637'
    assert text.count(figure) == 1
    page.write_text(text.replace(figure, '"criterion": "uar", "value": 0.737'), encoding="utf-8")
    code, said = _run("verify", page)
    assert code == 1
    assert "whisper_tiny" in said
    assert "uar" in said
    assert "0.737" in said


def test_a_page_that_is_no_report_is_one_line(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>hello</p>", encoding="utf-8")
    with pytest.raises(InputError, match="no decision inside"):
        _run("verify", page)
