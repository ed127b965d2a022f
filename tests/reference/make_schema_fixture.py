"""Made `schema_4.sql`: a small database of one schema as SQL text.

Run `python -m tests.reference.make_schema_fixture` before a new step is added to
`profiles_db.migrations`, and keep the file for good: it is what a database of that schema that
somebody still has looks like.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from profiles_db.measurement import Measurement
from profiles_db.migrations import SCHEMA_VERSION
from profiles_db.profile import Measured
from profiles_db.records import (
    Attacker,
    AttackOutcome,
    ClipGroup,
    CorruptedAnswer,
    DimensionalAttack,
    DimensionalEpoch,
    DimensionalPrediction,
    EmbeddingNeighbour,
    EmbeddingPoint,
    Epoch,
    GenderPrediction,
    LayerWeight,
    LessDataAnswer,
    Prediction,
    ProbeEpoch,
    Run,
    StepResult,
    Trial,
)
from profiles_db.row_tables import TRAINING
from profiles_db.store import Store

FOLDER = Path(__file__).parent
RUN = Run(
    run="r1", model="r1", study="s1", backbone="fbank", corpus="demo", weights_kind="none",
    weights_id="none", weights_origin="", synthetic=True, folds=1, folds_total=5, repetitions=1,
    device="cpu", started="2026-01-01T00:00:00+00:00", protocol={"epochs": 1, "snr_db": 45.0},
    provenance={"classes": ["a", "it's"]},
)  # fmt: skip
TRAINED = StepResult(
    TRAINING,
    0,
    1,
    (
        Prediction(0, 1, "u1", "s1", None, "a", "a", (0.75, 0.25)),
        Prediction(0, 1, "u2", "s1", "female", "it's", "a", (0.625, 0.375)),
        Epoch(0, 1, 1, 1.0, 2.0, 0.5, 5e-4),
        LayerWeight(0, 1, 1, 1.0),
    ),
    {"emotion head": 1.5},
)
STRONGEST = (
    GenderPrediction(
        0, 1, "strongest_gender", "u2", "s1", "female", "female", "male", (0.25, 0.75)
    ),
    Attacker(0, 1, "linear, layer 1", 0.75, 0.5, 0.625, chosen=True),
)
"""Since schema 3."""
PRIVATE = StepResult(
    "privacy",
    0,
    1,
    (
        *STRONGEST,
        Trial(0, 1, "head", "u1", "s1", "s2", -0.5),
        ProbeEpoch(0, 1, 1, 1.0, 2.0, 0.5, 5e-4),
    ),
)
SAFE = StepResult(
    "safety", 0, 1, (AttackOutcome(0, 1, "fgsm", 45.0, "u1", "s1", "a", "it's", None, "zero"),)
)
STEPS = (TRAINED, PRIVATE, SAFE)
ROBUST = StepResult(
    "robustness",
    0,
    1,
    (
        CorruptedAnswer(0, 1, "babble", 20.0, "u1", "s1", "a", "it's"),
        CorruptedAnswer(0, 1, "babble", 20.0, "u2", "s1", "it's", "a"),
        CorruptedAnswer(0, 1, "room", None, "u1", "s1", "a", "a"),
        CorruptedAnswer(0, 1, "room", None, "u2", "s1", "it's", "a"),
    ),
)
"""Since schema 4."""
ON_REQUEST = (
    StepResult(
        "dimensional",
        0,
        1,
        (
            DimensionalPrediction(0, 1, "valence", "u1", "s1", None, 0.5, 0.25, 0.5),
            DimensionalEpoch(0, 1, 1, 1.0, 2.0, 0.5, 5e-4),
        ),
    ),
    StepResult(
        "dimensional_safety",
        0,
        1,
        (
            DimensionalAttack(
                0, 1, "fgsm", 45.0, "valence", "u1", "s1", None, 0.5, 0.25, 0.5, 45.5, "ok"
            ),
            DimensionalAttack(
                0, 1, "noise", 45.0, "valence", "u1", "s1", None, 0.5, 0.25, 0.25, None, "none"
            ),
        ),
    ),
    StepResult("groups", 0, 1, (ClipGroup(0, 1, "u1", "accent", "it's"),)),
    StepResult(
        "embeddings",
        0,
        1,
        (
            EmbeddingPoint(0, 1, "u1", "s1", None, "a", 0.5, -0.5, 0.5, 0.25, -0.25, None, 2),
            EmbeddingNeighbour(0, 1, "u1", 1, "u2"),
        ),
    ),
    StepResult(
        "data_amount",
        0,
        1,
        (LessDataAnswer(0, 1, 0.5, "u1", "s1", None, "a", "it's", 1, 2, lacking=True),),
    ),
)
"""Of tables that are made with their first rows, and so in no schema."""
IDENTITY: dict[str, Any] = {"study": "s1", "backbone": "fbank", "weights": "none", "corpus": "demo"}
MEASUREMENTS = (
    Measurement(
        **IDENTITY, criterion="uar", value=0.5, n=2, baseline=0.5, flags=("a flag",),
        measure="performance",
    ),
    Measurement(**IDENTITY, criterion="gender_accuracy", value=None, unknown="no gender",
                measure="privacy"),
    Measurement(
        **IDENTITY, criterion="attack_success_rate", attack="fgsm", snr_db=45.0, value=1.0, n=1,
        measure="safety",
    ),
)  # fmt: skip
FINISHED = "2026-01-02T00:00:00+00:00"


def fill(store: Store, run: Run = RUN, provenance: Mapping[str, Any] | None = None) -> None:
    """Enter a whole run, with its rows and figures."""
    store.begin(run)
    for step in (*STEPS, ROBUST):
        store.add_step(run.run, step)
    finish(store, MEASUREMENTS, run.run, provenance=provenance)


def finish(
    store: Store,
    measurements: Sequence[Measurement],
    run: str = RUN.run,
    finished: str = FINISHED,
    provenance: Mapping[str, Any] | None = None,
    study: str = RUN.study,
) -> None:
    """Enter the figures of a run, and mark it ended."""
    for name in dict.fromkeys(m.measure or "performance" for m in measurements):
        measured = Measured(name, 1, {}, f"study {study}", finished)
        own = [m for m in measurements if (m.measure or "performance") == name]
        store.record(run, measured, own)
    store.finish(run, finished, provenance or {})


def fixture(version: int) -> Path:
    """Where the database of schema `version` lies as text."""
    return FOLDER / f"schema_{version}.sql"


def main() -> None:
    """Write the fixture of today's schema."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.duckdb"
        store = Store(path)
        fill(store, provenance={"clips": 2})
        fixture(SCHEMA_VERSION).write_text(dump(path), encoding="utf-8")


def dump(path: Path) -> str:
    """The statements that make the database at `path`."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT table_name, sql FROM duckdb_tables() ORDER BY ALL")
        statements = []
        for table, sql in tables.fetchall():
            rows = connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608
            statements.append(sql)
            statements += [f"INSERT INTO {table} VALUES ({_row(row)});" for row in rows]  # noqa: S608
    return "\n".join(statements) + "\n"


def _row(values: tuple[Any, ...]) -> str:
    return ", ".join(_literal(value) for value in values)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
