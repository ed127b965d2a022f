"""The worst case over corpora, and which kinds of candidates stand."""

from __future__ import annotations

import numpy as np
import pytest

from advisor import Decision, advise
from advisor.evidence.averaging import combine
from profiles_db.errors import ScenarioError
from profiles_db.profile import Profile
from tests.advisor.tables import profile_of, scenario_of

CORPORA = ("ravdess", "crema_d")


def _worst(criterion: str, *given: tuple[float, float, float]) -> tuple[float | None, ...]:
    profiles = {
        corpus: profile_of("apc", {criterion: one}, corpus=corpus)
        for corpus, one in zip(CORPORA, given, strict=True)
    }
    figure = combine(criterion, profiles, dict.fromkeys(CORPORA, 0.5), "worst")
    return figure.low, figure.value, figure.high


def test_the_worst_is_the_lowest_recall_and_the_highest_gap() -> None:
    one, other = (0.50, 0.60, 0.70), (0.55, 0.58, 0.61)
    assert _worst("uar", one, other) == (0.50, 0.58, 0.61)
    assert _worst("uar_gender_gap", one, other) == (0.55, 0.60, 0.70)


def test_the_worst_truth_lies_within_as_often_as_said() -> None:
    """Two corpora, truths two deviations apart: the interval holds the worst in 95 % or more."""
    rng = np.random.default_rng(3)
    truths, deviation, held = (0.60, 0.64), 0.02, 0
    for _ in range(2000):
        found = [truth + rng.normal(0, deviation) for truth in truths]
        low, _, high = _worst("uar", *((v - 1.96 * 0.02, v, v + 1.96 * 0.02) for v in found))
        assert low is not None
        assert high is not None
        held += low <= min(truths) <= high
    assert held / 2000 > 0.94


def _profiles() -> list[Profile]:
    made = []
    for name, uar in (("apc", (0.50, 0.90)), ("tera", (0.65, 0.66))):
        made += [
            profile_of(name, {"uar": value, "attack_success_rate": 0.5}, corpus=corpus, run=corpus)
            for corpus, value in zip(CORPORA, uar, strict=True)
        ]
    return made


def _decide(across: str) -> Decision:
    text = (
        "evidence: {source: measured, corpora: [ravdess, crema_d]"
        f"{across}}}\npriorities: {{system_performance: high}}\n"
    )
    return advise(scenario_of(text), _profiles())


def test_the_worst_case_can_turn_the_choice() -> None:
    assert _decide("").choice == "apc"
    decision = _decide(", across: worst")
    assert decision.choice == "tera"
    figure = decision.candidate("apc").figures["uar"]
    assert (figure.value, figure.source) == (0.5, "worst of ravdess, crema_d: ravdess")
    assert {part.corpus: part.value for part in figure.parts} == {"ravdess": 0.5, "crema_d": 0.9}
    assert any("on which it is worst" in note for note in decision.study.notes)


def test_flags_of_every_corpus_stay() -> None:
    profiles = {
        "ravdess": profile_of("apc", {"uar": 0.5}, corpus="ravdess"),
        "crema_d": profile_of("apc", {"uar": 0.6}, corpus="crema_d", flags={"uar": "too few"}),
    }
    figure = combine("uar", profiles, dict.fromkeys(CORPORA, 0.5), "worst")
    assert figure.flags == ("too few (crema_d)",)


def test_published_benchmarks_have_a_worst_case_and_printed_means_have_none() -> None:
    text = "evidence: {{study: {study}, across: worst}}\npriorities: {{system_performance: high}}\n"
    decision = advise(scenario_of(text.format(study="emobox")))
    for candidate in decision.candidates:
        figure = candidate.figures["uar"]
        if figure.value is not None:
            assert figure.value == min(part.value or 0.0 for part in figure.parts)
    with pytest.raises(ScenarioError, match="prints means over its corpora"):
        advise(scenario_of(text.format(study="trustser-2023")))


def _names(candidates: str, *backbones: str) -> set[str]:
    profiles = [profile_of(name, {"uar": 0.6, "attack_success_rate": 0.5}) for name in backbones]
    text = f"evidence: measured\ncandidates: {{{candidates}}}\n"
    return {c.name for c in advise(scenario_of(text), profiles).candidates}


def test_kinds_of_candidates() -> None:
    all_of = ("whisper_small", "whisper_small@4", "wav2vec2_emotion_dim", "mine")
    tuned = "whisper_small@4+last1"
    assert _names("tuned: only", *all_of, tuned) == {"wav2vec2_emotion_dim", tuned}
    assert _names("depths: only, tuned: none", *all_of, tuned) == {"whisper_small@4"}
    assert _names("depths: none", *all_of) == {"whisper_small", "wav2vec2_emotion_dim", "mine"}
    assert _names("depths: only", *all_of) == {"whisper_small@4"}
    assert _names("tuned: none", *all_of) == {"whisper_small", "whisper_small@4", "mine"}
    assert _names("tuned: only", *all_of) == {"wav2vec2_emotion_dim"}
    assert _names("tuned: all, depths: all", *all_of) == set(all_of)


def test_who_is_left_out_by_kind_is_told_why() -> None:
    text = (
        "evidence: {study: ser-tests, corpora: msp_podcast}\ncandidates: {tuned: none}\n"
        "priorities: {system_performance: high}\n"
    )
    with pytest.raises(ScenarioError, match="no candidate is left"):
        advise(scenario_of(text))
    profiles = [
        profile_of(name, {"uar": 0.6, "attack_success_rate": 0.5}) for name in ("apc", "apc@2")
    ]
    decision = advise(scenario_of("evidence: measured\ncandidates: {depths: none}\n"), profiles)
    (excluded,) = decision.excluded
    assert excluded.name == "apc@2"
    assert excluded.reason == "it is the first layers of an encoder, which the scenario leaves out"


@pytest.mark.parametrize(
    ("line", "at", "remedy"),
    [
        ("candidates: {depths: non}", "non", "'none'?"),
        ("candidates: {tuned: true}", "true", ""),
        ("evidence: {study: emobox, across: wost}", "wost", "'worst'?"),
    ],
)
def test_an_error_names_place_and_remedy(line: str, at: str, remedy: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_of(f"{line}\n")
    error = str(caught.value)
    assert f"test.yaml:4:{line.index(at) + 1}: " in error, error
    assert remedy in error
