"""Who speaks in a corpus, in which language, and through what: `facts/corpora.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from profiles_db.errors import ScenarioError
from profiles_db.located_yaml import read_tree

CHANNELS: Final = (
    "studio",
    "telephone",
    "device",
    "headset",
    "room",
    "vehicle",
    "broadcast",
    "podcast",
    "synthetic",
)
"""Through what speech comes; `device` is the microphone of a phone, a speaker or a toy."""
AGE_GROUPS: Final = ("children", "adults", "older_adults")
SPEAKERS: Final = ("native", "non_native", "atypical")
"""How people speak the language; `atypical` is speech that an illness or a condition changes."""

LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "amharic": "am", "arabic": "ar", "bangla": "bn", "chinese": "zh", "czech": "cs",
        "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi", "french": "fr",
        "german": "de", "greek": "el", "hindi": "hi", "hungarian": "hu", "italian": "it",
        "japanese": "ja", "korean": "ko", "mandarin": "zh", "persian": "fa", "polish": "pl",
        "portuguese": "pt", "russian": "ru", "spanish": "es", "swedish": "sv", "turkish": "tr",
        "ukrainian": "uk", "urdu": "ur", "vietnamese": "vi",
    }
)  # fmt: skip
"""ISO 639 codes of languages that publications and people write by name."""


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """Who and what a corpus holds; a field is None where nobody stated it."""

    language: tuple[str, ...] | None = None
    channel: tuple[str, ...] | None = None
    age_group: tuple[str, ...] | None = None
    speakers: tuple[str, ...] | None = None
    source: str = ""
    title: str = ""


def corpus_facts(name: str, language: str = "", title: str = "") -> CorpusFacts:
    """What is known of the corpus called `name`.

    Parameters
    ----------
    name : str
        As readers and published studies call it.
    language : str
        What a publication calls its language; used where nothing else states it.
    title : str
        What it is called for people; likewise.

    Examples
    --------
    >>> corpus_facts("emodb").language, corpus_facts("resd", "Russian").language
    (('de',), ('ru',))
    >>> corpus_facts("mine").language is None
    True
    """
    if name in _load():
        return _load()[name]
    code = LANGUAGES.get(language.casefold())
    return CorpusFacts(language=(code,) if code else None, title=title or name)


@cache
def _load() -> Mapping[str, CorpusFacts]:
    text = files("profiles_db").joinpath("facts", "corpora.yaml").read_text(encoding="utf-8")
    root, problems = read_tree(text, "corpora.yaml")
    if problems:
        raise ScenarioError.of(problems)
    return {
        name: CorpusFacts(
            source=stated.pop("source"),
            title=stated.pop("title"),
            **{key: tuple(value) for key, value in stated.items()},
        )
        for name, stated in root.plain()["corpora"].items()
    }
