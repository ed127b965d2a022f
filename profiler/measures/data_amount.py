"""How much data: the UAR of heads that are trained on a part of the training speakers.

Test and dev parts stay as they are. The speakers of a smaller share are among those of a larger
one; which they are is drawn for each fold and repetition, evenly of both genders. Wagner et al.
(IEEE TPAMI 2023, doi:10.1109/TPAMI.2023.3263585) ask the same of fine-tuned models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field, field_validator

from profiler.measures.base import Evidence, Figure, OnHiddenStates, StatesWork
from profiler.measures.statistics import unweighted_average_recall
from profiler.measures.tables import Table, over_folds, record
from profiler.settings import Settings
from profiles_db.measurement import Measurement
from profiles_db.records import LessDataAnswer, Prediction

if TYPE_CHECKING:
    from profiler.corpora.base import Fold
    from profiler.pipeline.context import Context, Parts

Share = Annotated[float, Field(gt=0, lt=1)]


class DataAmountSettings(Settings):
    """How much is left of the training part."""

    shares: tuple[Share, ...] = Field(default=(0.125, 0.25, 0.5), min_length=1, max_length=10)
    """Shares of the training speakers, each of which trains heads of its own."""

    @field_validator("shares")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("shares must rise")
        return value


class DataAmount(OnHiddenStates):
    """How well heads do that are trained on fewer speakers."""

    name = "data_amount"
    title = "Data amount"
    aspect = "system_performance"
    settings = DataAmountSettings
    rows: ClassVar[tuple[type, ...]] = (LessDataAnswer,)
    by_default = False
    criteria = ()

    def epochs(self, settings: DataAmountSettings) -> None:
        """As many as the emotion head's."""

    def work(
        self,
        context: Context,
        fold: Fold,
        parts: Parts,
        repetition: int,
        settings: DataAmountSettings,
    ) -> StatesWork:
        """One head for each share."""
        from profiler.measures.data_amount_work import DataAmountWork  # noqa: PLC0415 - torch

        return DataAmountWork(context, fold, parts, repetition, settings)

    def figures(self, evidence: Evidence, settings: DataAmountSettings) -> list[Measurement]:
        """UAR for each share, and for the whole training part."""
        rows = evidence.rows(LessDataAnswer)
        found = []
        for share in settings.shares:
            own = [row for row in rows if row.share == share]
            found.append(_of_share(own, share, evidence) if own else _unknown(share, evidence))
        whole = Table(evidence.rows(Prediction), evidence.classes)
        return [*found, _uar(whole, 1.0, evidence.figure, (), ())]


def _unknown(share: float, evidence: Evidence) -> Measurement:
    return evidence.figure(
        criterion="uar_by_data",
        statistic=f"{share:g} of the training speakers",
        value=None,
        level=share,
        unknown="layers of the encoder are tuned on all training speakers",
    )


def _of_share(rows: Sequence[LessDataAnswer], share: float, evidence: Evidence) -> Measurement:
    answers = [
        Prediction(r.repetition, r.fold, r.utterance, r.speaker, r.gender, r.label, r.predicted, ())
        for r in rows
    ]
    heads = {(r.repetition, r.fold): (r.trained_speakers, r.trained_clips) for r in rows}
    speakers, clips = np.mean(list(heads.values()), axis=0)
    lacking = len({(r.repetition, r.fold) for r in rows if r.lacking})
    flags = (f"{lacking} of {len(heads)} heads had no clip of some class",) if lacking else ()
    notes = (f"{speakers:.3g} speakers, {clips:.4g} clips on average",)
    return _uar(Table(answers, evidence.classes), share, evidence.figure, flags, notes)


def _uar(
    table: Table, share: float, measure: Figure, flags: tuple[str, ...], notes: tuple[str, ...]
) -> Measurement:
    return record(
        measure,
        "uar_by_data",
        over_folds(table, unweighted_average_recall),
        level=share,
        statistic=f"{share:g} of the training speakers",
        n=table.n,
        baseline=1 / len(table.classes),
        flags=(*flags, *table.one_answer),
        notes=notes,
    )
