"""No command reaches for the network, but for weights that were asked for, and then only the hub.

Python itself reports every look-up and every connection to the hook below, in the command's own
process and in all its workers, whichever library makes them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

HOOK = """
import sys

def refuse(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    with open({log!r}, "a", encoding="utf-8") as log:
        log.write(f"{{host}}\\n")
    raise OSError("no network in this test")

sys.addaudithook(refuse)
"""

QUICK = (
    "--folds 1 --seeds 1 --epochs 1 --set probe_epochs=1 --set pgd_clips=1 --set snr_curve_db=[]"
)
LOCAL = (
    f"profile --backbone fbank --dataset demo --db a.duckdb --workers 1 {QUICK}",
    "profiles list --db a.duckdb",
    "profiles export a.parquet --db a.duckdb",
    "report --db a.duckdb -o profiles.html",
    "advise edge -o edge.html",
    "verify edge.html",
    "diff edge.html edge.html",
    "validate edge",
    "backbones --no-counts",
    "backbones whisper_tiny apc",
    "datasets",
    "datasets check demo",
)


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """The file in which every process started under `_environment` notes whom it asks for."""
    log = tmp_path / "asked.txt"
    (tmp_path / "hook").mkdir()
    hook = HOOK.format(log=str(log))
    (tmp_path / "hook" / "sitecustomize.py").write_text(hook, encoding="utf-8")
    log.touch()
    return log


def _environment(folder: Path) -> dict[str, str]:
    """Empty caches, no proxy, the hook in every Python, and nothing that forbids the hub."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("HF_", "TRANSFORMERS_"))
    }
    return kept | {
        "HOME": str(folder),
        "HF_HOME": str(folder / "hub"),
        "TRUSTSER_CACHE": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join([str(folder / "hook"), str(REPOSITORY)]),
    }


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def test_no_command_asks_anybody(tmp_path: Path, asked: Path) -> None:
    code = "from trustser.__main__ import run\n"
    code += "".join(f"assert run({command.split()!r}) == 0\n" for command in LOCAL)
    done = _run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert asked.read_text() == ""


def test_weights_that_are_asked_for_are_asked_of_the_hub_alone(tmp_path: Path, asked: Path) -> None:
    code = "import sys\nfrom trustser.__main__ import run\n"
    code += "sys.exit(run('profile --backbone whisper_tiny --weights pretrained'.split()))\n"
    done = _run(code, tmp_path)
    assert done.returncode == 2
    assert "openai/whisper-tiny" in done.stderr
    assert set(asked.read_text().split()) == {"huggingface.co"}
