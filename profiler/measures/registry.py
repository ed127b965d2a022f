"""All measures by name, those of other packages too."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Final

from profiler.measures.base import Measure
from profiler.measures.data_amount import DataAmount
from profiler.measures.dimensional import Dimensional
from profiler.measures.dimensional_safety import DimensionalSafety
from profiler.measures.embeddings import Embeddings
from profiler.measures.fairness import Fairness
from profiler.measures.generalisation import Generalisation
from profiler.measures.groups import Groups
from profiler.measures.linguistic import Linguistic
from profiler.measures.performance import Performance
from profiler.measures.privacy import Privacy
from profiler.measures.robustness import Robustness
from profiler.measures.safety import Safety
from profiler.measures.sustainability import Sustainability
from profiles_db.errors import InputError

ENTRY_POINT_GROUP: Final = "trustser.measures"

_SECTIONS: Final = ("study", "training")
"""Sections of settings that are no measure's."""
_OWN: Final[tuple[type[Measure], ...]] = (
    Performance, Privacy, Safety, Fairness, Sustainability, Robustness, Dimensional,
    DimensionalSafety, Groups, Embeddings, DataAmount, Generalisation, Linguistic,
)  # fmt: skip


@cache
def measures() -> Mapping[str, Measure]:
    """Every measure that is installed, by name, in the order in which they are taken.

    Other packages name theirs under the entry point group `trustser.measures`.

    Raises
    ------
    InputError
        If two measures have one name, or an entry point cannot be imported or names no measure.
    """
    found = {kind.name: kind() for kind in _OWN}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        kind = _load(point)
        if kind.name in (*found, *_SECTIONS):
            raise _refusal(point, f"a second measure, or section, is called {kind.name}")
        found[kind.name] = kind()
    return MappingProxyType(found)


def _load(point: EntryPoint) -> type[Measure]:
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise _refusal(point, f"cannot be imported: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Measure)):
        raise _refusal(point, "is no measure")
    if inspect.isabstract(kind):
        raise _refusal(point, f"lacks {', '.join(sorted(kind.__abstractmethods__))}")
    lacking = [name for name in ("name", "title", "aspect") if not hasattr(kind, name)]
    if lacking:
        raise _refusal(point, f"lacks {', '.join(lacking)}")
    return kind


def _refusal(point: EntryPoint, fault: str) -> InputError:
    return InputError(
        fault,
        where=f"entry point {point.name} of {ENTRY_POINT_GROUP}",
        rule="a class derived from profiler.measures.base.Measure",
        remedy=f"mend or uninstall the package that declares {point.value}",
    )


def chosen(text: str, where: str = "--measures") -> tuple[str, ...]:
    """The measures that `text` names: `all`, `default`, or names with commas.

    Raises
    ------
    InputError
        If a name is unknown.

    Examples
    --------
    >>> chosen("safety,performance")
    ('performance', 'safety')
    """
    known = measures()
    if text == "all":
        return tuple(known)
    if text == "default":
        return tuple(name for name, measure in known.items() if measure.by_default)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise InputError(
                f"no measure is called {name!r:.60}",
                where=where,
                rule=f"all, default, or some of {', '.join(known)}",
            )
    if not names:
        raise InputError("names no measure", where=where, rule=f"some of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def of(names: Sequence[str]) -> list[Measure]:
    """The measures of these names."""
    return [measures()[name] for name in names]
