"""A recogniser as one ONNX graph, from the waveform to probabilities; kept only if it agrees.

The encoder's own front end is in the graph, so that whoever runs it needs neither torch nor this
program: a clip as `config.json` describes it goes in, shape (1, samples).
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from profiler.backbones.printable import printable
from profiler.deployment.format import OnnxPart
from profiler.deployment.recogniser import Recogniser
from profiler.machine import batch_of
from profiler.settings import SAMPLE_RATE
from profiles_db.errors import InputError, MissingExtraError

LARGEST_DIFFERENCE: Final = 1e-4
OPSET: Final = 20
_MODULES: Final = ("onnx", "onnxscript", "onnxruntime")
_SMALLEST: Final = 1e-30
_ODD: Final = 37
"""Samples by which lengths tried are off round numbers, so that frames do not come out even."""


class _Graph(nn.Module):
    """All that a recogniser computes, in float32 but for the rounding that heads are used to."""

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        self.encoder, self.heads = recogniser.frozen, recogniser.heads
        self.temperature = recogniser.temperature

    def forward(self, waveform: Tensor) -> Tensor:
        """Probabilities, shape (1, classes), of a waveform, shape (1, samples)."""
        states = self.encoder(waveform).to(torch.float16).to(torch.float32)
        mean = torch.softmax(self.heads(states), dim=2).mean(dim=1)
        if self.temperature is None:
            return mean
        return torch.softmax(mean.clamp(min=_SMALLEST).log() / self.temperature, dim=1)


def require_onnx() -> None:
    """Raise `MissingExtraError` unless all that an export needs is installed."""
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"needs {', '.join(missing)}, not installed here",
            where="--onnx",
            remedy='install it with: pip install "trustser[onnx]"',
        )


def write_onnx(recogniser: Recogniser, file: Path) -> OnnxPart:
    """Write `recogniser` as a graph, and compare what it says with what torch says.

    Parameters
    ----------
    recogniser : Recogniser
        On the CPU, its encoder in float32.
    file : Path
        Large weights lie beside it.

    Raises
    ------
    MissingExtraError
        Where ONNX is not installed.
    InputError
        Where it cannot be a graph, fails on a length, or differs by more than 0.0001 there.
    """
    require_onnx()
    if recogniser.encoder.outside_torch:
        raise _refused(recogniser.encoder.outside_torch)
    if recogniser.config.encoder.precision != "float32":
        raise _refused("heads were trained on bfloat16 passes, which a graph would round otherwise")
    lengths = _lengths(recogniser)
    _export(recogniser, file, lengths[len(lengths) // 2])
    worst = max(_differences(recogniser, file, lengths))
    if not worst <= LARGEST_DIFFERENCE:
        raise _refused(f"its probabilities differ from torch's by up to {worst:.2g}")
    return OnnxPart(input="waveform", opset=OPSET, largest_difference=worst, tried_samples=lengths)


def _lengths(recogniser: Recogniser) -> tuple[int, ...]:
    """Lengths to be tried, in samples: from the shortest clip to the longest."""
    least, most = recogniser.shortest, recogniser.longest
    between = (SAMPLE_RATE // 2 + _ODD, SAMPLE_RATE, most // 2 + _ODD)
    return tuple(sorted({least, most, *(n for n in between if least < n < most)}))


def _export(recogniser: Recogniser, file: Path, samples: int) -> None:
    samples_axis = torch.export.Dim("samples", min=recogniser.shortest, max=recogniser.longest)
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                _Graph(recogniser).eval(),
                (_noise(samples),),
                dynamo=True,
                dynamic_shapes=({1: samples_axis},),
                input_names=["waveform"],
                output_names=["probabilities"],
                opset_version=OPSET,
                verbose=False,
            )
            program.save(file)
    except Exception as error:  # torch raises nearly anything where it finds no graph
        raise _refused(f"{type(error).__name__}: {printable(str(error).strip())}") from error


def _differences(recogniser: Recogniser, file: Path, lengths: tuple[int, ...]) -> Iterator[float]:
    """The largest difference between the graph's probabilities and torch's on each length."""
    import onnxruntime  # noqa: PLC0415 - an extra

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for samples in lengths:
        clip = _noise(samples).numpy()
        try:
            (found,) = session.run(None, {"waveform": clip})
        except Exception as error:  # onnxruntime's own errors have no common base
            raise _refused(
                f"it fails on clips of {samples} samples, "
                f"{type(error).__name__}: {printable(str(error).strip())}"
            ) from error
        expected = recogniser.probabilities([clip[0]])
        yield float(np.abs(found - expected).max())


def _noise(samples: int) -> Tensor:
    noise = 0.1 * np.random.default_rng(samples).standard_normal(samples)
    return batch_of([noise.astype(np.float32)], torch.device("cpu"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says on the way to a graph."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _refused(reason: str) -> InputError:
    return InputError(
        f"cannot be an ONNX graph: {reason}",
        where="--onnx",
        rule=f"a graph from the waveform, within {LARGEST_DIFFERENCE:g} of torch",
        remedy="export without --onnx",
    )
