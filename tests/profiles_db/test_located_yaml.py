"""The YAML door: places, limits, and hostile input of each kind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisor.records import ScenarioText
from advisor.scenario import loading as scenario
from advisor.scenario.loading import load_scenario, parse_scenario, starter_text
from profiles_db import located_yaml
from profiles_db.errors import ScenarioError, TrustserError
from profiles_db.located_yaml import MOST_BYTES, MOST_LEVELS, MOST_PROBLEMS, read_tree, write_yaml
from tests.advisor import fuzz_scenarios

BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


def _problems(text: str) -> str:
    try:
        _, problems = read_tree(text, "f.yaml")
    except ScenarioError as error:
        return str(error)
    return "\n".join(map(str, problems))


def test_places_of_values_and_keys() -> None:
    root, problems = read_tree("a: 1\nb:\n  - {c: 5e9}\n  - two\n", "f.yaml")
    assert problems == []
    assert root.plain() == {"a": 1, "b": [{"c": 5e9}, "two"]}
    assert root.find(("b", 0, "c")).where == "f.yaml:3:9"
    assert root.find(("b", 0, "c"), key=True).where == "f.yaml:3:6"
    assert root.find(("b", 1)).text == "  - two"
    assert root.find(("b", 7, "nowhere")).line == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("5e9", 5e9),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("~", None),
        ("True", True),
        ("'true'", "true"),
        ("2026-01-01", "2026-01-01"),
        ("-3", -3),
        (".5", 0.5),
        ("5 GMAC", "5 GMAC"),
        ("1:30", "1:30"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    root, _ = read_tree(f"x: {text}", "f.yaml")
    found = root.plain()["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML comes with the C parser or without; both give the same."""
    parser = getattr(yaml, request.param, None)
    if parser is None:
        pytest.skip("PyYAML was built without its C parser")
    monkeypatch.setattr(located_yaml, "_PARSER", parser)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: key 'a' stands twice (first on line 1)"),
        (BOMB, "f.yaml:1:4: anchor 'a'"),
        ("a: *b", "f.yaml:1:4: alias 'b'"),
        ("a: !!python/object/apply:os.system [ls]", "tag 'tag:yaml.org,2002:python"),
        ("a: !x 1", "tag '!x'"),
        ("--- 1\n--- 2", "f.yaml:2:1: a second document"),
        ("? [1, 2]\n: 3", "a key that is no text"),
        ("a: [1", "not YAML"),
        ("a: b: c", "not YAML"),
        ("\ta: 1", "not YAML"),
        ("a: \x07", "not YAML"),
        ('a: "\\e[31m"', "a control character"),
        ('a: "\\ud800"', ""),
        ("a: \ud800", ""),
        ("[" * 10_000, f"more than {MOST_LEVELS} levels"),
        ("\n".join(f"k{i}: 1" for i in range(30_000)), "more than 20000 values"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    found = _problems(text)
    assert found
    assert expected in found


def test_a_million_problems_are_cut_short_and_so_are_their_lines() -> None:
    """Each error shows its place in the line, not a line of a megabyte."""
    lines = _problems("{" + "a: 1, " * 160_000 + "}").splitlines()
    assert len(lines) == MOST_PROBLEMS
    assert max(map(len, lines)) < 300
    assert "...a: 1, " in lines[-1]


def test_a_long_name_is_cut_short() -> None:
    long = "k" * 900
    assert len(_problems(f"{long}: 1\n{long}: 2")) < 400


def test_a_merge_key_is_only_a_key() -> None:
    root, _ = read_tree("<<: {a: 1}", "f.yaml")
    assert root.plain() == {"<<": {"a": 1}}


def test_all_problems_come_in_one_go() -> None:
    assert len(_problems("a: 1\na: 2\nb: &x 1\nc: !t 1\nd: *x").splitlines()) == 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: 1\n" + b"#" * MOST_BYTES, "holds more than 1 MiB"),
        (b"title: \xff\xfe", "byte 7 is not UTF-8"),
        (b"", "no mapping"),
        (b"- 1", "no mapping"),
        (b"just text", "no mapping"),
    ],
)
def test_files_that_are_no_scenario(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=expected):
        load_scenario(path)


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + starter_text().encode())
    assert load_scenario(path).spec.title == "My application"


def test_a_folder_or_device_is_no_file(tmp_path: Path) -> None:
    found = {
        tmp_path: "is a folder",
        Path("/dev/zero"): "not a regular file",
        tmp_path / "none.yaml": "no such file",
    }
    for path, expected in found.items():
        with pytest.raises(ScenarioError, match=expected):
            load_scenario(path)


def _survives(text: str) -> None:
    """Any text is a scenario or one of this program's errors, never a traceback."""
    try:
        parse_scenario((ScenarioText("fuzz.yaml", text),))
    except TrustserError as error:
        assert "fuzz.yaml:" in str(error)  # noqa: PT017


yaml_pieces = st.sampled_from(
    ["a: ", "- ", "\n", "  ", "{", "}", "[", "]", ",", ":", "?", "|", ">", "&a", "*a", "!!str ",
     "'", '"', "#", "%", "---", "...", "\\", "\t", "~", "66 %", "version: 1", "title: x",
     "priorities:", " safety: high", "extends: edge", "\x00", "\u2028", "\ud7ff", "😀", "é"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(yaml_pieces, max_size=40).map("".join))
@example("{a: [b, {c: *d}], ? e : f}")
def test_no_text_brings_a_traceback(text: str) -> None:
    _survives(text)


def test_no_mutation_of_a_scenario_brings_a_traceback(tmp_path: Path) -> None:
    """A short, seeded version of `fuzz_scenarios`."""
    draw = random.Random(8)  # noqa: S311
    texts = [file.read_bytes() for file in fuzz_scenarios.SEEDS]
    cases = [fuzz_scenarios.mutated(draw.choice(texts), draw) for _ in range(2_000)]
    found = [fuzz_scenarios.read(scenario, tmp_path / "a.yaml", case) for case in cases]
    assert 0 < sum(found) < len(found), "some must be valid, and some not"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ("version", "title", "context", "evidence", "candidates", "priorities", "budget",
        "requirements", "scales", "method", "extends", "x-y")  # fmt: skip
known_keys = st.dictionaries(st.sampled_from(KEYS), json_values, max_size=8)
nested = st.fixed_dictionaries(
    {"version": st.just(1), "title": st.text(max_size=5)},
    optional={
        "priorities": st.dictionaries(
            st.sampled_from(["safety", "uar", "zz"]), json_values, max_size=3
        ),
        "requirements": st.lists(
            st.dictionaries(
                st.sampled_from(["criterion", "at_least", "at_most", "holds_for"]),
                st.sampled_from(["uar", "macs", "66 %", 3, None, [], {}, "value"]),
            ),
            max_size=3,
        ),
        "scales": st.dictionaries(
            st.sampled_from(["uar", "zz"]),
            st.dictionaries(st.sampled_from(["worst", "best", "why"]), json_values),
        ),
        "budget": st.dictionaries(st.sampled_from(["macs", "zz"]), json_values),
        "evidence": st.dictionaries(
            st.sampled_from(["source", "study", "corpora", "min_folds", "device"]), json_values
        ),
    },
)


@settings(max_examples=300, deadline=None)
@given(known_keys | nested)
def test_no_structure_brings_a_traceback(value: object) -> None:
    _survives(yaml.safe_dump(value, allow_unicode=True))


_SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e30, 1e30)
_TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20) | st.sampled_from(
    ["1e3", "0x1f", "~", "null", "on", "yes", "1_000", "2021-01-01", "- a", "a: b", "#", "", " x "]
)


@settings(max_examples=60)
@given(
    st.recursive(
        _SCALARS | _TEXTS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(_TEXTS.filter(bool), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_what_is_written_is_read_back_the_same(content: Any) -> None:
    root, problems = read_tree(write_yaml({"content": content}), "written.yaml")
    assert problems == []
    assert root.plain() == {"content": content}
