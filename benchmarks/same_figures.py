"""Whether this checkout gives the rows, figures and decisions of another revision.

Run it with `python -m benchmarks.same_figures REVISION`, where the code was moved or rewritten and
no figure may change. Both revisions profile the demo corpus (and the first fold of RAVDESS, where
`--ravdess FOLDER` says where it lies) with FBANK and with Whisper Tiny at random weights, and
decide every shipped scenario. Both do it here and now, so nothing depends on the processor. Rows
may differ by rounding (`TOLERANCE`), figures and decisions not in any digit that is printed.

Latency, memory, times, names of runs and studies and the versions of file formats are left out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb

from profiles_db.criteria import CRITERIA, format_value
from profiles_db.measurement import DETAILS
from profiles_db.row_tables import row_tables
from profiles_db.store import Store

TOLERANCE: Final = 1e-5
"""Difference of a probability, loss, score or weight that is rounding."""
TIMED: Final = frozenset({"latency_p50", "latency_p95", "real_time_factor", "memory"})
"""Criteria that no two runs share."""
LEFT_OUT: Final = frozenset(
    {"run", "study", "source", "seconds", "started", "finished", "provenance", "device"}
)
SHOWN: Final = 20
"""Differences that are printed."""

Row: TypeAlias = tuple[Any, ...]


def profile(checkout: Path, folder: Path, ravdess: Path | None) -> list[Path]:
    """Databases of the profiles that the code in `checkout` makes."""
    common = ["--backbone", "fbank", "--backbone", "whisper_tiny", "--weights", "random"]
    common += ["--seeds", "1", "--workers", "0", "--cache", str(folder / "cache")]
    runs = {"demo": ["--dataset", "demo", "--epochs", "5"]}
    if ravdess is not None:
        runs["ravdess"] = ["--dataset", "ravdess", "--data-root", str(ravdess), "--folds", "1"]
    databases = []
    for name, options in runs.items():
        database = folder / f"{name}.duckdb"
        _trustser(checkout, ["profile", *common, *options, "--db", str(database)])
        databases.append(database)
    return databases


def decisions(checkout: Path) -> dict[str, Any]:
    """Each shipped scenario's decision, without what names the program that made it."""
    found = {}
    for file in sorted((checkout / "scenarios").glob("*.yaml")):
        text = _trustser(checkout, ["advise", str(file), "--json"], good=(0, 3))
        decision = json.loads(text)
        for key in ("hash", "versions", "format"):
            decision.pop(key, None)
        found[file.stem] = decision
    return found


def rows(database: Path, table: str) -> tuple[list[str], list[Row]]:
    """Columns and sorted rows of a table, each with the backbone it belongs to."""
    with duckdb.connect(str(database), read_only=True) as connection:
        cursor = connection.execute(
            f"SELECT runs.backbone, t.* FROM {table} t JOIN runs USING (run)"  # noqa: S608
        )
        names = [column[0] for column in cursor.description]
        kept = [index for index, name in enumerate(names) if name not in LEFT_OUT]
        found = [tuple(row[index] for index in kept) for row in cursor.fetchall()]
    return [names[index] for index in kept], sorted(found, key=_texts)


def differences(before: Sequence[Path], after: Sequence[Path]) -> Iterator[str]:
    """What differs between the databases of two revisions, a line each."""
    for old, new in zip(before, after, strict=True):
        Store(old)  # an older revision's database is brought to today's schema
        for table in row_tables():
            yield from _rows_differ(f"{old.stem} {table}", rows(old, table), rows(new, table))
        yield from _figures_differ(old, new)


def _rows_differ(
    place: str, old: tuple[list[str], list[Row]], new: tuple[list[str], list[Row]]
) -> Iterator[str]:
    if sorted(old[0]) != sorted(new[0]):
        yield f"{place}: columns {old[0]} and {new[0]}"
        return
    order = [new[0].index(name) for name in old[0]]
    others = sorted((tuple(row[i] for i in order) for row in new[1]), key=_texts)
    if len(old[1]) != len(others):
        yield f"{place}: {len(old[1])} rows and {len(others)}"
        return
    for first, second in zip(old[1], others, strict=True):
        if not _alike(first, second):
            yield f"{place}: {first} and {second}"


def _figures_differ(old: Path, new: Path) -> Iterator[str]:
    first, second = _printed(old), _printed(new)
    for key in sorted(first.keys() | second.keys(), key=str):
        if first.get(key) != second.get(key):
            yield f"{old.stem} {key}: {first.get(key)} and {second.get(key)}"


def _printed(database: Path) -> dict[Row, Row]:
    """Every figure as it is printed, by backbone, criterion, fold and what tells it apart."""
    names, found = rows(database, "measurements")
    key = [names.index(name) for name in ("backbone", "criterion", "fold", *DETAILS)]
    values = [names.index(name) for name in ("value", "low", "high", "baseline")]
    rest = [names.index(name) for name in ("n", "unknown", "flags", "interval")]
    printed = {}
    for row in found:
        criterion = row[key[1]]
        if criterion not in TIMED:
            unit = CRITERIA[criterion].unit if criterion in CRITERIA else "ratio"
            shown = (None if row[i] is None else format_value(row[i], unit) for i in values)
            printed[tuple(row[i] for i in key)] = (*shown, *(row[i] for i in rest))
    return printed


def _texts(row: Row) -> list[str]:
    """What rows are sorted by: everything but the numbers that may be rounded."""
    return [str(value) for value in row if not isinstance(value, float | list | tuple)]


def _alike(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(_alike, first, second))
    return bool(first == second)


def _trustser(checkout: Path, arguments: Sequence[str], good: Sequence[int] = (0,)) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "trustser", *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in good:
        raise SystemExit(f"{checkout}: trustser {' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def main() -> None:
    """Compare, print what differs, and end with 1 where something does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", help="what git calls the revision to compare with")
    parser.add_argument("--ravdess", type=Path, help="folder of RAVDESS")
    given = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    ravdess = None if given.ravdess is None else given.ravdess.resolve()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        other = scratch / "checkout"
        git = ["git", "-C", str(here), "worktree"]
        subprocess.run([*git, "add", "--detach", str(other), given.revision], check=True)
        try:
            databases = []
            for checkout, place in ((other, "before"), (here, "after")):
                (scratch / place).mkdir()
                databases.append(profile(checkout, scratch / place, ravdess))
            found = list(differences(*databases))
            before, after = decisions(other), decisions(here)
            found += [
                f"decision {k}" for k in before.keys() | after if before.get(k) != after.get(k)
            ]
        finally:
            subprocess.run([*git, "remove", "--force", str(other)], check=True)
        counted = {
            table: sum(len(rows(database, table)[1]) for database in databases[1])
            for table in (*row_tables(), "measurements")
        }
    for line in found[:SHOWN]:
        sys.stdout.write(f"{line[:400]}\n")
    sys.stdout.write(f"{len(found)} differences; compared {counted} and {len(after)} decisions\n")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
