"""Fuzzing of the scenario reader by hand: with coverage as guide, or by many quick mutations.

    python -m tests.advisor.fuzz_scenarios guided FOLDER -runs=1000000 -timeout=2  # needs atheris
    python -m tests.advisor.fuzz_scenarios mutations 1000000 [SEED]

Whatever the bytes, they are a scenario or an error of `profiles_db.errors`, which names the file;
anything else, two seconds without an answer and more than 500 MB are findings. The shipped
scenarios are the seeds. Either way ends with the number of cases, the slowest one and the peak
memory.
"""

from __future__ import annotations

import importlib
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from profiles_db.errors import TrustserError

REPOSITORY = Path(__file__).resolve().parents[2]
SEEDS = (
    *sorted((REPOSITORY / "scenarios").glob("*.yaml")),
    REPOSITORY / "advisor/scenario/starter.yaml",
)
MOST_SECONDS = 2.0
MOST_MEBIBYTES = 500
TOKENS = ("priorities:", "requirements:", "criterion:", "at_least:", "at_most:", "budget:",
          "scales:", "evidence:", "extends: edge", "version: 1", "title:", "on_unknown: warn",
          "safety: high", "uar", "66 %", "5 GMAC", "40 ms", "&a", "*a", "!!str", "x-", "<<:",
          "\u0085", "\u2028", "\0", "1e999", ".nan", "---", "- ", "{", "}", "[", "]", "|", "?",
          "#", "\"", "'", "\n", "\n  ", "\t", ": ", ", ", "\\ud800", "0x", "~")  # fmt: skip
"""The language's words and signs, which a fuzzer would take long to find by itself."""


def read(reader: Any, path: Path, data: bytes) -> bool:
    """Whether `data` is a scenario; an error of another kind than the language's own gets out."""
    path.write_bytes(data)
    try:
        reader.load_scenario(path)
    except TrustserError as error:
        if path.name not in str(error):
            raise AssertionError("an error that does not say where") from error
        return False
    return True


def guided(folder: str, *options: str) -> None:
    """Fuzz with coverage as guide, with the fuzzer's own options."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["advisor"]):
        reader = importlib.import_module("advisor.scenario.loading")
    seeds = Path(folder)
    seeds.mkdir(parents=True, exist_ok=True)
    if not any(seeds.iterdir()):
        for file in SEEDS:
            shutil.copy(file, seeds)
    scratch = Path(tempfile.mkdtemp())
    words = scratch / "words"
    quoted = ("".join(f"\\x{byte:02x}" for byte in token.encode()) for token in TOKENS)
    words.write_text("".join(f'"{token}"\n' for token in quoted), encoding="ascii")
    fixed = [f"-rss_limit_mb={MOST_MEBIBYTES}", "-print_final_stats=1", f"-dict={words}"]
    path = scratch / "fuzz.yaml"
    atheris.Setup([sys.argv[0], folder, *fixed, *options], lambda data: read(reader, path, data))
    atheris.Fuzz()


def mutations(cases: str, seed: str = "0") -> None:
    """Read so many scenarios with a few places changed at random."""
    reader = importlib.import_module("advisor.scenario.loading")
    draw = random.Random(int(seed))  # noqa: S311
    texts = [file.read_bytes() for file in SEEDS]
    valid, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        for _ in range(int(cases)):
            data = mutated(draw.choice(texts), draw)
            start = time.process_time()  # others on this machine do not count
            valid += read(reader, path, data)
            slowest = max(slowest, time.process_time() - start)
            if slowest > MOST_SECONDS:
                raise AssertionError(f"{slowest:.1f} s for {data!r}")
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{cases} cases, {valid} of them valid, the slowest {1e3 * slowest:.0f} ms, "
        f"peak memory {mebibytes:.0f} MiB\n"
    )
    if mebibytes > MOST_MEBIBYTES:
        raise AssertionError("too much memory")


def mutated(data: bytes, draw: random.Random) -> bytes:
    """`data` with one to six random changes."""
    for _ in range(draw.randint(1, 6)):
        data = draw.choice(_CHANGES)(data, draw)
    return data


def _insert(data: bytes, draw: random.Random) -> bytes:
    place = draw.randint(0, len(data))
    return data[:place] + draw.choice(TOKENS).encode() + data[place:]


def _flip(data: bytes, draw: random.Random) -> bytes:
    place = draw.randint(0, len(data))
    return data[:place] + bytes([draw.randint(0, 255)]) + data[place + 1 :]


def _cut(data: bytes, draw: random.Random) -> bytes:
    start = draw.randint(0, len(data))
    return data[:start] + data[start + draw.randint(0, 80) :]


def _repeat(data: bytes, draw: random.Random) -> bytes:
    start = draw.randint(0, len(data))
    part = data[start : start + draw.randint(0, 80)]
    return data[:start] + part * draw.choice((2, 3, 9)) + data[start:]


def _swap(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _insert,
    _flip,
    _cut,
    _repeat,
    _swap,
)


if __name__ == "__main__":
    (guided if sys.argv[1] == "guided" else mutations)(*sys.argv[2:])
