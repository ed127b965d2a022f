"""Flags bind: a flagged figure meets no requirement and earns no score, unless that is accepted."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor import Decision, advise
from advisor.explanation.summary import as_text
from advisor.ranking.findings import Bound
from advisor.ranking.methods import METHODS
from advisor.ranking.requirements import bounds_of, judge
from advisor.records import Figure, OnFlag
from advisor.verify import verify
from profiles_db.criteria import CRITERIA
from tests.advisor.tables import profile_of, scenario_of

VACUOUS = "40 % of the gradients are zero"
WEIGHTS = "evidence: measured\npriorities: {system_performance: 1, safety: 1}\n"
ACCURATE = {"uar": (0.61, 0.62, 0.63), "attack_success_rate": (0.68, 0.7, 0.72)}
UNATTACKED = {"uar": (0.6, 0.61, 0.62), "attack_success_rate": (0.0, 0.0, 0.0)}


def _decide(text: str = WEIGHTS, *, flagged: bool = True) -> Decision:
    """`b` looks perfectly safe, since the attack found no gradient; `a` was really attacked."""
    flags = {"attack_success_rate": VACUOUS} if flagged else {}
    profiles = [profile_of("a", ACCURATE), profile_of("b", UNATTACKED, flags=flags)]
    return advise(scenario_of(text), profiles)


def test_a_vacuous_attack_earns_nothing() -> None:
    """Unflagged, b wins by the safety that nobody tested; flagged, it scores 0 there."""
    assert _decide(flagged=False).choice == "b"
    decision = _decide()
    b = decision.candidate("b")
    assert decision.choice == "a"
    assert b.scores["attack_success_rate"] == 0.0
    assert b.contributions["attack_success_rate"] == 0.0
    assert b.distrusted == ("attack_success_rate",)
    assert decision.candidate("a").distrusted == b.off_scale == ()
    assert b.score == pytest.approx(0.5 * (0.61 - 0.56) / 0.12)
    assert b.score == pytest.approx(sum(b.contributions.values()))


def test_the_scenario_may_accept_it() -> None:
    accepted, unflagged = _decide(WEIGHTS + "flagged: accept\n"), _decide(flagged=False)
    assert accepted.choice == unflagged.choice == "b"
    assert accepted.confidence == unflagged.confidence
    assert accepted.candidate("b").score == unflagged.candidate("b").score
    assert accepted.candidate("b").distrusted == ()


@pytest.mark.parametrize("method", list(METHODS))
def test_every_draw_and_every_method_has_it_at_the_worst_end(method: str) -> None:
    """The same decision as with the worst end measured exactly, wherever the flag stood."""
    text = (
        f"{WEIGHTS}method: {method}\nscales: {{attack_success_rate: {{worst: 1.0, best: 0.4}}}}\n"
    )
    worst = [
        profile_of("a", ACCURATE),
        profile_of("b", UNATTACKED | {"attack_success_rate": 1.0}),
    ]
    flagged, exact = _decide(text), advise(scenario_of(text), worst)
    for own, other in zip(flagged.candidates, exact.candidates, strict=True):
        assert own.name == other.name
        assert (own.score, own.score_low, own.score_high) == (
            other.score, other.score_low, other.score_high,
        )  # fmt: skip
        assert own.rank_probabilities == other.rank_probabilities
    assert flagged.confidence == exact.confidence
    assert flagged.beats == exact.beats
    assert flagged.stability == exact.stability
    assert flagged.flip == exact.flip
    assert flagged.leave_one_out == exact.leave_one_out
    assert flagged.methods == exact.methods


@settings(max_examples=25, deadline=None)
@given(
    uar=st.tuples(*[st.floats(0.4, 0.8)] * 3),
    rate=st.tuples(*[st.floats(0.0, 1.0)] * 3),
    marked=st.sets(st.tuples(st.integers(0, 2), st.booleans()), max_size=4),
)
def test_a_flag_never_helps(
    uar: tuple[float, ...], rate: tuple[float, ...], marked: set[tuple[int, bool]]
) -> None:
    """Whatever is flagged, no score rises by it, and none of the unflagged changes."""
    names = ("uar", "attack_success_rate")
    values = [dict(zip(names, pair, strict=True)) for pair in zip(uar, rate, strict=True)]
    flags = [{name: "a flag" for name in names if (i, name == "uar") in marked} for i in range(3)]
    plain = [profile_of(n, v) for n, v in zip("abc", values, strict=True)]
    marks = [profile_of(n, v, flags=f) for n, v, f in zip("abc", values, flags, strict=True)]
    before, after = advise(scenario_of(WEIGHTS), plain), advise(scenario_of(WEIGHTS), marks)
    for index, name in enumerate("abc"):
        old, new = before.candidate(name).score, after.candidate(name).score
        assert old is not None
        assert new is not None
        assert new <= old
        if not flags[index]:
            assert new == old


def test_a_flagged_figure_gives_no_edge_in_dominance() -> None:
    """Beyond the scale's worst end the flagged value still beats nobody."""
    bad = {"uar": 0.3, "attack_success_rate": 0.7}
    good = {"uar": 0.5, "attack_success_rate": 0.7}
    profiles = [profile_of("a", bad), profile_of("b", good, flags={"uar": "a flag"})]
    decision = advise(scenario_of(WEIGHTS), profiles)
    assert decision.candidate("a").dominated_by == ()
    assert decision.candidate("b").dominated_by == ("a",)


def test_a_flagged_figure_is_not_on_the_pareto_front() -> None:
    flags = {"macs": "aten::cdist ran 3 times and is not counted"}
    values = ACCURATE | {"macs": 5e9}
    profiles = [profile_of("a", values), profile_of("b", values | {"macs": 1e9}, flags=flags)]
    assert advise(scenario_of(WEIGHTS), profiles).plane.front == ("a",)
    accepted = scenario_of(WEIGHTS + "flagged: accept\n")
    assert advise(accepted, profiles).plane.front == ("b",)


FLAGGED = Figure("uar", 0.66, 0.64, 0.67, "bootstrap", flags=("only 3 speakers", "more"))


@pytest.mark.parametrize(
    ("file", "own", "status", "blocks"),
    [
        ("", "", "unknown", True),
        ("", ", on_unknown: warn", "unknown", False),
        ("flagged: distrust\n", "", "unknown", True),
        ("flagged: accept\n", "", "pass", False),
        ("", ", flagged: accept", "pass", False),
        ("flagged: accept\n", ", flagged: distrust", "unknown", True),
    ],
)
def test_a_requirement_on_a_flagged_figure(file: str, own: str, status: str, blocks: bool) -> None:
    text = f"{file}requirements: [{{criterion: uar, at_least: 60 %{own}}}]\n"
    (bound,) = bounds_of(scenario_of(text))
    assert isinstance(bound, Bound)
    outcome = judge(bound, {"uar": FLAGGED}, CRITERIA["uar"].scale)
    assert (outcome.status, outcome.blocks) == (status, blocks)
    expected = "66.0 % is flagged: only 3 speakers; more" if status == "unknown" else ""
    assert outcome.reason == expected
    assert outcome.tested == (None if status == "unknown" else 0.66)


@pytest.mark.parametrize(("flagged", "passes"), [("distrust", False), ("accept", True)])
def test_a_budget_follows_the_scenario(flagged: OnFlag, passes: bool) -> None:
    text = f"{WEIGHTS}flagged: {flagged}\nbudget: {{macs: 5 GMAC}}\n"
    flags = {"macs": "aten::cdist ran 3 times and is not counted"}
    profile = profile_of("a", ACCURATE | {"macs": 1e9}, flags=flags)
    decision = advise(scenario_of(text), [profile])
    assert decision.candidate("a").eligible is passes
    assert decision.candidate("a").meets_probability == (1.0 if passes else None)


def test_the_words_name_the_flag_and_what_it_did() -> None:
    text = f"{WEIGHTS}requirements: [{{criterion: attack_success_rate, at_most: 80 %}}]\n"
    decision = _decide(text)
    assert decision.sentences("flagged") == (
        f"The attack success rate of b is flagged: {VACUOUS}. It is not relied on: it scores as "
        "the worst end of its scale and is unknown to the requirement on it.",
    )
    assert decision.sentences("flagged")[0] in as_text(decision)
    assert f"unknown (0.0 % is flagged: {VACUOUS})" in decision.candidate("b").why
    (gap,) = decision.missing
    assert (gap.candidate, gap.criterion, gap.flagged) == ("b", "attack_success_rate", True)
    assert gap.could_change, "truly as safe as it looks, b would be chosen"
    assert "Measured beyond doubt, what is flagged could make b the choice." in decision.sentences(
        "missing"
    )
    accepted = _decide(WEIGHTS + "flagged: accept\n")
    assert accepted.missing == ()
    assert accepted.sentences("flagged")[0].endswith(
        "The scenario accepts flagged figures, so that it counts as it stands."
    )


def test_a_flag_on_what_nobody_weighs_is_not_spoken_of() -> None:
    profile = profile_of("a", ACCURATE | {"macs": 1e9}, flags={"macs": "a flag"})
    decision = advise(scenario_of(WEIGHTS), [profile])
    assert decision.sentences("flagged") == ()
    assert decision.missing == ()


def test_json_carries_it_and_verify_finds_it_altered() -> None:
    """Published figures are held against those shipped, so the flag is put on a measured one."""
    decision = _decide()
    content = json.loads(decision.to_json())
    row = next(row for row in content["candidates"] if row["name"] == "b")
    assert row["distrusted"] == ["attack_success_rate"]
    assert row["figures"]["attack_success_rate"]["flags"] == [VACUOUS]
    assert content["scenario"]["flagged"] == "distrust"
    assert verify(decision.to_json()).holds
    row["figures"]["attack_success_rate"]["flags"] = []
    found = verify(json.dumps(content))
    assert not found.holds
    assert found.recomputed_choice == "b"


def test_notes_change_nothing_but_the_words() -> None:
    """A fair model that scores what a fair model would is not punished for being fair."""
    text = "evidence: measured\npriorities: {fairness: 1, system_performance: 1}\n"
    values = ACCURATE | {"excess_equalized_odds_difference": (0.0, 0.14, 0.2)}
    note = "within what a fair model would score at this n (permutation test, 5 %)"
    plain = advise(scenario_of(text), [profile_of("a", values), profile_of("b", ACCURATE | values)])
    noted = advise(
        scenario_of(text),
        [
            profile_of("a", values, notes={"excess_equalized_odds_difference": note}),
            profile_of("b", ACCURATE | values),
        ],
    )
    assert noted.sentences("flagged") == ()
    assert any(note in sentence for sentence in noted.sentences("evidence"))
    varying = {"candidates", "explanation", "hash"}
    before, after = (
        {k: v for k, v in dataclasses.asdict(d).items() if k not in varying} for d in (plain, noted)
    )
    assert before == after
    scores = [[c.score for c in d.candidates] for d in (plain, noted)]
    assert scores[0] == scores[1]


def test_corpora_hand_their_flags_and_notes_on() -> None:
    text = "evidence: {source: measured, corpora: [ravdess, crema_d]}\npriorities: {uar: 1}\n"
    profiles = [
        profile_of("a", {"uar": 0.6}, flags={"uar": "few"}),
        profile_of("a", {"uar": 0.6}, corpus="crema_d", notes={"uar": "a note"}, run="run-2"),
    ]
    figure = advise(scenario_of(text), profiles).candidate("a").figures["uar"]
    assert (figure.flags, figure.notes) == (("few (ravdess)",), ("a note (crema_d)",))
