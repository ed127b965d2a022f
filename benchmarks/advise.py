"""How long `trustser advise` takes from the shell, and the choice itself, as ratios in one run.

Run it with `python -m benchmarks.advise`. Each command is timed in turn, round by round, so that a
busy moment of the machine falls on all alike; medians are compared. The yardstick is
`python -c "import duckdb, matplotlib"`: no report can be made for less.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from advisor import advise, load_scenario
from advisor.evidence.gathering import gather

ROUNDS = 9
SCENARIO = "cloud"


def command_seconds(commands: dict[str, Sequence[str]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median wall time of each command in seconds, taken in turn."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def decision_seconds(rounds: int = ROUNDS) -> float:
    """Median wall time of one decision in this process, 10,000 draws included."""
    scenario = load_scenario(SCENARIO)
    evidence = gather(scenario)
    taken = []
    for seed in range(rounds):
        start = time.perf_counter()
        advise(scenario, evidence, seed=seed)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure() -> dict[str, float]:
    """All times in seconds, and the two ratios."""
    python = sys.executable
    with tempfile.TemporaryDirectory() as folder:
        report = str(Path(folder) / "report.html")
        seconds = command_seconds(
            {
                "import duckdb, matplotlib": [python, "-c", "import duckdb, matplotlib"],
                "advise --json": [python, "-m", "trustser", "advise", SCENARIO, "--json"],
                "advise": [python, "-m", "trustser", "advise", SCENARIO, "-o", report],
            }
        )
    yardstick = seconds["import duckdb, matplotlib"]
    return {
        **seconds,
        "decision alone": decision_seconds(),
        "ratio of advise --json to the imports": seconds["advise --json"] / yardstick,
        "ratio of advise to the imports": seconds["advise"] / yardstick,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=2) + "\n")
