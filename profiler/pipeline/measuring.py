"""From rows to figures, measure by measure, in parts that fail one by one.

What goes wrong in one part (an operator that a device lacks, a library's error) takes nothing from
the others: its criteria are unknown, with the error as the reason, and the measure is noted as
lacking that part, so that the same command measures it again.

Nothing here needs torch, so that figures can be computed again from stored rows without it.
"""

from __future__ import annotations

import datetime
import functools
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from profiler.backbones.printable import printable
from profiler.measures.base import Evidence, Figure, Measure, Part
from profiler.measures.registry import measures
from profiler.protocol import Protocol
from profiler.settings import Settings
from profiles_db.errors import MeasuringError
from profiles_db.measurement import Measurement
from profiles_db.profile import Measured, Profile
from profiles_db.records import Run
from profiles_db.store import Store

if TYPE_CHECKING:
    from profiler.backbones.base import Backbone

_PACKAGE: Final = Path(__file__).parents[1]
RESTS_ON: Final = "rests_on"
"""Under which a run notes it."""


def measure_parts(parts: Sequence[Part]) -> tuple[list[Measurement], dict[str, str]]:
    """Each part on its own; where one fails, its criteria are unknown and the rest is measured.

    Returns
    -------
    list of Measurement, dict
        All figures, and the parts that failed, each with the reason.
    """
    figures: list[Measurement] = []
    failed: dict[str, str] = {}
    for part in parts:
        try:
            figures += part.figures()
        except Exception as error:  # noqa: BLE001 - any is reported: see `require_measured`
            failed[part.name] = _in_words(error)
            unknown = f"could not be measured: {failed[part.name]}"
            figures += [
                part.figure(criterion=c, value=None, unknown=unknown) for c in part.criteria
            ]
    return figures, failed


def _in_words(error: Exception) -> str:
    """What went wrong, and where in this program."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    said = printable(str(error)) or "no message"
    return f"{type(error).__name__}: {said}{place}"


def require_measured(profiles: Sequence[Profile]) -> None:
    """Refuse profiles that lack a part.

    Raises
    ------
    MeasuringError
        Names each part that could not be measured, and why.
    """
    failed = [
        f"{profile.backbone}: {part}: {reason}"
        for profile in profiles
        for part, reason in profile.failed.items()
    ]
    if failed:
        raise MeasuringError(
            f"could not be measured: {'; '.join(failed)}",
            remedy="all else is kept: the same command again measures it and trains nothing again",
        )


def take(
    name: str,
    run: Run | Profile,
    protocol: Protocol,
    store: Store,
    *,
    provenance: Mapping[str, Any],
    encoder: Callable[[], Backbone] | None = None,
    study: str | None = None,
) -> Measured:
    """Compute the figures of one measure from the rows of `run`, and store them.

    Parameters
    ----------
    name : str
        Of the measure.
    run : Run or Profile
    protocol : Protocol
    store : Store
    provenance : mapping
        Of this measuring: versions, seconds.
    encoder : callable, optional
        Loads the encoder, for measures of it.
    study : str, optional
        What figures compare within; the run's study if not given.
    """
    measure = measures()[name]
    started = time.perf_counter()
    figures, failed = measure_parts(
        measure.parts(evidence_of(run, store, encoder), protocol.measure(name))
    )
    measured = Measured(
        name,
        measure.version,
        protocol.measure(name).model_dump(mode="json"),
        protocol.basis(study or run.study, name, rests_on(run).get(name)),
        now(),
        failed,
        {**provenance, "seconds": time.perf_counter() - started},
    )
    store.record(run.run, measured, figures)
    return measured


def rests_on(run: Run | Profile) -> dict[str, str]:
    """What the rows of measures of `run` rest on of the corpus, by measure, as it was noted."""
    noted: dict[str, str] = run.provenance.get(RESTS_ON, {})
    return noted


def evidence_of(
    run: Run | Profile, store: Store, encoder: Callable[[], Backbone] | None = None
) -> Evidence:
    """What the figures of `run` are computed from."""
    untrained = run.provenance.get("untrained", {})
    return Evidence(
        rows=lambda kind: store.rows(run.run, kind),
        classes=tuple(run.provenance.get("classes", ())),
        figure=figure_of(run),
        untrained={int(fold): tuple(classes) for fold, classes in untrained.items()},
        encoder=encoder,
        device=run.device,
        backbone=run.backbone,
    )


def figure_of(run: Run | Profile) -> Figure:
    """`Measurement` with the identity of `run` filled in."""
    return functools.partial(
        Measurement,
        study=run.study,
        backbone=run.backbone,
        weights=run.weights_id,
        corpus=run.corpus,
        source=f"run {run.run}",
    )


def stale(measure: Measure, settings: Settings, measured: Measured | None) -> bool:
    """Whether a measure is to be taken: never before, by another version, with other settings of
    its figures, or in part only."""
    if measured is None or measured.version != measure.version or measured.failed:
        return True
    return dict(measured.settings) != settings.model_dump(mode="json")


def now() -> str:
    """The time as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
