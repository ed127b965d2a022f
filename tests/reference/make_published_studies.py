"""Makes what stands under `figures` in `profiles_db/published/{emobox,superb,ser-tests}.yaml`.

The figures come from tables that hold them as printed: `emobox_intra.csv` (dataset, model, ua, wa,
f1 in percent), `superb_2022.csv` (model, params, er_acc, sid_acc, sv_eer) and `ser_tests.csv.gz`
(condition, model, test, metric, data, column, value). Their folder is named as the argument:

    python -m tests.reference.make_published_studies FOLDER

The heads of the files, down to `figures:`, are written by hand and stay as they are.
"""

from __future__ import annotations

import csv
import gzip
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

PUBLISHED: Final = Path(__file__).resolve().parents[2] / "profiles_db" / "published"
_FIGURES: Final = "figures:\n"
_WIDTH: Final = 100

Cells = dict[tuple[str, str, str], str]
"""Figure as printed, by measure, corpus and name of the encoder in the source."""


def main(folder: Path) -> None:
    """Write the three files anew."""
    for name in READERS:
        path = PUBLISHED / f"{name}.yaml"
        path.write_text(made(name, folder), encoding="utf-8")


def made(name: str, folder: Path) -> str:
    """The text of a study's file: its head as it stands, and the figures of the table."""
    text = (PUBLISHED / f"{name}.yaml").read_text(encoding="utf-8")
    head = text[: text.index("\n" + _FIGURES) + 1 + len(_FIGURES)]
    study = yaml.safe_load(head)
    return head + "".join(_lines(study, READERS[name](study, folder)))


def _lines(study: Mapping[str, Any], cells: Cells) -> Iterator[str]:
    rows = sorted({(measure, corpus) for measure, corpus, _ in cells})
    last = None
    for measure, corpus in rows:
        if measure != last:
            yield f"  {measure}:\n"
            last = measure
        called = [e["called"] for e in study["encoders"].values()]
        here = {name for m, c, name in cells if (m, c) == (measure, corpus)}
        groups = {e.get("group") for e in study["encoders"].values() if e["called"] in here}
        if len(groups) != 1 or not here <= set(called):
            raise SystemExit(f"{measure}, {corpus}: encoders {sorted(here)} of groups {groups}")
        (group,) = groups
        names = {
            key: e["called"] for key, e in study["encoders"].items() if e.get("group") == group
        }
        left_out = study["unknown"].get(corpus, {})
        values = [
            "null" if key in left_out else cells[measure, corpus, name]
            for key, name in names.items()
        ]
        yield from _wrapped(f"    {corpus}: [", values)


def _wrapped(start: str, values: Iterable[str]) -> Iterator[str]:
    line = start
    for value in values:
        piece = f"{value}, "
        if len(line) + len(piece) > _WIDTH:
            yield line.rstrip() + "\n"
            line = "      "
        line += piece
    yield line.removesuffix(", ") + "]\n"


def _emobox(study: Mapping[str, Any], folder: Path) -> Cells:
    corpora = {entry["title"]: name for name, entry in study["corpora"].items()}
    cells: Cells = {}
    with (folder / "emobox_intra.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for measure, column in (("uar", "ua"), ("accuracy", "wa"), ("macro_f1", "f1")):
                cells[measure, corpora[row["dataset"]], row["model"]] = row[column]
    return cells


def _superb(_study: Mapping[str, Any], folder: Path) -> Cells:
    cells: Cells = {}
    columns = (
        ("accuracy", "iemocap", "er_acc"),
        ("parameters", "iemocap", "params"),
        ("speaker_identification_accuracy", "voxceleb1", "sid_acc"),
        ("trained_speaker_eer", "voxceleb1", "sv_eer"),
    )
    with (folder / "superb_2022.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for measure, corpus, column in columns:
                cells[measure, corpus, row["model"]] = row[column]
    return cells


_METRICS: Final = (
    (r"unweighted-average-recall", "uar"),
    (r"unweighted-average-precision", "uap"),
    (r"unweighted-average-recall-(female|male)", r"uar_difference/\1"),
    (r"concordance-correlation-coeff", "ccc"),
    (r"pearson-correlation-coeff", "pearson"),
    (r"mean-absolute-error", "mean_absolute_error"),
    (r"concordance-correlation-coeff-(female|male)", r"ccc_difference/\1"),
    (r"change-(uar|ccc)-(.+)", r"change_\1/\2"),
    (r"percentage-unchanged-predictions-(.+)", r"unchanged/\1"),
)
_TESTS: Final = ("correctness_classification", "correctness_regression", "fairness_sex")


def _ser_tests(study: Mapping[str, Any], folder: Path) -> Cells:
    corpora = {data: name for name, c in study["corpora"].items() for data in c["data"]}
    cells: Cells = {}
    with gzip.open(folder / "ser_tests.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["test"] not in _TESTS and not row["test"].startswith("robustness_"):
                continue
            measure = _measure(row["metric"], row["test"])
            if measure is None:
                continue
            target = "" if row["condition"] == "emotion" else f"{row['condition']}/"
            key = (f"{target}{measure}", corpora[row["data"]], row["model"])
            if key in cells:
                raise SystemExit(f"two figures of {key}")
            cells[key] = row["value"]
    return cells


def _measure(metric: str, test: str) -> str | None:
    """Name of the measure; None for what is kept by single class or bin.

    White noise is added twice: at 35 to 45 dB as a small change, at 20 dB as background noise.
    """
    for pattern, name in _METRICS:
        match = re.fullmatch(pattern, metric)
        if match:
            found = match.expand(name).replace("-", "_")
            small = found == "unchanged/white_noise" and test == "robustness_small_changes"
            return "unchanged/faint_white_noise" if small else found
    return None


READERS: Final[dict[str, Callable[[Mapping[str, Any], Path], Cells]]] = {
    "emobox": _emobox,
    "superb": _superb,
    "ser-tests": _ser_tests,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
