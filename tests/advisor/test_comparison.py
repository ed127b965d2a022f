"""Two decisions side by side: what changed, and which change turned the choice."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import pytest

from advisor import Decision, advise
from advisor.comparison import GROUPS, Comparison, Group, compare
from profiles_db.errors import InputError, TrustserError
from profiles_db.profile import Profile
from tests.advisor.tables import profile_of, scenario_of
from tests.advisor.test_verify import HOSTILE as ODD
from tests.advisor.test_verify import _altered as altered
from tests.advisor.test_verify import _leaves as leaves
from tests.advisor.test_verify import _set as put

PRIORITIES = ("priorities: {system_performance: 9, safety: 1}\n",
              "priorities: {system_performance: 1, safety: 9}\n")  # fmt: skip
REQUIREMENTS = ("", "requirements: [{criterion: uar, at_least: 62 %}]\n")
METHODS = ("", "method: weighted_product\n")


def _profiles(uar: Mapping[str, float]) -> list[Profile]:
    attack = {"apc": 0.4, "tera": 0.6, "fbank": 0.8}
    return [
        profile_of(name, {"uar": value, "attack_success_rate": attack[name]})
        for name, value in uar.items()
    ]


FIRST = _profiles({"apc": 0.58, "tera": 0.64, "fbank": 0.70})
SECOND = _profiles({"apc": 0.70, "tera": 0.64, "fbank": 0.58})


def _decide(profiles: list[Profile], priorities: str = PRIORITIES[0], rest: str = "") -> Decision:
    return advise(scenario_of(f"{priorities}evidence: measured\n{rest}"), profiles)


def _compare(one: Decision, other: Decision) -> Comparison:
    return compare(one.to_json(), other.to_json())


def test_a_decision_against_itself() -> None:
    decision = advise("edge")
    found = _compare(decision, decision)
    assert found.same
    assert found.changes == {}
    assert (found.moves, found.swaps, found.turning) == ((), (), ())
    assert list(found.lines()) == [
        "The choice is the same: whisper_tiny.",
        "Nothing differs that a choice follows from.",
    ]


def test_evidence_alone() -> None:
    found = _compare(_decide(FIRST), _decide(SECOND))
    assert found.choices == ("fbank", "apc")
    assert found.turning == (("evidence",),)
    assert list(found.changes) == ["evidence"]
    said = {change.what: (change.first, change.second) for change in found.changes["evidence"]}
    assert said == {"uar of apc": ("58.0 %", "70.0 %"), "uar of fbank": ("70.0 %", "58.0 %")}
    assert found.verdict().endswith("The evidence turned it: nothing else changed.")


def test_priorities_alone_where_the_evidence_changed_too() -> None:
    later = _profiles({"apc": 0.58, "tera": 0.641, "fbank": 0.70})
    found = _compare(_decide(FIRST), _decide(later, PRIORITIES[1]))
    assert found.choices == ("fbank", "apc")
    assert found.turning == (("priorities",),)
    assert found.verdict().endswith("The priorities alone turned it.")


def test_only_both_together() -> None:
    """Edge keeps its choice under cloud's requirements, and under cloud's priorities."""
    found = _compare(advise("edge"), advise("cloud"))
    assert found.turning == (("requirements", "priorities"),)
    assert {swap.groups: swap.choice for swap in found.swaps}.keys() == {
        ("requirements",),
        ("priorities",),
    }
    assert "Only requirements and priorities together turn it" in found.verdict()


def test_changes_that_undo_each_other_are_named() -> None:
    kept = _compare(_decide(FIRST, PRIORITIES[1]), _decide(SECOND))
    assert kept.choices == ("apc", "apc")
    assert "Some changes alone would have turned it: priorities (to fbank)." in kept.verdict()


@pytest.mark.parametrize("seed", range(12))
def test_a_swap_is_the_choice_of_the_mixed_scenario(seed: int) -> None:
    """Against decisions made from scratch out of the same parts."""
    rng = random.Random(seed)  # noqa: S311

    def uar() -> list[Profile]:
        return _profiles({name: rng.uniform(0.5, 0.75) for name in ("apc", "tera", "fbank")})

    sides: list[dict[Group, object]] = [
        {
            "evidence": uar(),
            "requirements": rng.choice(REQUIREMENTS),
            "priorities": f"priorities: {{system_performance: {rng.randint(1, 9)},"
            f" safety: {rng.randint(1, 9)}}}\n",
            "method": rng.choice(METHODS),
        }
        for _ in range(2)
    ]

    def made(groups: tuple[Group, ...]) -> Decision:
        parts = {group: sides[group in groups][group] for group in GROUPS}
        text = "".join(str(parts[group]) for group in GROUPS[1:]) + "evidence: measured\n"
        profiles = parts["evidence"]
        assert isinstance(profiles, list)
        return advise(scenario_of(text), profiles)

    one, other = made(()), made(GROUPS)
    found = _compare(one, other)
    changed = tuple(group for group in GROUPS if sides[0][group] != sides[1][group])
    assert tuple(found.changes) == changed
    expected = {
        groups: made(groups).choice
        for count in range(1, len(changed))
        for groups in combinations(changed, count)
    }
    assert {swap.groups: swap.choice for swap in found.swaps} == expected
    if not found.same:
        whole = expected | {changed: other.choice}
        for groups in found.turning:
            assert whole[groups] == other.choice
            assert not any(whole[less] == other.choice for less in whole if set(less) < set(groups))
        assert found.turning


def test_evidence_that_lacks_what_the_scenario_weighs_is_said() -> None:
    bare = [profile_of("apc", {"uar": 0.7}), profile_of("tera", {"uar": 0.6})]
    one = _decide(FIRST)
    other = advise(
        scenario_of("priorities: {system_performance: high}\nevidence: measured\n"), bare
    )
    found = _compare(one, other)
    (evidence,) = (swap for swap in found.swaps if swap.groups == ("evidence",))
    assert "no candidate has attack_success_rate" in evidence.failed
    assert any(line.startswith("With evidence of the second") for line in found.lines())
    assert "- candidate fbank: is a candidate" in [line.strip() for line in found.lines()]


def test_what_flags_intervals_facts_and_reasons_do() -> None:
    flagged = [
        profile_of(
            p.backbone,
            {"uar": (0.5, 0.6, 0.7), "attack_success_rate": 0.5},
            flags={"uar": "only 3 speakers"},
        )
        for p in FIRST
    ]
    found = _compare(_decide(FIRST), _decide(flagged))
    change = next(c for c in found.changes["evidence"] if c.what == "uar of apc")
    assert change.second == "60.0 % (50.0 % to 70.0 %), flagged: only 3 speakers"
    fact = "requirements: [{fact: licence, one_of: [MIT], on_unknown: warn, why: W.}]\n"
    other = fact.replace("why: W.", "why: X.")
    assert _compare(_decide(FIRST, rest=fact), _decide(FIRST, rest=other)).changes == {}
    asked = _compare(_decide(FIRST), _decide(FIRST, rest=fact)).changes["requirements"]
    assert asked[0].second == "Licence of the weights is one of MIT (unknown passes)"


def test_scales_and_stance_are_changes() -> None:
    scale = "scales: {uar: {worst: 50.01 %, best: 80 %}}\nflagged: accept\n"
    found = _compare(_decide(FIRST), _decide(FIRST, rest=scale))
    (change,) = found.changes["priorities"]
    assert change.second == "50.01 % to 80 %"
    assert found.changes["method"][0].second == "accept"


def test_what_does_not_follow_is_refused() -> None:
    edge = advise("edge")
    forged = replace(edge, choice="apc").sealed().to_json()
    with pytest.raises(InputError, match=r"second: apc is not what follows.*verify"):
        compare(edge.to_json(), forged)
    with pytest.raises(InputError, match="first: not a decision"):
        compare("{}", edge.to_json())


def test_no_alteration_whatever_brings_a_traceback() -> None:
    text = advise("cloud").to_json()
    whole = json.loads(text)
    places = list(leaves(whole))
    chance = random.Random(7)  # noqa: S311
    for _ in range(120):
        path, value = chance.choice(places), chance.choice(ODD)
        changed = altered(put(*path, to=value), text)
        try:
            found = compare(text, changed)
        except TrustserError:
            continue
        assert list(found.lines())


def test_as_data() -> None:
    found = _compare(advise("edge"), advise("cloud"))
    content = json.loads(json.dumps(found.to_dict()))
    assert content["same_choice"] is False
    assert content["choices"] == ["whisper_tiny", "whisper_small"]
    assert content["turning"] == [["requirements", "priorities"]]
    first = content["ranking"][0]
    assert first["candidate"] == "whisper_small"
    assert first["places"] == [None, 1]
