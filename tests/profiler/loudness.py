"""A measure in one file, as another package would add it: are answers the same at less loudness?

`test_toy_measure` installs it, by entry points alone. Each test clip is played quieter to the
trained heads; a clip's loudness is that of its loudest stretch of `window_ms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from profiler.measures.base import ClipTask, Evidence, OnWaveforms
from profiler.settings import SAMPLE_RATE, Decibels, FiguresOnly, Settings
from profiles_db.criteria import Criterion, Scale
from profiles_db.measurement import Measurement
from profiles_db.row_tables import row_table

if TYPE_CHECKING:
    from profiler.pipeline.context import Context
    from profiler.protocol import Protocol
    from profiler.training.head import Head
    from profiles_db.records import Prediction

CRITERIA = (
    Criterion(
        "loudness_stability",
        "safety",
        "Same answer at less loudness",
        "fraction",
        "maximise",
        Scale(worst=0.0, best=1.0, source="the whole range of the measure"),
        "Share of the test clips that are answered the same when they are played quieter.",
    ),
)


class LoudnessSettings(Settings):
    """How much quieter, and which clips count."""

    window_ms: int = Field(default=400, ge=1, le=1000)
    """The loudest stretch so long is a clip's loudness."""
    quieter_db: Decibels = 30.0
    """How much quieter a clip is played."""
    quietest_db: Annotated[float, FiguresOnly(), Field(ge=-200, le=0)] = -200.0
    """Clips that are not so loud (dB of full scale) do not count."""


@row_table("loudness", step="loudness", key=("utterance",))
@dataclass(frozen=True, slots=True)
class Heard:
    """A test clip, its loudness in dB of full scale, and the answers to it as it is and quieter.

    `window` is the window's length in samples.
    """

    repetition: int
    fold: int
    utterance: str
    window: int
    level_db: float
    predicted: str
    quieter: str


class Loudness(OnWaveforms):
    """Whether answers are the same when clips are played quieter."""

    name = "loudness"
    title = "Loudness"
    aspect = "safety"
    settings = LoudnessSettings
    rows = (Heard,)
    criteria = ("loudness_stability",)
    by_default = False

    def tasks(
        self,
        fold: int,  # noqa: ARG002
        predictions: Mapping[int, Sequence[Prediction]],
        protocol: Protocol,  # noqa: ARG002
        settings: LoudnessSettings,  # noqa: ARG002
    ) -> list[ClipTask]:
        """Every test clip; the task's kind holds what it is answered as it is."""
        return [
            ClipTask(row.utterance, repetition, row.predicted)
            for repetition, rows in predictions.items()
            for row in rows
        ]

    def listen(
        self,
        context: Context,
        fold: int,
        heads: Mapping[int, Head],
        tasks: Sequence[ClipTask],
        settings: LoudnessSettings,
    ) -> list[Heard]:
        """Each clip alone, as long as it is."""
        import torch  # noqa: PLC0415 - in workers only

        from profiler.corpora.audio import load_clip  # noqa: PLC0415
        from profiler.machine import batch_of  # noqa: PLC0415

        rows = []
        window = settings.window_ms * SAMPLE_RATE // 1000
        for task in tasks:
            path = context.utterances[task.clip].path
            wave = load_clip(path, seconds=context.protocol.study.seconds)
            quiet = (wave * 10 ** (-settings.quieter_db / 20)).astype(np.float32)
            with torch.no_grad():
                states = context.hidden_states(batch_of([quiet], context.device))
                answer = heads[task.repetition](list(states)).argmax(dim=1).item()
            rows.append(
                Heard(
                    task.repetition,
                    fold,
                    task.clip,
                    window,
                    level_db(wave, window),
                    task.kind,
                    context.classes[int(answer)],
                )
            )
        return rows

    def figures(self, evidence: Evidence, settings: Any) -> list[Measurement]:
        """The share of clips that count which are answered the same, and how many count."""
        rows = [row for row in evidence.rows(Heard) if row.level_db >= settings.quietest_db]
        clips = len({(row.fold, row.utterance) for row in rows})
        if not rows:
            unknown = f"no clip is as loud as {settings.quietest_db:g} dB"
            return [evidence.figure(criterion="loudness_stability", value=None, unknown=unknown)]
        same = sum(row.quieter == row.predicted for row in rows) / len(rows)
        return [
            evidence.figure(criterion="loudness_stability", value=same, n=clips),
            evidence.figure(
                criterion="loudness_level_db",
                value=float(np.mean([row.level_db for row in rows])),
                n=clips,
                statistic="mean",
            ),
        ]


def level_db(wave: NDArray[np.float32], window: int) -> float:
    """Root mean square of the loudest `window` samples, in dB of full scale; at least -200."""
    power = np.concatenate(([0.0], np.cumsum(wave.astype(np.float64) ** 2)))
    length = min(window, len(wave))
    loudest = float(np.max(power[length:] - power[:-length])) / length
    return 10 * float(np.log10(max(loudest, 1e-20)))
