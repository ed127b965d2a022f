"""What must hold between the rows of a sound database, each rule as one query.

A query returns a row for each thing that breaks its rule; the first column names it.
"""

from __future__ import annotations

from typing import Final

ROW_TABLES: Final = ("predictions", "attacks", "trials", "epochs", "layer_weights", "attackers")
"""Tables whose rows belong to one fold of one repetition of a run."""
TABLES: Final = ("runs", "fold_results", *ROW_TABLES, "measurements")

_FOLD: Final = "run || ' seed ' || seed || ' fold ' || fold"
_RIGHT: Final = "SELECT * FROM predictions WHERE task = 'emotion' AND label = predicted"

# S608 warns of SQL from pieces: every piece is a constant of this module.
_ORPHANS: Final = tuple(
    (
        f"{table} of a run that is not there",
        f"SELECT DISTINCT run FROM {table} ANTI JOIN runs USING (run)",  # noqa: S608
    )
    for table in TABLES[1:]
)
_STRAYS: Final = tuple(
    (
        f"{table} of a fold that was never completed",
        f"SELECT DISTINCT {_FOLD} FROM {table} ANTI JOIN fold_results USING (run, seed, fold)",  # noqa: S608
    )
    for table in ROW_TABLES
)
_EMPTY: Final = tuple(
    (
        f"a fold without {name}",
        f"SELECT {_FOLD} FROM fold_results ANTI JOIN"  # noqa: S608
        f" (SELECT DISTINCT run, seed, fold FROM {source}) USING (run, seed, fold)",
    )
    for name, source in (
        ("predictions", "predictions WHERE task = 'emotion'"),
        ("epochs", "epochs WHERE task = 'emotion'"),
        ("layer weights", "layer_weights"),
    )
)
_COUNTS: Final = tuple(
    (
        f"{criterion} names another number of clips than there are",
        f"""
        SELECT m.run FROM measurements m JOIN
            (SELECT run, count(DISTINCT (fold, utterance)) AS clips FROM predictions
             WHERE task = '{task}' GROUP BY run) p USING (run)
        WHERE m.criterion = '{criterion}' AND m.variant = '' AND m.fold = -1
            AND m.value IS NOT NULL AND m.n IS DISTINCT FROM p.clips
        """,  # noqa: S608
    )
    for criterion, task in (
        ("uar", "emotion"),
        ("gender_accuracy", "gender"),
        ("gender_inference", "strongest_gender"),
    )
)

CHECKS: Final[tuple[tuple[str, str], ...]] = (
    *_ORPHANS,
    *_STRAYS,
    (
        "a finished run that lacks folds, or has too many",
        """
        SELECT r.run FROM runs r LEFT JOIN fold_results f USING (run)
        WHERE r.finished IS NOT NULL GROUP BY r.run, r.folds, r.seeds
        HAVING count(f.run) <> r.folds * r.seeds
        """,
    ),
    *_EMPTY,
    (
        "a prediction that stands twice",
        f"""
        SELECT DISTINCT {_FOLD} FROM predictions
        GROUP BY run, seed, fold, task, utterance HAVING count(*) > 1
        """,  # noqa: S608
    ),
    (
        "an attacker on gender that stands twice",
        f"""
        SELECT DISTINCT {_FOLD} FROM attackers
        GROUP BY run, seed, fold, attacker HAVING count(*) > 1
        """,  # noqa: S608
    ),
    (
        "a fold whose strongest attacker on gender is not the one that is best on the dev part",
        f"""
        SELECT {_FOLD} FROM attackers GROUP BY run, seed, fold
        HAVING count(*) FILTER (chosen) <> 1
            OR max((dev_uar, -dev_loss)) FILTER (chosen) < max((dev_uar, -dev_loss))
        """,  # noqa: S608
    ),
    (
        "attackers on gender without the answers of the strongest, or answers without attackers",
        f"""
        SELECT {_FOLD} FROM (SELECT DISTINCT run, seed, fold FROM attackers) a
        FULL JOIN (SELECT DISTINCT run, seed, fold FROM predictions
                   WHERE task = 'strongest_gender') p USING (run, seed, fold)
        WHERE a.run IS NULL OR p.run IS NULL
        """,  # noqa: S608
    ),
    (
        "an attack that stands twice",
        f"""
        SELECT DISTINCT {_FOLD} FROM attacks
        GROUP BY run, seed, fold, attack, snr_db, utterance HAVING count(*) > 1
        """,  # noqa: S608
    ),
    (
        "an attack on a clip that was not classified correctly",
        f"""
        SELECT DISTINCT {_FOLD} FROM attacks
        ANTI JOIN ({_RIGHT}) USING (run, seed, fold, utterance)
        """,  # noqa: S608
    ),
    (
        "a clip classified correctly that was not attacked",
        f"""
        SELECT DISTINCT {_FOLD} FROM ({_RIGHT})
        ANTI JOIN (SELECT * FROM attacks WHERE attack = 'fgsm') USING (run, seed, fold, utterance)
        """,  # noqa: S608
    ),
    (
        "probabilities that are not finite or do not sum to one",
        f"""
        SELECT DISTINCT {_FOLD} FROM predictions
        WHERE NOT coalesce(abs(list_sum(probabilities) - 1) < 1e-6, false)
        """,  # noqa: S608
    ),
    (
        "a training that lacks epochs",
        f"""
        SELECT {_FOLD} FROM epochs GROUP BY run, seed, fold, task
        HAVING min(epoch) <> 1 OR max(epoch) <> count(*)
        """,  # noqa: S608
    ),
    (
        "a finished run without measurements",
        """
        SELECT run FROM runs ANTI JOIN measurements USING (run) WHERE finished IS NOT NULL
        """,
    ),
    *_COUNTS,
    (
        "attack_success_rate names another number of clips than were attacked",
        """
        SELECT DISTINCT m.run FROM measurements m JOIN
            (SELECT run, attack, snr_db, count(DISTINCT (fold, utterance)) AS clips
             FROM attacks GROUP BY ALL) a
            ON a.run = m.run AND a.attack = regexp_extract(m.variant, '^(\\w+)@', 1)
            AND a.snr_db = try_cast(regexp_extract(m.variant, '@(.+)dB$', 1) AS DOUBLE)
        WHERE m.criterion = 'attack_success_rate' AND m.fold = -1 AND m.value IS NOT NULL
            AND m.n IS DISTINCT FROM a.clips
        """,
    ),
)
