"""Corpora that trained heads are tested on, known by what they hold, not where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from profiler.settings import digest_of
from profiles_db.errors import AudioError, CorpusError, InputError

if TYPE_CHECKING:
    from profiler.corpora.base import Utterance

MOST_LABELS: Final = 1000
_SHORT: Final = 8
"""Characters of a digest that tell two corpora of one name apart."""


class OtherCorpus(BaseModel):
    """A corpus to test on: how it is read, what it holds, and which class each label counts as.

    A setting may name it as `NAME=PATH`, `NAME` where it needs no path, or by `dataset`, `path`
    and `labels`; what it holds is then looked up. `labels` says which class of the heads a label
    counts as (None: none); one that it leaves out counts as the class of its own name. `clips`
    counts the clips of each label, of every class that the corpus has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(min_length=1, max_length=200)
    path: str | None = Field(default=None, min_length=1, max_length=4096)
    labels: dict[str, str | None] = Field(default_factory=dict, max_length=MOST_LABELS)
    allow_outside: bool = False
    digest: str = Field(pattern=r"sha256:[0-9a-f]{64}")
    clips: dict[str, int]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = _parsed(value)
        if not isinstance(value, dict) or "digest" in value:
            return value
        asked = _Asked.model_validate(value)
        path = None if asked.path is None else str(Path(asked.path).expanduser().absolute())
        digest, clips = _contents(asked.dataset, path, asked.allow_outside)
        _require_known(asked.dataset, asked.labels, clips)
        return {
            "dataset": asked.dataset,
            "path": path,
            "labels": {k: v for k, v in sorted(asked.labels.items()) if k != v},
            "allow_outside": asked.allow_outside,
            "digest": digest,
            "clips": clips,
        }

    @property
    def content(self) -> dict[str, Any]:
        """What names it: the corpus, its clips and which class each label counts as."""
        return {"dataset": self.dataset, "digest": self.digest, "labels": dict(self.labels)}

    def counts_as(self, label: str) -> str | None:
        """The class that a label counts as; None where it is to be left out."""
        return self.labels.get(label, label)

    def utterances(self) -> tuple[Utterance, ...]:
        """Its clips.

        Raises
        ------
        InputError
            If it holds other clips than when it was named.
        """
        if _contents(self.dataset, self.path, self.allow_outside)[0] != self.digest:
            raise InputError(
                "holds other clips than when it was named",
                where=self.path or self.dataset,
                remedy="name it again with --test-on, which makes a run of its own",
            )
        return _read(self.dataset, self.path, self.allow_outside)

    def by_id(self) -> Mapping[str, Utterance]:
        """Its clips by id, read once in a process: for workers, whose driver looked at them."""
        return _by_id(self.dataset, self.path, self.allow_outside, self.digest)


class _Asked(BaseModel):
    """A corpus as people name it."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(min_length=1, max_length=200)
    path: str | None = Field(default=None, min_length=1, max_length=4096)
    labels: dict[str, str | None] = Field(default_factory=dict, max_length=MOST_LABELS)
    allow_outside: bool = False


def names(corpora: Sequence[OtherCorpus]) -> dict[str, OtherCorpus]:
    """The corpora by what figures call them: their dataset, with a digest where two have one name.

    Raises
    ------
    ValueError
        If one stands twice.
    """
    times = Counter(corpus.dataset for corpus in corpora)
    found: dict[str, OtherCorpus] = {}
    for corpus in corpora:
        name = corpus.dataset
        if times[name] > 1:
            name += f" {digest_of(corpus.content)[:_SHORT]}"
        if name in found:
            raise ValueError(f"{corpus.dataset} is named twice with the same clips and labels")
        found[name] = corpus
    return found


def _parsed(text: str) -> dict[str, Any]:
    dataset, equals, path = text.partition("=")
    if not dataset.strip() or (equals and not path.strip()):
        raise ValueError(f"{text!r:.100} names no corpus: write NAME=PATH")
    return {"dataset": dataset.strip(), "path": path.strip() or None}


def _require_known(
    dataset: str, labels: Mapping[str, str | None], clips: Mapping[str, int]
) -> None:
    unknown = sorted(set(labels) - set(clips))
    if unknown:
        raise InputError(
            f"{dataset} has no label {', '.join(unknown)}",
            where="--label-map",
            rule=f"its labels are {', '.join(sorted(clips))}",
        )


def _read(dataset: str, path: str | None, allow_outside: bool) -> tuple[Utterance, ...]:
    """All labelled clips of the corpus, from its metadata."""
    from profiler.corpora.registry import reader_of  # noqa: PLC0415 - entry points are looked up

    reader = reader_of(dataset)(allow_outside=allow_outside)
    return reader.find(None if path is None else Path(path)).utterances


def _contents(dataset: str, path: str | None, allow_outside: bool) -> tuple[str, Mapping[str, int]]:
    """Digest of the clips and their number by label; read once in a process while none changes.

    Raises
    ------
    CorpusError
        If there is no such corpus there, or not one of its clips can be read.
    """
    utterances = _read(dataset, path, allow_outside)
    states = tuple(_state(utterance.path) for utterance in utterances)
    digest = _digest_of(utterances, states)
    if digest is None:
        raise CorpusError(f"none of its {len(utterances)} clips can be read", where=path or dataset)
    counts = Counter(utterance.label for utterance in utterances)
    return digest, {label: counts[label] for label in sorted(counts)}


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=8)
def _digest_of(
    utterances: tuple[Utterance, ...],
    states: tuple[tuple[int, int] | None, ...],  # noqa: ARG001 - tells whether a file changed
) -> str | None:
    """What names the clips that can be read: bytes, id, speaker, gender and label of each."""
    from profiler.corpora.audio import file_digest  # noqa: PLC0415

    found = []
    for utterance in utterances:
        try:
            digest = file_digest(utterance.path)
        except AudioError:
            continue
        found.append([utterance.id, digest, utterance.speaker, utterance.gender, utterance.label])
    return f"sha256:{digest_of(found)}" if found else None


@lru_cache(maxsize=8)
def _by_id(
    dataset: str,
    path: str | None,
    allow_outside: bool,
    digest: str,  # noqa: ARG001 - other clips are other entries
) -> Mapping[str, Utterance]:
    return {utterance.id: utterance for utterance in _read(dataset, path, allow_outside)}
