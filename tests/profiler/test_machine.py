"""The heap is given back when the process has grown, and only then."""

from __future__ import annotations

import pytest

from profiler import machine


def test_the_heap_is_given_back_whenever_the_process_has_grown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resident = [10 * machine.Heap.SLACK]
    trims: list[int] = []
    heap = machine.Heap()
    monkeypatch.setattr(heap, "_trim", trims.append)
    monkeypatch.setattr(machine, "_resident_bytes", lambda: resident[0])
    heap.tidy()
    assert len(trims) == 1
    resident[0] += machine.Heap.SLACK
    heap.tidy()
    assert len(trims) == 1
    resident[0] += 1
    heap.tidy()
    assert len(trims) == 2
