"""Fixtures of the backbones' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread, so that tests beside each other do not contend."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def noise() -> Tensor:
    """One second of quiet noise, shape (1, 16000)."""
    return 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(7))
