"""What must hold between the rows of a sound database, each rule as one query.

What holds for rows of any kind follows from their tables (`profiles_db.row_tables`); what holds
between certain kinds is listed. A query returns a row for each thing that breaks its rule; the
first column names it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, TypeAlias

import profiles_db.records  # noqa: F401 - enters the tables of its rows
from profiles_db.row_tables import TRAINING, RowTable, row_tables

Check: TypeAlias = tuple[str, str]
"""A sentence for what is wrong, and the query that finds it."""

FIXED_TABLES: Final = ("runs", "step_results", "measured", "measurements")

_FOLD: Final = "run || ' repetition ' || repetition || ' fold ' || fold"
_CELL: Final = "run, repetition, fold"
_RIGHT: Final = "SELECT * FROM predictions WHERE label = predicted"


def checks(there: Collection[str]) -> Iterator[Check]:
    """Every rule that concerns the tables that are there."""
    tables = [table for name, table in row_tables().items() if name in there]
    for name in (*FIXED_TABLES[1:], *(table.name for table in tables)):
        # S608 warns of SQL from pieces: every piece is a constant of this program.
        yield (
            f"{name} of a run that is not there",
            f"SELECT DISTINCT run FROM {name} ANTI JOIN runs USING (run)",  # noqa: S608
        )
    for table in tables:
        yield from _of_rows(table)
    yield from _CHECKS
    if "dimensional_predictions" in there:
        yield from _RATED
    if "dimensional_attacks" in there:
        yield from _RATED_AND_ATTACKED


def _of_rows(table: RowTable) -> Iterator[Check]:
    """That rows belong to a step that was completed, and that none stands twice."""
    done = f"SELECT * FROM step_results WHERE step = '{table.step}'"  # noqa: S608
    yield (
        f"{table.name} of a fold that was never completed",
        f"SELECT DISTINCT {_FOLD} FROM {table.name}"  # noqa: S608
        f" ANTI JOIN ({done}) USING (run, repetition, fold)",
    )
    yield (
        f"{table.name}: a row that stands twice",
        f"SELECT DISTINCT {_FOLD} FROM {table.name}"  # noqa: S608
        f" GROUP BY {_CELL}, {', '.join(map(_quoted, table.key))} HAVING count(*) > 1",
    )


def _quoted(column: str) -> str:
    return f'"{column}"'


_EMPTY: Final = tuple(
    (
        f"a fold without {words}",
        f"SELECT {_FOLD} FROM step_results ANTI JOIN"  # noqa: S608
        f" (SELECT DISTINCT {_CELL} FROM {table}) USING (run, repetition, fold)"
        f" WHERE step = '{TRAINING}'",
    )
    for words, table in (
        ("predictions", "predictions"),
        ("epochs", "epochs"),
        ("layer weights", "layer_weights"),
    )
)
_COUNTS: Final = tuple(
    (
        f"{criterion} names another number of clips than there are",
        f"""
        SELECT m.run FROM measurements m JOIN
            (SELECT run, count(DISTINCT (fold, utterance)) AS clips FROM {source} GROUP BY run) p
            USING (run)
        WHERE m.criterion = '{criterion}' AND m.fold = -1 AND m.gender IS NULL
            AND m.statistic IS NULL AND m.attacker IS NULL
            AND m.value IS NOT NULL AND m.n IS DISTINCT FROM p.clips
        """,  # noqa: S608
    )
    for criterion, source in (
        ("uar", "predictions"),
        ("gender_accuracy", "gender_predictions WHERE task = 'gender'"),
        ("gender_inference", "gender_predictions WHERE task = 'strongest_gender'"),
    )
)

_RATED: Final[tuple[Check, ...]] = (
    (
        "a dimension predicted of a clip that was not tested",
        f"""
        SELECT DISTINCT {_FOLD} FROM dimensional_predictions
        ANTI JOIN predictions USING (run, repetition, fold, utterance, speaker)
        """,  # noqa: S608
    ),
    (
        "a clip with two ratings on one dimension",
        """
        SELECT run || ' ' || dimension || ' ' || utterance FROM dimensional_predictions
        GROUP BY run, dimension, utterance HAVING count(DISTINCT truth) > 1
        """,
    ),
)
"""Of a table that is there once somebody measured dimensions."""

_RATED_AND_ATTACKED: Final[tuple[Check, ...]] = (
    (
        "a dimension of an attacked clip that was not tested",
        f"""
        SELECT DISTINCT {_FOLD} FROM dimensional_attacks
        ANTI JOIN predictions USING (run, repetition, fold, utterance, speaker)
        """,  # noqa: S608
    ),
    (
        "an attacked clip with two answers as it is on one dimension",
        f"""
        SELECT {_FOLD} || ' ' || dimension || ' ' || utterance FROM dimensional_attacks
        GROUP BY {_CELL}, dimension, utterance
        HAVING count(DISTINCT clean) > 1 OR count(DISTINCT truth) > 1
        """,  # noqa: S608
    ),
)
"""Of a table that is there once somebody attacked a head for dimensions."""

_CHECKS: Final[tuple[Check, ...]] = (
    (
        "a finished run that lacks folds, or has too many",
        f"""
        SELECT r.run FROM runs r
        LEFT JOIN (SELECT * FROM step_results WHERE step = '{TRAINING}') s USING (run)
        WHERE r.finished IS NOT NULL GROUP BY r.run, r.folds, r.repetitions
        HAVING count(s.run) <> r.folds * r.repetitions
        """,  # noqa: S608
    ),
    (
        "a fold measured before it was trained",
        f"""
        SELECT DISTINCT {_FOLD} FROM step_results m
        ANTI JOIN (SELECT * FROM step_results WHERE step = '{TRAINING}')
            USING (run, repetition, fold)
        """,  # noqa: S608
    ),
    *_EMPTY,
    (
        "a fold whose strongest attacker on gender is not the one that is best on the dev part",
        f"""
        SELECT {_FOLD} FROM attackers GROUP BY {_CELL}
        HAVING count(*) FILTER (chosen) <> 1
            OR max((dev_uar, -dev_loss)) FILTER (chosen) < max((dev_uar, -dev_loss))
        """,  # noqa: S608
    ),
    (
        "attackers on gender without the answers of the strongest, or answers without attackers",
        f"""
        SELECT {_FOLD} FROM (SELECT DISTINCT {_CELL} FROM attackers) a
        FULL JOIN (SELECT DISTINCT {_CELL} FROM gender_predictions
                   WHERE task = 'strongest_gender') p USING (run, repetition, fold)
        WHERE a.run IS NULL OR p.run IS NULL
        """,  # noqa: S608
    ),
    (
        "an attack on a clip that was not classified correctly",
        f"""
        SELECT DISTINCT {_FOLD} FROM attacks
        ANTI JOIN ({_RIGHT}) USING (run, repetition, fold, utterance)
        """,  # noqa: S608
    ),
    (
        "a clip classified correctly that was not attacked",
        f"""
        SELECT DISTINCT {_FOLD} FROM ({_RIGHT})
        SEMI JOIN (SELECT * FROM step_results WHERE step = 'safety') USING (run, repetition, fold)
        ANTI JOIN (SELECT * FROM attacks WHERE attack = 'fgsm')
            USING (run, repetition, fold, utterance)
        """,  # noqa: S608
    ),
    (
        "a corruption of a clip that was not tested, or of one with another label",
        f"""
        SELECT DISTINCT {_FOLD} FROM corrupted_answers
        ANTI JOIN predictions USING (run, repetition, fold, utterance, speaker, label)
        """,  # noqa: S608
    ),
    (
        "a corruption that not every test clip went through",
        f"""
        SELECT {_FOLD} || ' ' || corruption FROM
            (SELECT {_CELL}, corruption, level, count(*) AS n FROM corrupted_answers GROUP BY ALL)
        JOIN (SELECT {_CELL}, count(*) AS clips FROM predictions GROUP BY ALL)
            USING (run, repetition, fold)
        WHERE n <> clips
        """,  # noqa: S608
    ),
    *(
        (
            f"{table}: probabilities that are not finite or do not sum to one",
            f"SELECT DISTINCT {_FOLD} FROM {table}"  # noqa: S608
            " WHERE NOT coalesce(abs(list_sum(probabilities) - 1) < 1e-6, false)",
        )
        for table in ("predictions", "gender_predictions")
    ),
    *(
        (
            f"{table}: a training that lacks epochs",
            f"SELECT {_FOLD} FROM {table} GROUP BY {_CELL}"  # noqa: S608
            " HAVING min(epoch) <> 1 OR max(epoch) <> count(*)",
        )
        for table in ("epochs", "probe_epochs")
    ),
    (
        "a finished run without measurements",
        """
        SELECT run FROM runs ANTI JOIN measurements USING (run) WHERE finished IS NOT NULL
        """,
    ),
    (
        "a figure of a measure that was not taken",
        """
        SELECT DISTINCT run || ' ' || measure FROM measurements
        ANTI JOIN measured USING (run, measure)
        """,
    ),
    *_COUNTS,
    (
        "attack_success_rate names another number of clips than were attacked",
        """
        SELECT DISTINCT m.run FROM measurements m JOIN
            (SELECT run, attack, snr_db, count(DISTINCT (fold, utterance)) AS clips
             FROM attacks GROUP BY ALL) a USING (run, attack, snr_db)
        WHERE m.criterion = 'attack_success_rate' AND m.fold = -1 AND m.value IS NOT NULL
            AND m.n IS DISTINCT FROM a.clips
        """,
    ),
)
