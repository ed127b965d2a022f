"""Words or voice: what heads still recognise when the same words are spoken by a neutral voice.

The transcripts of the test clips are spoken by a synthesiser that knows nothing of emotion, each
distinct text once. Whoever answers right then recognised words (Wagner et al., arXiv:2203.07378,
who speak transcripts again likewise).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from pydantic import Field

from profiler.measures.base import ClipTask, Evidence, Figure, OnWaveforms
from profiler.measures.performance import FEW_SPEAKERS, ONE_TRAINING
from profiler.measures.statistics import (
    Estimate,
    Floats,
    jackknife,
    mean_of_defined,
    unweighted_average_recall,
)
from profiler.measures.tables import Table, over_folds, record, weighted
from profiler.settings import Settings, digest_of
from profiles_db.measurement import Measurement
from profiles_db.records import Gender, Prediction, Probabilities
from profiles_db.row_tables import row_table

if TYPE_CHECKING:
    from profiler.corpora.base import Utterance
    from profiler.pipeline.context import Context
    from profiler.protocol import Protocol
    from profiler.training.head import Head

NO_TEXT: Final = "it has no text"
FIXED: Final = 0.05
"""Words that tell the classes apart by no more than this beyond guessing are fixed sentences."""
_SHARES: Final = (-1.0, 2.0)
"""Shares that an interval is computed for."""


class LinguisticSettings(Settings):
    """How texts are spoken."""

    voice: str = Field(default="en", max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]*$")
    """A voice of eSpeak NG: as a rule the language of the texts."""
    texts: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    """Digest of the texts, which a run takes itself where the clips' names do not say them."""


@row_table("resynthesised_answers", step="linguistic", key=("utterance",))
@dataclass(frozen=True, slots=True)
class ResynthesisedAnswer:
    """One head's answer to the text of one test clip, spoken by the synthesiser.

    Speaker, gender and label are the clip's own; `probabilities` follow the run's order of classes.
    """

    repetition: int
    fold: int
    utterance: str
    speaker: str
    gender: Gender | None
    label: str
    text: str
    synthesiser: str
    predicted: str
    probabilities: Probabilities


@row_table("resynthesised_left_out", step="linguistic", key=("utterance",))
@dataclass(frozen=True, slots=True)
class ResynthesisLeftOut:
    """A test clip whose words no head heard."""

    repetition: int
    fold: int
    utterance: str
    reason: str


class Linguistic(OnWaveforms):
    """What is recognised of words alone."""

    name = "linguistic"
    title = "Words or voice"
    aspect = "system_performance"
    settings = LinguisticSettings
    rows: ClassVar[tuple[type, ...]] = (ResynthesisedAnswer, ResynthesisLeftOut)
    by_default = False
    criteria = ()

    def tasks(
        self,
        fold: int,  # noqa: ARG002 - all folds alike
        predictions: Mapping[int, Sequence[Prediction]],
        protocol: Protocol,  # noqa: ARG002
        settings: LinguisticSettings,  # noqa: ARG002
    ) -> list[ClipTask]:
        """Every test clip."""
        return [ClipTask(row.utterance, r) for r, rows in predictions.items() for row in rows]

    def listen(
        self,
        context: Context,
        fold: int,
        heads: Mapping[int, Head],
        tasks: Sequence[ClipTask],
        settings: LinguisticSettings,
    ) -> list[ResynthesisedAnswer | ResynthesisLeftOut]:
        """What the heads answer to the words, each text from hidden states made once."""
        from profiler.measures.linguistic_work import answers  # noqa: PLC0415 - needs torch

        return answers(context, fold, heads, tasks, settings)

    def figures(
        self,
        evidence: Evidence,
        settings: LinguisticSettings,  # noqa: ARG002 - rows say it all
    ) -> list[Measurement]:
        """UAR of the words alone, the share of UAR that it is, and what any words could give."""
        return words_or_voice(
            evidence.rows(Prediction),
            evidence.rows(ResynthesisedAnswer),
            evidence.rows(ResynthesisLeftOut),
            evidence.classes,
            evidence.figure,
        )


def digest_of_texts(utterances: Iterable[Utterance]) -> str:
    """Names what the clips' texts are."""
    return f"sha256:{digest_of(sorted([one.id, one.text] for one in utterances))}"


def words_or_voice(
    predictions: Sequence[Prediction],
    answers: Sequence[ResynthesisedAnswer],
    left_out: Sequence[ResynthesisLeftOut],
    classes: Sequence[str],
    measure: Figure,
) -> list[Measurement]:
    """Figures from rows.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of the emotion heads, on the clips as they are.
    answers : sequence of ResynthesisedAnswer
    left_out : sequence of ResynthesisLeftOut
    classes : sequence of str
    measure : callable
    """
    names = ("words_uar", "words_share", "words_ceiling")
    if not answers:
        reasons = Counter(row.reason for row in left_out)
        why = f"no text was spoken: {', '.join(reasons) or 'no clip was asked for'}"
        return [measure(criterion=name, value=None, unknown=why) for name in names]
    spoken = Table([_as_prediction(row) for row in answers], classes)
    heard = {(row.repetition, row.fold, row.utterance) for row in answers}
    own = [row for row in predictions if (row.repetition, row.fold, row.utterance) in heard]
    clips = Table(own, classes)
    guessed, most = 1 / len(classes), ceiling(answers, classes)
    make = partial(measure, n=spoken.n)
    flags, notes = _flags(clips), _notes(answers, left_out, clips)
    if most - guessed <= FIXED:
        notes += (
            "the same sentences are spoken in every class: their words cannot tell the classes",
        )
    uar = over_folds(clips, unweighted_average_recall)
    beside = "" if uar.value is None else f"UAR of the clips as they are: {100 * uar.value:.1f} %"
    return [
        record(
            make,
            "words_uar",
            over_folds(spoken, unweighted_average_recall),
            baseline=guessed,
            flags=flags,
            notes=(beside, *notes),
        ),
        _share(spoken, clips, uar, make, flags, notes),
        make(criterion="words_ceiling", value=most, baseline=guessed, notes=notes),
    ]


def ceiling(answers: Sequence[ResynthesisedAnswer], classes: Sequence[str]) -> float:
    """The UAR of the best rule from a text to a class on these clips, all folds together.

    For each text the class of which it is the largest share; with a text of its own for every clip
    it is 1, with the same texts in every class it is what guessing scores.
    """
    clips = {(row.fold, row.utterance): (row.text, row.label) for row in answers}.values()
    sizes = Counter(label for _, label in clips)
    shares: dict[str, Counter[str]] = {}
    for text, label in clips:
        shares.setdefault(text, Counter())[label] += 1
    present = [name for name in classes if sizes[name]]
    best = sum(max(own[c] / sizes[c] for c in present) for own in shares.values())
    return best / len(present)


def _as_prediction(row: ResynthesisedAnswer) -> Prediction:
    return Prediction(
        row.repetition,
        row.fold,
        row.utterance,
        row.speaker,
        row.gender,
        row.label,
        row.predicted,
        row.probabilities,
    )


def _share(
    spoken: Table,
    clips: Table,
    uar: Estimate,
    measure: Figure,
    flags: tuple[str, ...],
    notes: tuple[str, ...],
) -> Measurement:
    """How much of the UAR above guessing the words alone give, mean over folds on both sides."""
    guessed = 1 / len(clips.classes)
    if uar.value is None or uar.value <= guessed:
        why = "UAR on the clips as they are is no better than guessing"
        return measure(criterion="words_share", value=None, unknown=why, notes=notes)
    low, high = _SHARES

    def shares(of_words: Floats, of_clips: Floats) -> Floats:
        whole = of_clips - guessed
        found: Floats = np.divide(
            of_words - guessed, whole, out=np.full(whole.shape, np.nan), where=whole > 0
        )
        return found

    def statistic(weights: Floats) -> Floats:
        return (shares(_by_repetition(spoken, weights), _by_repetition(clips, weights)) - low) / (
            high - low
        )

    def spread(weights: Floats) -> Floats:
        pooled = (
            unweighted_average_recall(weighted(table.pooled, weights)) for table in (spoken, clips)
        )
        return (shares(*pooled) - low) / (high - low)

    every = np.ones((1, len(clips.speakers)))
    words, whole = (float(_by_repetition(table, every).mean()) for table in (spoken, clips))
    value = (words - guessed) / (whole - guessed)
    found = jackknife(statistic, clips.strata, spread=spread)
    if found.low is None or found.high is None or not low <= value <= high:
        estimate = Estimate(value, None, None)
    else:
        ends = (low + (high - low) * end for end in (found.low, found.high))
        first, last = ends
        estimate = Estimate(value, min(first, value), max(last, value))
    return record(measure, "words_share", estimate, baseline=0.0, flags=flags, notes=notes)


def _by_repetition(table: Table, weights: Floats) -> Floats:
    """UAR averaged over the folds, shape (draws, repetitions)."""
    by_cell = unweighted_average_recall(weighted(table.confusions, weights))
    cells = table.cells_of_repetition
    return np.stack([mean_of_defined(by_cell[:, own]) for own in cells], axis=-1)


def _flags(clips: Table) -> tuple[str, ...]:
    speakers = len(clips.speakers)
    few = f"only {speakers} speakers: the interval may be too narrow"
    uar = over_folds(clips, unweighted_average_recall)
    low = uar.value if uar.low is None else uar.low
    guess = low is not None and low <= 1 / len(clips.classes)
    none = "UAR on the clips as they are is within guessing: there is little to share"
    return (
        *((few,) if speakers < FEW_SPEAKERS else ()),
        *((none,) if guess else ()),
        *clips.one_answer,
    )


def _notes(
    answers: Sequence[ResynthesisedAnswer], left_out: Sequence[ResynthesisLeftOut], clips: Table
) -> tuple[str, ...]:
    texts = len({row.text for row in answers})
    by = ", ".join(sorted({row.synthesiser for row in answers}))
    notes = [f"{texts} texts, spoken by {by}"]
    reasons = Counter({(row.fold, row.utterance): row.reason for row in left_out}.values())
    if reasons:
        listed = "; ".join(f"{why} ({n})" for why, n in reasons.most_common(3))
        notes.append(f"{sum(reasons.values())} clips left out: {listed}")
    return (*notes, *((ONE_TRAINING,) if len(clips.repetitions) == 1 else ()))
