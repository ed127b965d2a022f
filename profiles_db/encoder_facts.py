"""What is known of encoders beside their figures: licence, training data, origin, release.

The facts stand in `facts/encoders.yaml`, each with its source, where `advisor` and `profiler` can
both read them without torch. What nobody verified is unknown, with the reason, and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal

from profiles_db.candidate_names import split_depth, split_int8, split_tuned
from profiles_db.errors import ScenarioError
from profiles_db.located_yaml import read_tree
from profiles_db.profile import WeightsKind

FactType = Literal["truth", "text", "list", "number", "month"]
"""What a fact says: yes or no, a word, several words, a number, or when (`2021`, `2021-03`)."""

FactValue = bool | int | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class FactKind:
    """A fact that scenarios may require.

    Parameters
    ----------
    name : str
        What scenarios call it.
    title : str
        What people call it.
    type : FactType
    definition : str
    of_weights : bool
        Whether it is about the published weights, so that it says nothing of untrained ones.
    """

    name: str
    title: str
    type: FactType
    definition: str
    of_weights: bool = True


_KINDS: Final = (
    FactKind("licence", "Licence of the weights", "text", "As its publisher tags it: MIT, ..."),
    FactKind(
        "licence_allows_commercial_use",
        "Commercial use of the weights",
        "truth",
        "Whether the licence of the weights allows commercial use.",
    ),
    FactKind(
        "licence_share_alike",
        "Share-alike weights",
        "truth",
        "Whether what is made of the weights must be passed on under the same licence.",
    ),
    FactKind(
        "training_corpora",
        "Training corpora",
        "list",
        "Names of the corpora the weights were trained on: librispeech, msp_podcast, ...",
    ),
    FactKind(
        "training_labels",
        "Training labels",
        "list",
        "What the weights were taught: transcripts, sounds, emotion; none if self-supervised.",
    ),
    FactKind(
        "training_data_allows_commercial_use",
        "Commercial use of the training data",
        "truth",
        "Whether the licences of all its training data allow commercial use.",
    ),
    FactKind("training_hours", "Hours of training data", "number", "As published."),
    FactKind(
        "languages",
        "Training languages",
        "list",
        "ISO 639 codes of the languages spoken in it: en, de, ...",
    ),
    FactKind("organisation", "Publisher", "text", "Who published the weights."),
    FactKind(
        "released",
        "First published",
        "month",
        "Year and month of the publication or announcement that came with the weights.",
    ),
    FactKind(
        "architecture",
        "Architecture",
        "text",
        "transformer, conformer, convolutional, recurrent or hand-crafted.",
        of_weights=False,
    ),
)
FACTS: Final[Mapping[str, FactKind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""The kinds of facts by name, in the order in which they are shown."""

_LICENCE_FACTS: Final = ("licence", "licence_allows_commercial_use", "licence_share_alike")
_NOT_STATED: Final = "nobody stated it here"
_TYPES: Final[dict[FactType, tuple[type, ...]]] = {
    "truth": (bool,),
    "text": (str,),
    "list": (list,),
    "number": (int,),
    "month": (str, int),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of one encoder; `value` is None where it is unknown, and `unknown` says why.

    `complete` says of a list whether it names all there is. `source` is where it is stated, and
    `as_of` when it was looked up.

    Examples
    --------
    >>> Fact(("en",), "arXiv:2006.11477").text
    'en'
    >>> Fact(("de", "en"), complete=False).text
    'de, en and more'
    """

    value: FactValue
    source: str = ""
    unknown: str = ""
    complete: bool = True
    as_of: str = ""

    @property
    def text(self) -> str:
        """The value as people write it."""
        if self.value is None:
            return "unknown"
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        if isinstance(self.value, tuple):
            return (", ".join(self.value) or "none") + ("" if self.complete else " and more")
        return f"{self.value:,}" if isinstance(self.value, int) else self.value


def encoder_facts(
    name: str, weights_kind: WeightsKind = "pretrained", weights_origin: str = ""
) -> dict[str, Fact]:
    """All facts of an encoder, each kind of `FACTS`, unknown where nobody states it.

    Parameters
    ----------
    name : str
        As the catalogue, a published study or `hf:ORG/NAME` calls it; the first layers of one
        (`whisper_small@4`), one whose last layers are tuned (`whisper_small+last2`), and one in
        int8 (`whisper_small+int8`), are what the whole is.
    weights_kind : WeightsKind
        Of untrained weights the facts about published ones say nothing.
    weights_origin : str
        Where measured weights came from. Facts are stated of the published checkpoint; where the
        weights are from elsewhere, such as a folder, the source says so.

    Examples
    --------
    >>> encoder_facts("wav2vec2_base@6")["licence"].value
    'Apache-2.0'
    >>> encoder_facts("wavlm_large")["licence_allows_commercial_use"].unknown
    'unverified: no licence is tagged'
    >>> encoder_facts("whisper_tiny", "random")["languages"].unknown
    'the weights are untrained'
    """
    encoder, tuned = split_tuned(split_int8(name)[0])
    whole = split_depth(encoder)[0]
    known = _load()
    stated = known.get(whole) or known.get(whole.removeprefix("hf:")) or {}
    found = {kind: stated.get(kind, Fact(None, unknown=_NOT_STATED)) for kind in FACTS}
    if tuned is not None:
        found["training_labels"] = _with_emotion(found["training_labels"])
    if weights_kind == "random":
        untrained = Fact(None, unknown="the weights are untrained")
        found |= {kind: untrained for kind, about in FACTS.items() if about.of_weights}
        return found
    published = _checkpoints().get(whole, weights_origin)
    if weights_kind != "pretrained" or not weights_origin or weights_origin.startswith(published):
        return found
    last = weights_origin.rstrip("/").rpartition("/")[2]
    return {kind: _from_elsewhere(kind, fact, last) for kind, fact in found.items()}


def _with_emotion(labels: Fact) -> Fact:
    """The labels that an encoder learned from, once layers of it are trained with the head."""
    if not isinstance(labels.value, tuple):
        return Fact(("emotion",), "its last layers were trained with the head", complete=False)
    known = tuple(dict.fromkeys((*labels.value, "emotion")))
    return replace(labels, value=known, source=f"{labels.source}; its last layers with the head")


def _from_elsewhere(kind: str, fact: Fact, origin: str) -> Fact:
    if fact.value is None or not FACTS[kind].of_weights:
        return fact
    return replace(fact, source=f"{fact.source}; the weights used are from {origin}")


def published_checkpoint(name: str) -> str | None:
    """The repository on the Hugging Face hub that holds an encoder's weights; None without one.

    Examples
    --------
    >>> published_checkpoint("whisper_tiny@2+int8"), published_checkpoint("fbank")
    ('openai/whisper-tiny', None)
    """
    found = _checkpoints().get(split_depth(split_tuned(split_int8(name)[0])[0])[0])
    return None if found is None or found.startswith("doi.org/") else found


def described_encoders() -> tuple[str, ...]:
    """Names under which encoders are described here, without those of their checkpoints."""
    return tuple(name for name in _load() if "/" not in name)


@cache
def _checkpoints() -> Mapping[str, str]:
    """The published checkpoint of each encoder that has one."""
    names = _load()
    return {
        name: other
        for name in names
        for other in names
        if "/" in other and "/" not in name and names[other] is names[name]
    }


@cache
def _load() -> Mapping[str, Mapping[str, Fact]]:
    """The facts by name of encoder, and by checkpoint."""
    file = files("profiles_db").joinpath("facts", "encoders.yaml")
    root, problems = read_tree(file.read_text(encoding="utf-8"), "encoders.yaml")
    if problems:
        raise ScenarioError.of(problems)
    data = root.plain()
    found: dict[str, Mapping[str, Fact]] = {}
    for name, stated in data["encoders"].items():
        entry: dict[str, Any] = {}
        for group in stated.pop("with", ()):
            entry |= data["groups"][group]
        entry |= stated
        source, checkpoint = entry.pop("source"), entry.pop("checkpoint", "")
        page = source
        if "/" in checkpoint:
            host = "" if checkpoint.startswith("doi.org/") else "huggingface.co/"
            page = f"{host}{checkpoint}"
        found[name] = {
            kind: _fact(
                name, kind, raw, page if kind in _LICENCE_FACTS else source, str(data["as_of"])
            )
            for kind, raw in entry.items()
        }
        if checkpoint:
            found[checkpoint] = found[name]
    return MappingProxyType(found)


def _fact(encoder: str, kind: str, raw: Any, source: str, as_of: str) -> Fact:
    stated = raw if isinstance(raw, dict) else {"value": raw}
    if "unknown" in stated:
        return Fact(None, unknown=str(stated["unknown"]), as_of=as_of)
    value: Any = stated["value"]
    about = FACTS[kind]
    if not isinstance(value, _TYPES[about.type]) or (
        about.type == "number" and isinstance(value, bool)
    ):
        raise ScenarioError(
            f"{value!r} is no {about.type}", where=f"encoders.yaml: {encoder}.{kind}"
        )
    written: Any = value
    if isinstance(value, list):
        written = tuple(value)
    elif about.type == "month":
        written = str(value)
    return Fact(
        written,
        source=stated.get("source", source),
        complete=stated.get("complete", True),
        as_of=as_of,
    )
