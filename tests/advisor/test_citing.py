"""Numbers in sentences are those of the decision, and a sentence that does not hold is named."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor import Decision, advise
from advisor.decision import canonical_json
from advisor.explanation.citing import cite, finished, parts_of, unmarked
from advisor.explanation.wording import share
from advisor.ranking.findings import Cited, Sentence
from advisor.scenario.quantities import in_shown_unit
from advisor.verify import verify
from profiles_db.criteria import CRITERIA, Unit
from tests.advisor.tables import profile_of, scenario_of


@pytest.fixture(scope="module", params=["edge", "cloud", "embeddings_leave", "microcontroller_toy"])
def decision(request: pytest.FixtureRequest) -> Decision:
    return advise(request.param)


def test_a_citation_says_where_its_number_stands(decision: Decision) -> None:
    for sentence in decision.explanation:
        for one in sentence.cited:
            assert sentence.text[one.start : one.start + len(one.said)] == one.said
        assert "".join(text for text, _ in parts_of(sentence)) == sentence.text


def test_what_is_cited_is_the_number_that_the_decision_holds(decision: Decision) -> None:
    """Each kind against the field of the decision, apart from how sentences are made."""
    weights = {c.criterion: c.weight for c in decision.criteria}
    for one in (cited for sentence in decision.explanation for cited in sentence.cited):
        candidate = decision.candidate(one.candidate) if one.candidate else None
        if one.kind == "figure":
            assert candidate is not None
            figure = candidate.figures[one.criterion]
            ends = (figure.value, figure.low, figure.high, figure.baseline)
            shown = [float(in_shown_unit(n, unit_of(one))) for n in ends if n is not None]
            # As many digits as tell it from a bound: half of the last one with the fewest is 0.05.
            assert min(abs(float(one.said.split()[0]) - number) for number in shown) <= 0.05
        elif one.kind == "score":
            assert candidate is not None
            assert candidate.score is not None
            assert float(one.said) == pytest.approx(candidate.score, abs=5e-4)
        elif one.kind == "contribution" and one.criterion:
            assert candidate is not None
            assert one.said == f"{candidate.contributions[one.criterion]:.3f}"
        elif one.kind == "weight":
            assert one.said in (f"{weights[one.criterion]:.3f}", share(weights[one.criterion]))
        elif one.kind == "confidence":
            assert decision.confidence is not None
            assert one.said == share(decision.confidence)
        elif one.kind == "beats":
            assert one.candidate in decision.beats
        elif one.kind == "sway":
            named = [(s.candidate, s.criterion) for s in decision.sways]
            assert (one.candidate, one.criterion) in named
        elif one.kind == "flip":
            assert decision.flip is not None
            assert one.said == f"{100 * decision.flip.moved:.1f} %"


def unit_of(cited: Cited) -> Unit:
    return CRITERIA[cited.criterion].unit


def test_every_figure_that_a_sentence_on_a_candidate_says_is_cited(decision: Decision) -> None:
    """What looks like a figure of a weighed criterion stands in a citation, or in a bound."""
    texts = [requirement.text for requirement in decision.requirements]
    for sentence in decision.explanation:
        if sentence.topic not in ("why_not", "choice") or not sentence.subject:
            continue
        left = "".join(text for text, cited in parts_of(sentence) if cited is None)
        for text in (*texts, *decision.criteria_titles.values(), *_titles(decision)):
            left = left.replace(text, "")
        assert not any(f"{digit} %" in left or f"{digit} GMAC" in left for digit in range(10)), left


def _titles(decision: Decision) -> list[str]:
    return [candidate.title for candidate in decision.candidates]


def test_the_json_names_criterion_and_candidate_of_each_number() -> None:
    content = json.loads(advise("edge").to_json())
    (sentence,) = (
        s for s in content["explanation"] if s["topic"] == "why_not" and s["subject"] == "apc"
    )
    assert sentence["cited"][0] == {
        "start": sentence["text"].index("58.8 %"), "said": "58.8 %", "kind": "figure",
        "candidate": "apc", "criterion": "uar",
    }  # fmt: skip
    assert [one["candidate"] for one in sentence["cited"][:2]] == ["apc", "whisper_tiny"]


def test_no_mark_is_left_anywhere(decision: Decision) -> None:
    text = decision.to_json()
    assert not any(chr(code) in text for code in range(0xFDD0, 0xFDF0))


@settings(max_examples=30)
@given(st.text(), st.text(), st.text(min_size=1), st.text())
def test_any_words_around_a_number_stay_as_they_are(
    before: str, name: str, said: str, after: str
) -> None:
    marked = before + cite(said, "figure", candidate=name, criterion="uar") + after
    sentence = finished(Sentence("choice", "x", marked))
    assert sentence.text == before + said + after == unmarked(marked)
    (cited,) = sentence.cited
    assert (cited.start, cited.said, cited.candidate) == (len(before), said, name)


def test_names_that_look_like_marks_are_words() -> None:
    name = "\ufdd0score:61:\ufdd1hm\ufdd2"
    values = {"uar": 0.6, "attack_success_rate": 0.5}
    profiles = [profile_of(name, values), profile_of("tera", values | {"uar": 0.5})]
    decision = advise(scenario_of("evidence: measured\n"), profiles)
    assert decision.choice == name
    assert {one.candidate for s in decision.explanation for one in s.cited} <= {name, "tera", ""}
    assert verify(decision.to_json()).holds


# Verifying


def _sealed(content: dict[str, Any]) -> str:
    digest = hashlib.sha256(canonical_json(content | {"hash": ""}).encode()).hexdigest()
    return json.dumps(content | {"hash": f"sha256:{digest}"})


def test_a_sentence_whose_number_was_altered_is_named_whole() -> None:
    content = json.loads(advise("edge").to_json())
    (number,) = (
        n for n, s in enumerate(content["explanation"])
        if s["topic"] == "why_not" and s["subject"] == "apc"
    )  # fmt: skip
    right = content["explanation"][number]["text"]
    wrong = right.replace("58.8 %", "68.8 %")
    content["explanation"][number]["text"] = wrong
    found = verify(_sealed(content))
    assert not found.holds
    assert [alteration.where for alteration in found.results] == [f"explanation.{number}.text"]
    assert found.lines()[0] == f"Does not hold: “{wrong}” By the figures: “{right}”"


def test_a_citation_that_was_turned_to_another_figure_is_found() -> None:
    content = json.loads(advise("edge").to_json())
    content["explanation"][0]["cited"][0]["candidate"] = "tera"
    found = verify(_sealed(content))
    assert not found.holds
    assert "explanation.0.cited" in found.results[0].where


def test_a_decision_of_layout_5_is_verified_as_it_stands() -> None:
    """It had no citations; a sentence that was altered in it is named all the same."""
    content = json.loads(advise("edge").to_json()) | {"format": 5}
    for sentence in content["explanation"]:
        del sentence["cited"]
    old = _sealed(content)
    assert verify(old).holds
    altered = old.replace("0.782 against", "0.882 against")
    assert altered != old
    (line, *_) = verify(altered).lines()
    assert line.startswith("Does not hold: “Whisper Tiny is chosen")
    assert "0.882 against" in line
