"""Broken rules of the scenario language, as they travel through pydantic to the reader."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.scenario.quantities import QuantityError, parse_quantity
from profiles_db.criteria import ASPECT_CRITERION, ASPECTS, CRITERIA, Unit
from profiles_db.published_studies import DEFAULT_STUDY, load_published


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule; `path` leads from the field that was validated to the value at fault.

    `candidates` are the valid values, of which the nearest is offered; `key` says whether the
    key at `path` is at fault rather than its value.
    """

    what: str
    rule: str
    remedy: str | None = None
    path: tuple[str | int, ...] = ()
    found: str = ""
    valid: tuple[str, ...] = ()
    key: bool = False


class BreachError(ValueError):
    """Carries breaches through pydantic to the reader of the file."""

    def __init__(self, *breaches: Breach) -> None:
        super().__init__("; ".join(breach.what for breach in breaches))
        self.breaches = breaches


def read_quantity(raw: object, unit: Unit, path: tuple[str | int, ...] = ()) -> float:
    """`parse_quantity` whose errors carry the path to the value."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise BreachError(
            Breach(f"{_kind(raw)} where a quantity belongs", "a number with its unit", path=path)
        )
    try:
        return parse_quantity(raw, unit)
    except QuantityError as error:
        raise BreachError(Breach(error.what, error.rule, error.remedy, path)) from error


def _kind(raw: object) -> str:
    names = {dict: "a mapping", list: "a list", bool: "true or false", type(None): "nothing"}
    return names.get(type(raw), "text")


def check_name(
    name: str, valid: tuple[str, ...], noun: str, path: tuple[str | int, ...] = ()
) -> str:
    """`name`, if it is one of `valid`."""
    if name in ASPECTS and name not in valid and noun == "criterion":
        raise BreachError(_aspect(name, path))
    if name not in valid:
        rule = f"one of {', '.join(valid)}"
        raise BreachError(
            Breach(f"unknown {noun} {name!r:.60}", rule, None, path, name, valid, bool(path))
        )
    return name


def _aspect(name: str, path: tuple[str | int, ...]) -> Breach:
    """An aspect where a criterion belongs: name those that stand for it."""
    own = {str(aspect): criterion for aspect, criterion in ASPECT_CRITERION.items()}[name]
    published = {str(a): c for a, c in load_published(DEFAULT_STUDY).aspect_criterion.items()}
    meant = f"{own!r}"
    if published.get(name, own) != own:
        meant = f"{published[name]!r} (published figures) or {own!r} (measured ones)"
    criteria = ", ".join(c.name for c in CRITERIA.values() if c.aspect == name)
    return Breach(
        f"{name!r} is an aspect, not a criterion",
        f"one of its criteria: {criteria}",
        f"did you mean {meant}?",
        path,
        key=bool(path),
    )
