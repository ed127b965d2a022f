"""What an application is for, whom it judges, where, and on what speech."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from advisor.scenario.breaches import Breach, BreachError
from advisor.scenario.fact_language import check_language
from advisor.scenario.fields import Names, Strict
from profiles_db.corpus_facts import AGE_GROUPS, CHANNELS, SPEAKERS

AFFECTED: Final = (
    "employees",
    "applicants",
    "customers",
    "users",
    "patients",
    "students",
    "children",
    "drivers",
    "public",
    "participants",
)
"""Who is judged by the answers."""
SETTINGS: Final = (
    "workplace",
    "education",
    "health",
    "safety",
    "consumer",
    "vehicle",
    "public_space",
    "research",
)
"""Where it works."""


def _among(valid: tuple[str, ...], noun: str) -> Callable[[object], object]:
    """Checks a name, or a list of names, that are to be out of `valid`."""

    def check(raw: object) -> object:
        named = [raw] if isinstance(raw, str) else raw
        if not isinstance(named, list):
            return named
        breaches = [
            Breach(
                f"unknown {noun} {name!r:.60}",
                f"one of {', '.join(valid)}",
                None,
                (index,) if isinstance(raw, list) else (),
                str(name),
                valid,
            )
            for index, name in enumerate(named)
            if name not in valid
        ]
        if breaches:
            raise BreachError(*breaches)
        return list(dict.fromkeys(named))

    return check


def _languages(raw: object) -> object:
    named = [raw] if isinstance(raw, str) else raw
    if isinstance(named, list):
        for index, name in enumerate(named):
            if isinstance(name, str):
                check_language(name, (index,) if isinstance(raw, list) else ())
    return named


def _schema(valid: tuple[str, ...]) -> WithJsonSchema:
    word = {"enum": list(valid)}
    return WithJsonSchema({"anyOf": [word, {"type": "array", "items": word}]})


Affected = Annotated[
    tuple[str, ...], BeforeValidator(_among(AFFECTED, "group of people")), _schema(AFFECTED)
]
Setting = Annotated[
    tuple[str, ...], BeforeValidator(_among(SETTINGS, "setting")), _schema(SETTINGS)
]
_Languages = Annotated[Names, BeforeValidator(_languages)]
_Channels = Annotated[
    tuple[str, ...], BeforeValidator(_among(CHANNELS, "channel")), _schema(CHANNELS)
]
_Ages = Annotated[
    tuple[str, ...], BeforeValidator(_among(AGE_GROUPS, "age group")), _schema(AGE_GROUPS)
]
_Speakers = Annotated[
    tuple[str, ...], BeforeValidator(_among(SPEAKERS, "kind of speakers")), _schema(SPEAKERS)
]


class DataSpec(Strict):
    """The speech that the application will hear; one word or a list each."""

    language: _Languages = Field((), description="ISO 639 codes: `en`, `[de, fr]`.")
    channel: _Channels = Field((), description="Through what it comes: `telephone`, ...")
    age_group: _Ages = Field((), description="Who speaks: `children`, `adults`, `older_adults`.")
    speakers: _Speakers = Field((), description="How they speak: `native`, `non_native`, ...")

    def stated(self) -> dict[str, tuple[str, ...]]:
        """What is said of it, by key."""
        named: dict[str, tuple[str, ...]] = {
            key: getattr(self, key) for key in type(self).model_fields
        }
        return {key: words for key, words in named.items() if words}
