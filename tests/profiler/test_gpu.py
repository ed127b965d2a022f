"""A whole profile on a GPU: everything where it must be, and the CPU's figures.

Runs on a stand-in, and on CUDA too where there is a device.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import pytest
import torch
import transformers as hf

from profiler import session
from profiler.backbones.load import load
from profiler.features.cache import MAX_BATCH
from profiler.measures.costs import architecture, memory
from profiler.measures.costs import device as costs
from profiler.measures.costs.counting import count
from profiler.measures.costs.device import measure_device
from profiler.measures.registry import measures
from profiler.pipeline import fold_training, jobs
from profiler.progress import Silent
from profiler.protocol import Protocol
from profiler.session import profile_all, profile_all_costs
from profiler.training.checkpoint import StateFiles
from profiles_db.candidate_names import split_depth, split_tuned
from profiles_db.store import Store
from tests.profiler.backbones.checkpoints import (
    BERT,
    WAVEFORM,
    WHISPER,
    apc_checkpoint,
    cnn14_checkpoint,
    saved,
    tera_checkpoint,
)
from tests.profiler.same_rows import (
    FEW_CORRUPTIONS,
    OF_PRIVACY,
    ON_GPU,
    ON_REQUEST,
    WITH_ROWS,
    Rows,
    assert_same_rows,
    rows_of,
)
from tests.profiler.stand_in_gpu import GPU, stand_in_gpu

Gpu = Callable[[], AbstractContextManager[None]]

GPUS: Final[dict[str, Gpu]] = {"stand-in": stand_in_gpu} | (
    {"cuda": nullcontext} if torch.cuda.is_available() else {}
)
SHORT: Final = Protocol.of(
    epochs=3, probe_epochs=2, head_epochs=2, folds=1, seeds=1, resamples=100, pgd_steps=2,
    pgd_clips=6, snr_curve_db=(), batch_size=8, seconds=0.6, enrolment_clips=1,
    robustness=FEW_CORRUPTIONS,
)  # fmt: skip
ALL_MEASURES: Final = ("fbank", "whisper_tiny+last1")
"""Of the others only what goes through the encoder: all other measures read states as they do."""
THROUGH_ENCODER: Final = ("performance", "safety", "robustness")
COSTED_SECONDS: Final = 1.0
"""Length of the clip on which costs are measured here: the stand-in runs operators one by one."""
CHECKPOINTS: Final[dict[str, Callable[[Path], Path]]] = {
    "apc": lambda folder: apc_checkpoint(folder / "apc.ckpt"),
    "tera": lambda folder: tera_checkpoint(folder / "tera.ckpt"),
    "whisper_tiny": lambda folder: saved(hf.WhisperModel(hf.WhisperConfig(**WHISPER)), folder),
    "wav2vec2_base": lambda folder: saved(hf.Wav2Vec2Model(hf.Wav2Vec2Config(**WAVEFORM)), folder),
    "wavlm_base_plus": lambda folder: saved(hf.WavLMModel(hf.WavLMConfig(**WAVEFORM)), folder),
    "data2vec_base": lambda folder: saved(
        hf.Data2VecAudioModel(hf.Data2VecAudioConfig(**WAVEFORM)), folder
    ),
    "w2v_bert_2": lambda folder: saved(hf.Wav2Vec2BertModel(hf.Wav2Vec2BertConfig(**BERT)), folder),
    "cnn14": lambda folder: cnn14_checkpoint(folder / "cnn14.pth"),
}
BATCHED: Final = 8
"""Clips that go through the backbone together at least once; the corpus has 80 of one length."""


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, a few timings, and the settings of CUDA as they were."""
    monkeypatch.setattr(costs, "MOST", 3)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    settings = cudnn.allow_tf32, cudnn.deterministic, matmul.allow_tf32
    yield
    cudnn.allow_tf32, cudnn.deterministic, matmul.allow_tf32 = settings
    torch.set_num_threads(before)


@pytest.fixture(params=GPUS)
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """A context in which `--device cuda` works."""
    if request.param == "stand-in":
        monkeypatch.setattr(session, "pick_device", torch.device)
        # In this process: the one that measures memory by itself knows of no stand-in.
        monkeypatch.setattr(costs, "peak_memory", _peak_memory)
    return GPUS[request.param]


def _peak_memory(request: memory.Request) -> memory.PeakMemory:
    if request.device.startswith("cuda"):
        return memory._allocated(request)
    return memory.PeakMemory(1)  # not measured here


def _profile(backbone: str, weights: str, manifest: Path, folder: Path, device: str) -> Rows:
    """The rows of a run."""
    store = Store(folder / f"{device}.duckdb")
    (profile,) = profile_all(
        [backbone], "manifest", manifest, SHORT, store, weights=weights, weights_seed=0,
        cache=folder / device, device=device, workers=0, progress=Silent(),
        wanted=WITH_ROWS if backbone in ALL_MEASURES else THROUGH_ENCODER,
    )  # fmt: skip
    assert not profile.failed
    return rows_of(store, profile.run)


@pytest.mark.parametrize(
    "backbone", ["fbank", "wav2vec2_base@1", "whisper_tiny+last1", *CHECKPOINTS]
)
def test_a_gpu_gives_the_figures_of_a_cpu(
    backbone: str, gpu: Gpu, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    encoder, _ = split_depth(split_tuned(backbone)[0])
    weights = str(CHECKPOINTS[encoder](tmp_path)) if encoder in CHECKPOINTS else "pretrained"
    expected = _profile(backbone, weights, manifest, tmp_path, "cpu")
    batches: list[int] = []
    loaded = type(load(backbone, weights))
    whole = loaded.hidden_states

    def counting(self: Any, waveform: torch.Tensor) -> torch.Tensor:
        batches.append(len(waveform))
        return whole(self, waveform)

    monkeypatch.setattr(loaded, "hidden_states", counting)
    with gpu():
        found = _profile(backbone, weights, manifest, tmp_path, "cuda")
    assert BATCHED <= max(batches) <= MAX_BATCH
    lacking = ON_REQUEST if backbone in ALL_MEASURES else ON_REQUEST | OF_PRIVACY
    assert_same_rows(found, expected, within=ON_GPU, lacking=lacking)


@pytest.mark.parametrize("backbone", ["fbank", *CHECKPOINTS])
def test_costs_are_measured_on_a_gpu(
    backbone: str, gpu: Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_clip = functools.partial(measure_device, clip_seconds=COSTED_SECONDS)
    monkeypatch.setattr(costs, "measure_device", short_clip)
    monkeypatch.setattr(architecture, "count", functools.partial(count, seconds=COSTED_SECONDS))
    torch.manual_seed(0)
    weights = str(CHECKPOINTS[backbone](tmp_path)) if backbone in CHECKPOINTS else "pretrained"
    store = Store(tmp_path / "a.duckdb")
    with gpu():
        (profile,) = profile_all_costs(
            [backbone], store, weights=weights, device="cuda", progress=Silent()
        )
    assert not profile.failed
    for criterion in measures()["sustainability"].criteria:
        found = profile.pooled(criterion)
        assert found is not None
        assert found.value is not None, (criterion, found.unknown)
        assert (found.value > 0) == (criterion not in ("parameters", "size") or backbone != "fbank")


def test_training_on_a_gpu_goes_on_from_kept_states(
    gpu: Gpu, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    with gpu():
        expected = _profile("fbank", "pretrained", manifest, whole, "cuda")
    always = functools.partial(StateFiles, seconds=0.0)
    monkeypatch.setattr(fold_training, "StateFiles", always)

    def stop(_: Path, epochs: int) -> None:
        raise KeyboardInterrupt(f"after epoch {epochs}")

    monkeypatch.setattr(jobs, "note_epochs", stop)
    with gpu(), pytest.raises(KeyboardInterrupt, match="epoch 1"):
        _profile("fbank", "pretrained", manifest, tmp_path, "cuda")
    assert list(tmp_path.rglob("*.state"))
    done: list[int] = []
    monkeypatch.setattr(jobs, "note_epochs", lambda _, epochs: done.append(epochs))
    with gpu():
        found = _profile("fbank", "pretrained", manifest, tmp_path, "cuda")
    assert done == [2, 3]
    assert_same_rows(found, expected)


def test_a_backbone_on_a_gpu_computes_in_full_float32(gpu: Gpu) -> None:
    """TF32 rounds factors to ten bits; cuDNN allows it unasked."""
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = True, False
    torch.backends.cuda.matmul.allow_tf32 = True
    load("fbank")
    assert torch.backends.cudnn.allow_tf32
    with gpu():
        load("fbank", device="cuda")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.deterministic


def test_the_stand_in_refuses_what_cuda_refuses() -> None:
    linear = torch.nn.Linear(3, 2)
    with stand_in_gpu():
        there = linear.to("cuda")(torch.ones(1, 3, device="cuda"))
        assert (there.device, there.cpu().device.type) == (GPU, "cpu")
        with pytest.raises(RuntimeError, match="cuda:0 and cpu"):
            linear(torch.ones(1, 3))
        with pytest.raises(RuntimeError, match="cuda:0 and cpu"):
            there + torch.ones(1, 2)
        with pytest.raises((RuntimeError, TypeError)):
            there.detach().numpy()
        (gradient,) = torch.autograd.grad(there.sum(), there)
        assert gradient.tolist() == [[1.0, 1.0]]
