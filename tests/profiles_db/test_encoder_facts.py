"""Facts of encoders: every known encoder has them, and they say what the catalogue says."""

from __future__ import annotations

import pytest

from profiler.backbones.entries import ENTRIES
from profiles_db.encoder_facts import FACTS, described_encoders, encoder_facts
from profiles_db.published_studies import load_published, published_names

CATALOGUE = {entry.name: entry for entry in ENTRIES}


def test_every_encoder_of_the_catalogue_and_of_a_publication_is_described() -> None:
    published = {
        encoder.name
        for name in published_names()
        for encoder in load_published(name).encoders
        if not encoder.baseline
    }
    assert set(described_encoders()) == set(CATALOGUE) | published


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_fact_is_what_the_catalogue_says_or_unknown(name: str) -> None:
    facts, entry = encoder_facts(name), CATALOGUE[name]
    assert facts["licence"].value in {entry.licence, None}
    assert facts["training_hours"].value == entry.training_hours
    english = facts["languages"].value == ("en",) and facts["languages"].complete
    assert english == (entry.languages == "English")
    if entry.hub_id:
        assert encoder_facts(f"hf:{entry.hub_id}") == facts
    assert encoder_facts(f"{name}@3") == facts


@pytest.mark.parametrize("name", described_encoders())
def test_what_is_known_has_a_source_and_what_is_unknown_a_reason(name: str) -> None:
    facts = encoder_facts(name)
    assert list(facts) == list(FACTS)
    for fact in facts.values():
        assert bool(fact.source) == (fact.value is not None)
        assert bool(fact.unknown) == (fact.value is None)


@pytest.mark.parametrize("name", described_encoders())
def test_the_facts_of_a_licence_agree(name: str) -> None:
    """NC and SA are what they say; what follows from an unknown licence is unknown."""
    facts = encoder_facts(name)
    licence = facts["licence"].value
    allows, alike = (
        facts["licence_allows_commercial_use"].value,
        facts["licence_share_alike"].value,
    )
    if licence is None:
        assert allows is alike is None
    else:
        words = str(licence).replace("-", " ").split()
        assert allows == ({"research", "NC"}.isdisjoint(words))
        assert alike == ("SA" in words)


def test_an_encoder_that_nobody_describes_is_unknown_throughout() -> None:
    facts = encoder_facts("hf:someone/something")
    assert all(fact.value is None and fact.unknown for fact in facts.values())


def test_untrained_weights_have_no_facts_of_published_ones() -> None:
    facts = encoder_facts("whisper_tiny", "random")
    assert facts["architecture"].value == "transformer"
    known = [name for name, fact in facts.items() if fact.value is not None]
    assert known == ["architecture"]


def test_weights_from_elsewhere_are_said_to_be() -> None:
    hub = encoder_facts("whisper_tiny", "pretrained", "openai/whisper-tiny")
    assert hub == encoder_facts("whisper_tiny")
    assert encoder_facts("tera", "pretrained", "s3prl/tera/states.ckpt") == encoder_facts("tera")
    other = encoder_facts("whisper_tiny", "pretrained", "/home/me/my-whisper/")
    assert other["licence"].source.endswith("; the weights used are from my-whisper")
    assert "home" not in other["licence"].source
    assert other["architecture"] == hub["architecture"]
