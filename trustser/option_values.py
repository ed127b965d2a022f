"""Times, durations and sizes as people write them in options."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from profiles_db.errors import InputError

_SECONDS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str, option: str) -> float:
    """Seconds of `text`, such as `2h` or `30 min`, given to `option`.

    Raises
    ------
    InputError
        If it is no duration above 0.

    Examples
    --------
    >>> parse_duration("1.5h", "--budget"), parse_duration("30 min", "--budget")
    (5400.0, 1800.0)
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|h|d)", text.strip(), re.ASCII)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if seconds <= 0:
        raise InputError(
            f"{text!r:.60} is no duration",
            where=option,
            rule="a number above 0 with s, min, h or d",
            remedy="write for example 2h",
        )
    return seconds


def timestamp(stated: str | None) -> str:
    """The time that `--made-at` states, or else now, as ISO 8601.

    Raises
    ------
    InputError
        If what is stated is no time.

    Examples
    --------
    >>> timestamp("2026-01-31T12:00:00Z")
    '2026-01-31T12:00:00+00:00'
    """
    if stated is None:
        return datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return datetime.fromisoformat(stated).isoformat()
    except ValueError as error:
        raise InputError(
            f"{stated!r:.60} is no time",
            where="--made-at",
            rule="ISO 8601",
            remedy="write for example 2026-01-31T12:00:00Z",
        ) from error


def parse_size(text: str, option: str) -> int:
    """Bytes of `text`, such as `20GB`, given to `option`.

    Raises
    ------
    InputError
        If it is no size.
    """
    from advisor.scenario.quantities import QuantityError, parse_quantity  # noqa: PLC0415 - when asked for

    try:
        return int(parse_quantity(text, "bytes"))
    except QuantityError as error:
        raise InputError(error.what, where=option, rule=error.rule, remedy=error.remedy) from error
