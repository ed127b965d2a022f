"""A corpus that another package adds: the very package that the guide shows."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from profiler.corpora.registry import CORPORA, installed, read, reader_of
from profiles_db.errors import CorpusError, InputError
from tests.conftest import REPOSITORY
from tests.profiler.corpora.trees import write_tone
from trustser.__main__ import run
from trustser.commands.datasets import datasets_app

GUIDE = REPOSITORY / "docs" / "adding-a-corpus.md"

BROKEN = """
class Nameless(CorpusReader):
    name = "broken"
    title = "No more than a name"


class Unreadable(Nameless):
    languages = ()
    licence = citation = request = layout = folding = "x"
    all_classes = ()


class Renamed(Folders):
    name = "other"


nothing = "not a corpus"
"""


def guide_files() -> dict[str, str]:
    """The files that the guide shows, by their names."""
    shown = re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    return dict(shown)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The entry points of the guide's package, which lies on the path as if it were installed."""
    files = guide_files()
    (tmp_path / "folder_corpus.py").write_text(files["folder_corpus.py"] + BROKEN)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    points = project["entry-points"]["trustser.corpora"]
    points |= {"ravdess": points["folders"]}
    declared = "".join(f"{name} = {target}\n" for name, target in points.items())
    information = tmp_path / "folder_corpus-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (information / "entry_points.txt").write_text(f"[trustser.corpora]\n{declared}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "folder_corpus", raising=False)
    return information / "entry_points.txt"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five speakers with two tones for each of three labels."""
    folder = tmp_path / "data"
    for index, speaker in enumerate(("anna", "ben", "carl", "dora", "emil")):
        for number, label in enumerate(("happy", "sad", "bored")):
            for take in (1, 2):
                hertz = 200.0 + 50 * number + 7 * index + take
                write_tone(folder / speaker / f"{label}_{take}.wav", hertz=hertz, seconds=0.4)
    return folder


@pytest.mark.usefixtures("site")
def test_it_is_listed_and_read_like_any_other(data: Path) -> None:
    assert [reader.name for reader in installed()] == [*CORPORA, "folders"]
    corpus = read("folders", data)
    assert (corpus.name, corpus.classes, len(corpus.folds)) == ("folders", ("happy", "sad"), 5)
    assert corpus.notes == ("Clips of classes not asked for: bored 10.",)
    assert len(read("folders", data, classes="all").utterances) == 30
    with pytest.raises(InputError, match="no class angry"):
        read("folders", data, classes="happy,angry")
    with pytest.raises(CorpusError, match=r"no such folder.*example\.org"):
        read("folders", data / "nowhere")


@pytest.mark.usefixtures("site")
def test_it_is_shown_and_checked_on_the_command_line(data: Path) -> None:
    shown = json.loads(CliRunner().invoke(datasets_app, ["--json"]).stdout)[-1]
    assert (shown["name"], shown["languages"], shown["licence"]) == ("folders", ["de"], "CC0")
    assert shown["citation"] == "Example (2026), Folders of speakers"
    result = CliRunner().invoke(datasets_app, ["check", "folders", "--data-root", str(data)])
    assert result.exit_code == 0, result.output
    assert "Test parts: 4 to 4 clips" in result.stdout


@pytest.mark.usefixtures("site", "little_on_costs")
def test_it_is_profiled_on(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(
        ["profile", "--backbone", "fbank", "--dataset", "folders", "--data-root", str(data),
         "--folds", "1", "--seeds", "1", "--epochs", "1", "--workers", "0",
         "--set", "probe_epochs=1", "--set", "pgd_steps=0", "--set", "snr_curve_db=[]",
         "--set", "resamples=100",
         "--db", str(tmp_path / "a.duckdb"), "--cache", str(tmp_path / "cache"), "--json"]
    )  # fmt: skip
    shown = capsys.readouterr()
    assert code == 0, shown.err
    (found,) = json.loads(shown.out)
    assert '"folders"' in json.dumps(found)


@pytest.mark.usefixtures("site")
def test_it_cannot_take_the_place_of_a_corpus_of_the_program() -> None:
    assert reader_of("ravdess") is CORPORA["ravdess"]
    assert [reader.name for reader in installed()].count("ravdess") == 1


@pytest.mark.usefixtures("site")
def test_it_is_offered_where_a_name_is_not_known() -> None:
    with pytest.raises(InputError, match="Did you mean folders"):
        read("folder")


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("folder_corpus:Nameless", "declares no languages, no licence, no citation, no request"),
        ("folder_corpus:Unreadable", r"lacks contents\(\)"),
        ("folder_corpus:Renamed", "is named 'other'"),
        ("folder_corpus:nothing", "is no corpus"),
        ("folder_corpus:nowhere", "cannot be imported"),
        ("no_such_package:x", "cannot be imported"),
    ],
)
def test_a_broken_one_is_named_with_what_to_mend(site: Path, target: str, fault: str) -> None:
    site.write_text(f"[trustser.corpora]\nbroken = {target}\n")
    with pytest.raises(InputError, match=f"entry point broken .*{fault}.*declares {target}"):
        read("broken")
