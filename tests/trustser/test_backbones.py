"""`trustser backbones`, as a program and as a person see it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner, Result

from profiler.backbones.catalogue import CATALOGUE
from profiles_db.errors import InputError, MissingExtraError
from trustser import extras
from trustser.commands.backbones import backbones

app = typer.Typer()
app.command()(backbones)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_json_gives_every_backbone_and_where_it_comes_from() -> None:
    records = {record["name"]: record for record in json.loads(ran("--json", "--no-counts").stdout)}

    assert list(records)[: len(CATALOGUE)] == list(CATALOGUE)
    for name, entry in CATALOGUE.items():
        record = records[name]
        assert record["licence"] == entry.licence
        assert record["pre_training_data"] == entry.pre_training_data
        assert (record["hidden_size"], record["layers"]) == (entry.hidden_size, entry.layers)


def test_json_gives_costs_in_units() -> None:
    apc, whisper, fbank = json.loads(ran("--json", "apc", "whisper_tiny", "fbank").stdout)

    assert whisper["parameters"] == 8_208_384
    assert whisper["macs"] == pytest.approx(2.593e9, rel=1e-3)
    assert whisper["paper_macs"] == pytest.approx(2.317e9, rel=1e-3)
    assert whisper["checkpoint"] == "openai/whisper-tiny"
    assert apc["paper_macs"] > apc["macs"] > fbank["macs"] > 0
    assert {record["uncounted"] == {} for record in (apc, whisper, fbank)} == {True}


def test_the_table_shows_what_was_asked_for() -> None:
    output = ran("whisper_tiny", "fbank").stdout

    assert "8.21 M" in output
    assert "2.59 GMAC" in output
    assert "Whisper Tiny" in output
    assert "wavlm" not in output


def test_depths_are_mentioned_and_counted() -> None:
    whole, cut, fbank = json.loads(ran("--json", "whisper_tiny", "whisper_tiny@2", "fbank").stdout)
    assert (cut["name"], cut["licence"]) == ("whisper_tiny@2", whole["licence"])
    assert (cut["layers"], cut["parameters"]) == (2, 4_659_456)
    assert whole["macs"] > cut["macs"] > whole["macs"] / 2
    layers = [record["transformer_layers"] for record in (whole, cut, fbank)]
    assert layers == [4, 2, 0]
    (known,) = json.loads(ran("--json", "--no-counts", "tera@1").stdout)
    assert (known["layers"], known["transformer_layers"]) == (2, 1)

    output = ran("--no-counts", "whisper_tiny", "whisper_tiny@2", "fbank").stdout
    assert "NAME@K" in output
    assert "1 to 3" in output
    assert output.count("none ") >= 2
    assert "Whisper Tiny, first 2 layers" in output


def test_without_counts_torch_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from tests.trustser.test_backbones import app\n"
        "result = CliRunner().invoke(app, ['--no-counts', '--json'])\n"
        "assert '\"whisper_tiny\"' in result.stdout and 'macs' not in result.stdout\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_input_error() -> None:
    with pytest.raises(InputError, match="Did you mean whisper_tiny"):
        ran("whisper_tin")


def test_counting_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "PROFILE_MODULES", ("no_such_module",))
    with pytest.raises(MissingExtraError, match=r"trustser\[profile\]"):
        ran("fbank")
