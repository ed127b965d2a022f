"""`--test-on` and `--label-map`: other corpora to test trained heads on, as settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from profiles_db.errors import InputError, ScenarioError
from profiles_db.located_yaml import read_document, read_tree

MEASURE: Final = "generalisation"
SETTING: Final = f"{MEASURE}.test_on"
_RULE: Final = "labels there, each with the class it counts as here or null, or such by corpus"


def with_other_corpora(
    settings: Mapping[str, Any] | None,
    measures: str | Sequence[str] | None,
    test_on: Sequence[str],
    label_map: Path | Mapping[str, Any] | None,
    *,
    allow_outside: bool,
) -> Mapping[str, Any] | None:
    """The settings, with the corpora that `--test-on` names.

    Parameters
    ----------
    settings : mapping or None
    measures : str, sequence of str or None
        What is to be measured.
    test_on : sequence of str
        Each NAME=PATH, or NAME where the corpus needs no path.
    label_map : path, mapping or None
        Which class a label counts as, or that by the name of the corpus.
    allow_outside : bool
        Whether a manifest may name files outside its own folder.

    Raises
    ------
    InputError
        If corpora are named that nothing is tested on, or a map for none of them.
    """
    if not test_on:
        if label_map is not None:
            raise InputError(
                "maps the labels of no corpus",
                where="--label-map",
                remedy="name the corpus with --test-on NAME=PATH",
            )
        return settings
    named = measures if isinstance(measures, str) else ",".join(measures or ())
    if MEASURE not in named.split(",") and named != "all":
        raise InputError(
            f"names corpora, but {MEASURE} is not measured",
            where="--test-on",
            remedy=f"add it: --measures performance,{MEASURE}",
        )
    maps = _maps(label_map, [name.partition("=")[0].strip() for name in test_on])
    corpora = []
    for text in test_on:
        dataset, equals, path = (part.strip() for part in text.partition("="))
        if not dataset or (equals and not path):
            raise InputError(f"{text!r:.100} names no corpus", where="--test-on",
                             rule="NAME=PATH, or NAME where the corpus needs no path")  # fmt: skip
        corpora.append(
            {
                "dataset": dataset,
                "path": path or None,
                "labels": maps.get(dataset, {}),
                "allow_outside": allow_outside,
            }
        )
    return {**(settings or {}), SETTING: corpora}


def _maps(
    label_map: Path | Mapping[str, Any] | None, datasets: Sequence[str]
) -> Mapping[str, Mapping[str, str | None]]:
    """The map of each corpus."""
    if label_map is None:
        return {}
    where = "--label-map" if isinstance(label_map, Mapping) else str(label_map)
    plain = label_map if isinstance(label_map, Mapping) else _read(label_map)
    if not isinstance(plain, Mapping) or not plain:
        raise InputError("holds no map", where=where, rule=_RULE)
    if all(isinstance(value, Mapping) for value in plain.values()):
        unknown = sorted(set(map(str, plain)) - set(datasets))
        if unknown:
            raise InputError(
                f"maps the labels of {', '.join(unknown)}",
                where=where,
                rule=f"one of those that --test-on names: {', '.join(datasets)}",
            )
        by_corpus = plain
    else:
        by_corpus = dict.fromkeys(datasets, plain)
    for one in by_corpus.values():
        for label, name in one.items():
            if not isinstance(label, str) or not (name is None or isinstance(name, str)):
                raise InputError(f"{label!r:.60}: {name!r:.60} maps no label",
                                 where=where, rule=_RULE)  # fmt: skip
    return by_corpus


def _read(path: Path) -> Any:
    try:
        root, problems = read_tree(read_document(path, InputError), str(path))
    except ScenarioError as error:
        problems, root = list(error.problems) or [error], None
    if problems or root is None:
        first = problems[0]
        raise InputError(first.what, where=first.where, rule=first.rule, remedy=first.remedy)
    return root.plain()
