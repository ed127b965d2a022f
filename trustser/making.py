"""The time of making that reports print."""

from __future__ import annotations

from datetime import UTC, datetime

from profiles_db.errors import InputError


def time_of_making(stated: str | None) -> str:
    """The time that `--made-at` states, or else now, as ISO 8601.

    Raises
    ------
    InputError
        If what is stated is no time.

    Examples
    --------
    >>> time_of_making("2026-01-31T12:00:00Z")
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
