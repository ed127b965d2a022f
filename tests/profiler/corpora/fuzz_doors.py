"""Coverage-guided fuzzing of the manifest reader and the audio door, by hand (needs atheris).

    python -m tests.profiler.corpora.fuzz_doors manifest CORPUS_FOLDER -runs=1000000 -timeout=2
    python -m tests.profiler.corpora.fuzz_doors audio CORPUS_FOLDER -runs=100000 -timeout=2

Whatever the bytes, each either reads them or raises an error of `profiles_db.errors`; anything
else, two seconds without an answer (`-timeout`) and more than 500 MB (`-rss_limit_mb`) are
findings. Seeds are written to CORPUS_FOLDER where it is empty.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from profiles_db.errors import TrustserError

Door = Callable[[Path], object]


def main(arguments: list[str]) -> None:
    """Fuzz one door with the fuzzer's own options."""
    name, folder, *options = arguments
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["profiler.corpora", "profiler.corpora.audio", "csv"]):
        door = _DOORS[name]()
    _seed(Path(folder), name)
    path = Path(tempfile.mkdtemp()) / "input"

    def once(data: bytes) -> None:
        path.write_bytes(data)
        try:
            door(path)
        except TrustserError as error:
            if "\n" in str(error):
                raise AssertionError("an error of more than one line") from error

    atheris.Setup([sys.argv[0], folder, "-rss_limit_mb=500", *options], once)
    atheris.Fuzz()


def _manifest() -> Door:
    return importlib.import_module("profiler.corpora.manifest").read  # type: ignore[no-any-return]


def _audio() -> Door:
    audio = importlib.import_module("profiler.corpora.audio")
    return lambda path: audio.load_clip(path, seconds=6.0)


_DOORS: dict[str, Callable[[], Door]] = {"manifest": _manifest, "audio": _audio}


def _seed(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    if name == "manifest":
        rows = "".join(f'"{s}{e}.wav",{s},{e},f,1,train\n' for s in "abcd" for e in "xy")
        header = "path,speaker,label,gender,session,split\n"
        (folder / "seed").write_text(header + rows, encoding="utf-8")
        return
    trees = importlib.import_module("tests.profiler.corpora.trees")
    soundfile = importlib.import_module("soundfile")
    tone = soundfile.read(trees.write_tone(folder / "seed.wav", seconds=0.1))[0]
    for kind in ("FLAC", "OGG", "AIFF", "AU", "CAF", "W64"):
        soundfile.write(folder / f"seed.{kind}", tone, 16_000, format=kind)


if __name__ == "__main__":
    main(sys.argv[1:])
