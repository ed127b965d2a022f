"""All corpora by name, and the one door through which they are read."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from profiler.corpora import (
    crema_d,
    demo,
    iemocap,
    manifest,
    meld,
    msp_improv,
    msp_podcast,
    ravdess,
)
from profiler.corpora.base import Corpus
from profiler.corpora.info import CorpusInfo
from profiles_db.errors import CorpusError, InputError

_PUBLISHED: Final = (ravdess, crema_d, iemocap, msp_improv, msp_podcast, meld)

CORPORA: Final[dict[str, CorpusInfo]] = {
    module.INFO.name: module.INFO for module in (demo, *_PUBLISHED, manifest)
}
"""Every corpus `read` knows, by name."""

_READERS: Final[dict[str, Callable[[Path, str], Corpus]]] = {
    module.INFO.name: module.read for module in _PUBLISHED
}


def read(
    name: str,
    root: Path | None = None,
    *,
    classes: str = "default",
    allow_outside: bool = False,
) -> Corpus:
    """Read a corpus: its utterances, classes and folds. Audio is not opened.

    Parameters
    ----------
    name : str
        A key of `CORPORA`.
    root : Path, optional
        The folder that holds the corpus' published layout; for `manifest` the CSV or its folder;
        for `demo`, which needs none, the folder to keep the clips in.
    classes : str, optional
        ``default``, ``all``, or a comma-separated choice.
    allow_outside : bool, optional
        Whether a manifest may name files outside its own folder; no other corpus does.

    Raises
    ------
    InputError
        On an unknown corpus or class.
    CorpusError
        Where the corpus is missing, incomplete or not in its published layout.
    """
    info = info_of(name)
    if name == demo.INFO.name:
        return demo.read(root, classes)
    if root is None or not root.exists():
        raise info.not_found(root, "no such folder" if root else "no data root given")
    corpus = (
        manifest.read(root, classes, allow_outside=allow_outside)
        if name == manifest.INFO.name
        else _READERS[name](root, classes)
    )
    if not corpus.utterances:
        raise CorpusError("no clip of the chosen classes", where=str(root))
    return corpus


def info_of(name: str) -> CorpusInfo:
    """What is known of the corpus `name`; InputError, with the nearest name, for an unknown one."""
    if name in CORPORA:
        return CORPORA[name]
    near = difflib.get_close_matches(name, CORPORA, n=1)
    raise InputError(
        f"no corpus {name!r}",
        where="dataset",
        rule=f"one of {', '.join(CORPORA)}",
        remedy=f"did you mean {near[0]}?" if near else "take `manifest` for data of your own",
    )
