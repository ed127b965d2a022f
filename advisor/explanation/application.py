"""Whether the evidence is of the speech that an application hears, and what to ask before use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from advisor.decision import Decision
from advisor.explanation.wording import listed
from advisor.ranking.findings import Caution, Coverage, Sentence
from advisor.records import StudyRecord
from advisor.scenario.language import ScenarioSpec
from advisor.scenario.purpose import DataSpec
from profiles_db.corpus_facts import LANGUAGES
from profiles_db.errors import ScenarioError
from profiles_db.located_yaml import read_tree

_MOST_NAMED: Final = 4
_NAMES: Final = {code: name.capitalize() for name, code in LANGUAGES.items()}
_SPEECH: Final = {
    "telephone": "speech over the telephone",
    "device": "speech through a device's own microphone",
    "headset": "speech through a headset",
    "room": "speech across a room",
    "vehicle": "speech in a vehicle",
    "studio": "speech in a studio",
    "broadcast": "broadcast speech",
    "podcast": "podcasts",
    "synthetic": "synthetic speech",
    "children": "children",
    "adults": "adults",
    "older_adults": "older adults (60 and above)",
    "native": "native speakers",
    "non_native": "non-native speakers",
    "atypical": "speech that an illness or a condition changes",
}


def coverage(data: DataSpec, study: StudyRecord) -> Iterator[Coverage]:
    """For each kind of speech that a scenario names, which corpora of the evidence hold it."""
    for key, words in data.stated().items():
        stated = {corpus: getattr(facts, key) for corpus, facts in study.speech.items()}
        unstated = tuple(corpus for corpus, held in stated.items() if held is None)
        for word in words:
            corpora = tuple(corpus for corpus, held in stated.items() if held and word in held)
            yield Coverage(key, word, corpora, unstated)


def cautions(spec: ScenarioSpec) -> Iterator[Caution]:
    """What the setting and the people who are judged make one ask; nothing if neither is stated."""
    stated = {"setting": set(spec.setting), "affected": set(spec.affected)}
    if not any(stated.values()):
        return
    data = _data()
    holding = {
        one["id"]: one
        for one in data["cautions"]
        if all(stated[key] & set(words) for key, words in one["when"].items())
    }
    replaced = {one["instead_of"] for one in holding.values() if "instead_of" in one}
    for name, one in holding.items():
        if name not in replaced:
            yield Caution(
                name,
                one["kind"],
                one["text"],
                one["rule"],
                data["law"],
                str(data["as_of"]),
                data["origin"],
            )


@cache
def _data() -> Mapping[str, Any]:
    text = files("advisor").joinpath("cautions.yaml").read_text(encoding="utf-8")
    root, problems = read_tree(text, "cautions.yaml")
    if problems:
        raise ScenarioError.of(problems)
    data: Mapping[str, Any] = root.plain()
    return data


def application_sentences(decision: Decision) -> Iterator[Sentence]:
    """What no evidence is of, what nobody stated, and the questions for counsel."""
    lacking = [one for one in decision.coverage if not one.corpora]
    never = [one for one in lacking if not one.unstated]
    if never:
        corpora = _some([one.title for one in decision.study.speech.values()])
        text = (
            f"No evidence here is of {listed([_speech(one) for one in never])}: the corpora are "
            f"{corpora}. How the figures carry over, nobody measured."
        )
        yield Sentence("coverage", never[0].word, text)
    doubtful = [one for one in lacking if one.unstated]
    if doubtful:
        words = listed([_speech(one) for one in doubtful])
        corpora = _some([decision.study.speech[name].title for name in doubtful[0].unstated])
        text = f"Whether any evidence is of {words} is unknown: nobody stated it of {corpora}."
        yield Sentence("coverage", doubtful[0].word, text)
    for caution in decision.cautions:
        rule = f" ({caution.rule})" if caution.rule else ""
        yield Sentence("counsel", caution.id, f"{caution.text.removesuffix('.')}{rule}.")
    asked = [caution for caution in decision.cautions if caution.kind == "counsel"]
    if asked:
        text = (
            "These are questions, not legal advice. The rules are those of the European Union, "
            f"{asked[0].law}, as of {asked[0].as_of}, from {asked[0].origin}."
        )
        yield Sentence("counsel", "", text)


def _speech(one: Coverage) -> str:
    if one.key == "language":
        return f"{_NAMES.get(one.word, f'the language {one.word}')} speech"
    return _SPEECH[one.word]


def _some(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMED:
        return listed(names) or "none"
    return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
