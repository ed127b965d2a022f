"""What tests of runs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profiler.small_corpus import small_corpus

collect_ignore = ["loudness.py"]
"""Another package's measure: imported, it would be one of this program."""


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a small corpus, which no test changes."""
    return small_corpus(tmp_path_factory.mktemp("corpus"))
