"""`trustser backbones`, as a program and as a person see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
        assert record["training_hours"] == entry.training_hours
        assert (record["languages"], record["source"]) == (entry.languages, entry.source)
        assert record["licence_note"] == (entry.licence_note or None)
        assert (record["macs"] or 0) > 0 or record["uncountable"]
        assert record["macs"] != 0


def test_json_gives_costs_in_units() -> None:
    apc, whisper, fbank = json.loads(ran("--json", "apc", "whisper_tiny", "fbank").stdout)

    assert whisper["parameters"] == 8_208_384
    assert whisper["macs"] == pytest.approx(2.593e9, rel=1e-3)
    assert whisper["paper_macs"] == pytest.approx(2.317e9, rel=1e-3)
    assert whisper["checkpoint"] == "openai/whisper-tiny"
    assert apc["paper_macs"] > apc["macs"] > fbank["macs"] > 0
    assert {record["uncounted"] == {} for record in (apc, whisper, fbank)} == {True}


def test_one_backbone_is_shown_with_all_facts() -> None:
    output = ran("whisper_tiny", "wavlm_base").stdout

    for fact in ("8.21 M", "2.59 GMAC", "Whisper Tiny", "4 x 384", "680,000", "arXiv:2212.04356"):
        assert fact in output
    assert "CC BY-SA 3.0 (not tagged;" in output
    assert "hubert" not in output


def test_the_table_fits_into_eighty_columns() -> None:
    lines = ran().stdout.splitlines()

    assert max(map(len, lines)) <= 80
    for name, entry in CATALOGUE.items():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.rstrip().endswith(entry.licence)
        assert f" {entry.training_hours:,} " in line
    (large,) = [line for line in lines if "whisper_large_v3" in line]
    assert "636.97 M" in large
    assert "198.01 GMAC" in large


def test_a_backbone_without_facts_is_unknown_never_zero(tmp_path: Path) -> None:
    config = {"model_type": "wavlm", "hidden_size": 32, "num_hidden_layers": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (record,) = json.loads(ran("--json", "--no-counts", str(tmp_path)).stdout)
    output = ran("--no-counts", str(tmp_path)).stdout

    assert record["training_hours"] is None
    assert record["licence"] is None
    assert "macs" not in record
    assert output.count("unknown") == 8
    assert "macs" not in output


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
    assert "NAME@K" in ran("--no-counts").stdout
    assert "1 to 3" in output
    assert output.count("none") >= 2
    assert "Whisper Tiny, first 2 layers" in output


def test_without_counts_torch_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from tests.trustser.test_backbones import app\n"
        "result = CliRunner().invoke(app, ['--no-counts', '--json'])\n"
        "assert '\"whisper_tiny\"' in result.stdout and '2593036800' in result.stdout\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_input_error() -> None:
    with pytest.raises(InputError, match="Did you mean whisper_tiny"):
        ran("whisper_tin")


def test_counting_without_the_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extras, "PROFILE_MODULES", ("no_such_module",))
    (tmp_path / "config.json").write_text('{"model_type": "wavlm"}')
    assert "2.59 GMAC" in ran("whisper_tiny").stdout
    with pytest.raises(MissingExtraError, match=r"trustser\[profile\]"):
        ran(str(tmp_path))
