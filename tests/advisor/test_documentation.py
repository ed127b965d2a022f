"""What the documentation shows is true: scenarios are valid, Python runs, keys exist."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import advisor
from advisor.scenario.language import ScenarioSpec
from advisor.scenario.quantities import SUFFIXES
from tests.advisor.tables import scenario_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scenario-language.md"
TEXT = PAGE.read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("text", _blocks("yaml"))
def test_its_scenarios_are_valid(text: str) -> None:
    assert scenario_of(text).spec.version == 1


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = _blocks("python")
    exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102
    assert "whisper_small" in capsys.readouterr().out


def test_it_names_every_key_and_unit() -> None:
    keys = re.findall(r"^\| `(\w+)` \|", TEXT.split("### `priorities`")[0], flags=re.MULTILINE)
    assert set(keys) == {*ScenarioSpec.model_fields, "extends"}
    budget = TEXT.split("### `budget`")[1].split("###")[0]
    for unit in ("MAC", "parameters", "bytes", "seconds"):
        assert all(f"`{suffix}`" in budget for suffix in SUFFIXES[unit])


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(advisor.__path__)])
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(f"advisor.{name}")
    assert doctest.testmod(module).failed == 0
