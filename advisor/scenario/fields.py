"""The kinds of values that scenarios hold: checked, and described to editors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from advisor.ranking.methods import METHODS
from advisor.scenario.breaches import Breach, BreachError, check_name, read_quantity
from profiles_db.criteria import ASPECTS, CRITERIA, Unit

WORDS: Final[dict[str, float]] = {"low": 1.0, "medium": 3.0, "high": 9.0}
"""What a priority in words weighs: each step is three times the one below."""

LEAST_WEIGHT: Final = 0.001
MOST_WEIGHT: Final = 1000.0
_SHOWN: Final = 60


class Strict(BaseModel):
    """Base of the models: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


CriterionName = Annotated[
    str,
    AfterValidator(partial(check_name, valid=tuple(CRITERIA), noun="criterion")),
    WithJsonSchema({"enum": list(CRITERIA)}),
]


class _MethodNames:
    """Describes a method's name to editors as one of those known when the schema is made."""

    def __get_pydantic_json_schema__(
        self, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "enum": list(METHODS)}


def _method(name: str) -> str:
    return check_name(name, valid=tuple(METHODS), noun="method")


MethodName = Annotated[str, AfterValidator(_method), _MethodNames()]
PriorityKey = Annotated[
    str,
    AfterValidator(partial(check_name, valid=(*ASPECTS, *CRITERIA), noun="aspect or criterion")),
    WithJsonSchema({"enum": [*ASPECTS, *CRITERIA]}),
]


def _quantity(unit: Unit) -> Callable[[Any], float]:
    return lambda raw: read_quantity(raw, unit)


def _priority(raw: object) -> float:
    if isinstance(raw, str) and raw in WORDS:
        return WORDS[raw]
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        breach = Breach(
            f"{raw!r:.{_SHOWN}} is no priority",
            f"low, medium, high or a number from 0 to {MOST_WEIGHT:g}",
            found=str(raw),
            valid=tuple(WORDS),
        )
        raise BreachError(breach)
    if raw != 0 and not LEAST_WEIGHT <= raw <= MOST_WEIGHT:
        rule = f"0, or {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}"
        raise BreachError(Breach(f"priority {raw!r:.{_SHOWN}} is out of range", rule))
    return float(raw)


def names_of(raw: object) -> object:
    """One name as a list of one."""
    return [raw] if isinstance(raw, str) else raw


def _corpora(raw: object) -> object:
    if isinstance(raw, str):
        return {raw: 1.0}
    if isinstance(raw, list) and all(isinstance(name, str) for name in raw):
        return dict.fromkeys(raw, 1.0)
    return raw


_QUANTITY_SCHEMA: Final = {"type": ["string", "number"]}
_WEIGHT_SCHEMA: Final = {"type": "number", "minimum": LEAST_WEIGHT, "maximum": MOST_WEIGHT}
_PRIORITY_SCHEMA: Final = {"anyOf": [{"enum": list(WORDS)}, {"const": 0}, _WEIGHT_SCHEMA]}
_NAMES_SCHEMA: Final = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
}
_CORPORA_SCHEMA: Final = {
    "anyOf": [
        *_NAMES_SCHEMA["anyOf"],
        {"type": "object", "additionalProperties": _WEIGHT_SCHEMA},
    ]
}

Priority = Annotated[float, BeforeValidator(_priority), WithJsonSchema(_PRIORITY_SCHEMA)]
Macs = Annotated[float, BeforeValidator(_quantity("MAC")), WithJsonSchema(_QUANTITY_SCHEMA)]
Count = Annotated[float, BeforeValidator(_quantity("parameters")), WithJsonSchema(_QUANTITY_SCHEMA)]
Bytes = Annotated[float, BeforeValidator(_quantity("bytes")), WithJsonSchema(_QUANTITY_SCHEMA)]
Seconds = Annotated[float, BeforeValidator(_quantity("seconds")), WithJsonSchema(_QUANTITY_SCHEMA)]
RawQuantity = Annotated[Any, WithJsonSchema(_QUANTITY_SCHEMA)]
Names = Annotated[tuple[str, ...], BeforeValidator(names_of), WithJsonSchema(_NAMES_SCHEMA)]
CorpusWeight = Annotated[float, Field(ge=LEAST_WEIGHT, le=MOST_WEIGHT)]
Corpora = Annotated[
    dict[str, CorpusWeight], BeforeValidator(_corpora), WithJsonSchema(_CORPORA_SCHEMA)
]
