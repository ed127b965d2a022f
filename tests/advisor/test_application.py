"""Purpose, people, setting and speech: what no evidence is of, and what to ask before use."""

from __future__ import annotations

import json
import re

import pytest

from advisor import Decision, advise, load_scenario, shipped_names
from advisor.scenario.loading import parse_scenario
from advisor.scenario.purpose import AFFECTED, SETTINGS
from advisor.verify import verify
from profiler.corpora.registry import CORPORA
from profiles_db.corpus_facts import AGE_GROUPS, CHANNELS, SPEAKERS, corpus_facts
from profiles_db.errors import ScenarioError
from profiles_db.published_studies import load_published, published_names
from tests.advisor.tables import profile_of, scenario_of

PEOPLE = "ai-act-5-1-f-people"
SETTING = "ai-act-5-1-f-setting"
CUSTOMERS = "guidelines-customers"
ALWAYS = {"ai-act-annex-iii", "ai-act-50-3"}


def _ids(text: str) -> set[str]:
    return {caution.id for caution in advise(scenario_of(text)).cautions}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("purpose: No more.\n", set()),
        ("setting: research\n", ALWAYS),
        ("setting: workplace\n", ALWAYS | {SETTING}),
        ("affected: employees\n", ALWAYS | {PEOPLE}),
        ("setting: [workplace]\naffected: [employees]\n", ALWAYS | {PEOPLE}),
        ("setting: workplace\naffected: customers\n", ALWAYS | {SETTING, CUSTOMERS}),
        ("setting: health\naffected: patients\n", ALWAYS | {"clinical-people"}),
        ("affected: drivers\nsetting: vehicle\n", ALWAYS),
    ],
)
def test_setting_and_people_select_the_questions(text: str, expected: set[str]) -> None:
    assert _ids(text) == expected


@pytest.mark.parametrize("word", [*AFFECTED, *SETTINGS])
def test_no_caution_ever_says_that_something_is_legal(word: str) -> None:
    key = "affected" if word in AFFECTED else "setting"
    decision = advise(scenario_of(f"{key}: {word}\n"))
    for caution in decision.cautions:
        if caution.kind == "counsel":
            assert caution.text.startswith("Ask your counsel ")
            assert caution.rule
            assert caution.as_of == "2026-11"
    said = " ".join(decision.sentences("counsel"))
    assert not re.search(r"\b(is|are) (legal|lawful|allowed|permitted|compliant)\b", said)
    assert "not legal advice" in said


def test_the_call_centre_asks_about_its_employees() -> None:
    decision = advise("call_centre")
    assert {PEOPLE, CUSTOMERS} < {caution.id for caution in decision.cautions}
    (coverage,) = decision.coverage
    assert (coverage.word, coverage.corpora, coverage.unstated) == ("telephone", (), ())
    (said,) = decision.sentences("coverage")
    assert said.startswith("No evidence here is of speech over the telephone")


def test_what_is_held_what_is_not_and_what_nobody_stated() -> None:
    decision = advise(
        scenario_of(
            "data: {language: [en, de], channel: studio, age_group: [older_adults, children],"
            " speakers: non_native}\n"
        )
    )
    held = {(c.key, c.word): (c.corpora, c.unstated) for c in decision.coverage}
    corpora = ("iemocap", "crema_d", "msp_improv", "msp_podcast")
    assert held == {
        ("language", "en"): (corpora, ()),
        ("language", "de"): ((), ()),
        ("channel", "studio"): (corpora[:3], ()),
        ("age_group", "older_adults"): (("crema_d",), ("msp_podcast",)),
        ("age_group", "children"): ((), ("msp_podcast",)),
        ("speakers", "non_native"): ((), corpora),
    }
    never, unknown = decision.sentences("coverage")
    assert "German speech" in never
    assert "children" not in never
    assert unknown.startswith("Whether any evidence is of children and non-native speakers is")


def test_ones_own_corpus_is_unknown() -> None:
    profiles = [profile_of("apc", {"uar": 0.6, "attack_success_rate": 0.5}, corpus="manifest")]
    decision = advise(scenario_of("evidence: measured\ndata: {language: de}\n"), profiles)
    assert decision.coverage[0].unstated == ("manifest",)


def test_studies_beside_each_other_bring_their_corpora() -> None:
    text = (
        "priorities: {system_performance: high, trained_speaker_eer: low}\n"
        "evidence: [published/emobox, published/superb]\ndata: {language: [de, fi]}\n"
    )
    german, finnish = advise(scenario_of(text)).coverage
    assert "emodb" in german.corpora
    assert finnish.corpora == ()


def test_they_change_no_score() -> None:
    bare = advise(scenario_of(""))
    said = advise(
        scenario_of("purpose: P.\naffected: public\nsetting: public_space\ndata: {channel: room}\n")
    )
    assert [(c.name, c.score, c.rank_probabilities) for c in bare.candidates] == [
        (c.name, c.score, c.rank_probabilities) for c in said.candidates
    ]


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_scenario_says_what_its_text_says(name: str) -> None:
    """Without the new fields the choice and every score are the same."""
    scenario = load_scenario(name)
    lines = scenario.texts[0].text.splitlines()
    bare = [line for line in lines if not re.match(r"(purpose|affected|setting|data):", line)]
    text = scenario.texts[0].__class__(scenario.texts[0].name, "\n".join(bare))
    one, other = advise(scenario), advise(parse_scenario((text,)))
    assert [(c.name, c.score) for c in one.candidates] == [
        (c.name, c.score) for c in other.candidates
    ]
    assert one.choice == other.choice


@pytest.mark.parametrize(
    ("line", "at", "what", "remedy"),
    [
        ("affected: employes", "employes", "unknown group of people 'employes'", "'employees'?"),
        ("affected: [customers, bosses]", "bosses", "unknown group of people", ""),
        ("setting: {a: 1}", "{", "does not fit setting", ""),
        ("setting: [workplce]", "workplce", "unknown setting 'workplce'", "'workplace'?"),
        ("data: {channel: phone}", "phone", "unknown channel 'phone'", "'telephone'?"),
        ("data: {language: German}", "German", "no language code", "'de'?"),
        ("data: {language: [en, xx1]}", "xx1", "no language code", ""),
        ("data: {languag: en}", "languag", "unknown key 'languag'", "'language'?"),
        ("data: {age_group: adult}", "adult", "unknown age group", "'adults'?"),
        ("purpose: [a]", "[", "does not fit purpose", ""),
    ],
)
def test_an_error_names_place_and_remedy(line: str, at: str, what: str, remedy: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_of(f"{line}\n")
    error = str(caught.value)
    assert f"test.yaml:4:{line.index(at) + 1}: " in error, error
    assert what in error
    assert remedy in error


def test_what_corpora_hold_is_said_in_the_words_of_the_language() -> None:
    names = set(CORPORA) | {
        corpus.name for study in published_names() for corpus in load_published(study).corpus_facts
    }
    for name in names:
        facts = corpus_facts(name)
        assert set(facts.channel or ()) <= set(CHANNELS)
        assert set(facts.age_group or ()) <= set(AGE_GROUPS)
        assert set(facts.speakers or ()) <= set(SPEAKERS)


@pytest.mark.parametrize("name", CORPORA)
def test_languages_are_those_that_the_reader_declares(name: str) -> None:
    assert (corpus_facts(name).language or ()) == CORPORA[name].languages


@pytest.mark.parametrize("study", published_names())
def test_languages_are_those_that_the_publication_prints(study: str) -> None:
    for corpus in load_published(study).corpus_facts:
        known = corpus_facts(corpus.name).language
        stated = corpus_facts("none of these", corpus.language).language
        assert known is None or stated is None or set(stated) <= set(known), corpus.name


def test_verify_holds_and_finds_an_altered_answer() -> None:
    text = advise("call_centre").to_json()
    assert verify(text).holds
    content = json.loads(text)
    content["cautions"] = content["cautions"][1:]
    altered = Decision.from_json(json.dumps(content)).sealed()
    assert not verify(altered.to_json()).holds
    content = json.loads(text)
    content["study"]["speech"]["iemocap"]["channel"] = ["telephone"]
    altered = Decision.from_json(json.dumps(content)).sealed()
    assert not verify(altered.to_json()).holds


def test_a_decision_of_the_layout_before_is_verified_as_it_stands() -> None:
    """Layout 4 had none of the fields for facts and applications; a change in it is still found."""
    import hashlib  # noqa: PLC0415

    from advisor.decision import canonical_json  # noqa: PLC0415

    def sealed(content: dict[str, object]) -> str:
        digest = hashlib.sha256(canonical_json(content | {"hash": ""}).encode()).hexdigest()
        return json.dumps(content | {"hash": f"sha256:{digest}"})

    content = json.loads(advise("edge").to_json()) | {"format": 4}
    del content["coverage"], content["cautions"], content["study"]["speech"]
    for key in ("purpose", "affected", "setting", "data"):
        del content["scenario"][key]
    for candidate in content["candidates"]:
        del candidate["facts"]
        for outcome in candidate["outcomes"]:
            del outcome["found"]
    old = sealed(content)
    assert verify(old).holds
    assert not verify(old.replace("0.637", "0.737")).holds
    content["candidates"][0]["score"] = 0.9
    found = verify(sealed(content))
    assert [alteration.where for alteration in found.results] == ["candidates.whisper_tiny.score"]
