"""Coverage-guided fuzzing of the scenario reader, by hand (needs atheris).

    python -m tests.advisor.fuzz_scenarios CORPUS_FOLDER -runs=1000000 -timeout=2

Whatever the bytes, they are a scenario or an error of `profiles_db.errors`, which names the file;
anything else, two seconds without an answer (`-timeout`) and more than 500 MB (`-rss_limit_mb`)
are findings. The shipped scenarios are the seeds, where CORPUS_FOLDER is empty. The fuzzer ends
with the number of cases, the seconds of the slowest one and the peak memory.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

from profiles_db.errors import TrustserError

REPOSITORY = Path(__file__).resolve().parents[2]

TOKENS = ("priorities:", "requirements:", "criterion:", "at_least:", "at_most:", "budget:",
          "scales:", "evidence:", "extends: edge", "version: 1", "title:", "on_unknown: warn",
          "safety: high", "uar", "66 %", "5 GMAC", "40 ms", "&a", "*a", "!!str", "x-", "<<:",
          "\\xc2\\x85", "\\xe2\\x80\\xa8", "\\x00", "1e999", ".nan", "---")  # fmt: skip
"""The language's words, which a fuzzer would take long to find by itself."""


def main(arguments: list[str]) -> None:
    """Fuzz the reader with the fuzzer's own options."""
    folder, *options = arguments
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["advisor"]):
        scenario = importlib.import_module("advisor.scenario")
    _seed(Path(folder))
    scratch = Path(tempfile.mkdtemp())
    words = scratch / "words"
    words.write_text("".join(f'"{token}"\n' for token in TOKENS), encoding="ascii")
    path = scratch / "fuzz.yaml"

    def once(data: bytes) -> None:
        path.write_bytes(data)
        try:
            scenario.load_scenario(path)
        except TrustserError as error:
            if "fuzz.yaml" not in str(error):
                raise AssertionError("an error that does not say where") from error

    fixed = ["-rss_limit_mb=500", "-print_final_stats=1", f"-dict={words}"]
    atheris.Setup([sys.argv[0], folder, *fixed, *options], once)
    atheris.Fuzz()


def _seed(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    for file in (*(REPOSITORY / "scenarios").glob("*.yaml"), REPOSITORY / "advisor/starter.yaml"):
        shutil.copy(file, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
