"""How untrained weights and synthetic speech are marked wherever a profile is shown."""

from __future__ import annotations

from profiles_db.profile import Profile


def weights_mark(profile: Profile) -> str:
    """The kind of weights, random ones marked as untrained."""
    kinds = {"random": "RANDOM (untrained)", "none": "none needed"}
    return kinds.get(profile.weights_kind, profile.weights_kind)


def corpus_mark(profile: Profile) -> str:
    """The corpus, synthetic speech marked as such; costs are measured without one."""
    if not profile.corpus:
        return "no corpus"
    return f"{profile.corpus} (SYNTHETIC speech)" if profile.synthetic else profile.corpus
