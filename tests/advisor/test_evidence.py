"""Measured evidence: only comparable profiles, chosen and never guessed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from advisor import advise
from advisor.evidence.gathering import Evidence, gather
from advisor.evidence.selection import needed
from advisor.ranking.methods import METHODS
from profiles_db.errors import EvidenceError, ScenarioError
from profiles_db.profile import Profile
from tests.advisor.tables import Given, profile_of, scenario_of

VALUES: dict[str, Given] = {
    "uar": (0.55, 0.60, 0.65),
    "attack_success_rate": (0.6, 0.7, 0.8),
    "latency_p95": 0.04,
}
MEASURED = "evidence: {source: measured}\n"


def _gather(text: str, *profiles: Profile) -> Evidence:
    return gather(scenario_of(text), profiles)


def _error(text: str, *profiles: Profile) -> str:
    with pytest.raises(EvidenceError) as caught:
        _gather(text, *profiles)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_profiles_of_one_study() -> None:
    evidence = _gather(MEASURED, profile_of("fbank", VALUES), profile_of("apc", VALUES))
    assert [a.name for a in evidence.alternatives] == ["apc", "fbank"]
    assert evidence.study.kind == "measured"
    assert evidence.study.corpora == {"ravdess": 1.0}
    figure = evidence.alternatives[0].figures["uar"]
    assert (figure.low, figure.value, figure.high) == (0.55, 0.60, 0.65)


def test_costs_alone_stand_in_no_studys_way() -> None:
    costs = profile_of("tera", {"macs": 1e9}, study="cccc3333", corpus="")
    evidence = _gather(MEASURED, profile_of("fbank", VALUES), profile_of("apc", VALUES), costs)
    assert [a.name for a in evidence.alternatives] == ["apc", "fbank"]


def test_no_database_and_an_empty_one_are_told_apart() -> None:
    with pytest.raises(EvidenceError, match="there is no database"):
        gather(scenario_of(MEASURED))
    assert "holds no profile" in _error(MEASURED)


def test_untrained_weights_are_refused_then_marked() -> None:
    untrained = profile_of("apc", VALUES, weights_kind="random", weights_id="random:8")
    assert "allow_untrained: true" in _error(MEASURED, untrained)
    evidence = _gather("evidence: {source: measured, allow_untrained: true}\n", untrained)
    assert evidence.alternatives[0].marks == ("untrained weights",)
    assert evidence.study.untrained


def test_synthetic_speech_is_refused_then_marked() -> None:
    synthetic = profile_of("apc", VALUES, corpus="demo", synthetic=True)
    assert "allow_synthetic: true" in _error(MEASURED, synthetic)
    evidence = _gather("evidence: {source: measured, allow_synthetic: true}\n", synthetic)
    assert evidence.alternatives[0].marks == ("synthetic speech",)
    assert evidence.study.synthetic


def test_what_is_refused_beside_what_is_not_is_listed() -> None:
    evidence = _gather(
        MEASURED,
        profile_of("fbank", VALUES, weights_kind="none", weights_id="none"),
        profile_of("apc", VALUES, weights_kind="random", weights_id="random:8"),
    )
    assert [a.name for a in evidence.alternatives] == ["fbank"]
    (excluded,) = evidence.excluded
    assert excluded.name == "apc on ravdess"
    assert "untrained weights" in excluded.reason


def test_marks_reach_the_decision_and_its_words() -> None:
    untrained = profile_of("apc", VALUES, weights_kind="random", weights_id="random:8", folds=1)
    scenario = scenario_of("evidence: {source: measured, allow_untrained: true}\n")
    decision = advise(scenario, [untrained])
    assert decision.candidates[0].marks == ("untrained weights", "1 of 5 folds")
    assert decision.sentences("mark") == (
        "Caution: 1 of 5 folds for apc.",
        "Caution: untrained weights for apc.",
    )
    assert "untrained weights" in decision._repr_html_()


def test_too_few_folds() -> None:
    text = "evidence: {source: measured, min_folds: 5}\n"
    assert "fewer than min_folds: 5" in _error(text, profile_of("apc", VALUES, folds=1))


def test_several_studies_are_listed_and_refused() -> None:
    one, other = profile_of("apc", VALUES), profile_of("tera", VALUES, study="bbbb2222")
    error = _error(MEASURED, one, other)
    assert "aaaa1111 (ravdess: apc); bbbb2222 (ravdess: tera)" in error
    chosen = _gather("evidence: {source: measured, study: bbbb}\n", one, other)
    assert [a.name for a in chosen.alternatives] == ["tera"]


@pytest.mark.parametrize(
    "asked", ["study: aaaa", "study: bbbb2222", "corpora: crema_d", "device: phone"]
)
def test_what_a_decision_does_not_need_can_be_left_unread(asked: str) -> None:
    every = [
        profile_of("apc", VALUES),
        profile_of("tera", VALUES, synthetic=True),
        profile_of("tera", VALUES, study="bbbb2222"),
        profile_of("apc", VALUES, corpus="crema_d", study="cccc3333"),
        profile_of("apc", VALUES, corpus="meld", study="dddd4444", device="phone"),
    ]
    scenario = scenario_of(f"evidence: {{source: measured, {asked}}}\n")
    outlines = [replace(profile, measurements=()) for profile in every]
    names = {(p.study, p.backbone) for p in needed(scenario.spec.evidence, outlines)}
    few = [profile for profile in every if (profile.study, profile.backbone) in names]
    assert len(few) < len(every)
    assert advise(scenario, few).to_json() == advise(scenario, every).to_json()


def test_several_corpora_are_refused_unless_named() -> None:
    one = profile_of("apc", VALUES)
    other = profile_of("apc", VALUES, corpus="crema_d", study="cccc3333")
    assert "several studies could serve" in _error(MEASURED, one, other)
    only = _gather("evidence: {source: measured, corpora: crema_d}\n", one, other)
    assert only.study.corpora == {"crema_d": 1.0}


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("study: zzzz", "no study 'zzzz'"),
        ("study: a", "no study 'a'"),
        ("corpora: iemocap", "no profile on iemocap"),
        ("device: phone", "no profile was measured on 'phone'"),
    ],
)
def test_a_name_that_is_not_there(named: str, expected: str) -> None:
    error = _error(f"evidence: {{source: measured, {named}}}\n", profile_of("apc", VALUES))
    assert expected in error
    assert "the database has" in error


def test_an_ambiguous_prefix() -> None:
    profiles = [profile_of("apc", VALUES, study=study) for study in ("abcd1", "abcd2")]
    text = "evidence: {source: measured, study: abcd}\n"
    assert "2 studies begin with 'abcd'" in _error(text, *profiles)


def test_corpora_average_by_weight_and_intervals_in_quadrature() -> None:
    evidence = _gather(
        "evidence: {source: measured, corpora: {ravdess: 3, crema_d: 1}}\n",
        profile_of("apc", {"uar": (0.5, 0.6, 0.8), "macs": 2.5e9}),
        profile_of("apc", {"uar": (0.3, 0.4, 0.5), "macs": 2.5e9}, corpus="crema_d", study="b"),
    )
    figure = evidence.alternatives[0].figures["uar"]
    assert figure.value == pytest.approx(0.75 * 0.6 + 0.25 * 0.4)
    assert figure.low == pytest.approx(0.55 - math.hypot(0.75 * 0.1, 0.25 * 0.1))
    assert figure.high == pytest.approx(0.55 + math.hypot(0.75 * 0.2, 0.25 * 0.1))
    assert [(part.corpus, part.weight) for part in figure.parts] == [
        ("ravdess", 0.75),
        ("crema_d", 0.25),
    ]
    assert evidence.alternatives[0].figures["macs"].value == 2.5e9, "equal costs stay exact"


def test_a_corpus_that_is_missing_makes_the_mean_unknown() -> None:
    evidence = _gather(
        "evidence: {source: measured, corpora: [ravdess, crema_d]}\n",
        profile_of("apc", VALUES),
        profile_of("apc", VALUES, corpus="crema_d", study="b"),
        profile_of("tera", VALUES),
        profile_of("fbank", VALUES),
        profile_of("fbank", VALUES | {"uar": "no labels"}, corpus="crema_d", study="b"),
    )
    by_name = {a.name: a.figures["uar"] for a in evidence.alternatives}
    assert by_name["apc"].value == pytest.approx(0.6)
    assert by_name["tera"].unknown == "not measured on crema_d"
    assert by_name["fbank"].unknown == "no labels (crema_d)"


def test_protocols_that_differ_do_not_mix() -> None:
    text = "evidence: {source: measured, corpora: [ravdess, crema_d]}\n"
    one = profile_of("apc", VALUES, protocol={"epochs": 30, "classes": "default"})
    short = profile_of(
        "apc", VALUES, corpus="crema_d", study="b", protocol={"epochs": 3, "classes": "all"}
    )
    assert "differ in epochs" in _error(text, one, short)


def test_a_run_from_before_a_setting_compares_with_one_at_its_default() -> None:
    old, same, other = (
        profile_of(name, VALUES, protocol={"study": {}, "training": {"epochs": 30, **more}})
        for name, more in (
            ("apc", {}),
            ("tera", {"tune_learning_rate": 1e-4}),
            ("fbank", {"tune_learning_rate": 1e-5}),
        )
    )
    assert len(_gather(MEASURED, old, same).alternatives) == 2
    assert "differ in training.tune_learning_rate" in _error(MEASURED, old, other)


def test_the_newest_run_stands_and_the_note_says_so() -> None:
    old = profile_of("apc", VALUES | {"uar": 0.1}, run="old", finished="2026-01-01T00:00:00")
    new = profile_of("apc", VALUES | {"uar": 0.9}, run="new", finished="2026-01-02T00:00:00")
    evidence = _gather(MEASURED, new, old)
    assert evidence.alternatives[0].figures["uar"].value == 0.9
    assert "run old is superseded" in evidence.study.notes[0]


def test_two_sets_of_weights_of_one_backbone_are_two_candidates() -> None:
    evidence = _gather(
        MEASURED, profile_of("apc", VALUES), profile_of("apc", VALUES, weights_id="sha256:22")
    )
    assert [a.name for a in evidence.alternatives] == ["apc@sha256:1", "apc@sha256:22"]


def test_time_compares_on_one_device_only() -> None:
    profiles = [profile_of("apc", VALUES), profile_of("tera", VALUES, device="phone")]
    text = MEASURED + "budget: {latency_p95: 50 ms}\n"
    with pytest.raises(EvidenceError, match="several devices: laptop; phone"):
        advise(scenario_of(text), profiles)
    assert advise(scenario_of(MEASURED), profiles).choice is not None
    on_phone = scenario_of(
        "evidence: {source: measured, device: phone}\nbudget: {latency_p95: 50 ms}\n"
    )
    assert advise(on_phone, profiles).choice == "tera"


def test_include_and_exclude() -> None:
    decision = advise(scenario_of("candidates: {exclude: [apc, tera]}\n"))
    assert {entry.name for entry in decision.excluded} == {"apc", "tera"}
    assert set(advise(scenario_of("candidates: {include: apc}\n")).ranking) == {"apc"}
    with pytest.raises(ScenarioError, match=r"test\.yaml:4:\d+: .*Did you mean 'whisper_tiny'"):
        advise(scenario_of("candidates: {include: [whisper_tny]}\n"))
    with pytest.raises(ScenarioError, match="no candidate is left"):
        advise(scenario_of("candidates: {include: [apc], exclude: [apc]}\n"))


def test_an_aspect_and_its_criterion_count_once() -> None:
    with pytest.raises(ScenarioError, match=r"test\.yaml:3:\d+: 'uar' and 'system_performance'"):
        advise(scenario_of("priorities: {system_performance: high, uar: low}\n"))


def test_a_criterion_no_one_has_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(EvidenceError, match="no candidate has latency_p95") as caught:
        advise(scenario_of("priorities: {latency_p95: high}\n"))
    assert "give it no priority, or measure it" in str(caught.value).lower()


def test_a_candidate_with_a_gap_is_not_scored_but_bounded() -> None:
    profiles = [
        profile_of("apc", {"accuracy": 0.5, "macro_f1": 0.5}),
        profile_of("tera", {"accuracy": 0.9, "macro_f1": "lost"}),
        profile_of("fbank", {"accuracy": 0.1}),
    ]
    text = MEASURED + "priorities: {accuracy: 1, macro_f1: 1}\n"
    decision = advise(scenario_of(text), profiles)
    assert decision.choice == "apc"
    assert decision.ranking == ("apc",)
    tera = decision.candidate("tera")
    assert tera.score is None
    assert tera.score_low == pytest.approx(0.45)
    assert tera.score_high == pytest.approx(0.95)
    changes = {gap.candidate: gap.could_change for gap in decision.missing}
    assert changes == {"tera": True, "fbank": True}, "0.95 and 0.55 are above 0.5"


@pytest.mark.parametrize("method", list(METHODS))
def test_where_everyone_lacks_something_no_one_is_chosen(method: str) -> None:
    profiles = [profile_of("apc", {"accuracy": 0.5}), profile_of("tera", {"macro_f1": 0.5})]
    text = f"{MEASURED}priorities: {{accuracy: 1, macro_f1: 1}}\nmethod: {method}\n"
    decision = advise(scenario_of(text), profiles)
    assert (decision.choice, decision.ranking) == (None, ())
    assert "none can be scored" in decision.summary
    assert all("cannot be scored, for want of" in c.why for c in decision.candidates)


def test_a_single_candidate_is_chosen_by_every_method() -> None:
    for method in METHODS:
        text = f"{MEASURED}method: {method}\n"
        decision = advise(scenario_of(text), [profile_of("apc", VALUES)])
        assert decision.choice == "apc"
        assert decision.summary == "There was no choice: apc is the only candidate."
        assert decision.candidates[0].rank_probabilities == (1.0,)


def test_an_unknown_study_or_two_published_ones() -> None:
    with pytest.raises(EvidenceError, match="no published study called 'nope'"):
        advise(scenario_of("evidence: {source: published, study: nope}\n"))
    with pytest.raises(ScenarioError, match="several published studies"):
        advise(scenario_of("evidence: {source: published, study: [trustser-2023, b]}\n"))


def test_depths_of_one_encoder_are_candidates_like_any_other() -> None:
    """A budget that the whole encoder breaks is met by its first layers; names may have depths."""
    figures = {None: (0.65, 28e9), 4: (0.55, 12e9), 8: (0.64, 20e9)}
    profiles = [
        profile_of(
            "whisper_small" if depth is None else f"whisper_small@{depth}",
            {"uar": uar, "macs": macs},
            weights_id="sha256:a" if depth is None else f"sha256:a@{depth}",
        )
        for depth, (uar, macs) in figures.items()
    ]
    names = ["whisper_small", "whisper_small@4", "whisper_small@8"]
    assert [a.name for a in _gather(MEASURED, *profiles).alternatives] == names
    within = "priorities: {system_performance: high}\nbudget: {macs: 21 GMAC}\n"
    scenario = scenario_of(MEASURED + within)
    assert advise(scenario, profiles).choice == "whisper_small@8"
    only = MEASURED + "candidates: {include: [whisper_small@4, whisper_small]}\n"
    assert [a.name for a in _gather(only, *profiles).alternatives] == names[:2]
