"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does.
settings.register_profile("trustser", deadline=None)
settings.load_profile("trustser")

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


@pytest.fixture(scope="module")
def little_on_costs() -> Iterator[None]:
    """Latency from two repetitions, and no process that measures memory: these have their tests."""
    from profiler.measures.costs import device, memory  # noqa: PLC0415 - torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "MOST", 2)
        patch.setattr(device, "peak_memory", lambda _: memory.PeakMemory(1))
        yield
