"""Measures for which stored rows and metadata suffice: no sound, no weights, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from profiler.corpora.base import Utterance
from profiler.corpora.registry import read, reader_of
from profiler.measures.base import OnCorpus, OnEncoder, OnHiddenStates, OnWaveforms
from profiler.measures.registry import measures
from profiler.pipeline.corpus_rows import keep_said, says_otherwise
from profiler.pipeline.measuring import stale, take
from profiler.progress import Progress
from profiler.protocol import Protocol, sections
from profiles_db.profile import Profile
from profiles_db.records import Prediction
from profiles_db.store import Store


def rows_suffice(found: Profile, wanted: Sequence[str]) -> bool:
    """Whether all of `wanted` can be taken of a run without its sound and weights.

    Not of one whose settings this program does not know all of, nor of one that was made without a
    corpus, or by a release that did not note how.
    """
    known = bool(found.provenance.get("request")) and found.protocol.keys() <= sections().keys()
    computed = (OnHiddenStates, OnWaveforms, OnEncoder)
    return known and not any(isinstance(measures()[name], computed) for name in wanted)


def measure_rows(
    found: Profile,
    wanted: Sequence[str],
    store: Store,
    *,
    cache: Path,
    data_root: Path | None,
    progress: Progress,
) -> None:
    """Take measures of a run from its rows; see `rows_suffice`.

    Parameters
    ----------
    found : Profile
    wanted : sequence of str
    store : Store
    cache : Path
        Where a corpus that the program makes keeps its clips.
    data_root : Path or None
        Where the corpus' metadata lie now; where they lay then if None.
    progress : Progress

    Raises
    ------
    CorpusError
        If a measure asks for metadata and they are not there.
    InputError
        If they are not of the clips that were tested.
    """
    protocol = Protocol.from_record(found.protocol)
    taken = store.measured(found.run)
    on_corpus = [m for name in wanted if isinstance(m := measures()[name], OnCorpus)]
    utterances = _utterances(found, protocol, store, cache, data_root) if on_corpus else {}
    other = {m.name for m in on_corpus if says_otherwise(m, found, utterances, store)}
    lacking = [
        name
        for name in wanted
        if name in other or stale(measures()[name], protocol.measure(name), taken.get(name))
    ]
    for name in lacking:
        measure = measures()[name]
        if isinstance(measure, OnCorpus):
            keep_said(measure, found, utterances, store)
        take(name, found, protocol, store, provenance={"from rows": True, "folds": found.folds})
    if not lacking:
        progress.say(f"{found.backbone}: already measured as run {found.run}, nothing to do")


def _utterances(
    found: Profile, protocol: Protocol, store: Store, cache: Path, data_root: Path | None
) -> Mapping[str, Utterance]:
    """The clips as the corpus describes them; as the rows do where it can say no more."""
    request = found.provenance["request"]
    if not reader_of(request["dataset"]).says_groups:
        rows = store.rows(found.run, Prediction)
        return {
            row.utterance: Utterance(row.utterance, Path(), row.speaker, row.gender, row.label)
            for row in rows
        }
    corpus = read(
        request["dataset"],
        data_root or (Path(request["data_root"]) if request["data_root"] else None),
        classes=protocol.study.classes,
        allow_outside=request["allow_outside"],
        cache=cache,
    )
    return {utterance.id: utterance for utterance in corpus.utterances}
