"""A part that cannot be measured: the others are kept, and the same command measures it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NoReturn

import pytest

from profiler.measures import fairness, performance, privacy, safety, safety_work
from profiler.measures.base import Part
from profiler.measures.costs import architecture, device
from profiler.measures.costs.memory import PeakMemory
from profiler.measures.registry import measures
from profiler.pipeline import jobs, measuring
from profiles_db.criteria import CRITERIA
from profiles_db.maintenance import check
from profiles_db.profile import Profile
from profiles_db.store import Store
from trustser import __main__ as main

SHORT: Final = ("folds=2", "resamples=100", "pgd_steps=0", "snr_curve_db=[]", "probe_epochs=1")
MEASURED: Final = {
    name
    for measure in measures().values()
    if measure.by_default
    for name in measure.criteria
    if "published studies only" not in CRITERIA[name].definition
}
"""What a profile holds that was asked for nothing more."""
TIMED: Final = ("latency_p50", "latency_p95", "real_time_factor", "memory")
PARTS: Final[dict[str, tuple[object, str, tuple[str, ...]]]] = {
    "system performance": (
        performance, "system_performance", measures()["performance"].criteria
    ),
    "privacy": (privacy, "privacy", measures()["privacy"].criteria),
    "safety": (safety, "safety", measures()["safety"].criteria),
    "fairness": (fairness, "fairness", measures()["fairness"].criteria),
    "costs of the architecture": (
        architecture, "costs_of", ("macs", "paper_macs", "parameters", "size")
    ),
    "costs on the device": (device, "measure_device", TIMED),
}  # fmt: skip
"""Each part: the module and function that it calls, and the criteria it measures."""


def _broken(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("no kernel for \x1b[31mthat\nand more")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "MOST", 2)
    monkeypatch.setattr(device, "peak_memory", lambda _: PeakMemory(1))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all tests: the jobs are done once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(manifest: Path, cache: Path, tmp_path: Path) -> list[str]:
    """A short profile with one epoch, as JSON."""
    settings = [word for setting in SHORT for word in ("--set", setting)]
    return [
        "profile", "--backbone", "fbank", "--dataset", "manifest", "--data-root", str(manifest),
        "--db", str(tmp_path / "a.duckdb"), "--cache", str(cache), "--workers", "0",
        "--seeds", "1", "--epochs", "1", "--json", *settings,
    ]  # fmt: skip


def _stored(command: list[str]) -> Profile:
    path = Path(command[command.index("--db") + 1])
    assert check(path).sound
    (profile,) = Store(path).profiles()
    return profile


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_fails_takes_nothing_from_the_others(
    part: str,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module, name, criteria = PARTS[part]
    with monkeypatch.context() as patch:
        patch.setattr(module, name, _broken)
        assert main.run(command) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if line.startswith("trustser: ")]
    reason = "RuntimeError: no kernel for ?[31mthat"
    assert f"fbank: {part}: {reason}" in line
    assert "the same command again" in line
    (printed,) = json.loads(said.out)
    (own,) = (one for one in printed["measured"] if one["failed"])
    assert own["failed"][part].startswith(reason)
    lacking = _stored(command)

    monkeypatch.setattr(jobs, "train_and_test", _broken)
    monkeypatch.setattr(safety_work, "attack", _broken)
    assert main.run(command) == 0
    whole = _stored(command)
    assert not whole.failed
    for criterion in MEASURED:
        first, second = lacking.pooled(criterion), whole.pooled(criterion)
        assert first is not None
        assert second is not None
        if criterion in criteria:
            assert first.value is None
            assert first.unknown is not None
            assert first.unknown.startswith(f"could not be measured: {reason}")
            assert second.unknown != first.unknown
        elif criterion not in TIMED:
            assert first == second
        else:
            assert None not in (first.value, second.value)
    assert {m.criterion for m in whole.measurements} > MEASURED

    monkeypatch.setattr(module, name, _broken)
    assert main.run(command) == 0  # finished: nothing is measured again
    assert "already profiled" in capsys.readouterr().err
    assert _stored(command) == whole


def test_sustainability_alone_keeps_what_can_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(architecture, "costs_of", _broken)
    command = ["profile", "--backbone", "fbank", "--only", "sustainability", "--json"]
    command += ["--db", str(tmp_path / "a.duckdb")]
    assert main.run(command) == 1
    assert "fbank: costs of the architecture: RuntimeError" in capsys.readouterr().err
    profile = _stored(command)
    macs, latency = profile.pooled("macs"), profile.pooled("latency_p50")
    assert macs is not None
    assert macs.value is None
    assert latency is not None
    assert latency.value is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_failure(error: type[BaseException]) -> None:
    def stop() -> NoReturn:
        raise error

    part = Part("any", stop, (), lambda **_: pytest.fail("measured"))
    with pytest.raises(error):
        measuring.measure_parts([part])
