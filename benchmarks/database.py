"""Profile queries and advice on a large database: 1,000 studies, 10 million predictions.

Run it with `python -m benchmarks.database` (`--predictions` for another size). The rows are made by
DuckDB itself and lie as a run leaves them: those of one run together, runs in the order in which
they ended, named by hashes. The queries are those of the command line, each timed in this process,
opening the file included. The yardstick is opening the file and reading one row of it, its schema:
no query can be faster. Processor time stands beside the time on the clock, for busy machines.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from advisor import advise, load_scenario
from advisor.decision import Decision
from advisor.evidence.selection import needed
from advisor.scenario.loading import Scenario
from profiler.measures.registry import measures
from profiles_db.profile import Profile
from profiles_db.snapshot import reading
from profiles_db.store import Store

STUDIES: Final = 1_000
PREDICTIONS: Final = 10_000_000
BACKBONES: Final = ("apc", "tera", "whisper_tiny", "whisper_base", "wavlm_base_plus")
ROUNDS: Final = 9
YARDSTICK: Final = "open the file, read one row"
STUDY: Final = "study0500"
SCENARIO: Final = f"""\
version: 1
title: A study among many
evidence: {{source: measured, study: {STUDY}}}
priorities: {{system_performance: high, privacy: high, safety: high, fairness: high,
             sustainability: high}}
"""


def fill(path: Path, predictions: int) -> None:
    """A database of `STUDIES` studies of every backbone, with all criteria and many predictions."""
    Store(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute(_RUNS, [STUDIES, list(BACKBONES)])
        connection.execute(_MEASURED, [list(measures())])
        criteria = [(m.name, criterion) for m in measures().values() for criterion in m.criteria]
        connection.execute(_MEASUREMENTS, [list(column) for column in zip(*criteria, strict=True)])
        runs = STUDIES * len(BACKBONES)
        connection.execute(_PREDICTIONS, [predictions // runs])


_RUNS: Final = """
    INSERT INTO runs BY NAME
    SELECT md5(printf('%d %s', study, backbone))[:12] AS run, run AS model,
        printf('study%04d', study) AS study, backbone, 'ravdess' AS corpus,
        'pretrained' AS weights_kind, 'sha256:' || md5(backbone) AS weights_id,
        backbone AS weights_origin, false AS synthetic, 5 AS folds, 5 AS folds_total,
        1 AS repetitions, 'a CPU, 2 threads' AS device, '2026-01-01T00:00:00+00:00' AS started,
        printf('2026-01-%02dT%02d:%02d:00+00:00', 1 + s.study // 60, s.study % 24, s.study % 60)
            AS finished,
        '{"training": {"epochs": 30}}' AS protocol,
        '{"classes": ["angry", "happy", "neutral", "sad"]}' AS provenance
    FROM generate_series(0, ? - 1) AS s(study), unnest(?) AS b(backbone)
"""
_MEASURED: Final = """
    INSERT INTO measured BY NAME
    SELECT run, measure, 1 AS version, '{}' AS settings, md5(study || measure)[:12] AS basis,
        finished, '{}' AS failed, '{}' AS provenance
    FROM runs, unnest(?) AS m(measure)
    ORDER BY runs.finished, run
"""
_MEASUREMENTS: Final = """
    INSERT INTO measurements BY NAME
    SELECT run, c.measure, c.criterion, v.label, v.fold, 0.1 + 0.8 * random() AS value,
        'none' AS interval, 672 AS n, 0.25 AS baseline, [] AS flags, [] AS notes,
        'measured' AS origin, 'run ' || run AS source, 'a CPU, 2 threads' AS device
    FROM runs,
        (SELECT unnest(?) AS measure, unnest(?) AS criterion) AS c,
        (VALUES (NULL, -1), (NULL, 1), (NULL, 2), (NULL, 3), (NULL, 4), (NULL, 5),
            ('angry', -1), ('happy', -1)) AS v(label, fold)
    ORDER BY runs.finished, run
"""
_PREDICTIONS: Final = """
    INSERT INTO predictions BY NAME
    SELECT run, 0 AS repetition, 1 + clip % 5 AS fold, 'clip' || clip AS utterance,
        'speaker' || clip % 24 AS speaker, ['female', 'male'][1 + clip % 2] AS gender,
        'angry' AS label, ['angry', 'happy'][1 + (random() < 0.5)::INT] AS predicted,
        [0.25, 0.25, 0.25, 0.25] AS probabilities
    FROM runs, generate_series(1, ?) AS c(clip)
    ORDER BY finished, run
"""


class Seconds(NamedTuple):
    """Medians of the time on the clock and of the processor time."""

    clock: float
    processor: float


def measure(path: Path) -> dict[str, Seconds]:
    """What each query takes."""
    scenario_file = path.with_name("many.yaml")
    scenario_file.write_text(SCENARIO, encoding="utf-8")
    scenario = load_scenario(scenario_file)
    return {
        YARDSTICK: _median(lambda: Store(path, read_only=True)),
        "one study's profiles": _median(lambda: _profiles(path)),
        "every profile, without measurements": _median(lambda: _outlines(path)),
        "advise on one study": _median(lambda: _advise(scenario, path)),
    }


def _profiles(path: Path) -> list[Profile]:
    with reading(path) as snapshot:
        return snapshot.profiles(study=STUDY)


def _outlines(path: Path) -> list[Profile]:
    with reading(path) as snapshot:
        return snapshot.outlines()


def _advise(scenario: Scenario, path: Path) -> Decision:
    """The decision as `trustser advise` makes it."""
    with reading(path) as snapshot:
        found = snapshot.with_measurements(needed(scenario.spec.evidence, snapshot.outlines()))
    return advise(scenario, found)


def _median(query: Callable[[], object]) -> Seconds:
    clock, processor = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter(), time.process_time()
        query()
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return Seconds(statistics.median(clock), statistics.median(processor))


def main() -> None:
    """Fill a database, time the queries, print milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=PREDICTIONS)
    predictions = parser.parse_args().predictions
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.duckdb"
        fill(path, predictions)
        size = path.stat().st_size
        found = measure(path)
    print(f"{STUDIES} studies of {len(BACKBONES)} backbones, {predictions:,} predictions, ", end="")
    print(f"{size / 2**20:.0f} MiB; medians of {ROUNDS}")
    print(f"  {'':36} {'clock':>9}    {'processor':>9}")
    for name, seconds in found.items():
        ratio = seconds.clock / found[YARDSTICK].clock
        print(
            f"  {name:36} {1e3 * seconds.clock:9.1f} ms {1e3 * seconds.processor:9.1f} ms"
            f" {ratio:8.1f} x"
        )


if __name__ == "__main__":
    main()
