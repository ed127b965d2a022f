"""The examples in the docstrings of `reports`."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import reports

_MODULES = [module.name for module in pkgutil.iter_modules(reports.__path__, "reports.")]


@pytest.mark.parametrize("name", _MODULES)
def test_the_examples_of(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
