"""`trustser studies`, as a program and as a person see it."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from profiles_db.criteria import CRITERIA
from profiles_db.errors import EvidenceError, InputError
from profiles_db.published_studies import load_published, published_names
from trustser.commands.studies import studies

app = typer.Typer()
app.command()(studies)


def ran(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).stdout


def test_json_lists_every_study_with_its_source() -> None:
    records = {record["name"]: record for record in json.loads(ran("--json"))}
    assert tuple(records) == published_names()
    for name, record in records.items():
        study = load_published(name)
        assert record["doi"] == study.doi
        assert record["licence"] == study.licence
        assert record["notes"] == list(study.notes)
        assert record["joins"] is study.joins
        assert len(record["encoders"]) == len(study.encoders)
        assert [corpus["name"] for corpus in record["corpora"]] == list(study.corpora)
        assert "figures" not in record


def test_json_gives_figures_with_unit_interval_origin_and_source() -> None:
    (record,) = json.loads(
        ran("emobox", "--encoder", "wavlm_large", "--corpus", "iemocap", "--json")
    )
    figures = {figure["criterion"]: figure for figure in record["figures"]}
    assert set(figures) == {"uar", "accuracy", "macro_f1"}
    uar = figures["uar"]
    assert (uar["value"], uar["origin"], uar["interval"]) == (0.6947, "published", "assumed")
    assert "UA on IEMOCAP" in uar["source"]


def test_unknown_is_null_with_its_reason() -> None:
    (record,) = json.loads(
        ran("emobox", "--encoder", "wavlm_base", "--corpus", "pavoque", "--json")
    )
    for figure in record["figures"]:
        assert figure["value"] is None
        assert "stands in the table twice" in figure["unknown"]


def test_one_encoder_over_all_studies() -> None:
    records = {r["name"]: r for r in json.loads(ran("--encoder", "wav2vec2_base", "--json"))}
    counts = {name: len(record["figures"]) for name, record in records.items()}
    assert counts["emobox"] == 3 * 32
    assert counts["superb"] == 4
    assert counts["ser-tests"] == 0
    assert counts["trustser-2023"] == 10


def test_means_over_corpora_are_found_by_each_of_them() -> None:
    (record,) = json.loads(ran("trustser-2023", "--corpus", "crema_d", "--json"))
    assert {figure["corpus"] for figure in record["figures"]} == {
        "iemocap+crema_d+msp_improv+msp_podcast"
    }


def test_details_are_shown_on_request_and_are_no_criteria() -> None:
    without, with_them = (
        json.loads(ran("ser-tests", "--encoder", "cnn14_dim", "--json", *more))[0]["figures"]
        for more in ((), ("--details",))
    )
    assert without == []
    assert len(with_them) > 100
    assert not {figure["criterion"] for figure in with_them} & set(CRITERIA)


def test_the_list_for_people() -> None:
    output = ran()
    for name in published_names():
        study = load_published(name)
        assert study.doi in output
        assert study.title in output


def test_one_study_for_people() -> None:
    output = ran("superb", "--encoder", "tera")
    assert "56.3 %" in output
    assert "15.9 %" in output
    assert "Speaker verification is that of a verifier trained on the states" in output
    assert "Licence: " in output


def test_what_is_unknown_is_said_with_its_reason() -> None:
    output = ran("emobox", "--corpus", "savee")
    assert "unknown: accuracy, macro_f1, uar of data2vec_base on savee: two rows bear" in output
    assert "unknown: excess_equalized_odds_difference: needs answers" in ran("trustser-2023")


def test_names_that_do_not_exist() -> None:
    with pytest.raises(EvidenceError, match="no published study called 'emobx'"):
        ran("emobx")
    with pytest.raises(InputError, match="no study has 'wavlm_larg'") as caught:
        ran("--encoder", "wavlm_larg")
    assert "wavlm_large" in str(caught.value)
    with pytest.raises(InputError, match="no study has 'iemocop'"):
        ran("superb", "--corpus", "iemocop")
