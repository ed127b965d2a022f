"""A study: which clips, labels and folds, named by their hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from profiler.corpora.audio import file_digest
from profiler.corpora.base import Corpus, Fold
from profiler.corpora.folds import require_filled_parts, require_speaker_disjoint
from profiler.corpora.registry import read, reader_of
from profiler.features.cache import Clip
from profiler.progress import Progress
from profiler.protocol import Protocol
from profiler.settings import digest_of
from profiles_db.errors import AudioError, CorpusError

SHORT = 12
"""Characters of a hash that names a study or a run to people."""


@dataclass(frozen=True)
class Study:
    """A corpus ready to be profiled.

    `clips` holds the files that can be read, by utterance id; `left_out` names the others, and
    those that the corpus' own rules exclude, with the reason. `folds` are those the protocol runs.
    """

    name: str
    protocol: Protocol
    corpus: Corpus
    folds: tuple[Fold, ...]
    clips: dict[str, Clip]
    left_out: dict[str, str]


def open_study(
    corpus_name: str,
    root: Path | None,
    protocol: Protocol,
    progress: Progress,
    *,
    allow_outside: bool = False,
    cache: Path | None = None,
) -> Study:
    """Read the corpus, digest its files, and name the study.

    The name depends on the settings of the study and on every clip's bytes, speaker, gender and
    label and the folds, never on how heads are trained or measured, nor on where the files lie.
    `cache` is where a corpus that the program makes keeps its clips if no `root` is given.

    Raises
    ------
    CorpusError
        If the corpus cannot be read, none of its files can, a part of a fold is left without
        one, it has fewer folds than asked for, or a speaker stands in two parts of a fold (but for
        MELD, whose own split is so).
    """
    corpus = read(
        corpus_name, root, classes=protocol.study.classes, allow_outside=allow_outside, cache=cache
    )
    if not reader_of(corpus_name).shares_speakers:
        require_speaker_disjoint(corpus)
    wanted = protocol.study.folds
    folds = corpus.folds[:wanted]
    if wanted is not None and wanted > len(corpus.folds):
        raise CorpusError(
            f"{wanted} folds asked for, it has {len(corpus.folds)}", where=corpus.name
        )
    clips: dict[str, Clip] = {}
    left_out = dict(corpus.left_out)
    with progress.stage("reading clips", len(corpus.utterances)) as stage:
        for utterance in corpus.utterances:
            try:
                digest = file_digest(utterance.path).removeprefix("sha256:")
                clips[utterance.id] = Clip(utterance.id, utterance.path, digest)
            except AudioError as error:
                left_out[utterance.id] = error.what
            stage.advance()
    if not clips:
        raise CorpusError(
            f"none of its {len(corpus.utterances)} clips can be read", where=corpus.name
        )
    require_filled_parts(folds, clips)
    return Study(_name(corpus, clips, protocol), protocol, corpus, folds, clips, left_out)


def _name(corpus: Corpus, clips: dict[str, Clip], protocol: Protocol) -> str:
    utterances = [
        [u.id, clips[u.id].digest, u.speaker, u.gender, u.label]
        for u in corpus.utterances
        if u.id in clips
    ]
    folds = [[fold.number, fold.train, fold.dev, fold.test] for fold in corpus.folds]
    content = [corpus.name, corpus.classes, utterances, folds]
    return digest_of([protocol.study.identity(), content])[:SHORT]
