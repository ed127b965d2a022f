"""Measuring only as far as a decision needs: real candidates on a small corpus."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

import trustser
from advisor.scenario.loading import load_scenario
from advisor.verify import verify
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiles_db.errors import EvidenceError, InputError
from profiles_db.maintenance import check
from profiles_db.profile import Profile
from profiles_db.records import Attacker, Epoch, GenderPrediction, Prediction
from profiles_db.store import Store
from tests.profiler.small_corpus import small_corpus
from trustser.__main__ import run
from trustser.staged_choice import (
    Choosing,
    candidates_of,
    in_published_order,
    measured_scenario,
    measures_for,
    rungs,
    stages_for,
)

pytestmark = pytest.mark.usefixtures("little_on_costs")

SETTINGS = {
    "training.epochs": 1,
    "training.repetitions": 1,
    "privacy.probe_epochs": 1,
    "safety.snr_curve_db": (),
    "safety.pgd_clips": 1,
}
SMALL = """
version: 1
title: Small and private
priorities: {system_performance: high, privacy: high, sustainability: high}
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


def _scenario(folder: Path, more: str = "") -> Path:
    path = folder / "small.yaml"
    path.write_text(SMALL + more)
    return path


def test_stages_begin_with_few_folds_and_with_what_needs_no_waveforms() -> None:
    scenario = load_scenario("critical")
    assert rungs(5) == (1, 2, 5)
    found = [(stage.folds, "safety" in stage.measures) for stage in stages_for(scenario, 5)]
    assert found == [(1, False), (1, True), (2, True), (5, True)]
    assert measures_for(["uar", "macs", "gender_inference"]) == (
        "performance", "privacy", "sustainability",
    )  # fmt: skip


def test_published_figures_order_the_candidates() -> None:
    found = in_published_order(
        load_scenario("edge"), ["mine", "wavlm_base_plus", "whisper_tiny"], Silent()
    )
    assert found == ["whisper_tiny", "wavlm_base_plus", "mine"]


def test_candidates_are_those_named_or_included_less_those_excluded(tmp_path: Path) -> None:
    scenario = load_scenario(_scenario(tmp_path, "candidates: {include: [a, b], exclude: [b]}"))
    assert candidates_of(scenario, None) == ["a"]
    assert candidates_of(scenario, ["b", "c", "c"]) == ["c"]
    with pytest.raises(InputError, match="no candidate is named"):
        candidates_of(scenario, ["b"])


def test_what_is_measured_takes_the_place_of_the_evidence_and_can_be_verified(
    tmp_path: Path,
) -> None:
    path = _scenario(tmp_path, "evidence: [published/superb]\ncandidates: {include: [hubert_base]}")
    stated = load_scenario(path)
    found = measured_scenario(stated, [])
    assert found.spec.evidence.source == "measured"
    assert found.spec.evidence.beside == ()
    assert found.spec.candidates.include is None
    assert found.texts[2:] == stated.texts


def test_evidence_that_names_corpora_gives_way_to_what_is_measured(tmp_path: Path) -> None:
    text = "evidence: {source: measured, corpora: {iemocap: 1, crema_d: 1}, min_folds: 5}\n"
    stated = load_scenario(_scenario(tmp_path, f"{text}candidates: {{depths: none}}"))
    evidence = measured_scenario(stated, []).spec.evidence
    assert evidence.corpora == {}
    assert evidence.min_folds == 1
    assert measured_scenario(stated, []).spec.candidates.depths == "all"


def test_the_baseline_is_a_candidate_and_its_aspects_are_measured(tmp_path: Path) -> None:
    scenario = load_scenario(
        _scenario(tmp_path, "baseline: {candidate: fbank, aspects: [fairness]}")
    )
    assert candidates_of(scenario, ["apc"]) == ["apc", "fbank"]
    assert "fairness" in stages_for(scenario, 5)[-1].measures


def test_a_name_that_is_none_is_told_before_any_work(tmp_path: Path) -> None:
    for names, seed, words in ((["fbank", "whisper_tinny"], 0, "whisper_tinny"),
                               (["fbank"], -1, "seed -1")):  # fmt: skip
        with pytest.raises(InputError, match=words):
            trustser.choose(_scenario(tmp_path), "demo", names, db=tmp_path / "a.duckdb", seed=seed)
    assert not (tmp_path / "a.duckdb").exists()


def test_a_budget_is_held_before_anything_is_trained(manifest: Path, tmp_path: Path) -> None:
    scenario = _scenario(tmp_path, "budget: {macs: 10 kMAC}")
    with pytest.raises(EvidenceError, match="every candidate is out before training"):
        trustser.choose(
            scenario, "manifest", ["fbank"], data_root=manifest, db=tmp_path / "a.duckdb",
            cache=tmp_path / "cache", settings=SETTINGS, workers=0,
        )  # fmt: skip
    assert Store(tmp_path / "a.duckdb").profiles() == []


@pytest.fixture(scope="module")
def chosen(
    manifest: Path, tmp_path_factory: pytest.TempPathFactory, little_on_costs: None
) -> tuple[Path, dict[str, object]]:
    """The folder and the JSON of one choice between two candidates, one out by its budget."""
    folder = tmp_path_factory.mktemp("choose")
    scenario = _scenario(folder, "budget: {macs: 300 MMAC}")
    command = ["choose", str(scenario), "--dataset", "manifest", "--data-root", str(manifest)]
    command += ["--backbone", "fbank", "--backbone", "whisper_tiny@1", "--weights", "random"]
    command += ["--db", str(folder / "a.duckdb"), "--cache", str(folder / "cache")]
    command += ["--workers", "0", "-o", str(folder / "report.html"), "--json"]
    for name, value in SETTINGS.items():
        command += ["--set", f"{name}={json.dumps(value)}"]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert run(command) == 0
    return folder, json.loads(output.getvalue())


def test_who_is_over_budget_is_not_trained_and_said(
    chosen: tuple[Path, dict[str, object]],
) -> None:
    folder, found = chosen
    assert found["settled"] is True
    assert found["measured"] == {"fbank": 5, "whisper_tiny@1": 0}
    assert found["decision"]["choice"] == "fbank"  # type: ignore[index]
    (out,) = found["decision"]["excluded"]  # type: ignore[index]
    assert out["name"] == "whisper_tiny@1"
    assert "not trained" in out["reason"]
    assert "at most 0.3 GMAC" in out["reason"]
    assert "not trained" in (folder / "report.html").read_text()
    assert [p.backbone for p in Store(folder / "a.duckdb").profiles()] == ["fbank"]
    assert check(folder / "a.duckdb").sound


def test_a_choice_can_be_verified(chosen: tuple[Path, dict[str, object]]) -> None:
    assert verify(json.dumps(chosen[1]["decision"])).holds


def test_stages_end_in_the_rows_and_figures_of_one_run_of_the_whole(
    chosen: tuple[Path, dict[str, object]], manifest: Path, tmp_path: Path
) -> None:
    folder, found = chosen
    looks = found["looks"]
    assert [look["folds"] for look in looks] == [1, 2, 5]  # type: ignore[attr-defined]
    (whole,) = trustser.profile(
        "fbank", "manifest", data_root=manifest, db=tmp_path / "b.duckdb", settings=SETTINGS,
        cache=tmp_path / "cache", measures="performance,privacy", workers=0,
    )  # fmt: skip
    store = Store(folder / "a.duckdb")
    (staged,) = store.profiles()
    assert staged.run == whole.run
    assert staged.folds == whole.folds == 5
    other_store = Store(tmp_path / "b.duckdb")
    for kind in (Prediction, GenderPrediction, Attacker, Epoch):
        rows = store.rows(staged.run, kind)
        assert rows
        assert rows == other_store.rows(whole.run, kind)
    for criterion in ("uar", "gender_inference"):
        one, other = staged.pooled(criterion), whole.pooled(criterion)
        assert one is not None
        assert other is not None
        assert (one.value, one.low, one.n) == (other.value, other.low, other.n)
    assert {one.measure for one in staged.measured} == {"performance", "privacy", "sustainability"}


def test_a_run_on_fewer_folds_is_carried_on_and_never_cut_back(
    chosen: tuple[Path, dict[str, object]], manifest: Path, tmp_path: Path
) -> None:
    folder, _ = chosen
    store = Store(tmp_path / "a.duckdb")

    def measured(folds: int, *measures: str) -> Profile:
        (found,) = profile_all(
            ["fbank"], "manifest", manifest, Protocol.of(**SETTINGS), store, weights="pretrained",
            weights_seed=0, cache=folder / "cache", device="cpu", workers=0, progress=Silent(),
            wanted=measures, first_folds=folds,
        )  # fmt: skip
        return found

    first = measured(1, "performance", "privacy")
    assert (first.folds, first.folds_total) == (1, 5)
    assert check(store.path).sound
    second = measured(2, "performance")
    assert (second.run, second.folds) == (first.run, 2)
    assert check(store.path).sound
    for criterion in ("uar", "gender_inference"):  # what was measured on one fold is on both
        before, after = first.pooled(criterion), second.pooled(criterion)
        assert before is not None
        assert after is not None
        assert before.n is not None
        assert after.n is not None
        assert after.n > before.n
    again = measured(1, "performance", "fairness")
    assert again.folds == 2
    assert again.pooled("uar") == second.pooled("uar")


def test_who_was_never_measured_for_want_of_time_is_named(
    chosen: tuple[Path, dict[str, object]],
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Choosing, "_has_time", lambda _, name, stage: name == "fbank")  # noqa: ARG005
    scenario = tmp_path / "one.yaml"
    scenario.write_text("version: 1\ntitle: One\npriorities: {system_performance: high}\n")
    found = trustser.choose(
        scenario, "manifest", ["fbank", "whisper_tiny@1"], data_root=manifest, weights="random",
        db=tmp_path / "a.duckdb", cache=chosen[0] / "cache", settings=SETTINGS, workers=0,
    )  # fmt: skip
    assert not found.settled
    assert found.measured == {"fbank": 1, "whisper_tiny@1": 0}
    assert [(one.name, one.reason) for one in found.decision.excluded] == [
        ("whisper_tiny@1", "time was up before it was measured")
    ]


def test_time_that_is_up_says_what_is_open(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no candidate could be measured"):
        trustser.choose(
            _scenario(tmp_path), "manifest", ["fbank"], data_root=manifest,
            db=tmp_path / "a.duckdb", cache=tmp_path / "cache", settings=SETTINGS, workers=0,
            budget=1e-9,
        )  # fmt: skip
