"""The axis of a plot that shows a criterion."""

from __future__ import annotations

from collections.abc import Sequence

from profiles_db.criteria import CRITERIA
from reports import wording
from reports.plots import Axis, Interval


def criterion_axis(
    criterion: str, figures: Sequence[tuple[float, Interval | None]], *, name: str = ""
) -> Axis:
    """An axis that holds `figures` with their intervals; what is counted begins at nothing.

    `name` is what the title calls the criterion, where its own title is too long.
    """
    definition = CRITERIA[criterion]
    reaches = [interval or (value, value) for value, interval in figures]
    better = "higher" if definition.direction == "maximise" else "lower"
    low, high = min(low for low, _ in reaches), max(high for _, high in reaches)
    if definition.unit != "fraction":
        low = min(low, 0.0)
    title = wording.axis(name or definition.title, definition.unit, better)
    return Axis(title, low, high, lambda value: wording.tick(value, definition.unit))
