"""The words: each sentence is checked against the data it is made from."""

from __future__ import annotations

import dataclasses
import re

import pytest

from advisor import Decision, advise, shipped_names
from advisor.explanation.summary import as_markdown, as_text
from advisor.explanation.wording import against, listed, share, title_of
from tests.advisor.tables import Given, profile_of, scenario_of


def _all(decision: Decision) -> str:
    return "\n".join(sentence.text for sentence in decision.explanation)


def test_the_report_says_what_the_paper_does_not() -> None:
    """Priorities alone choose Whisper Tiny for the cloud; WavLM's advantage is an artefact."""
    decision = advise("cloud")
    assert decision.priorities_ranking[0] == "whisper_tiny"
    text = _all(decision)
    assert (
        "The priorities alone would choose Whisper Tiny (0.619 against 0.586 for Whisper Small); "
        "it is out because its unweighted average recall of 63.7 % misses "
        "“Unweighted average recall at least 66 %” by 2.3 points."
    ) in text
    assert "“Unweighted average recall at least 66 %” is decisive: without it, Whisper Tiny" in text
    assert (
        "That WavLM Base+ costs less than wav2vec 2.0 Base by the paper's counting (33.20 GMAC "
        "against 41.70 GMAC) is an artefact of that counting"
    ) in text


def test_no_artefact_where_the_whole_count_says_the_same() -> None:
    """The sentence comes from the figures: without the disputed ones it does not stand."""
    decision = advise(
        scenario_of(
            "priorities: {sustainability: high}\ncandidates: {exclude: [wavlm_base_plus, apc]}\n"
        )
    )
    assert all("artefact" not in text for text in decision.sentences("counting"))
    by_macs = advise(scenario_of("priorities: {macs: high}\n"))
    assert by_macs.sentences("counting") == ()


def test_priorities_that_agree_are_said_to_agree() -> None:
    text = _all(advise("critical"))
    assert "The priorities alone give the same choice: no requirement is decisive." in text
    assert "is decisive: without it" not in text


@pytest.mark.parametrize("name", shipped_names())
def test_why_not_each_of_the_others(name: str) -> None:
    decision = advise(name)
    subjects = [s.subject for s in decision.explanation if s.topic == "why_not"]
    assert subjects == [c.name for c in decision.candidates if c.name != decision.choice]
    for candidate in decision.candidates:
        assert candidate.why
        assert (" is out: " in candidate.why) == (candidate.standing == "out")
        assert (" cannot be judged: " in candidate.why) == (candidate.standing == "unjudged")


@pytest.mark.parametrize("name", shipped_names())
def test_sentences_are_whole_and_carry_no_raw_names(name: str) -> None:
    for sentence in advise(name).explanation:
        text = sentence.text
        assert re.match(r"[A-Z“a-z]", text)
        assert text.endswith(".")
        assert not re.search(
            r"None(?! of the \d)|nan|\b[a-z]+_[a-z_]+\b(?<!allow_untrained)", text
        ), text


def test_two_who_cannot_be_told_apart_are_said_to_be_so() -> None:
    decision = advise("critical")
    assert decision.tie_groups[0] == ("wavlm_base_plus", "whisper_small")
    percent = share(decision.beats["whisper_small"])
    assert decision.summary.startswith(
        "The evidence cannot tell WavLM Base+ and Whisper Small apart: of the 3 candidates"
    )
    above, deciding = decision.sentences("tie")
    assert above == f"WavLM Base+ scores above Whisper Small in {percent} of the draws."
    (first, *_) = [
        s for s in decision.sways
        if {s.candidate, s.towards} <= {"wavlm_base_plus", "whisper_small"}
    ]  # fmt: skip
    assert title_of(first.criterion) in deciding
    assert deciding.startswith("What would decide between them: a better measurement of ")
    assert "5.7 % of the weight towards Whisper Small" in deciding


def _alike(*uar: Given) -> Decision:
    """Candidates a, b, ... that are told apart by UAR alone."""
    profiles = [profile_of(name, {"uar": value}) for name, value in zip("abc", uar, strict=False)]
    return advise(scenario_of("evidence: measured\npriorities: {uar: 1}\n"), profiles)


def test_a_tie_is_called_one() -> None:
    """Beyond the end of the scale both score 1, in every draw: nobody scores above anybody."""
    decision = _alike(0.7, 0.71)
    assert decision.summary == (
        "The evidence cannot tell a and b apart: of the 2 candidates, a scores highest by weighted "
        "sum, 1.000, level with b, and comes first in the alphabet."
    )
    assert decision.sentences("tie") == (
        "a scores above b, level with it as the figures stand, in 0 % of the draws.",
        "No single figure within its interval, and no small change of weight, decides.",
    )
    why = decision.candidate("b").why
    assert why == "b comes second; its score is that of a, which the alphabet puts first."


def test_a_tie_beside_one_that_is_behind() -> None:
    decision = _alike(0.7, (0.665, 0.6798, 0.69), 0.71)
    tie = decision.sentences("tie")[0]
    percent = share(decision.beats["b"])
    assert tie == (
        "a scores above c, level with it as the figures stand, in 0 % of the draws and b in "
        f"{percent} of the draws."
    )


def test_scores_are_printed_to_where_they_differ() -> None:
    assert "0.6668 against 0.6667 for a." in _alike(0.640004, 0.640016).summary


def test_the_flip_named_is_the_flip_found() -> None:
    decision = advise("critical")
    assert decision.flip is not None
    text = next(t for t in decision.sentences("sensitivity") if t.startswith("The smallest"))
    assert f"moves {100 * decision.flip.moved:.1f} % of all weight" in text
    assert "Whisper Small is chosen" in text


def test_methods_that_disagree_are_named() -> None:
    decision = advise("critical")
    disagree = [m.method for m in decision.methods if not m.agrees]
    assert disagree == ["weighted_product"]
    assert decision.sentences("method") == ("By weighted product, Whisper Small would be chosen.",)
    assert advise("edge").sentences("method") == ("All 6 methods choose Whisper Tiny.",)


def test_assumed_intervals_and_digitised_figures_are_said_to_be_so() -> None:
    text = "\n".join(advise("edge").sentences("evidence"))
    assert "are assumed, not measured: the source prints none" in text
    assert "read off a published chart" in text
    assert "equality of odds" in text


def test_measured_evidence_says_none_of_that() -> None:
    values: dict[str, Given] = {"uar": (0.58, 0.6, 0.62), "attack_success_rate": (0.6, 0.7, 0.8)}
    profiles = [profile_of("apc", values), profile_of("tera", values | {"uar": (0.6, 0.62, 0.64)})]
    decision = advise(scenario_of("evidence: measured\n"), profiles)
    text = _all(decision)
    assert "assumed" not in text
    assert "paper" not in text
    assert "read off" not in text


def test_the_single_measurement_that_would_change_most() -> None:
    """c at 0.45 +- 0.146 passes a's 0.5 with probability 1 - Phi(0.67) = 0.25; b hardly ever."""
    profiles = [
        profile_of("a", {"accuracy": 0.5}),
        profile_of("b", {"accuracy": (0.302, 0.4, 0.498)}),
        profile_of("c", {"accuracy": (0.304, 0.45, 0.596)}),
    ]
    text = "evidence: measured\npriorities: {accuracy: 1}\n"
    decision = advise(scenario_of(text), profiles)
    first = decision.sways[0]
    assert (first.candidate, first.criterion, first.towards) == ("c", "accuracy", "c")
    assert first.probability == pytest.approx(0.25, abs=0.02)
    assert "accuracy of c" in decision.sentences("measure_next")[0]


def test_no_certainty_is_claimed_that_is_not_there() -> None:
    assert share(0.9999) == "over 99 %"
    assert share(0.00001) == "under 1 %"
    assert (share(0.0), share(1.0), share(0.5)) == ("0 %", "100 %", "50 %")


def test_no_first_place_is_rounded_away() -> None:
    """Chosen in all draws but two of 10,000: neither 100 % nor 0 %."""
    decision = advise("edge")
    few = (0.0002, 0.9998)
    rows = tuple(
        dataclasses.replace(c, rank_probabilities=p)
        for c, p in zip(decision.candidates, (few[::-1], few), strict=False)
    )
    decision = dataclasses.replace(decision, candidates=rows)
    for text in (as_text(decision), as_markdown(decision), decision._repr_html_()):
        assert "under 1 %" in text
        assert "over 99 %" in text
        assert not re.search(r"\b(0|100) % of draws|[|>] ?(0|100) %", text)


def test_a_bound_missed_by_little_is_not_missed_by_nothing() -> None:
    text = "evidence: measured\npriorities: {uar: 1}\n"
    text += "requirements: [{criterion: uar, at_least: 66 %}]\n"
    decision = advise(scenario_of(text), [profile_of("a", {"uar": 0.6597})])
    assert "by 0.03 points" in decision.candidate("a").why


def test_pieces_of_sentences() -> None:
    assert listed([]) == ""
    assert listed(["a", "b"]) == "a and b"
    assert against(0.054, 0.0, "fraction") == ("5.4 %", "5.4 points")
    assert title_of("uar") == "unweighted average recall"
    assert title_of("macro_f1") == "macro F1"


def test_the_terminal_gets_choice_and_ranking() -> None:
    text = as_text(advise("cloud"))
    lines = text.splitlines()
    assert lines[0] == "Cloud service"
    assert lines[2].startswith("The evidence cannot tell Whisper Small, WavLM Base+ and Whisper")
    assert "Gender inferred 97.4 %, lower is better: poor" in text
    assert " 1. whisper_small" in text
    assert "  - whisper_tiny" in text
    assert "out: uar" in text


def test_markdown_is_short_and_shows_text_as_it_is() -> None:
    scenario = scenario_of('title: "a|b <img src=x> `c` [d](e) @all"\n')
    text = as_markdown(advise(scenario))
    assert r"a\|b \<img src=x\> \`c\` \[d\](e) \@all" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 9
    assert len({line.count("|") - line.count(r"\|") for line in table}) == 1
