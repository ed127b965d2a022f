"""Times and sizes as people write them in options."""

from __future__ import annotations

from datetime import UTC, datetime

from profiles_db.errors import InputError


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
