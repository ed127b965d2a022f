"""The same rows: exactly, wherever memory begins; within a tolerance, if sums round otherwise."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
import transformers as hf
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import _pytree as trees
from torch.utils._python_dispatch import TorchDispatchMode

from profiler.features import cache as features
from profiler.features import entry
from profiler.measures import robustness_work, safety_work
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiler.training import mixing
from profiles_db.records import (
    Attacker,
    AttackOutcome,
    CorruptedAnswer,
    DimensionalAttack,
    DimensionalEpoch,
    DimensionalPrediction,
    Epoch,
    GenderPrediction,
    LayerWeight,
    Prediction,
    ProbeEpoch,
    Trial,
)
from profiles_db.store import Store
from tests.conftest import REPOSITORY
from tests.profiler.backbones.checkpoints import (
    WAVEFORM,
    WHISPER,
    apc_checkpoint,
    saved,
    tera_checkpoint,
)
from tests.profiler.same_rows import (
    FEW_CORRUPTIONS,
    ROUNDING,
    WITH_ROWS,
    Rows,
    assert_same_rows,
    rows_of,
)

BOUNDARY: Final = 64
"""Bytes of a cache line and of the widest register: torch's own memory begins at multiples."""
SETTINGS: Final[dict[str, Any]] = {
    "epochs": 3, "probe_epochs": 2, "head_epochs": 2, "folds": 1, "seeds": 1, "resamples": 100,
    "pgd_steps": 1, "pgd_clips": 2,
    "snr_curve_db": (), "batch_size": 8, "seconds": 0.6, "enrolment_clips": 1,
    "robustness": FEW_CORRUPTIONS,
}  # fmt: skip
SHORT: Final = Protocol.of(**SETTINGS)
CHECKPOINTS: Final[dict[str, Callable[[Path], Path]]] = {
    "apc": lambda folder: apc_checkpoint(folder / "apc.ckpt"),
    "tera": lambda folder: tera_checkpoint(folder / "tera.ckpt"),
    "whisper_tiny": lambda folder: saved(hf.WhisperModel(hf.WhisperConfig(**WHISPER)), folder),
    "wav2vec2_base": lambda folder: saved(hf.Wav2Vec2Model(hf.Wav2Vec2Config(**WAVEFORM)), folder),
}
_aten = torch.ops.aten
EXACT: Final = {
    _aten._to_copy.default, _aten.copy_.default, _aten.clone.default, _aten.cat.default,
    _aten.stack.default, _aten.detach.default, _aten.alias.default, _aten.view.default,
    _aten.unsqueeze.default, _aten._reshape_copy.default, _aten.lift_fresh.default,
    _aten.ge.Scalar, _aten.index.Tensor, _aten.select.int, _aten.view.dtype,
    _aten.permute.default, _aten.transpose.int, _aten.t.default, _aten.slice.Tensor,
    _aten.unbind.int,
}  # fmt: skip
"""Operators that round nothing."""


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, and no time spent on costs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _profile(backbone: str, weights: str, manifest: Path, folder: Path) -> Rows:
    store = Store(folder / "a.duckdb")
    (profile,) = profile_all(
        [backbone], "manifest", manifest, SHORT, store, weights=weights, weights_seed=0,
        cache=folder / "cache", device="cpu", workers=0, progress=Silent(), wanted=WITH_ROWS,
    )  # fmt: skip
    return rows_of(store, profile.run)


def _shifted(array: NDArray[Any], by: int) -> NDArray[Any]:
    """A copy of `array` that begins so many bytes after a boundary."""
    room = np.empty(array.nbytes + 2 * BOUNDARY, np.uint8)
    start = -room.ctypes.data % BOUNDARY + by
    found = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    found[...] = array
    assert found.ctypes.data % BOUNDARY == by
    return found


class Beginnings(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operators that compute on memory which does not begin at a boundary."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.astray: set[str] = set()
        self.seen = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        for value in trees.tree_leaves((args, kwargs)):
            if isinstance(value, Tensor) and value.ndim > 0 and func not in EXACT:
                self.seen += 1
                if value.untyped_storage().data_ptr() % BOUNDARY:
                    self.astray.add(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("backbone", ["fbank", *CHECKPOINTS])
def test_where_memory_begins_changes_no_row(
    backbone: str, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is computed on is torch's own memory: shown on any processor, for every family."""
    torch.manual_seed(0)
    weights = str(CHECKPOINTS[backbone](tmp_path)) if backbone in CHECKPOINTS else "pretrained"
    expected = _profile(backbone, weights, manifest, tmp_path)
    shifts = itertools.cycle((16, 4, 48, 36, 32, 0))

    def astray(whole: Callable[..., NDArray[Any]]) -> Callable[..., NDArray[Any]]:
        return lambda *args, **options: _shifted(whole(*args, **options), next(shifts))

    for module, name in (
        (features, "load_clip"),
        (safety_work, "load_clip"),
        (robustness_work, "load_clip"),
        (features, "read_entry"),
        (entry, "read_entry"),
    ):
        monkeypatch.setattr(module, name, astray(getattr(module, name)))
    shifted = tmp_path / "shifted"
    shifted.mkdir()
    beginnings = Beginnings()
    with beginnings:
        found = _profile(backbone, weights, manifest, shifted)
    assert beginnings.seen > 1000
    assert not beginnings.astray
    assert_same_rows(found, expected)


def test_sums_that_round_otherwise_leave_the_rows_within_the_tolerance(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every mixed frame that a head learns from is off by up to half a unit of float32."""
    expected = _profile("fbank", "pretrained", manifest, tmp_path)
    generator = torch.Generator().manual_seed(1)

    def otherwise(*args: Any) -> list[Tensor]:
        return [
            frames.mul_(1 + 2**-24 * (2 * torch.rand(frames.shape, generator=generator) - 1))
            for frames in mixing.mix(*args)
        ]

    monkeypatch.setattr("profiler.training.loop.mix", otherwise)
    other = tmp_path / "other"
    other.mkdir()
    found = _profile("fbank", "pretrained", manifest, other)
    with pytest.raises(AssertionError):
        assert_same_rows(found, expected)
    assert_same_rows(found, expected, within=ROUNDING)


PRODUCTS: Final = """
import sys
from pathlib import Path
from tests.profiler.same_rows import WITH_ROWS
from tests.profiler.test_same_rows import SETTINGS
from profiler.protocol import Protocol
from profiler.session import profile_all
from profiler.progress import Silent
from profiles_db.store import Store
folder = Path(sys.argv[1])
profile_all(
    ["tera"], "manifest", Path(sys.argv[2]), Protocol.of(**{**SETTINGS, "epochs": 1}),
    Store(folder / "a.duckdb"), weights=sys.argv[3], weights_seed=0, cache=folder / "cache",
    device="cpu", workers=1, progress=Silent(), wanted=WITH_ROWS,
)
"""


@pytest.mark.skipif(
    "USE_MKL=ON" not in torch.__config__.show(),
    reason="torch without Intel's library",
)
@pytest.mark.parametrize("set_by_user", [None, "COMPATIBLE"])
def test_products_are_strictly_reproducible_in_the_driver_and_its_workers(
    set_by_user: str | None, manifest: Path, tmp_path: Path
) -> None:
    """The library itself says in which mode it computes every product."""
    torch.manual_seed(0)
    weights = tera_checkpoint(tmp_path / "tera.ckpt")
    environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    environment |= {"MKL_VERBOSE": "1"} | ({"MKL_CBWR": set_by_user} if set_by_user else {})
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS, str(tmp_path), str(manifest), str(weights)],
        env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    modes = {
        word
        for line in done.stdout.splitlines()
        if "GEMM" in line
        for word in line.split()
        if word.startswith("CNR:")
    }
    assert modes == {f"CNR:{set_by_user or 'AUTO,STRICT'}"}


_NEAR, _CLEAR = (0.50004, 0.49996), (0.6, 0.4)
_ROWS: Final[dict[type[Any], Any]] = {
    Prediction: Prediction(0, 1, "a", "s", "male", "x", "x", _NEAR),
    AttackOutcome: AttackOutcome(0, 1, "fgsm", 45.0, "a", "s", "x", "y", 45.0, "ok"),
    CorruptedAnswer: CorruptedAnswer(0, 1, "gain", 1.0, "a", "s", "x", "y"),
    Epoch: Epoch(0, 1, 1, 0.5, 0.5, 0.5, 5e-4),
    Trial: Trial(0, 1, "head", "a", "s", "t", 0.25),
    LayerWeight: LayerWeight(0, 1, 1, 0.5),
    GenderPrediction: GenderPrediction(0, 1, "gender", "a", "s", "male", "male", "male", _NEAR),
    ProbeEpoch: ProbeEpoch(0, 1, 1, 0.5, 0.5, 0.5, 5e-4),
    Attacker: Attacker(0, 1, "linear", 0.75, 0.5, 0.75, chosen=True),
    DimensionalPrediction: DimensionalPrediction(0, 1, "valence", "a", "s", None, 0.5, 0.25, 0.5),
    DimensionalEpoch: DimensionalEpoch(0, 1, 1, 0.5, 0.5, 0.5, 5e-4),
    DimensionalAttack: DimensionalAttack(
        0, 1, "fgsm", 45.0, "valence", "a", "s", None, 0.5, 0.25, 0.5, 45.0, "ok"
    ),
}


@pytest.mark.parametrize(
    ("kind", "change", "same"),
    [
        (Prediction, {"predicted": "y"}, True),  # a near-tie
        (Prediction, {"probabilities": (0.50013, 0.49987)}, True),
        (Prediction, {"probabilities": (0.5002, 0.4998)}, False),
        (Prediction, {"utterance": "b"}, False),
        (Prediction, {"label": "y"}, False),
        (AttackOutcome, {"predicted": "x"}, False),  # one of one
        (AttackOutcome, {"reached_snr_db": 45.01}, False),
        (AttackOutcome, {"reached_snr_db": None}, False),
        (AttackOutcome, {"gradient": "zero"}, False),
        (CorruptedAnswer, {"predicted": "x"}, False),  # one of one
        (CorruptedAnswer, {"level": 2.0}, False),
        (Epoch, {"train_loss": 0.50005}, True),
        (Epoch, {"dev_loss": 0.5002}, False),
        (Epoch, {"dev_score": 0.25}, True),
        (Trial, {"score": 0.2502}, False),
        (Trial, {"claimed": "s"}, False),
        (LayerWeight, {"weight": 0.5002}, False),
        (Attacker, {"dev_loss": 0.5002}, False),
        (Attacker, {"test_uar": 0.5, "chosen": False}, True),
        (Attacker, {"attacker": "other"}, False),
        (DimensionalPrediction, {"predicted": 0.25 + 5e-5}, True),
        (DimensionalPrediction, {"predicted": 0.26}, False),
        (DimensionalEpoch, {"dev_loss": 0.51}, False),
        (DimensionalAttack, {"clean": 0.25 + 5e-5, "predicted": 0.5 + 5e-5}, True),
        (DimensionalAttack, {"predicted": 0.51}, False),
        (DimensionalAttack, {"truth": 0.6}, False),
    ],
)
def test_the_definition_tells_rounding_from_difference(
    kind: type[Any], change: Mapping[str, Any], same: bool
) -> None:
    expected = {of: [row] for of, row in _ROWS.items()}
    assert_same_rows(expected, expected)
    found = expected | {kind: [dataclasses.replace(_ROWS[kind], **change)]}
    with pytest.raises(AssertionError):
        assert_same_rows(found, expected)
    with nullcontext() if same else pytest.raises((AssertionError, TypeError)):
        assert_same_rows(found, expected, within=ROUNDING)


def test_another_answer_is_the_same_only_in_a_near_tie() -> None:
    clear = dataclasses.replace(_ROWS[Prediction], probabilities=_CLEAR)
    expected = {of: [row] for of, row in _ROWS.items()} | {Prediction: [clear]}
    found = expected | {Prediction: [dataclasses.replace(clear, predicted="y")]}
    with pytest.raises(AssertionError):
        assert_same_rows(found, expected, within=ROUNDING)
