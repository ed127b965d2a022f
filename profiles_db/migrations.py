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
    # A run is split into its training and the measures taken of it; what was one text that told
    # figures of a criterion apart becomes columns.
    """
    ALTER TABLE runs RENAME COLUMN seeds TO repetitions;
    ALTER TABLE runs ADD COLUMN model VARCHAR DEFAULT '';
    UPDATE runs SET model = run;

    CREATE TABLE step_results (
        run VARCHAR NOT NULL,
        step VARCHAR NOT NULL,
        repetition INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        seconds VARCHAR NOT NULL,
        PRIMARY KEY (run, step, repetition, fold)
    );
    INSERT INTO step_results SELECT run, 'training', seed, fold, seconds FROM fold_results;
    INSERT INTO step_results SELECT run, 'privacy', seed, fold, '{}' FROM fold_results;
    INSERT INTO step_results SELECT run, 'safety', seed, fold, '{}' FROM fold_results;
    DROP TABLE fold_results;

    CREATE TABLE gender_predictions (
        run VARCHAR NOT NULL,
        repetition INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        task VARCHAR NOT NULL,
        utterance VARCHAR NOT NULL,
        speaker VARCHAR NOT NULL,
        gender VARCHAR,
        label VARCHAR NOT NULL,
        predicted VARCHAR NOT NULL,
        probabilities DOUBLE[] NOT NULL
    );
    INSERT INTO gender_predictions
        SELECT run, seed, fold, task, utterance, speaker, gender, label, predicted, probabilities
        FROM predictions WHERE task <> 'emotion' ORDER BY rowid;
    DELETE FROM predictions WHERE task <> 'emotion';
    ALTER TABLE predictions DROP COLUMN task;

    CREATE TABLE corrupted_answers (
        run VARCHAR NOT NULL,
        repetition INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        corruption VARCHAR NOT NULL,
        level DOUBLE,
        utterance VARCHAR NOT NULL,
        speaker VARCHAR NOT NULL,
        label VARCHAR NOT NULL,
        predicted VARCHAR NOT NULL
    );

    CREATE TABLE probe_epochs (
        run VARCHAR NOT NULL,
        repetition INTEGER NOT NULL,
        fold INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        train_loss DOUBLE NOT NULL,
        dev_loss DOUBLE NOT NULL,
        dev_score DOUBLE NOT NULL,
        learning_rate DOUBLE NOT NULL
    );
    INSERT INTO probe_epochs
        SELECT run, seed, fold, epoch, train_loss, dev_loss, dev_score, learning_rate
        FROM epochs WHERE task <> 'emotion' ORDER BY rowid;
    DELETE FROM epochs WHERE task <> 'emotion';
    ALTER TABLE epochs DROP COLUMN task;

    ALTER TABLE predictions RENAME COLUMN seed TO repetition;
    ALTER TABLE epochs RENAME COLUMN seed TO repetition;
    ALTER TABLE layer_weights RENAME COLUMN seed TO repetition;
    ALTER TABLE attacks RENAME COLUMN seed TO repetition;
    ALTER TABLE trials RENAME COLUMN seed TO repetition;
    ALTER TABLE attackers RENAME COLUMN seed TO repetition;

    CREATE TABLE figures (
        run VARCHAR NOT NULL,
        measure VARCHAR NOT NULL,
        criterion VARCHAR NOT NULL,
        label VARCHAR,
        predicted VARCHAR,
        gender VARCHAR,
        attack VARCHAR,
        snr_db DOUBLE,
        layer INTEGER,
        attacker VARCHAR,
        corruption VARCHAR,
        level DOUBLE,
        statistic VARCHAR,
        fold INTEGER NOT NULL,
        value DOUBLE,
        low DOUBLE,
        high DOUBLE,
        "interval" VARCHAR NOT NULL,
        n BIGINT,
        baseline DOUBLE,
        unknown VARCHAR,
        flags VARCHAR[] NOT NULL,
        notes VARCHAR[],
        origin VARCHAR NOT NULL,
        source VARCHAR NOT NULL,
        device VARCHAR NOT NULL,
        CHECK ((value IS NULL) = (unknown IS NOT NULL))
    );
    INSERT INTO figures
    SELECT
        run,
        CASE
            WHEN criterion IN ('macs', 'paper_macs', 'parameters', 'size', 'latency_p50',
                'latency_p95', 'real_time_factor', 'memory') THEN 'sustainability'
            WHEN criterion IN ('gender_inference', 'gender_accuracy', 'gender_uar', 'gender_auc',
                'linear_gender_accuracy', 'head_gender_accuracy', 'speaker_eer',
                'head_speaker_eer') THEN 'privacy'
            WHEN criterion IN ('attack_success_rate', 'accuracy_under_attack', 'reached_snr_db')
                THEN 'safety'
            WHEN variant NOT LIKE '%gender=%' AND criterion IN ('uar', 'accuracy', 'macro_f1',
                'expected_calibration_error', 'recall', 'confusion', 'layer_weight')
                THEN 'performance'
            ELSE 'fairness'
        END,
        criterion,
        coalesce(
            nullif(regexp_extract(variant, '^class=(.*?)(,gender=(?:female|male))?$', 1), ''),
            nullif(regexp_extract(variant, '^true=(.*),predicted=(.*)$', 1), '')
        ),
        nullif(regexp_extract(variant, '^true=(.*),predicted=(.*)$', 2), ''),
        nullif(regexp_extract(variant, '(^|,)gender=(female|male)$', 2), ''),
        nullif(regexp_extract(variant, '^([a-z]+)@(-?[0-9.]+)dB$', 1), ''),
        try_cast(nullif(regexp_extract(variant, '^([a-z]+)@(-?[0-9.]+)dB$', 2), '') AS DOUBLE),
        try_cast(nullif(regexp_extract(variant, '^layer=([0-9]+)$', 1), '') AS INTEGER),
        nullif(regexp_extract(variant, '^attacker=(.*)$', 1), ''),
        NULL,
        NULL,
        CASE WHEN variant <> '' AND NOT regexp_matches(variant,
            '^(class=|true=|layer=|attacker=|gender=(female|male)$|[a-z]+@-?[0-9.]+dB$)')
            THEN replace(variant, 'over seeds', 'over repetitions') END,
        fold, value, low, high, "interval", n, chance, unknown, flags, notes, origin, source, device
    FROM measurements ORDER BY rowid;
    DROP TABLE measurements;
    ALTER TABLE figures RENAME TO measurements;

    CREATE TABLE measured (
        run VARCHAR NOT NULL,
        measure VARCHAR NOT NULL,
        version INTEGER NOT NULL,
        settings VARCHAR NOT NULL,
        basis VARCHAR NOT NULL,
        finished VARCHAR NOT NULL,
        failed VARCHAR NOT NULL,
        provenance VARCHAR NOT NULL,
        PRIMARY KEY (run, measure)
    );
    INSERT INTO measured
    SELECT m.run, m.measure, 0, '{}', 'study ' || r.study, r.finished,
        CASE WHEN bool_or(m.unknown LIKE 'could not be measured: %')
            THEN json_object(m.measure, any_value(m.unknown)
                FILTER (m.unknown LIKE 'could not be measured: %'))::VARCHAR
            ELSE '{}' END,
        '{}'
    FROM measurements m JOIN runs r USING (run) WHERE r.finished IS NOT NULL
    GROUP BY m.run, m.measure, r.study, r.finished ORDER BY ALL;
    """,
)

SCHEMA_VERSION: Final = len(MIGRATIONS)
