"""Made `fairness_holisticai.json`: stored answers, and what holisticai computes from them.

TrustSER's code pins holisticai 0.3.0, whose package asks for Python below 3.11. So it was not
installed: the wheel of 0.3.0 (`pip download --no-deps --python-version 3.10 --only-binary=:all:
holisticai==0.3.0`) was unpacked into a folder, and its two functions, which need numpy and pandas
only, were run by Python 3.11 from there:

    PYTHONPATH=.:FOLDER python -m tests.reference.make_fairness_reference

holisticai 1.0.14, unpacked likewise, gave the same values to the last digit.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("fairness_holisticai.json")
CLASSES = ("neutral", "happy", "sad", "angry")
Answer = tuple[int, str, str, str, str]
"""Fold, speaker, gender, true class, predicted class."""


def main() -> None:
    """Write the answers and the figures."""
    metrics = importlib.import_module("holisticai.bias.metrics")
    answers = _answers()
    folds = sorted({fold for fold, *_ in answers})
    values = {
        "folds": [_figures(metrics, [a for a in answers if a[0] == fold]) for fold in folds],
        "all folds together": _figures(metrics, answers),
    }
    written = [",".join(map(str, answer)) for answer in answers]
    text = json.dumps({"classes": CLASSES, "answers": written, "values": values}, indent=0)
    FILE.write_text(text + "\n", encoding="utf-8")


def _answers() -> list[Answer]:
    """24 speakers in 5 folds, of whom the women's anger is heard as happiness more often."""
    rng = np.random.default_rng(2023)
    found: list[Answer] = []
    for speaker in range(24):
        gender = "male" if speaker % 2 else "female"
        for clip in range(16):
            true = CLASSES[clip % 4]
            shares = np.full(4, 0.15)
            shares[clip % 4] += 0.4
            if (gender, true) == ("female", "angry"):
                shares += np.array([0.0, 0.2, 0.0, -0.2])
            predicted = CLASSES[int(rng.choice(4, p=shares))]
            found.append((speaker // 5 + 1, f"{speaker:02}", gender, true, predicted))
    return found


def _figures(metrics: Any, answers: list[Answer]) -> dict[str, float]:
    """The reference's two figures, called as its code calls them."""
    _, _, gender, true, predicted = (np.array(column) for column in zip(*answers, strict=True))
    return {
        "multiclass_equality_of_opp": float(
            metrics.multiclass_equality_of_opp(gender, predicted, true, aggregation_fun="max")
        ),
        "multiclass_statistical_parity": float(
            metrics.multiclass_statistical_parity(gender, predicted, aggregation_fun="max")
        ),
    }


if __name__ == "__main__":
    main()
