"""All corpora by name, those of other packages too, and the one door to read them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final

from profiler.corpora.base import Corpus
from profiler.corpora.crema_d import CremaD
from profiler.corpora.demo import Demo
from profiler.corpora.iemocap import Iemocap
from profiler.corpora.manifest import Manifest
from profiler.corpora.meld import Meld
from profiler.corpora.msp_improv import MspImprov
from profiler.corpora.msp_podcast import MspPodcast
from profiler.corpora.ravdess import Ravdess
from profiler.corpora.reader import CorpusReader
from profiles_db.errors import InputError

ENTRY_POINT_GROUP: Final = "trustser.corpora"

_READERS: Final[tuple[type[CorpusReader], ...]] = (
    Demo,
    Ravdess,
    CremaD,
    Iemocap,
    MspImprov,
    MspPodcast,
    Meld,
    Manifest,
)

CORPORA: Final[Mapping[str, type[CorpusReader]]] = MappingProxyType(
    {reader.name: reader for reader in _READERS}
)
"""The corpora that come with the program, by name."""


def read(
    name: str,
    root: Path | None = None,
    *,
    classes: str = "default",
    allow_outside: bool = False,
    cache: Path | None = None,
) -> Corpus:
    """Read a corpus: its utterances, classes and folds. Audio is not opened.

    Parameters
    ----------
    name : str
        A name that `installed` lists.
    root : Path, optional
        The folder that holds the corpus' layout; for `manifest` the CSV or its folder; for `demo`,
        which needs none, the folder to keep the clips in.
    classes : str, optional
        ``default``, ``all``, or a comma-separated choice.
    allow_outside : bool, optional
        Whether a manifest may name files outside its own folder.
    cache : Path, optional
        Where a corpus that the program makes keeps its clips if no root is given.

    Raises
    ------
    InputError
        On an unknown corpus or class.
    CorpusError
        Where the corpus is missing, incomplete or not in its layout.
    """
    return reader_of(name)(allow_outside=allow_outside, cache=cache).read(root, classes)


def reader_of(name: str) -> type[CorpusReader]:
    """The corpus `name`: of those that come with the program, then of other packages'.

    Raises
    ------
    InputError
        Where no corpus has that name, with the nearest one; where a package's corpus is broken.
    """
    if name in CORPORA:
        return CORPORA[name]
    points = {point.name: point for point in _entry_points()}
    if name in points:
        return _load(points[name])
    known = [*CORPORA, *points]
    near = difflib.get_close_matches(name, known, n=1)
    raise InputError(
        f"no corpus {name!r}",
        where="dataset",
        rule=f"one of {', '.join(known)}",
        remedy=f"did you mean {near[0]}?" if near else "take `manifest` for data of your own",
    )


def installed() -> Iterator[type[CorpusReader]]:
    """Every corpus known by name: those of the program, then what other packages add."""
    yield from CORPORA.values()
    for point in _entry_points():
        yield _load(point)


def _entry_points() -> list[EntryPoint]:
    """The entry points of other packages; a name of the program's own keeps its meaning."""
    points = entry_points(group=ENTRY_POINT_GROUP)
    return sorted((point for point in points if point.name not in CORPORA), key=lambda p: p.name)


def _load(point: EntryPoint) -> type[CorpusReader]:
    where = f"entry point {point.name} of {ENTRY_POINT_GROUP}"
    remedy = f"mend or uninstall the package that declares {point.value}"
    try:
        reader = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"cannot be imported: {error}", where=where, remedy=remedy) from error
    fault = _fault_of(reader, point)
    if fault:
        raise InputError(
            fault,
            where=where,
            rule=f"a subclass of profiler.corpora.reader.CorpusReader named {point.name}",
            remedy=remedy,
        )
    found: type[CorpusReader] = reader
    return found


def _fault_of(reader: object, point: EntryPoint) -> str:
    """What keeps `reader` from being the corpus that `point` declares; '' where nothing does."""
    if not (isinstance(reader, type) and issubclass(reader, CorpusReader)):
        return f"{point.value} is no corpus"
    if lacking := [name for name in CorpusReader.__annotations__ if not hasattr(reader, name)]:
        return f"{point.value} declares no {', no '.join(lacking)}"
    if inspect.isabstract(reader):
        return f"{point.value} lacks {', '.join(sorted(reader.__abstractmethods__))}()"
    return "" if reader.name == point.name else f"{point.value} is named {reader.name!r}"
