"""Turns what pydantic finds into errors that name file, line, rule and the nearest valid word."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from advisor.scenario.breaches import Breach, BreachError
from advisor.scenario.fact_language import FactRequirementSpec
from advisor.scenario.language import (
    FACT_TAG,
    FIGURE_TAG,
    BaselineSpec,
    BudgetSpec,
    CandidatesSpec,
    EvidenceSpec,
    RequirementSpec,
    ScaleSpec,
    ScenarioSpec,
)
from advisor.scenario.purpose import DataSpec
from profiles_db.errors import ScenarioError
from profiles_db.located_yaml import Node, problem_at

_MODELS: Final[dict[str, type[BaseModel]]] = {
    "evidence": EvidenceSpec,
    "candidates": CandidatesSpec,
    "budget": BudgetSpec,
    "baseline": BaselineSpec,
    "requirements": RequirementSpec,
    "scales": ScaleSpec,
    "data": DataSpec,
}
_RULES: Final = {
    "string_type": "text",
    "string_too_short": "not empty",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "model_type": "a mapping of `key: value`",
    "dict_type": "a mapping of `key: value`",
    "tuple_type": "a list",
    "float_type": "a number",
    "float_parsing": "a number",
}
_SHOWN: Final = 60
_IS_KEY: Final = "[key]"  # how pydantic says that a mapping's key is meant, not its value

Path = tuple[str | int, ...]


def diagnose(error: ValidationError, root: Node) -> list[ScenarioError]:
    """All problems of a validation, in the order in which they stand in the file."""
    found = [
        located for detail in error.errors(include_url=False) for located in _problems(detail, root)
    ]
    return [problem for _, problem in sorted(found, key=lambda pair: pair[0])]


def _problems(detail: Any, root: Node) -> Iterator[tuple[tuple[int, int], ScenarioError]]:
    path: Path = tuple(step for step in detail["loc"] if step != FIGURE_TAG)
    cause = detail.get("ctx", {}).get("error")
    breaches = cause.breaches if isinstance(cause, BreachError) else (_breach(detail, path),)
    for breach in breaches:
        steps = tuple(step for step in path if step != FACT_TAG) + breach.path
        at_key = breach.key or _IS_KEY in steps
        mark = root.find(tuple(step for step in steps if step != _IS_KEY), key=at_key)
        remedy = breach.remedy or _nearest(breach)
        problem = problem_at(mark, breach.what, rule=breach.rule, remedy=remedy)
        yield (mark.line, mark.column), problem


def _nearest(breach: Breach) -> str | None:
    near = get_close_matches(breach.found, breach.valid, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else None


def _breach(detail: Any, path: Path) -> Breach:
    found, kind = path[-1] if path else "", detail["type"]
    if kind == "extra_forbidden":
        valid = _valid_keys(path)
        rule = "one of " + ", ".join(valid)
        return Breach(f"unknown key {found!r:.60}", rule, None, (), str(found), valid, True)
    if kind == "missing":
        return Breach(f"key {found!r} is missing", "it must be stated")
    if kind == "literal_error":
        return _literal(detail)
    value = f"{detail['input']!r:.{_SHOWN}}"
    rule = _RULES.get(kind, detail["msg"])
    return Breach(f"{value} does not fit {_named(path)}", rule)


def _literal(detail: Any) -> Breach:
    expected = detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
    found = str(detail["input"])
    valid = tuple(expected.split(", "))
    shown = f"{detail['input']!r:.{_SHOWN}}"
    return Breach(f"{shown} is not valid", f"one of {expected}", None, (), found, valid)


def _valid_keys(path: Path) -> tuple[str, ...]:
    model = ScenarioSpec if len(path) == 1 else _MODELS[str(path[0])]
    model = FactRequirementSpec if FACT_TAG in path else model
    extra = ("extends",) if model is ScenarioSpec else ()
    names = (field.alias or name for name, field in model.model_fields.items())
    return (*names, *extra)


def _named(path: Path) -> str:
    return ".".join(str(step) for step in path if step != FACT_TAG) or "the scenario"
