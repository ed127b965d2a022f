"""What an auditor asks of the evidence: of whose speech it is, its licences and its limits.

Said alike in a report and in a model card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from advisor.explanation.wording import listed
from advisor.records import Candidate, StudyRecord
from profiles_db.candidate_names import split_int8, split_tuned
from profiles_db.corpus_facts import AGE_GROUPS, CHANNELS, LANGUAGES, SPEAKERS
from profiles_db.encoder_facts import FACTS, Fact

LICENCE_FACTS: Final = (
    "licence",
    "licence_allows_commercial_use",
    "licence_share_alike",
    "training_data_allows_commercial_use",
)
"""The facts that say what one may do with an encoder."""

LABELS: Final = (
    "Labels are what the corpus says: acted or perceived emotion, not what a speaker feels."
)
NO_SPEECH: Final = "Recordings that are no speech are answered all the same."
GENDER: Final = (
    "Privacy and fairness are told of the genders that corpora record; nothing is known of others."
)
NOT_CAUSAL: Final = (
    "Figures are of frozen encoders with small heads; one that is tuned, or another head, differs."
)

_KINDS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("language", "Language", ()),
    ("channel", "Recorded through", CHANNELS),
    ("age_group", "Age", AGE_GROUPS),
    ("speakers", "Way of speaking", SPEAKERS),
)
_NO_LANGUAGE: Final = "zxx"
_WORDS: Final = {
    _NO_LANGUAGE: "no language",
    "non_native": "non-native",
    **{code: name.capitalize() for name, code in reversed(list(LANGUAGES.items()))},
}
_NOT_STATED: Final = "nobody stated it"


@dataclass(frozen=True, slots=True)
class Population:
    """One way in which speakers differ: who is in the evidence, who in none of it.

    Parameters
    ----------
    title : str
    held : tuple of str
        In at least one corpus that says so.
    untested : tuple of str
        In no corpus, as far as they say; in one piece where the kinds cannot be counted.
    silent : tuple of str
        Titles of the corpora that do not say.
    """

    title: str
    held: tuple[str, ...]
    untested: tuple[str, ...]
    silent: tuple[str, ...]


def populations(study: StudyRecord) -> tuple[Population, ...]:
    """Whose speech the figures of a study are of, and whose they are not known to be of.

    Examples
    --------
    >>> from advisor import advise
    >>> age = populations(advise("edge").study)[2]
    >>> age.held, age.untested, age.silent
    (('adults', 'older adults'), ('children',), ('MSP-Podcast',))
    """
    return tuple(_population(study, key, title, kinds) for key, title, kinds in _KINDS)


def _population(study: StudyRecord, key: str, title: str, kinds: tuple[str, ...]) -> Population:
    stated = {facts.title or name: getattr(facts, key) for name, facts in study.speech.items()}
    found = {word for words in stated.values() for word in words or ()}
    held = [kind for kind in kinds if kind in found] if kinds else sorted(found)
    others = [kind for kind in kinds if kind not in found] if kinds else [_all_but(held)]
    return Population(
        title,
        tuple(_said(word) for word in held),
        tuple(_said(word) for word in others),
        tuple(name for name, words in stated.items() if words is None),
    )


def measured_languages(study: StudyRecord) -> tuple[str, ...]:
    """ISO 639 codes of the languages that some corpus of a study is known to hold.

    Examples
    --------
    >>> from advisor import advise
    >>> measured_languages(advise("edge").study)
    ('en',)
    """
    found = {code for facts in study.speech.values() for code in facts.language or ()}
    return tuple(sorted(found - {_NO_LANGUAGE}))


def _all_but(held: Sequence[str]) -> str:
    """The languages that are none of `held`: too many to name."""
    named = [_said(code) for code in held if code != _NO_LANGUAGE]
    return f"every one but {listed(named)}" if named else "every one"


def _said(word: str) -> str:
    return _WORDS.get(word) or word.replace("_", " ")


def licence_titles() -> tuple[str, ...]:
    """Headings of `LICENCE_FACTS`."""
    return tuple(FACTS[name].title for name in LICENCE_FACTS)


def licences(candidate: Candidate) -> tuple[Fact, ...]:
    """What is known of an encoder's licences, in the order of `LICENCE_FACTS`."""
    unknown = Fact(None, unknown=_NOT_STATED)
    return tuple(candidate.facts.get(name, unknown) for name in LICENCE_FACTS)


def general_limits(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """What no figure here says, whichever candidate is taken."""
    names = [split_int8(candidate.backbone)[0] for candidate in candidates]
    tuned = any(split_tuned(name)[1] is not None for name in names)
    return (LABELS, GENDER, NO_SPEECH, *(() if tuned else (NOT_CAUSAL,)))
