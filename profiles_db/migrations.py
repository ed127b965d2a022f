"""The database's tables, as the list of steps that lead from an empty file to today's schema.

Step k takes schema k to schema k + 1. Steps are never changed once released; a new schema is a
new step at the end.
"""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE runs (
        run VARCHAR PRIMARY KEY,
        study VARCHAR NOT NULL,
        backbone VARCHAR NOT NULL,
        corpus VARCHAR NOT NULL,
        weights_kind VARCHAR NOT NULL,
        weights_id VARCHAR NOT NULL,
        weights_origin VARCHAR NOT NULL,
        synthetic BOOLEAN NOT NULL,
        folds INTEGER NOT NULL,
        folds_total INTEGER NOT NULL,
        seeds INTEGER NOT NULL,
        device VARCHAR NOT NULL,
        started VARCHAR NOT NULL,
        finished VARCHAR,
        protocol VARCHAR NOT NULL,
        provenance VARCHAR NOT NULL
    );
    CREATE TABLE fold_results (
        run VARCHAR NOT NULL,
        seed INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        seconds VARCHAR NOT NULL,
        PRIMARY KEY (run, seed, fold)
    );
    CREATE TABLE predictions (
        run VARCHAR NOT NULL,
        seed INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        task VARCHAR NOT NULL,
        utterance VARCHAR NOT NULL,
        speaker VARCHAR NOT NULL,
        gender VARCHAR,
        label VARCHAR NOT NULL,
        predicted VARCHAR NOT NULL,
        probabilities DOUBLE[] NOT NULL
    );
    CREATE TABLE attacks (
        run VARCHAR NOT NULL,
        seed INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        attack VARCHAR NOT NULL,
        snr_db DOUBLE NOT NULL,
        utterance VARCHAR NOT NULL,
        speaker VARCHAR NOT NULL,
        label VARCHAR NOT NULL,
        predicted VARCHAR NOT NULL,
        reached_snr_db DOUBLE,
        gradient VARCHAR NOT NULL
    );
    CREATE TABLE trials (
        run VARCHAR NOT NULL,
        seed INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        space VARCHAR NOT NULL,
        utterance VARCHAR NOT NULL,
        speaker VARCHAR NOT NULL,
        claimed VARCHAR NOT NULL,
        score DOUBLE NOT NULL
    );
    CREATE TABLE epochs (
        run VARCHAR NOT NULL,
        seed INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        task VARCHAR NOT NULL,
        epoch INTEGER NOT NULL,
        train_loss DOUBLE NOT NULL,
        dev_loss DOUBLE NOT NULL,
        dev_score DOUBLE NOT NULL,
        learning_rate DOUBLE NOT NULL
    );
    CREATE TABLE layer_weights (
        run VARCHAR NOT NULL,
        seed INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        layer INTEGER NOT NULL,
        weight DOUBLE NOT NULL
    );
    CREATE TABLE measurements (
        run VARCHAR NOT NULL,
        criterion VARCHAR NOT NULL,
        variant VARCHAR NOT NULL,
        fold INTEGER NOT NULL,
        value DOUBLE,
        low DOUBLE,
        high DOUBLE,
        "interval" VARCHAR NOT NULL,
        n BIGINT,
        chance DOUBLE,
        unknown VARCHAR,
        flags VARCHAR[] NOT NULL,
        origin VARCHAR NOT NULL,
        source VARCHAR NOT NULL,
        device VARCHAR NOT NULL,
        CHECK ((value IS NULL) = (unknown IS NOT NULL))
    );
    """,
    # What is no reason to doubt a value was a flag among flags before flags had a consequence.
    """
    ALTER TABLE measurements ADD COLUMN notes VARCHAR[] DEFAULT [];
    UPDATE measurements SET
        notes = [f for f in flags if f IN (
            'within what a fair model would score at this n (permutation test, 5 %)',
            'no better than answers that ignore gender (permutation test, 5 %)'
        )],
        flags = [f for f in flags if f NOT IN (
            'within what a fair model would score at this n (permutation test, 5 %)',
            'no better than answers that ignore gender (permutation test, 5 %)'
        )];
    """,
    """
    CREATE TABLE attackers (
        run VARCHAR NOT NULL,
        seed INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        attacker VARCHAR NOT NULL,
        dev_uar DOUBLE NOT NULL,
        dev_loss DOUBLE NOT NULL,
        test_uar DOUBLE NOT NULL,
        chosen BOOLEAN NOT NULL
    );
    """,
)

SCHEMA_VERSION: Final = len(MIGRATIONS)
