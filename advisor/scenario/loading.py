"""Scenario files: read within limits, joined with what they extend, checked in one go."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from advisor.records import ScenarioText
from advisor.scenario.diagnosis import diagnose
from advisor.scenario.language import ScenarioSpec
from profiles_db.errors import ScenarioError
from profiles_db.located_yaml import (
    MOST_PROBLEMS,
    Node,
    problem_at,
    read_document,
    read_tree,
    write_yaml,
)
from profiles_db.printing import shown

SHIPPED: Final = Path(__file__).resolve().parents[2] / "scenarios"
"""Folder of the scenarios that ship with the program, which go by name too."""

MOST_EXTENDS: Final = 5
SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario with the text it came from.

    `texts` holds the file first, then the files it extends, nearest first.
    """

    name: str
    spec: ScenarioSpec
    texts: tuple[ScenarioText, ...]
    root: Node = field(repr=False, compare=False)

    def problem(
        self, path: tuple[str | int, ...], what: str, *, rule: str, remedy: str | None = None
    ) -> ScenarioError:
        """An error at the place in the file that `path` leads to, as far as it goes."""
        mark = self.root.find(path)
        return problem_at(mark, what, rule=rule, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Source:
    """A text and the path under which errors name it."""

    display: str
    text: str

    @property
    def record(self) -> ScenarioText:
        """What a decision keeps of it: no folder of anyone's machine."""
        return ScenarioText(shown(Path(self.display).name), self.text)


_Opener = Callable[[Node, _Source], _Source]


def shipped_names() -> tuple[str, ...]:
    """Names of the scenarios that ship with the program."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def load_scenario(source: str | Path) -> Scenario:
    """The scenario of a file, or the shipped one of that name.

    Raises
    ------
    ScenarioError
        There is no such file, or it breaks the language; all that is wrong is named at once.

    Examples
    --------
    >>> load_scenario("edge").spec.budget.bounds()
    {'macs': 5000000000.0}
    """
    path = _find(str(source))
    return _load(_Source(str(path), read_document(path)), _open_file)


def parse_scenario(texts: tuple[ScenarioText, ...]) -> Scenario:
    """A scenario from texts alone: the file, then what it extends, in order.

    Raises
    ------
    ScenarioError
        The texts break the language, or one that is extended is not among them.
    """
    sources = iter([_Source(text.name, text.text) for text in texts])

    def open_next(reference: Node, _child: _Source) -> _Source:
        for source in sources:
            return source
        raise problem_at(
            reference.mark, f"{reference.value!r} is not at hand", rule="extends names a text"
        )

    return _load(next(sources), open_next)


def scenario_of(values: Mapping[str, Any], name: str = "scenario") -> Scenario:
    """A scenario from plain data, laid out as in a file.

    Its text is written from the data, so that a report of it can be verified as any other. What it
    `extends` is a shipped scenario, or a file relative to the working directory.

    Raises
    ------
    ScenarioError
        It is no plain data (text, numbers, lists, mappings), or breaks the language; lines and
        columns are those of its text.

    Examples
    --------
    >>> asked = {"version": 1, "title": "Small", "priorities": {"sustainability": "high"}}
    >>> scenario_of(asked | {"budget": {"macs": "5 GMAC"}}).spec.budget.bounds()
    {'macs': 5000000000.0}
    """
    try:
        plain = json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ScenarioError(
            f"no plain data: {error}", where=name, rule="text, numbers, lists and mappings"
        ) from error
    text = write_yaml(plain)
    return _load(_Source(f"{name}.yaml", text), _open_file)


def _find(source: str) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    names = shipped_names()
    if source in names:
        return SHIPPED / f"{source}.yaml"
    if path.exists():
        return path  # a folder, pipe or device: reading it says so
    near = get_close_matches(source, names, n=1)
    raise ScenarioError(
        "no such file or shipped scenario",
        where=source[:200],
        rule="a path, or one of " + ", ".join(names),
        remedy=f"did you mean {near[0]!r}?" if near else None,
    )


def _open_file(reference: Node, child: _Source) -> _Source:
    named = str(reference.value)
    path = Path(child.display).parent / named
    if Path(named).is_absolute() or not (named.endswith(SUFFIXES) or named in shipped_names()):
        raise problem_at(
            reference.mark,
            f"{named!r:.100} cannot be extended",
            rule="a relative path to a .yaml file, or a shipped scenario's name",
        )
    if named in shipped_names() and not path.is_file():
        path = SHIPPED / f"{named}.yaml"
    if not path.is_file():
        raise problem_at(reference.mark, f"no file {path}", rule="extends names a file")
    return _Source(str(path), read_document(path))


def _load(first: _Source, open_base: _Opener) -> Scenario:
    sources, layers, problems = [first], [], list[ScenarioError]()
    while True:
        root, found = read_tree(sources[-1].text, sources[-1].display)
        problems += found
        root = _without_extensions(root)
        if not isinstance(root.value, dict):
            problems.append(problem_at(root.mark, "no mapping", rule="a scenario is `key: value`"))
            raise ScenarioError.of(problems)
        layers.append(root)
        reference = root.value.pop("extends", None)
        if reference is None:
            break
        sources.append(_base(reference, sources, open_base))
    merged = layers[-1]
    for layer in reversed(layers[:-1]):
        merged = _merge(merged, layer)
    texts = tuple(source.record for source in sources)
    return _check(shown(Path(first.display).stem), merged, texts, problems)


def _base(reference: Node, sources: list[_Source], open_base: _Opener) -> _Source:
    if not isinstance(reference.value, str):
        raise problem_at(reference.mark, "extends names no file", rule="a path or a name")
    base = open_base(reference, sources[-1])
    if any(base == source for source in sources):
        raise problem_at(reference.mark, f"{base.display} extends itself", rule="no circles")
    if len(sources) > MOST_EXTENDS:
        rule = f"at most {MOST_EXTENDS} steps"
        raise problem_at(reference.mark, "a longer chain of extends", rule=rule)
    return base


def _without_extensions(node: Node) -> Node:
    """The tree without the keys that begin `x-`, which are the user's own."""
    if isinstance(node.value, dict):
        kept = {key: child for key, child in node.value.items() if not key.startswith("x-")}
        children = {key: _without_extensions(child) for key, child in kept.items()}
        return Node(node.mark, children, node.keys)
    if isinstance(node.value, list):
        return Node(node.mark, [_without_extensions(child) for child in node.value])
    return node


def _merge(base: Node, child: Node) -> Node:
    """Mappings join key by key; everything else is the child's."""
    if not (isinstance(base.value, dict) and isinstance(child.value, dict)):
        return child
    joined = dict(base.value)
    for key, value in child.value.items():
        joined[key] = _merge(joined[key], value) if key in joined else value
    return Node(child.mark, joined, base.keys | child.keys)


def _check(
    name: str, root: Node, texts: tuple[ScenarioText, ...], problems: list[ScenarioError]
) -> Scenario:
    try:
        spec = ScenarioSpec.model_validate(root.plain())
    except ValidationError as error:
        problems = problems + diagnose(error, root)
    if problems:
        raise ScenarioError.of(problems[:MOST_PROBLEMS])
    return Scenario(name, spec, texts, root)


def starter_text() -> str:
    """A commented scenario to start from, which is itself valid."""
    return Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8")
