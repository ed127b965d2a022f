"""The published figures as they are printed, and what the evidence says of them."""

from __future__ import annotations

import pytest

from profiles_db.criteria import CRITERIA
from profiles_db.errors import EvidenceError
from profiles_db.published_studies import load_published, published_names

STUDY = load_published("trustser-2023")

# Table 2 (parameters in millions) and Table 4 (percent, 1e9 operations) of arXiv:2305.11229.
PRINTED = {
    "apc": (4.11, 95.6, 88.2, 20.9, 2.5),
    "tera": (21.33, 95.7, 70.7, 20.5, 12.8),
    "whisper_tiny": (8.21, 92.2, 78.9, 16.6, 2.3),
    "whisper_base": (20.59, 97.6, 73.2, 17.0, 6.0),
    "whisper_small": (88.15, 97.4, 61.0, 16.6, 26.2),
    "wav2vec2_base": (95.04, 97.2, 53.9, 16.4, 41.7),
    "wavlm_base_plus": (94.70, 98.4, 57.9, 16.8, 33.2),
}
COLUMNS = (
    ("parameters", 1e6),
    ("gender_accuracy", 0.01),
    ("attack_success_rate", 0.01),
    ("conditional_total_variation", 0.01),
    ("paper_macs", 1e9),
)
PROFILES = {profile.backbone: profile for profile in STUDY.profiles}


@pytest.mark.parametrize("backbone", PRINTED)
def test_tables_2_and_4(backbone: str) -> None:
    for (criterion, unit), printed in zip(COLUMNS, PRINTED[backbone], strict=True):
        measurement = PROFILES[backbone].pooled(criterion)
        assert measurement is not None
        assert measurement.value == pytest.approx(printed * unit, rel=1e-12)
        assert measurement.origin == "published"


def test_digitised_figures_are_marked_and_carry_their_uncertainty() -> None:
    for profile in STUDY.profiles:
        uar = profile.pooled("uar")
        assert uar is not None
        assert uar.value is not None
        assert uar.low is not None
        assert uar.origin == "digitised"
        assert uar.value - uar.low == pytest.approx(0.003)


def test_costs_counted_whole_are_this_projects_and_exact() -> None:
    for profile in STUDY.profiles:
        whole, paper = profile.pooled("macs"), profile.pooled("paper_macs")
        assert whole is not None
        assert paper is not None
        assert (whole.origin, whole.interval) == ("counted", "exact")
        assert whole.low == whole.value == whole.high


@pytest.mark.parametrize("criterion", ["uar", "gender_accuracy", "attack_success_rate"])
def test_assumed_intervals_give_their_reason(criterion: str) -> None:
    assert len(STUDY.assumed[criterion]) > 40
    for profile in STUDY.profiles:
        measurement = profile.pooled(criterion)
        assert measurement is not None
        assert measurement.interval == "assumed"


def test_what_is_not_published_is_unknown_and_points_on() -> None:
    for profile in STUDY.profiles:
        for criterion in (
            "excess_equalized_odds_difference",
            "equalized_odds_difference",
            "equal_opportunity_difference",
        ):
            unpublished = profile.pooled(criterion)
            assert unpublished is not None
            assert unpublished.value is None
            assert "conditional_total_variation" in str(unpublished.unknown)
        assert profile.pooled("latency_p95") is None


def test_the_papers_axis_scores_the_papers_figure_alone() -> None:
    own = CRITERIA[STUDY.aspect_criterion["fairness"]].scale
    assert (own.worst, own.best) == (0.24, 0.12)
    for criterion in CRITERIA.values():
        scale = criterion.scale
        if criterion.aspect == "fairness" and scale != own:
            assert "2305.11229" not in scale.source
            assert (scale.worst, scale.best) != (0.24, 0.12)
            assert scale.best in (0.0, 1.0), "no gap at all is the best there is"


def test_stand_ins_are_criteria_of_their_aspect_with_a_reason() -> None:
    for aspect, name in STUDY.aspect_criterion.items():
        assert CRITERIA[name].aspect == aspect
        assert len(STUDY.aspect_reasons[aspect]) > 40


def test_every_figure_is_possible() -> None:
    for profile in STUDY.profiles:
        for m in profile.measurements:
            if m.value is None or m.low is None or m.high is None:
                continue
            assert 0 <= m.low <= m.value <= m.high
            if CRITERIA[m.criterion].unit == "fraction":
                assert m.high <= 1


def test_the_quantizer_is_noted() -> None:
    parameters = PROFILES["wav2vec2_base"].pooled("parameters")
    assert parameters is not None
    assert "quantizer" in parameters.notes[0]
    assert parameters.flags == (), "the count is right for what the paper counts"


def test_names() -> None:
    assert "trustser-2023" in published_names()
    with pytest.raises(EvidenceError, match="one of emobox, ser-tests, superb, trustser-2023"):
        load_published("../../etc/passwd")
