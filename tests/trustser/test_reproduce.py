"""Published figures measured again: what can be measured here, and when two figures agree."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.records import Figure
from profiler.measures.costs import architecture
from profiler.measures.costs.known import known_costs
from profiler.measures.registry import measures
from profiler.protocol import Protocol
from profiles_db.criteria import CRITERIA
from profiles_db.errors import InputError
from profiles_db.measurement import Measurement
from profiles_db.profile import Profile
from profiles_db.published_studies import load_published
from tests.profiler.backbones.checkpoints import apc_checkpoint
from tests.trustser.four_corpora import four_corpora
from trustser.__main__ import run
from trustser.reproduction import (
    COSTS,
    Target,
    corpora_at_hand,
    counted,
    departures,
    held_against,
    mean_over_corpora,
    measures_for,
    targets,
    weights_by_encoder,
)

STUDY = load_published("trustser-2023")
ENCODERS = [name for name in STUDY.titles if name not in STUDY.optional]
QUICK = (
    "training.epochs=1", "training.repetitions=1",
    "safety.snr_curve_db=[]", "safety.pgd_clips=1", "study.folds=1",
)  # fmt: skip


def ran(*arguments: str) -> tuple[int, str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = run(["reproduce", *arguments])
    return code, output.getvalue()


def target(criterion: str, encoder: str = "apc", **options: Any) -> Target:
    (found,) = targets(
        STUDY, encoders=[encoder], criteria=[criterion], at_hand=STUDY.corpora, **options
    )
    return found


def measured(value: float, low: float | None, high: float | None, **more: Any) -> Figure:
    return Figure("uar", value, low, high, interval="bootstrap", **more)


# What there is to measure


def test_every_published_figure_is_a_target_and_none_of_our_own_counts() -> None:
    found = targets(STUDY)
    assert len(found) == 7 * 6
    assert [one.encoder for one in found[::6]] == ENCODERS
    assert {one.criterion for one in found} == {
        "uar", "gender_accuracy", "attack_success_rate", "conditional_total_variation",
        "paper_macs", "parameters",
    }  # fmt: skip
    for one in found:
        assert one.lacks == (() if one.criterion in COSTS else STUDY.corpora)
        assert one.weights == ("" if one.criterion in COSTS else "pretrained")


def test_a_figure_lacks_the_corpora_that_are_not_at_hand() -> None:
    found = targets(STUDY, criteria=["uar"], at_hand=["crema_d", "iemocap"])
    assert {one.lacks for one in found} == {("msp_improv", "msp_podcast")}
    assert {one.lacks for one in targets(STUDY, at_hand=STUDY.corpora)} == {()}


def test_only_the_measures_that_give_the_figures_are_taken() -> None:
    assert measures_for(targets(STUDY)) == ("performance", "privacy", "safety", "fairness")
    assert measures_for(targets(STUDY, criteria=["attack_success_rate"])) == ("safety",)
    assert measures_for(targets(STUDY, criteria=["parameters", "paper_macs"])) == ()


def test_the_measure_of_each_figure_does_give_it() -> None:
    for one in targets(STUDY):
        for name in measures_for([one]):
            assert one.criterion in measures()[name].criteria


@pytest.mark.parametrize("text", ["", "crema_d", "crema_d=", "ravdess=x", "=x"])
def test_a_root_names_a_corpus_of_the_study(text: str) -> None:
    with pytest.raises(InputError, match="names no corpus"):
        corpora_at_hand([text], STUDY)
    with pytest.raises(InputError, match="twice"):
        corpora_at_hand(["crema_d=a", "crema_d=b"], STUDY)
    assert corpora_at_hand(["crema_d=a=b"], STUDY) == {"crema_d": Path("a=b")}


@pytest.mark.parametrize(
    ("texts", "message"),
    [(["a.ckpt"], "cannot be the weights of 2"), (["random", "pretrained"], "twice"),
     ([""], "or none"), (["apc="], "names no weights"), (["apc=a", "apc=b"], "twice")],
)  # fmt: skip
def test_weights_of_several_encoders_are_told_apart(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        weights_by_encoder(texts, ["apc", "tera"])
    with pytest.raises(InputError, match="tera is not among the encoders that are asked for"):
        weights_by_encoder(["tera=a"], ["apc"], ["tera"])
    assert weights_by_encoder(["a.ckpt"], ["apc"]) == {"apc": "a.ckpt"}
    assert weights_by_encoder([], ["apc", "tera"]) == {"apc": "pretrained", "tera": "pretrained"}


def test_departures_are_of_what_a_figure_depends_on() -> None:
    changed = Protocol.of(training={"epochs": 3, "repetitions": 1}, safety={"snr_db": 40})
    assert departures(changed, "uar") == ("training.epochs = 3",)
    assert departures(changed, "attack_success_rate") == (
        "training.epochs = 3", "safety.snr_db = 40.0",
    )  # fmt: skip
    assert departures(changed, "paper_macs") == ()
    assert all(departures(Protocol.of(), name) == () for name in CRITERIA if name in _criteria())


def _criteria() -> set[str]:
    return {one.criterion for one in targets(STUDY)}


# When two figures agree


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.50, 0.60, "agrees"),  # 58.8 % lies within
        (0.5905, 0.70, "agrees"),  # read to 0.3 points: 59.1 % at most
        (0.5915, 0.70, "differs"),
        (0.40, 0.5855, "agrees"),
        (0.40, 0.5845, "differs"),
    ],
)
def test_the_measured_interval_is_widened_by_what_is_known_of_the_published(
    low: float, high: float, verdict: str
) -> None:
    row = held_against(target("uar"), measured((low + high) / 2, low, high))
    assert (row.published, row.verdict, row.why) == (0.588, verdict, "")


@given(st.floats(0, 1), st.floats(0, 0.3), st.floats(0, 0.3))
def test_the_verdict_is_the_definition(value: float, below: float, above: float) -> None:
    row = held_against(target("uar"), measured(value, value - below, value + above))
    widened = (value - below - 0.003, value + above + 0.003)
    if min(abs(0.588 - end) for end in widened) > 1e-6:
        assert (row.verdict == "agrees") == (widened[0] < 0.588 < widened[1])


@pytest.mark.parametrize(
    ("figure", "options", "expected"),
    [
        (None, {"why_not": "no weights"}, ("not measurable here", "no weights")),
        (Figure("uar", None, unknown="no clip"), {}, ("cannot be told", "no clip")),
        (measured(0.6, None, None), {}, ("cannot be told", "no interval")),
        (measured(0.6, 0.5, 0.7, flags=("one speaker",)), {}, ("cannot be told", "one speaker")),
        (measured(0.6, 0.5, 0.7), {"differs_in": ["training.epochs = 1"]},
         ("not comparable", "training.epochs = 1")),
    ],
)  # fmt: skip
def test_what_cannot_be_told_says_why(
    figure: Figure | None, options: dict[str, Any], expected: tuple[str, str]
) -> None:
    row = held_against(target("uar"), figure, **options)
    assert row.verdict == expected[0]
    assert expected[1] in row.why


def test_untrained_weights_never_agree_but_their_costs_do() -> None:
    row = held_against(target("uar", weights="random"), measured(0.588, 0.5, 0.7))
    assert (row.verdict, row.why) == ("not comparable", "random weights")
    cost = target("parameters", "whisper_tiny", weights="random")
    assert held_against(cost, counted("parameters", 8_208_384)).verdict == "agrees"


def test_the_mean_over_corpora_is_even_and_its_interval_in_quadrature() -> None:
    values = {"iemocap": 0.6, "crema_d": 0.7, "msp_improv": 0.5, "msp_podcast": 0.4}
    figure = mean_over_corpora("uar", {name: _profile(name, v) for name, v in values.items()})
    assert figure.value == pytest.approx(0.55)
    half = math.sqrt(4 * (0.04 / 4) ** 2)
    assert figure.low == pytest.approx(0.55 - half)
    assert figure.high == pytest.approx(0.55 + half)


def _profile(corpus: str, value: float) -> Profile:
    figure = Measurement(
        "s", "apc", "w", corpus, "uar", value, value - 0.04, value + 0.04, "bootstrap"
    )
    return Profile("s", "apc", corpus, "pretrained", "w", "", False, 1, 1, 1, "", "", "",
                   measurements=(figure,))  # fmt: skip


# The command


def test_costs_are_counted_without_corpora_or_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all seven; counting anew is left out, since other tests hold known costs to counts."""
    monkeypatch.setattr(architecture, "architecture_costs", known_costs)
    code, text = ran("--criteria", "paper_macs,parameters", "--json")
    assert code == 4
    record = json.loads(text)
    differ = {(f["encoder"], f["criterion"]) for f in record["figures"] if f["verdict"] != "agrees"}
    assert differ == {
        ("wav2vec2_base", "parameters"),  # the quantizer, which only pre-training uses
        ("wavlm_base_plus", "paper_macs"),  # 33.29 against 33.2 printed
        ("wavlm_base_plus", "parameters"),
    }
    assert record["counts"] == {"agrees": 11, "differs": 3}
    assert "wavlm_base_plus: paper_macs differs by +85.9 MMAC" in ran("--criteria", "paper_macs")[1]


def test_a_plan_measures_nothing_and_says_what_is_lacking(tmp_path: Path) -> None:
    db = tmp_path / "none.duckdb"
    code, text = ran("--dry-run", "--json", "--db", str(db))
    record = json.loads(text)
    assert (code, db.exists(), record["dry_run"]) == (0, False, True)
    assert [corpus["name"] for corpus in record["corpora"]] == list(STUDY.corpora)
    assert all(corpus["path"] is None and corpus["from"] for corpus in record["corpora"])
    assert sum(figure["measurable"] for figure in record["figures"]) == 14
    assert "lacks 4 corpora" in ran("--dry-run", "--db", str(db))[1]


def test_no_corpus_at_hand_is_never_an_agreement() -> None:
    code, text = ran("--backbones", "apc", "--criteria", "uar")
    assert code == 3
    assert "apc: uar not measurable here: lacks iemocap, crema_d, msp_improv, msp_podcast" in text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reproduce")
    four_corpora(folder)
    apc_checkpoint(folder / "apc.ckpt")
    return folder


def with_corpora(place: Path, *arguments: str) -> tuple[int, str]:
    given = [f"--data-root={name}={place / name}" for name in STUDY.corpora]
    given += [f"--set={setting}" for setting in QUICK]
    # All but what privacy measures, whose attackers take longer than all else together.
    criteria = "uar,attack_success_rate,conditional_total_variation,paper_macs,parameters"
    given += ["--db", str(place / "a.duckdb"), "--cache", str(place / "cache")]
    return ran("--backbones", "apc", "--criteria", criteria, "--workers", "0", "--device", "cpu",
               *given, *arguments)  # fmt: skip


def test_with_the_corpora_at_hand_every_figure_is_measured(place: Path) -> None:
    code, text = with_corpora(place, "--weights", str(place / "apc.ckpt"), "--json")
    record = json.loads(text)
    assert [(c["clips"], c["folds"]) for c in record["corpora"]] == [
        (40, 5), (40, 5), (48, 6), (48, 1),
    ]  # fmt: skip
    figures = {figure["criterion"]: figure for figure in record["figures"]}
    for name in ("uar", "attack_success_rate", "conditional_total_variation"):
        assert figures[name]["verdict"] == "not comparable"
        assert "training.epochs = 1" in figures[name]["why"]
    assert 0 < figures["uar"]["measured"] < 1
    assert "safety.pgd_clips = 1" in figures["attack_success_rate"]["why"]
    assert (code, record["counts"]) == (0, {"not comparable": 3, "agrees": 2})
    again, words = with_corpora(place, "--weights", str(place / "apc.ckpt"))
    assert again == 0
    assert "5 figures: 3 not comparable, 2 agree." in words


def test_weights_that_are_not_there_leave_the_counts(place: Path) -> None:
    code, text = with_corpora(place, "--weights", str(place / "none.ckpt"))
    assert code == 0
    assert "not measurable here" in text
    assert "none.ckpt" in text
    assert "5 figures: 3 not measurable here, 2 agree." in text
