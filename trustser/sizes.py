"""Sizes in bytes as options."""

from __future__ import annotations

from profiles_db.errors import InputError


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
