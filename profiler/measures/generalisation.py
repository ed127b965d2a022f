"""Generalisation: what heads trained on one corpus recognise in others.

Each head (of each fold and repetition) answers every clip of the other corpora whose label counts
as one of its classes. The answer is any of the head's classes, as where it is deployed; UAR is over
the classes that both have, there and in the corpus itself. Probabilities are kept, so that answers
restricted to those classes follow from the rows as well: that UAR stands beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from pydantic import Field, model_validator

from profiler.measures.base import ClipTask, Evidence, Figure, OnWaveforms
from profiler.measures.other_corpora import OtherCorpus, names
from profiler.measures.performance import FEW_SPEAKERS, ONE_TRAINING
from profiler.measures.statistics import (
    Estimate,
    Floats,
    jackknife,
    mean_of_defined,
    recall_of,
    trained_on,
    unweighted_average_recall,
)
from profiler.measures.tables import UNKNOWN_GENDER, Score, Table, over_folds, record, weighted
from profiler.settings import Settings
from profiles_db.measurement import Measurement
from profiles_db.records import Gender, Prediction, Probabilities
from profiles_db.row_tables import row_table

if TYPE_CHECKING:
    from profiler.pipeline.context import Context
    from profiler.protocol import Protocol
    from profiler.training.head import Head

MOST_CORPORA: Final = 20
FEWEST_CLASSES: Final = 2
MOST_REASONS: Final = 3
"""Reasons why clips were left out that a note lists."""
HELD: Final = "the corpus that the heads learned from holds the same file"


class GeneralisationSettings(Settings):
    """What the heads are tested on."""

    test_on: tuple[OtherCorpus, ...] = Field(default=(), max_length=MOST_CORPORA)
    """Other corpora, each NAME=PATH, or `dataset`, `path` and `labels`, which maps labels there to
    classes here (null: left out)."""

    @model_validator(mode="after")
    def _each_once(self) -> GeneralisationSettings:
        names(self.test_on)
        return self

    def changed(self, *, rows_only: bool = False) -> dict[str, Any]:
        """As for all settings; corpora by what they hold, not by where they lie."""
        found = super().changed(rows_only=rows_only)
        return found and {"test_on": [corpus.content for corpus in self.test_on]}

    @property
    def corpora(self) -> dict[str, OtherCorpus]:
        """The corpora by what figures call them."""
        return names(self.test_on)


@row_table("cross_corpus_answers", step="generalisation", key=("tested_on", "utterance"))
@dataclass(frozen=True, slots=True)
class CrossCorpusAnswer:
    """One head's answer to one clip of another corpus.

    `own_label` is the clip's label in that corpus, `label` the class that it counts as;
    `probabilities` follow the run's order of classes.
    """

    repetition: int
    fold: int
    tested_on: str
    utterance: str
    speaker: str
    gender: Gender | None
    own_label: str
    label: str
    predicted: str
    probabilities: Probabilities


@row_table("cross_corpus_left_out", step="generalisation", key=("tested_on", "utterance"))
@dataclass(frozen=True, slots=True)
class CrossCorpusLeftOut:
    """A clip of another corpus that no head was asked about, though its label is a class."""

    repetition: int
    fold: int
    tested_on: str
    utterance: str
    reason: str


class Generalisation(OnWaveforms):
    """What is recognised in corpora that the heads did not learn from."""

    name = "generalisation"
    title = "Generalisation"
    aspect = "system_performance"
    settings = GeneralisationSettings
    rows: ClassVar[tuple[type, ...]] = (CrossCorpusAnswer, CrossCorpusLeftOut)
    by_default = False
    criteria = ("cross_corpus_uar", "cross_corpus_drop")

    def tasks(
        self,
        fold: int,  # noqa: ARG002 - all folds alike
        predictions: Mapping[int, Sequence[Prediction]],
        protocol: Protocol,  # noqa: ARG002
        settings: GeneralisationSettings,
    ) -> list[ClipTask]:
        """Every clip of every other corpus; the kind of a task names the corpus."""
        return [
            ClipTask(utterance.id, repetition, name)
            for name, corpus in settings.corpora.items()
            for utterance in corpus.utterances()
            for repetition in predictions
        ]

    def listen(
        self,
        context: Context,
        fold: int,
        heads: Mapping[int, Head],
        tasks: Sequence[ClipTask],
        settings: GeneralisationSettings,
    ) -> list[CrossCorpusAnswer | CrossCorpusLeftOut]:
        """What the heads answer, from hidden states that are computed once for all."""
        from profiler.measures.generalisation_work import answers  # noqa: PLC0415 - needs torch

        return answers(context, fold, heads, tasks, settings)

    def figures(self, evidence: Evidence, settings: GeneralisationSettings) -> list[Measurement]:
        """UAR and the relative drop on each corpus and over all; recalls class by class."""
        return generalisation(
            evidence.rows(Prediction),
            evidence.rows(CrossCorpusAnswer),
            evidence.rows(CrossCorpusLeftOut),
            evidence.classes,
            settings.corpora,
            evidence.figure,
        )


def generalisation(
    predictions: Sequence[Prediction],
    answers: Sequence[CrossCorpusAnswer],
    left_out: Sequence[CrossCorpusLeftOut],
    classes: Sequence[str],
    corpora: Mapping[str, OtherCorpus],
    measure: Figure,
) -> list[Measurement]:
    """Figures of each corpus and over all of them, from rows.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of the emotion heads, on the test clips of the corpus that they learned from.
    answers : sequence of CrossCorpusAnswer
    left_out : sequence of CrossCorpusLeftOut
    classes : sequence of str
        Of the heads.
    corpora : mapping from what figures call a corpus
    measure : callable
    """
    tested: dict[str, _Tested] = {}
    unknown: dict[str, str] = {}
    for name, corpus in corpora.items():
        own = _Tested(
            corpus,
            Table(predictions, classes),
            [row for row in answers if row.tested_on == name],
            [row for row in left_out if row.tested_on == name],
        )
        reason = own.why_not
        if reason is None:
            tested[name] = own
        else:
            unknown[name] = reason
    return [
        *(one for name, own in tested.items() for one in _of_corpus(name, own, measure)),
        *_over_all(tested, unknown, measure),
    ]


class _Tested:
    """What all heads answered on one corpus, and on their own where it has the same classes."""

    def __init__(
        self,
        corpus: OtherCorpus,
        clean: Table,
        answers: Sequence[CrossCorpusAnswer],
        left_out: Sequence[CrossCorpusLeftOut],
    ) -> None:
        self.corpus, self.classes = corpus, clean.classes
        self.left_out = Counter({row.utterance: row.reason for row in left_out}.values())
        self.clips = len({row.utterance for row in answers})
        self._answers, self._clean = answers, clean
        there = {row.label for row in answers}
        self.shared = [name for name in clean.classes if name in there]

    @property
    def why_not(self) -> str | None:
        """Why there are no figures, or None."""
        if self.shared and len(self.shared) >= FEWEST_CLASSES:
            return None
        held = f"its clips of classes that both have: {', '.join(self.shared) or 'none'}"
        said = f"{self.corpus.dataset} has clips of fewer than two of the classes ({held}"
        return f"{said}; {self._said_left_out})" if self.left_out else f"{said})"

    @cached_property
    def there(self) -> Table:
        """The answers on the other corpus; each answer is any class of the head."""
        return self._table([row.predicted for row in self._answers])

    @cached_property
    def restricted(self) -> Table:
        """The likeliest of the classes that both have, on the other corpus."""
        places = [list(self.classes).index(name) for name in self.shared]
        values = np.array([row.probabilities for row in self._answers])[:, places]
        return self._table([self.shared[index] for index in values.argmax(axis=1)])

    def _table(self, predicted: Sequence[str]) -> Table:
        rows = [
            Prediction(
                row.repetition,
                row.fold,
                row.utterance,
                row.speaker,
                row.gender,
                row.label,
                answer,
                row.probabilities,
            )
            for row, answer in zip(self._answers, predicted, strict=True)
        ]
        return Table(rows, self.classes)

    @cached_property
    def here(self) -> Table:
        """The answers on the corpus itself, to clips of the classes that both have."""
        return self._clean.only(lambda row: row.label in self.shared)

    @property
    def factor(self) -> float:
        """What the variance over the speakers there is multiplied by, for who was learned from."""
        return trained_on(len(self._clean.speakers), len(self.there.speakers))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was tested on what."""
        n, speakers = self.clips, len(self.there.speakers)
        lacking = [name for name in self.classes if name not in self.shared]
        others = {
            label: clips
            for label, clips in self.corpus.clips.items()
            if self.corpus.counts_as(label) not in self.classes
        }
        said = [f"{n} clips of {speakers} speakers"]
        if lacking:
            said.append(f"has no clip of {', '.join(lacking)}, which answers may be all the same")
        if others:
            listed = ", ".join(f"{label} ({clips})" for label, clips in others.items())
            said.append(f"left out, having no class here: {listed}")
        if self.left_out:
            said.append(self._said_left_out)
        return tuple(f"{self.corpus.dataset}: {one}" for one in said)

    @property
    def _said_left_out(self) -> str:
        reasons = [f"{why} ({n})" for why, n in self.left_out.most_common(MOST_REASONS)]
        more = ["..."] if len(self.left_out) > MOST_REASONS else []
        return f"{sum(self.left_out.values())} clips left out: {'; '.join(reasons + more)}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Reasons to doubt any figure of this corpus."""
        few = len(self.there.speakers)
        said = f"only {few} speakers in {self.corpus.dataset}: the interval may be too narrow"
        return (*((said,) if few < FEW_SPEAKERS else ()), *self._clean.one_answer)

    @property
    def nothing_to_lose(self) -> tuple[str, ...]:
        """A flag where the heads recognise nothing in the corpus itself."""
        uar = over_folds(self.here, unweighted_average_recall)
        low = uar.value if uar.low is None else uar.low
        if low is None or low > 1 / len(self.classes):
            return ()
        return ("UAR in the corpus itself is within guessing: there is little to lose",)

    @property
    def trained_once(self) -> tuple[str, ...]:
        """A note where the heads were trained once."""
        return (ONE_TRAINING,) if len(self._clean.repetitions) == 1 else ()


def _of_corpus(name: str, own: _Tested, measure: Figure) -> Iterator[Measurement]:
    make = partial(measure, n=own.clips, statistic=f"on {name}")
    guessed = 1 / len(own.classes)
    notes = (*own.notes, *own.trained_once)
    uar = _mean([own.there], [own.factor], unweighted_average_recall)
    yield record(make, "cross_corpus_uar", uar, baseline=guessed, flags=own.flags, notes=notes)
    if len(own.shared) < len(own.classes):
        estimate = _mean([own.restricted], [own.factor], unweighted_average_recall)
        floor = 1 / len(own.shared)
        name_of = "cross_corpus_uar_restricted"
        yield record(make, name_of, estimate, baseline=floor, flags=own.flags)
        here = over_folds(own.here, unweighted_average_recall)
        yield record(make, "uar_on_shared_classes", here, baseline=guessed)
    yield _drop([own], make, notes)
    for index, label in enumerate(own.classes):
        if label in own.shared:
            recall = _mean([own.there], [own.factor], partial(recall_of, index))
            clips = len({row.utterance for row in own.there.rows if row.label == label})
            yield record(
                partial(make, n=clips), "cross_corpus_recall", recall, label=label,
                baseline=guessed, flags=own.flags,
            )  # fmt: skip


def _over_all(
    tested: Mapping[str, _Tested], unknown: Mapping[str, str], measure: Figure
) -> Iterator[Measurement]:
    """The figures that stand for the criteria: the mean over the corpora, all of them."""
    if unknown or not tested:
        reason = "; ".join(unknown.values()) or "no other corpus was named to test on"
        for criterion in Generalisation.criteria:
            yield measure(criterion=criterion, value=None, unknown=reason)
        for name, why in unknown.items():
            for criterion in Generalisation.criteria:
                yield measure(criterion=criterion, value=None, unknown=why, statistic=f"on {name}")
        return
    several = list(tested.values())
    make = partial(measure, n=sum(own.clips for own in several))
    mean = (f"mean over {len(several)} corpora",) if len(several) > 1 else ()
    notes = (*mean, *(n for own in several for n in own.notes), *several[0].trained_once)
    yield record(
        make,
        "cross_corpus_uar",
        _mean([own.there for own in several], [own.factor for own in several],
              unweighted_average_recall),
        baseline=1 / len(several[0].classes),
        flags=tuple(dict.fromkeys(flag for own in several for flag in own.flags)),
        notes=notes,
    )  # fmt: skip
    yield _drop(several, make, notes)


def _mean(tables: Sequence[Table], factors: Sequence[float], score: Score) -> Estimate:
    """`score` on each corpus, averaged over heads and corpora, with its interval."""
    strata, factor_of = _strata(tables, factors)

    def statistic(weights: Floats) -> Floats:
        return _averaged(tables, weights, score)

    return jackknife(statistic, strata, trained=factor_of)


def _drop(several: Sequence[_Tested], measure: Figure, notes: tuple[str, ...]) -> Measurement:
    """The share of UAR that is lost, mean over the corpora, each beside the same classes here.

    Of each repetition, UAR is averaged over the folds on both sides before they are divided. The
    interval is that of there / (there + here), which lies in [0, 1], carried over: the drop is
    1 - s / (1 - s), and falls as s rises.
    """
    tables = [own.there for own in several]
    clean = several[0].here if len(several) == 1 else several[0]._clean
    strata, factors = _strata(tables, [own.factor for own in several])
    speakers = {name: index for index, name in enumerate(clean.speakers)}
    strata += [f"here {gender}" for gender in clean.strata]
    tested = len(strata) - len(speakers)
    factors |= {
        stratum: trained_on(len(speakers), len(speakers)) for stratum in set(strata[tested:])
    }

    def sides(weights: Floats, *, pool: bool) -> tuple[Floats, Floats]:
        """Mean UAR there and here of shape (draws, repetitions)."""
        there = _averaged(tables, weights[:, :tested], unweighted_average_recall)
        here = np.zeros_like(there)
        for own in several:
            columns = [tested + speakers[name] for name in own.here.speakers]
            here += _here(own.here, weights[:, columns], pool=pool) / len(several)
        return there, here

    def share(weights: Floats, *, pool: bool) -> Floats:
        there, here = sides(weights, pool=pool)
        whole = there + here
        found: Floats = np.divide(there, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
        return found

    there, here = (float(side.mean()) for side in sides(np.ones((1, len(strata))), pool=False))
    flags = [flag for own in several for flag in (*own.flags, *own.nothing_to_lose)]
    flags = list(dict.fromkeys(flags))
    if not here > 0 or not np.isfinite(there):
        why = "nothing of the classes that both have is recognised in the corpus itself"
        return measure(criterion="cross_corpus_drop", value=None, unknown=why, notes=notes)
    found = jackknife(
        partial(share, pool=False), strata, spread=partial(share, pool=True), trained=factors
    )
    value, low, high = 1 - there / here, _carried(found.high), _carried(found.low)
    if low is not None and high is not None:
        low, high = min(low, value), max(high, value)
    estimate = Estimate(value, low, high)
    kept = f"UAR {100 * here:.1f} % in the corpus itself on the same classes"
    return record(measure, "cross_corpus_drop", estimate, flags=tuple(flags), notes=(kept, *notes))


def _carried(share: float | None) -> float | None:
    """From there / (there + here) to 1 - there / here."""
    return None if share is None or share >= 1 else 1 - share / (1 - share)


def _strata(
    tables: Sequence[Table], factors: Sequence[float]
) -> tuple[list[str], dict[str, float]]:
    """The stratum of each speaker of each corpus, and by what its variance is multiplied."""
    strata: list[str] = []
    found: dict[str, float] = {}
    for number, (table, factor) in enumerate(zip(tables, factors, strict=True)):
        own = [f"{number} {gender or UNKNOWN_GENDER}" for gender in table.strata]
        strata += own
        found |= dict.fromkeys(own, factor)
    return strata, found


def _averaged(tables: Sequence[Table], weights: Floats, score: Score) -> Floats:
    """`score` of each head, averaged over the folds and corpora: shape (draws, repetitions)."""
    first, sums = 0, []
    for table in tables:
        own = weights[:, first : first + len(table.speakers)]
        first += len(table.speakers)
        by_cell = score(weighted(table.confusions, own))
        cells = table.cells_of_repetition
        sums.append(np.stack([mean_of_defined(by_cell[:, some]) for some in cells], axis=-1))
    found: Floats = np.mean(sums, axis=0)
    return found


def _here(table: Table, weights: Floats, *, pool: bool) -> Floats:
    """UAR in the corpus itself, shape (draws, repetitions), over all folds at once with `pool`."""
    if pool:
        return unweighted_average_recall(weighted(table.pooled, weights))
    return _averaged([table], weights, unweighted_average_recall)
