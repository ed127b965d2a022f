"""What a corpus says of the clips that were tested, kept as rows beside the predictions.

Metadata alone are read. Where they say something else than before (a column was added to a
manifest), the rows are exchanged: neither the heads nor their answers depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping

from profiler.corpora.base import Utterance
from profiler.measures.base import OnCorpus
from profiles_db.errors import InputError
from profiles_db.profile import Profile
from profiles_db.records import Prediction, Run, StepResult
from profiles_db.row_tables import Row
from profiles_db.store import Store


def keep_said(
    measure: OnCorpus, run: Run | Profile, utterances: Mapping[str, Utterance], store: Store
) -> None:
    """Store what `measure` takes from the corpus, in place of what it took before.

    Parameters
    ----------
    measure : OnCorpus
    run : Run or Profile
        Whose heads are trained and have answered.
    utterances : mapping from utterance id
    store : Store

    Raises
    ------
    InputError
        If a clip that was tested is not in the corpus, or is of another speaker, gender or label.
    """
    said = _said(measure, run, utterances, store)
    store.forget_step(run.run, measure.name)
    for repetition in range(run.repetitions):
        for fold in range(1, run.folds + 1):
            rows = tuple(row for row in said if (row.repetition, row.fold) == (repetition, fold))
            store.add_step(run.run, StepResult(measure.name, repetition, fold, rows))


def says_otherwise(
    measure: OnCorpus, run: Run | Profile, utterances: Mapping[str, Utterance], store: Store
) -> bool:
    """Whether the corpus says something else than the rows that are stored."""
    before = [row for kind in measure.rows for row in store.rows(run.run, kind)]
    return before != _said(measure, run, utterances, store)


def _said(
    measure: OnCorpus, run: Run | Profile, utterances: Mapping[str, Utterance], store: Store
) -> list[Row]:
    """All rows of `measure`, in the order in which they are stored."""
    tested: dict[int, list[Utterance]] = {}
    for row in store.rows(run.run, Prediction):
        if row.repetition == 0:
            tested.setdefault(row.fold, []).append(_same(row, utterances.get(row.utterance), run))
    return [row for fold, clips in sorted(tested.items()) for row in measure.said(fold, clips)]


def _same(row: Prediction, clip: Utterance | None, run: Run | Profile) -> Utterance:
    if clip is None or (clip.speaker, clip.gender, clip.label) != (
        row.speaker,
        row.gender,
        row.label,
    ):
        found = "is not there" if clip is None else "has another speaker, gender or label"
        raise InputError(
            f"its clip {row.utterance!r:.100} {found}",
            where=run.corpus,
            rule=f"the clips of run {run.run}, as they were when it was profiled",
            remedy="name the same data with --data-root",
        )
    return clip
