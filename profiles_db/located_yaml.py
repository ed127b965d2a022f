"""YAML as a tree that remembers where everything stands, read within hard limits.

The one way in for YAML that people write: scenarios, protocols and single settings. Only plain
data is read: no anchors, aliases, tags or second documents, no duplicate keys, at most 1 MiB,
20 levels and 20,000 values. Scalars follow the YAML 1.2 core schema, so `on` and `no` are text and
`5e9` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from profiles_db.errors import ScenarioError, TrustserError
from profiles_db.files import MEBIBYTE, read_text

MOST_BYTES: Final = MEBIBYTE
MOST_LEVELS: Final = 20
MOST_VALUES: Final = 20_000
MOST_PROBLEMS: Final = 100
"""Who has more is not helped by more."""
_LONGEST_LINE: Final = 120

# The C parser where PyYAML has it: same events and marks, several times faster.
_PARSER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: Final = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, counted from 1, and the line that stands there."""

    file: str
    line: int
    column: int
    text: str

    @property
    def where(self) -> str:
        """`file:line:column`, as editors follow it."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(slots=True)
class Node:
    """A value with its place. `keys` holds the places of a mapping's keys."""

    mark: Mark
    value: Scalar | dict[str, Node] | list[Node]
    keys: dict[str, Mark] = field(default_factory=dict)

    def find(self, path: tuple[str | int, ...], *, key: bool = False) -> Mark:
        """The place that `path` leads to, as far as it goes; with `key`, that of the last key."""
        node, mark = self, self.mark
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                mark = node.keys[str(step)]
                node = node.value[str(step)]
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                mark = node.mark
            else:
                return node.mark
        return mark if key else node.mark

    def plain(self) -> Any:
        """The value without places: dictionaries, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


def problem_at(mark: Mark, what: str, *, rule: str, remedy: str | None = None) -> ScenarioError:
    """An error that names the place and shows its line."""
    shown = _excerpt(mark)
    what = f"{what}, in `{shown}`" if shown else what
    return ScenarioError(what, where=mark.where, rule=rule, remedy=remedy)


def _excerpt(mark: Mark) -> str:
    """The line, or of a long one the part around the place; nothing that steers a terminal."""
    start = max(0, mark.column - 1 - _LONGEST_LINE // 2)
    start = start if len(mark.text) > _LONGEST_LINE else 0
    part = mark.text[start : start + _LONGEST_LINE]
    shown = "".join(c if c.isprintable() else " " for c in part).strip()
    before = "..." if start else ""
    return before + shown + ("..." if start + _LONGEST_LINE < len(mark.text) else "")


def read_document(path: Path, error: type[TrustserError] = ScenarioError) -> str:
    """The text of the YAML file at `path`.

    Raises
    ------
    TrustserError
        An `error`, if it is no regular file of at most 1 MiB in UTF-8.
    """
    return read_text(path, MOST_BYTES, error)


def read_tree(text: str, file: str) -> tuple[Node, list[ScenarioError]]:
    """The tree of a YAML text, and what is wrong with it as far as reading can go on.

    Raises
    ------
    ScenarioError
        The text breaks the YAML syntax or a limit, so that there is no tree.
    """
    return _Builder(text, file).build()


def write_yaml(content: Any) -> str:
    """Plain data as YAML that `read_tree` reads back the same.

    Text that the YAML 1.2 core schema takes for a number or a word is quoted, and nothing is shared
    by an alias.

    Examples
    --------
    >>> print(write_yaml({"why": "1e3", "at_least": 0.5}), end="")
    why: '1e3'
    at_least: 0.5
    """
    text: str = yaml.dump(content, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=96)
    return text


class _Writer(yaml.SafeDumper):
    """PyYAML's own, which knows YAML 1.1 alone."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _quoted(writer: _Writer, text: str) -> yaml.ScalarNode:
    style = None if isinstance(_resolve(text), str) else "'"
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _quoted)


class _Builder:
    """Builds the tree from parser events with an explicit stack: no depth can exhaust Python's."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file, self._lines = text, file, text.splitlines() or [""]
        self._problems: list[ScenarioError] = []
        self._open: list[tuple[Node, list[tuple[Mark, str | None]]]] = []
        self._root: Node | None = None
        self._values = 0

    def build(self) -> tuple[Node, list[ScenarioError]]:
        for event in self._events():
            self._take(event)
        if self._root is None:
            self._root = Node(self._mark(None), None)
        return self._root, self._problems

    def _events(self) -> Iterator[yaml.Event]:
        loader = None
        try:
            loader = _PARSER(self._text)
            while loader.check_event():
                yield loader.get_event()
        except UnicodeEncodeError as error:
            raise problem_at(self._mark(None), "half a character", rule="Unicode text") from error
        except yaml.MarkedYAMLError as error:
            mark = self._mark(error.problem_mark or error.context_mark)
            what = ": ".join(part for part in (error.context, error.problem) if part)
            raise problem_at(mark, f"not YAML: {what}", rule="YAML 1.2 syntax") from error
        except yaml.YAMLError as error:
            what = " ".join(str(error).split())[:200]
            raise problem_at(self._mark(None), f"not YAML: {what}", rule="YAML 1.2") from error
        finally:
            if loader is not None:
                loader.dispose()

    def _mark(self, mark: Any) -> Mark:
        line = min(mark.line, len(self._lines) - 1) if mark else 0
        return Mark(self._file, line + 1, (mark.column if mark else 0) + 1, self._lines[line])

    def _take(self, event: yaml.Event) -> None:
        mark = self._mark(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
            raise problem_at(mark, "a second document", rule="one document in a file")
        if isinstance(event, yaml.NodeEvent):
            self._forbid(event, mark)
        if isinstance(event, yaml.MappingStartEvent):
            self._start(Node(mark, {}))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._start(Node(mark, []))
        elif isinstance(event, yaml.ScalarEvent):
            plain = event.style is None or event.style == ""
            self._scalar(event.value, mark, plain=plain)
        elif isinstance(event, yaml.AliasEvent):
            self._scalar("", mark, plain=True)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()

    def _forbid(self, event: Any, mark: Mark) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise problem_at(mark, f"more than {MOST_VALUES} values", rule=f"at most {MOST_VALUES}")
        if event.anchor is not None:
            kind = "alias" if isinstance(event, yaml.AliasEvent) else "anchor"
            self._problem(mark, f"{kind} {event.anchor!r:.60}", "no anchors and aliases")
        if getattr(event, "tag", None) is not None:
            self._problem(mark, f"tag {event.tag!r:.60}", "no tags: plain data only")

    def _problem(self, mark: Mark, what: str, rule: str) -> None:
        self._problems.append(problem_at(mark, what, rule=rule))
        if len(self._problems) >= MOST_PROBLEMS:
            raise ScenarioError.of(self._problems)

    def _start(self, node: Node) -> None:
        if len(self._open) >= MOST_LEVELS:
            raise problem_at(
                node.mark, f"more than {MOST_LEVELS} levels", rule=f"at most {MOST_LEVELS} levels"
            )
        if self._expects_key():
            # The key is refused; its value is read all the same, so that reading can go on.
            self._problem(node.mark, "a key that is no text", "keys are text")
            self._open[-1][1].append((node.mark, None))
        else:
            self._attach(node)
        self._open.append((node, []))

    def _expects_key(self) -> bool:
        return (
            bool(self._open) and isinstance(self._open[-1][0].value, dict) and not self._open[-1][1]
        )

    def _scalar(self, text: str, mark: Mark, *, plain: bool) -> None:
        if _CONTROL.search(text):
            self._problem(mark, "a control character", "text that can be shown")
        if self._expects_key():
            self._open[-1][1].append((mark, text))
        else:
            self._attach(Node(mark, _resolve(text) if plain else text))

    def _attach(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent, pending = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict):
            mark, key = pending.pop()
            if key is not None:
                self._insert(parent, parent.value, key, mark, node)

    def _insert(
        self, parent: Node, mapping: dict[str, Node], key: str, mark: Mark, node: Node
    ) -> None:
        if key in mapping:
            first = parent.keys[key].line
            self._problem(
                mark, f"key {key!r:.60} stands twice (first on line {first})", "once each"
            )
            return
        mapping[key] = node
        parent.keys[key] = mark


def _resolve(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
