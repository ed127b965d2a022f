"""Published studies beside each other and beside one's own profiles: no column mixes two."""

from __future__ import annotations

import pytest

from advisor import advise
from advisor.decision import Decision
from advisor.evidence.gathering import Evidence, gather
from advisor.records import Figure
from advisor.verify import verify
from profiles_db.criteria import CRITERIA
from profiles_db.errors import EvidenceError, ScenarioError
from profiles_db.published_studies import load_published
from tests.advisor.tables import profile_of, scenario_of


def _gather(text: str) -> Evidence:
    return gather(scenario_of(text))


def _figure(evidence: Evidence, name: str, criterion: str) -> Figure:
    (found,) = (a for a in evidence.alternatives if a.name == name)
    return found.figures[criterion]


def test_a_study_by_name_in_each_form() -> None:
    forms = (
        "evidence: published/superb\n",
        "evidence: [published/superb]\n",
        "evidence: {study: superb}\n",
        "evidence: {source: published, study: superb}\n",
    )
    found = [_gather(form) for form in forms]
    assert all(evidence == found[0] for evidence in found)
    assert found[0].study.studies == ("superb",)
    assert len(found[0].alternatives) == 20


def test_a_study_of_one_corpus_a_criterion() -> None:
    evidence = _gather("evidence: published/superb\n")
    assert _figure(evidence, "apc", "accuracy").value == pytest.approx(0.5933)
    assert _figure(evidence, "apc", "trained_speaker_eer").value == pytest.approx(0.0856)
    assert evidence.study.aspect_criterion["system_performance"] == "accuracy"
    assert "speaker_eer" not in evidence.alternatives[0].figures


def test_a_mean_over_the_corpora_that_are_complete() -> None:
    evidence = _gather("evidence: published/emobox\n")
    study = load_published("emobox")
    corpora = study.complete_corpora("uar")
    assert len(corpora) == 28
    assert set(evidence.study.corpora) == set(corpora)
    expected = [
        m.value
        for profile in study.profiles
        if profile.backbone == "wavlm_base" and profile.corpus in corpora
        and (m := profile.pooled("uar")) is not None and m.value is not None
    ]  # fmt: skip
    figure = _figure(evidence, "wavlm_base", "uar")
    assert figure.value == pytest.approx(sum(expected) / 28)
    assert figure.origin == "published"
    assert any("emns, enterface, pavoque, savee" in note for note in evidence.study.notes)


def test_corpora_and_shares_of_ones_choice() -> None:
    text = "evidence: {study: emobox, corpora: {iemocap: 3, crema_d: 1}}\n"
    figure = _figure(_gather(text), "wavlm_large", "uar")
    assert figure.value == pytest.approx(0.75 * 0.6947 + 0.25 * 0.7450)
    assert [part.corpus for part in figure.parts] == ["iemocap", "crema_d"]


def test_a_corpus_where_a_figure_is_missing_makes_it_unknown() -> None:
    evidence = _gather("evidence: {study: emobox, corpora: [savee, ravdess]}\n")
    assert "two rows bear this name" in str(_figure(evidence, "data2vec_base", "uar").unknown)
    assert _figure(evidence, "hubert_base", "uar").value is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{study: emobox, corpora: nowhere}", "emobox has no figures on 'nowhere'"),
        ("{corpora: iemocap}", "prints means over its corpora"),
        ("{study: emobox, device: phone}", "'device' does not apply to published figures"),
        ("[published/emobox, published/emobox]", "'published/emobox' is named twice"),
        ("[published, nonsense]", "'nonsense' is no evidence"),
        ("[published, published/]", "'published/' is no evidence"),
        ("[]", "does not fit evidence"),
        ("[1, 2]", "does not fit evidence"),
        ("published/", "'published/' is not valid"),
        ("nonsense/superb", "'nonsense/superb' is not valid"),
        ("{join: [published/ser-tests]}", "ser-tests cannot be joined"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(ScenarioError, match=r"test\.yaml:4:\d+: ") as caught:
        _gather(f"evidence: {text}\n")
    assert expected in str(caught.value)


def test_a_study_that_does_not_exist() -> None:
    with pytest.raises(EvidenceError, match="no published study called 'mine'"):
        _gather("evidence: [published, published/mine]\n")


@pytest.mark.parametrize(
    "names",
    [
        ("emobox", "superb"),
        ("superb", "emobox"),
        ("superb", "trustser-2023", "emobox", "ser-tests"),
    ],
)
def test_every_figure_of_a_criterion_is_of_the_first_study_that_has_it(
    names: tuple[str, ...],
) -> None:
    evidence = _gather(f"evidence: [{', '.join(f'published/{name}' for name in names)}]\n")
    alone = [_gather(f"evidence: published/{name}\n") for name in names]
    for criterion in CRITERIA:
        having = [one for one in alone if _known(one, criterion)]
        assert _known(evidence, criterion) == (_known(having[0], criterion) if having else {})


def _known(evidence: Evidence, criterion: str) -> dict[str, Figure]:
    return {
        a.name: figure
        for a in evidence.alternatives
        if (figure := a.figures.get(criterion)) is not None and figure.value is not None
    }


def test_a_candidate_that_the_column_lacks_is_unknown_with_the_reason() -> None:
    evidence = _gather("evidence: [published/emobox, published/superb]\n")
    accuracy = _figure(evidence, "apc", "accuracy")
    assert accuracy.value is None, "EmoBox has accuracy, and SUPERB's is not its"
    assert "figures of several studies do not mix" in str(accuracy.unknown)
    assert _figure(evidence, "apc", "trained_speaker_eer").value == pytest.approx(0.0856)


def test_an_aspect_is_weighed_on_the_study_that_speaks_for_it() -> None:
    evidence = _gather("evidence: [published/emobox, published/trustser-2023]\n")
    assert evidence.study.aspect_criterion["system_performance"] == "uar"
    assert evidence.study.aspect_criterion["privacy"] == "gender_accuracy"
    assert evidence.study.aspect_reasons["privacy"]
    assert set(evidence.study.assumed) >= {"uar", "gender_accuracy"}


def test_fine_tuned_models_stay_apart_from_frozen_encoders() -> None:
    evidence = _gather("evidence: [published/ser-tests, published/emobox]\n")
    assert _figure(evidence, "wavlm_cat", "uar").value is not None
    assert _figure(evidence, "wavlm_large", "uar").value is None


def test_own_profiles_beside_a_publication() -> None:
    mine = profile_of("apc", {"uar": (0.5, 0.55, 0.6), "latency_p95": 0.04})
    scenario = scenario_of(
        "evidence: [measured, published/superb]\n"
        "priorities: {system_performance: high, trained_speaker_eer: low}\n"
    )
    decision = advise(scenario, [mine])
    apc = decision.candidate("apc")
    assert (apc.figures["uar"].value, apc.figures["uar"].origin) == (0.55, "measured")
    assert apc.figures["trained_speaker_eer"].origin == "published"
    assert apc.weights_kind == "pretrained"
    assert decision.study.kind == "measured"
    assert decision.choice == "apc", "no other candidate was measured"
    with pytest.raises(EvidenceError, match="there is no database"):
        gather(scenario)


def test_untrained_weights_are_not_what_a_publication_speaks_of() -> None:
    untrained = profile_of("apc", {"uar": 0.3}, weights_kind="random", weights_id="random:8")
    text = "evidence: {source: measured, allow_untrained: true, beside: [published/superb]}\n"
    names = {a.name for a in gather(scenario_of(text), [untrained]).alternatives}
    assert {"apc", "apc@random:8"} <= names


def test_own_profiles_are_needed_only_where_they_are_named() -> None:
    assert scenario_of("evidence: [published, published/superb]\n").spec.evidence.measured is None
    named = scenario_of("evidence: [published, measured/3f2a9c]\n").spec.evidence.measured
    assert named is not None
    assert (named.source, named.study, named.beside) == ("measured", ("3f2a9c",), ())


@pytest.mark.parametrize("text", ["published/superb", "[published/emobox, published/superb]"])
def test_a_decision_on_published_studies_can_be_verified(text: str) -> None:
    decision = advise(scenario_of(f"evidence: {text}\npriorities: {{system_performance: high}}\n"))
    assert decision.choice == ("wavlm_large" if "emobox" not in text else "whisper_large_v3")
    assert verify(decision.to_json()).holds
    altered = decision.to_json().replace("0.7062", "0.9062")
    assert ("0.9062" in altered) != verify(altered).holds
    assert Decision.from_json(decision.to_json()) == decision
