"""Estimates from other studies: the model by an independent oracle, its intervals by what is known.

What is known: figures of published studies, left out in turn, and simulated ones.
"""

from __future__ import annotations

import doctest
from functools import cache

import numpy as np
import pytest
from scipy import special, stats

from advisor import advise
from advisor.evidence import partial_pooling
from advisor.evidence.gathering import Evidence, gather
from advisor.evidence.joining import FEWEST_CHECKS, checks
from advisor.evidence.partial_pooling import Join, Observation, moderated
from advisor.explanation.summary import as_text
from advisor.records import Figure
from advisor.verify import verify
from benchmarks.joining import Row, observed, rows, simulated
from tests.advisor.tables import profile_of, scenario_of

JOINED = "evidence: {join: [published/emobox, published/superb]}\n"
PRIORITIES = "priorities: {system_performance: high}\n"


@cache
def _rows() -> tuple[Row, ...]:
    return tuple(rows(observed()))


@cache
def _joined(text: str = JOINED) -> Evidence:
    return gather(scenario_of(text + PRIORITIES))


def _figures(evidence: Evidence, criterion: str = "uar") -> dict[str, Figure]:
    return {a.name: a.figures[criterion] for a in evidence.alternatives}


def test_intervals_of_published_figures_left_out_hold_them() -> None:
    count = sum(row.figures for row in _rows())
    held = sum(row.held * row.figures for row in _rows()) / count
    assert count == 171
    assert 0.90 <= held <= 0.98
    assert all(row.held >= 0.90 for row in _rows())


def test_estimates_are_nearer_than_the_mean_and_their_intervals_narrower_than_the_spread() -> None:
    for row in _rows():
        assert row.error < row.error_of_mean
        assert row.width < row.width_of_spread


def test_estimates_rank_encoders_as_the_studies_do() -> None:
    taus = {row.study: row.tau for row in _rows()}
    assert taus["emobox"] == pytest.approx(0.43, abs=0.05)
    assert taus["superb"] == pytest.approx(0.86, abs=0.05)
    assert taus["trustser-2023"] == pytest.approx(0.67, abs=0.05)


def test_intervals_of_simulated_figures_hold_them() -> None:
    inside, every = (sum(column) for column in zip(*map(simulated, range(12)), strict=True))
    assert every > 1000
    assert 0.90 <= inside / every <= 0.98


def _observations(columns: dict[str, dict[str, float]]) -> list[Observation]:
    return [
        Observation(study, "only", encoder, value)
        for study, column in columns.items()
        for encoder, value in column.items()
    ]


COLUMNS = {
    "one": {"a": 0.45, "b": 0.55, "c": 0.6, "d": 0.7, "e": 0.75},
    "other": {"a": 0.5, "b": 0.58, "c": 0.62, "f": 0.66},
    "third": {"d": 0.8, "e": 0.82, "f": 0.7, "a": 0.6},
}


def test_the_prediction_is_the_normal_distribution_given_the_figures() -> None:
    """Oracle: levels as normal with a huge variance, and one joint distribution conditioned."""
    join = Join(_observations(COLUMNS))
    encoders, departures = np.exp(join._parameters[:2])
    spreads = dict(zip(join.studies, np.exp(join._parameters[2:]), strict=True))
    places = [(study, encoder) for study, column in COLUMNS.items() for encoder in column]
    wanted = ("other", "e")
    every = [*places, wanted]
    covariance = np.array(
        [
            [
                1e6 * (s == t)
                + spreads[s] * spreads[t] * (e == f) * (encoders + departures * (s == t))
                + (0.04 * spreads[s] ** 2 if i == j else 0.0)
                for j, (t, f) in enumerate(every)
            ]
            for i, (s, e) in enumerate(every)
        ]
    )
    logits = special.logit([COLUMNS[s][e] for s, e in places])
    pull = np.linalg.solve(covariance[:-1, :-1], covariance[:-1, -1])
    mean = pull @ logits
    variance = covariance[-1, -1] - pull @ covariance[:-1, -1]
    effect, error = join._effect(*wanted)
    assert effect == pytest.approx(mean, abs=1e-3)
    assert error + 0.04 * spreads["other"] ** 2 == pytest.approx(variance, abs=1e-3)


def test_the_interval_widens_with_the_spread_between_studies() -> None:
    agreeing = dict(zip("abcdefgh", np.linspace(0.4, 0.8, 8), strict=True))
    order = [3, 7, 0, 5, 2, 6, 1, 4]
    other = {e: list(agreeing.values())[i] for e, i in zip(agreeing, order, strict=True)}
    widths = []
    for second in (agreeing, other):
        columns = {"one": agreeing, "other": {e: v for e, v in second.items() if e != "h"}}
        estimate = Join(_observations(columns)).estimate("other", "h", {"only": 1.0})
        widths.append(estimate.high - estimate.low)
    assert widths[1] > 1.5 * widths[0]


def test_an_encoder_is_drawn_to_the_mean_the_more_the_less_studies_agree() -> None:
    join = Join(_observations(COLUMNS))
    values = list(COLUMNS["other"].values())
    estimate = join.estimate("other", "e", {"only": 1.0})
    assert np.mean(values) < estimate.value < max(COLUMNS["one"]["e"], COLUMNS["third"]["e"])
    assert estimate.low < estimate.value < estimate.high


def test_estimates_do_not_depend_on_the_order_of_the_figures() -> None:
    observations = observed()
    one, other = Join(observations), Join(observations[::-1])
    shares = {"iemocap": 0.5, "ravdess": 0.5}
    expected = one.estimate("emobox", "wavlm_base_plus", shares)
    found = other.estimate("emobox", "wavlm_base_plus", shares)
    assert found.value == pytest.approx(expected.value, abs=1e-4)
    assert found.low == pytest.approx(expected.low, abs=1e-3)


def test_noise_is_moderated_as_smyth_has_it() -> None:
    """Drawn from his prior: a scaled inverse chi-square of 8 degrees of freedom around 0.04."""
    random = np.random.default_rng(1)
    prior, freedom, common = 8.0, 9.0, 0.04
    true = common * prior / random.chisquare(prior, 20_000)
    seen = true * random.chisquare(freedom, 20_000) / freedom
    drawn, added = moderated(seen, np.full(20_000, freedom))
    assert added == pytest.approx(prior, rel=0.1)
    assert drawn == pytest.approx((prior * common + freedom * seen) / (prior + freedom), rel=0.05)
    assert np.mean((drawn - true) ** 2) < 0.8 * np.mean((seen - true) ** 2)


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        ([], "no figure"),
        ([Observation("s", "c", "e", 1.0)], "ends excluded"),
        ([Observation("s", "c", "e", 0.5)] * 2, "stands twice"),
    ],
)
def test_what_cannot_be_fitted(observations: list[Observation], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Join(observations)


def test_figures_of_the_first_study_stand_as_they_are() -> None:
    alone = _figures(gather(scenario_of("evidence: published\n" + PRIORITIES)))
    found = _figures(_joined())
    assert {name: found[name] for name in alone} == alone


def test_an_estimate_is_never_called_measured_or_published() -> None:
    found = _figures(_joined())
    estimated = {name for name, figure in found.items() if figure.origin == "estimated"}
    assert {"wavlm_large", "hubert_base", "whisper_large_v3"} <= estimated
    for name in estimated:
        figure = found[name]
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < figure.value < figure.high
        assert figure.interval == "prediction"
        assert figure.notes == ("estimated from emobox, superb, not measured",)
    marked = {a.name for a in _joined().alternatives if "uar estimated" in a.marks}
    assert marked == estimated
    assert not {m for a in _joined().alternatives if a.name not in estimated for m in a.marks}


def test_only_system_performance_is_estimated() -> None:
    for alternative in _joined().alternatives:
        for criterion, figure in alternative.figures.items():
            assert figure.origin != "estimated" or criterion == "uar"


def test_the_record_says_what_rests_on_the_model_and_how_well_it_does() -> None:
    first, second, *_ = _joined().study.notes
    assert first.startswith("Estimated from emobox, superb, not measured: uar of ")
    assert "WavLM Large" in first
    assert "4 figures of trustser-2023" in second
    assert "4 lie in their 95 % intervals" in second
    assert "tau between figures and estimates is 0.67" in second


def test_another_study_as_the_scale() -> None:
    text = "evidence: {study: superb, join: [published/emobox, published]}\n"
    figures = _figures(_joined(text), "accuracy")
    assert figures["apc"].origin == "published"
    assert figures["whisper_small"].origin == "estimated"
    assert figures["whisper_small"].value is not None


def test_estimates_for_the_corpora_that_are_asked_for() -> None:
    found = {}
    for corpus in ("tess", "crema_d", "meld"):
        text = f"evidence: {{study: emobox, corpora: {corpus}, join: [published/superb]}}\n"
        found[corpus] = _figures(_joined(text))["wavlm_base_plus"]
    tess, crema_d = found["tess"].value, found["crema_d"].value
    assert tess is not None
    assert crema_d is not None
    assert crema_d < 0.8
    assert tess > 0.95
    assert "no more than the spread of all encoders" in str(found["meld"].unknown)


def test_too_few_encoders_in_common_are_unknown() -> None:
    evidence = _joined("evidence: {join: published/emobox}\n")
    figure = _figures(evidence)["hubert_base"]
    assert figure.value is None
    assert (
        f"1 encoders in common by which an estimate could be checked, and {FEWEST_CHECKS}"
        in str(figure.unknown)
    )
    assert evidence.study.notes[0] == "Nothing of uar could be estimated from emobox."


def test_where_it_does_no_better_than_the_mean_nothing_is_estimated() -> None:
    """One's own figures in the opposite order of SUPERB's: it says nothing of them."""
    own = {"apc": 0.75, "tera": 0.72, "wav2vec2_base": 0.66, "hubert_base": 0.60, "fbank": 0.8}
    profiles = [profile_of(name, {"uar": value}) for name, value in own.items()]
    scenario = scenario_of("evidence: {source: measured, join: published/superb}\n" + PRIORITIES)
    found = _figures(gather(scenario, profiles))
    assert found["fbank"].value == 0.8
    assert "no better here than the mean" in str(found["wavlm_large"].unknown)


def test_own_profiles_as_the_scale() -> None:
    own = {"apc": 0.55, "tera": 0.52, "wav2vec2_base": 0.62, "hubert_base": 0.64, "fbank": 0.4}
    profiles = [profile_of(name, {"uar": value}) for name, value in own.items()]
    scenario = scenario_of("evidence: {source: measured, join: published/superb}\n" + PRIORITIES)
    found = _figures(gather(scenario, profiles))
    assert found["hubert_base"].origin == "measured"
    estimate = found["wavlm_base_plus"]
    assert estimate.origin == "estimated"
    assert estimate.value is not None
    assert 0.6 < estimate.value < 0.8


def test_an_encoder_that_no_other_study_has_is_unknown() -> None:
    profiles = [
        profile_of(name, {"uar": value})
        for name, value in {"apc": 0.55, "tera": 0.52, "wav2vec2_base": 0.62}.items()
    ]
    mine = profile_of("mine", {"uar": "no labels"})
    scenario = scenario_of("evidence: {source: measured, join: published/superb}\n" + PRIORITIES)
    figure = _figures(gather(scenario, [*profiles, mine]))["mine"]
    assert figure.value is None


def test_checks_leave_out_all_that_a_study_says_of_an_encoder() -> None:
    """A figure that is altered alters no estimate of itself."""
    observations = observed(("emobox", "superb"))
    altered = [
        Observation(o.study, o.corpus, o.encoder, 0.01)
        if (o.study, o.encoder) == ("superb", "hubert_base") else o
        for o in observations
    ]  # fmt: skip
    found = [
        next(
            check.estimate.value
            for check in checks(Join(these), these, "superb")
            if check.encoder == "hubert_base"
        )
        for these in (observations, altered)
    ]
    assert found[0] == pytest.approx(found[1], abs=2e-3)


def test_a_decision_says_what_it_rests_on_and_can_be_verified() -> None:
    decision = advise(scenario_of(JOINED + PRIORITIES))
    assert "not measured" in " ".join(decision.sentences("evidence"))
    assert any("uar estimated" in sentence for sentence in decision.sentences("mark"))
    assert "wavlm_large" in as_text(decision)
    assert verify(decision.to_json()).holds


def test_quantiles_are_those_of_student() -> None:
    """Few studies in common: the interval is wider than a normal distribution's."""
    join = Join(_observations(COLUMNS))
    effect, error = join._effect("other", "e")
    noise = 0.04 * float(np.exp(join._parameters[2 + join.studies.index("other")])) ** 2
    found = join.estimate("other", "e", {"only": 1.0})
    reach = float(special.logit(found.high)) - effect
    freedom = (error + noise) ** 2 / (error**2 / join.freedom)
    assert reach == pytest.approx(stats.t.ppf(0.975, freedom) * (error + noise) ** 0.5, rel=1e-3)
    assert reach > 1.97 * (error + noise) ** 0.5


def test_examples_in_docstrings() -> None:
    found = doctest.testmod(partial_pooling)
    assert found.attempted > 4
    assert found.failed == 0
