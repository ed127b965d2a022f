"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests serve a hub of their own on this machine; a user's offline setting would forbid even that.
os.environ.pop("HF_HUB_OFFLINE", None)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real corpora, or a skip that says how to provide it."""
    named = os.environ.get("TRUSTSER_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real audio at {folder}: set TRUSTSER_TEST_DATA to the corpora's folder")
    return folder
