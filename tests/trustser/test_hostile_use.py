"""Hostile use of every command: the exit code and the line of each try, and never a traceback.

A new command cannot come without rows in the table.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from profiler.corpora.registry import CORPORA
from profiles_db.errors import CheckpointError
from profiles_db.store import Store
from tests.conftest import REPOSITORY
from tests.reference.make_schema_fixture import fill
from trustser.__main__ import run
from trustser.app import app

FOLDER = "cannot be written: it is a folder"
NOT_REGULAR = "not a regular file"
PROFILE = "profile --backbone fbank --db new.duckdb --cache cache"
CHOOSE = "choose --db new.duckdb --cache cache"

# (command, exit code, what the first line on standard error holds; of the output where code 0 or 1)
CASES: tuple[tuple[str, int, str], ...] = (
    # Output paths that name folders.
    *((f"advise edge -o {path}", 2, FOLDER) for path in ("''", ".", "/", "folder")),
    *(
        (f"advise edge --json {option} {path}", 2, FOLDER)
        for option in ("--pdf", "--card")
        for path in ("''", "folder")
    ),
    ("advise edge --json --pdf missing/x.pdf", 2, "cannot be written"),
    ("advise edge --json --card plain.txt/x.md", 2, "cannot be written"),
    ("advise edge -o x.html --pdf folder/../x.html", 2, "one file for two outputs"),
    *((f"report --db ok.duckdb -o {path}", 2, FOLDER) for path in ("''", ".", "/", "folder")),
    *((f"schema -o {path}", 2, FOLDER) for path in ("''", ".", "/", "folder")),
    *((f"init --force {path}", 2, FOLDER) for path in ("''", ".", "/", "folder")),
    *((f"init {path}", 2, "there is a file already") for path in ("''", ".", "/", "folder")),
    *(
        (f"profiles export {path} --format csv --db ok.duckdb", 2, FOLDER)
        for path in ("''", ".", "/", "folder")
    ),
    ("profiles export . --format parquet --db ok.duckdb", 2, FOLDER),
    *(
        (f"db backup --force {path} --db ok.duckdb", 2, FOLDER)
        for path in ("''", ".", "/", "folder")
    ),
    ("db backup ok.duckdb --force --db ok.duckdb", 2, "there is a file already"),
    *((f"db migrate --db {path}", 2, "no such database") for path in ("''", "folder", "pipe")),
    ("db migrate --db plain.txt", 2, "cannot be opened"),
    ("measure fbank --db missing.duckdb", 2, "no such"),
    ("measure nope --db ok.duckdb", 2, "no run or backbone is called 'nope'"),
    ("measure fbank --db ok.duckdb --measures nope --recompute", 2, "no measure is called 'nope'"),
    ("measure fbank --db ok.duckdb --recompute --set fairness.resamples=1", 2, "greater than"),
    ("measure fbank --db ok.duckdb --recompute --set safety.snr_db=40", 2, "other rows would be"),
    ("measure fbank --db ok.duckdb --measures safety", 2, "by a release that did not note how"),
    ("measure fbank --db ok.duckdb --set safety.snr_db=40", 2, "did not note how"),
    ("measure fbank --db ok.duckdb --test-on demo", 2, "generalisation is not measured"),
    ("measure fbank --db ok.duckdb --recompute --test-on demo", 2, "needs sound"),
    *(
        (f"{PROFILE} --measures generalisation --test-on {name}", 2, words)
        for name, words in (
            ("''", "names no corpus"), ("manifest=pipe", NOT_REGULAR), ("nope=x", "no corpus"),
            ("manifest=/dev/zero", NOT_REGULAR), ("manifest=loop", "no such"),
            ("ravdess=folder", "RAVDESS not found"), ("crema_d=plain.txt", "CREMA-D not found"),
            ("$'manifest=a\\x1b'", "no such"),
        )
    ),
    *(
        (f"{PROFILE} --measures generalisation --test-on demo --label-map {path}", 2, words)
        for path, words in (
            ("pipe", NOT_REGULAR), ("/dev/zero", NOT_REGULAR), ("folder", "is a folder"),
            ("empty", "holds no map"), ("nul", "not YAML"), ("utf16", "not UTF-8"),
            ("bomb.yaml", "anchor 'a'"), ("deep.yaml", "more than 20 levels"),
        )
    ),
    (f"{PROFILE} --measures nope", 2, "no measure is called 'nope'"),
    (f"{PROFILE} --measures ,", 2, "names no measure"),
    (f"{PROFILE} --measures safety --only sustainability", 2, "names measures twice"),
    (f"{PROFILE} --set safety.nope=1", 2, "no setting is called 'safety.nope'"),
    (f"{PROFILE} --set training=3", 2, "no setting is called 'training'"),
    (f"{CHOOSE} edge --dataset demo", 2, "no candidate is named"),
    (f"{CHOOSE} nope --dataset demo --backbone fbank", 2, "no such file or shipped scenario"),
    (f"{CHOOSE} pipe --dataset demo --backbone fbank", 2, NOT_REGULAR),
    (f"{CHOOSE} edge --dataset demo --backbone fbank --budget soon", 2, "no duration"),
    (f"{CHOOSE} edge --dataset demo --backbone fbank --budget 0h", 2, "no duration"),
    (f"{CHOOSE} edge --dataset demo --backbone fbank --confidence 1", 2, "confidence 1"),
    (f"{CHOOSE} edge --dataset demo --backbone fbank --confidence nan", 2, "confidence nan"),
    (f"{CHOOSE} edge --dataset nonsense --backbone fbank", 2, "nonsense"),
    (f"{CHOOSE} edge --dataset demo --backbone fbank --set nope.x=1", 2, "no setting is called"),
    *(
        (f"reproduce --db new.duckdb {rest}", 2, words)
        for rest, words in (
            ("nonsense", "no published study called 'nonsense'"),
            ("emobox", "emobox: was measured under a protocol"),
            ("--backbones ''", "--backbones: trustser-2023 has no figure of ''"),
            ("--backbones apc --criteria nope", "--criteria: trustser-2023 has no figure of"),
            ("--data-root nope=x", "--data-root: 'nope=x' names no corpus"),
            ("--data-root crema_d=", "names no corpus"),
            ("--data-root crema_d=folder", "CREMA-D not found"),
            ("--data-root crema_d=pipe", "CREMA-D not found"),
            ("--data-root $'iemocap=a\x1b[31m'", "IEMOCAP not found"),
            ("--data-root crema_d=folder --data-root crema_d=folder", "named twice"),
            ("--weights folder", "cannot be the weights of 7 encoders"),
            ("--protocol pipe", NOT_REGULAR),
            ("--set nope.x=1", "no setting is called"),
        )
    ),
    *(
        (f"export-model fbank -o x --db {path}", 2, words)
        for path, words in (
            ("missing.duckdb", "no such"), ("pipe", NOT_REGULAR), ("/dev/zero", NOT_REGULAR),
            ("folder", "is a folder"), ("plain.txt", "cannot be opened"),
        )
    ),
    ("export-model nope -o x --db ok.duckdb", 2, "no run or backbone is called 'nope'"),
    ("export-model '' -o x --db ok.duckdb", 2, "no run or backbone is called ''"),
    ("export-model fbank -o x --db ok.duckdb", 2, "has no heads to export"),
    ("export-model fbank --db ok.duckdb", 2, "output"),
    ("predict folder plain.txt", 2, "folder/config.json: no such file"),
    ("predict deep plain.txt", 2, "nested too deep"),
    ("predict fifo plain.txt", 2, NOT_REGULAR),
    ("predict other plain.txt", 2, "is no exported recogniser"),
    ("predict '' plain.txt", 2, "no such file"),
    *((f"predict {path} plain.txt", 2, "no such folder")
      for path in ("pipe", "loop", "/dev/zero", "missing/recogniser", "$'a\\x1b[31m'")),
    ("predict nope plain.txt --db ok.duckdb", 2, "no run or backbone is called 'nope'"),
    ("predict fbank plain.txt --db ok.duckdb", 2, "has no heads to export"),
    ("predict fbank plain.txt --db pipe", 2, NOT_REGULAR),
    ("predict folder plain.txt --hop 1", 2, "--hop: is given without a window"),
    ("predict folder", 2, "inputs"),
    ("advise edge -o missing/x.html", 2, "cannot be written"),
    ("advise edge -o plain.txt/x.html", 2, "cannot be written"),
    # Files that are none, or never end.
    *((f"advise {path}", 2, NOT_REGULAR) for path in ("/dev/zero", "pipe")),
    ("advise folder", 2, "is a folder"),
    ("advise loop", 2, "no such file"),
    *((f"validate {path}", 2, NOT_REGULAR) for path in ("/dev/zero", "pipe")),
    ("validate empty", 2, "no mapping"),
    ("validate nul", 2, "not YAML"),
    ("validate utf16", 2, "not UTF-8"),
    *((f"verify {path}", 2, NOT_REGULAR) for path in ("/dev/zero", "pipe")),
    ("verify folder", 2, "is a folder"),
    ("verify loop", 2, "cannot be read"),
    ("verify empty", 2, "no decision inside"),
    ("verify huge", 2, "holds more than 20 MiB"),
    *((f"diff {path} {path}", 2, NOT_REGULAR) for path in ("/dev/zero", "pipe")),
    ("diff folder folder", 2, "is a folder"),
    ("diff loop empty", 2, "cannot be read"),
    ("diff empty empty", 2, "no decision inside"),
    ("diff plain.txt plain.txt", 2, "no decision inside"),
    ("diff huge empty", 2, "holds more than 20 MiB"),
    ("diff brace.json brace.json", 2, "not a decision of this program"),
    ("diff object.json object.json", 2, "not a decision of this program"),
    ("diff utf16 utf16", 2, "not UTF-8"),
    ("diff empty", 2, "Missing argument"),
    *(
        (f"{command} --db {path}", 2, NOT_REGULAR)
        for command in ("profiles list", "profiles show x", "profiles compare", "report",
                        "db check", "profiles export x.csv", "db backup copy.duckdb")
        for path in ("/dev/zero", "pipe")
    ),
    ("profiles list --db folder", 2, "is a folder"),
    ("profiles list --db plain.txt", 2, "cannot be opened"),
    ("profiles list --db loop", 2, "no such database"),
    ("profiles list --db ''", 2, "is a folder"),
    ("profiles show '' --db ok.duckdb", 2, "no run or backbone is called ''"),
    ("profiles compare --study '' --db ok.duckdb", 2, "no study is called ''"),
    ("db check --db plain.txt", 1, "cannot be opened"),
    ("advise measured.yaml --db pipe", 2, NOT_REGULAR),
    ("backbones deep --no-counts", 2, "nested too deep"),
    ("backbones fifo --no-counts", 2, NOT_REGULAR),
    ("backbones '' --no-counts", 2, "unknown backbone"),
    ("backbones $'a\\nb' --no-counts", 2, "unknown backbone"),
    ("studies nonsense", 2, "no published study called 'nonsense'"),
    ("studies ''", 2, "no published study called ''"),
    ("studies ../../etc/passwd", 2, "no published study called"),
    ("studies $'a\\nb'", 2, "no published study called"),
    ("studies --encoder ''", 2, "no study has ''"),
    ("studies emobox --corpus $'a\\x1b[31m'", 2, "no study has"),
    ("studies superb --encoder whisper_tiny", 2, "no study has 'whisper_tiny'"),
    ("studies --json", 0, r"\["),
    ("studies emobox --encoder hubert_base --corpus iemocap", 0, "EmoBox within corpora"),
    ("datasets check manifest --data-root /dev/zero", 2, NOT_REGULAR),
    ("datasets check manifest --data-root pipe", 2, NOT_REGULAR),
    ("datasets check manifest --data-root huge", 2, "line contains NUL|field larger|not CSV"),
    ("datasets check manifest --data-root empty", 2, "no column"),
    ("datasets check manifest --data-root utf16", 2, "no column"),
    ("datasets check manifest --data-root ratings.csv", 2, "'9' does not lie in 1 to 7"),
    ("datasets check manifest --data-root alone.csv", 2, "ratings alone cannot be profiled"),
    ("datasets check nonsense", 2, "nonsense"),
    ("datasets --json", 0, r"\["),
    # Settings and numbers.
    *((f"{PROFILE} --protocol {path}", 2, NOT_REGULAR) for path in ("/dev/zero", "pipe")),
    (f"{PROFILE} --protocol bomb.yaml", 2, "bomb.yaml:1:4: anchor 'a'"),
    (f"{PROFILE} --protocol deep.yaml", 2, "more than 20 levels"),
    (f"{PROFILE} --set learning_rate=inf", 2, "finite"),
    (f"{PROFILE} --set weight_decay=.nan", 2, "weight_decay"),
    (f"{PROFILE} --set base_seed=99999999999999999999", 2, "less than or equal to"),
    (f"{PROFILE} --set epochs=true", 2, "no numbers"),
    (f"{PROFILE} --set =1", 2, "no setting is called ''"),
    (f"{PROFILE} --weights random --weights-seed 99999999999999999999", 2, "weights-seed"),
    (f"{PROFILE} --weights random --weights-seed -1", 2, "weights-seed"),
    (f"{PROFILE} --epochs -1", 2, "--epochs"),
    (f"{PROFILE} --workers -1", 2, "--workers"),
    (f"{PROFILE} --cache-limit nonsense", 2, "--cache-limit"),
    (f"{PROFILE} --cache-limit -1GB", 2, "--cache-limit"),
    *(
        (f"{PROFILE} --set robustness.{name}={path}", 2, why)
        for name in ("background", "rooms")
        for path, why in (
            ("missing", "is no folder"), ("plain.txt", "is no folder"), ("pipe", "is no folder"),
            ("/dev/zero", "is no folder"), ("loop", "is no folder"), ("folder", "holds no sounds"),
            ("sounds", "holds no sounds"), ("'\"\"'", "an empty text names no folder"),
        )
    ),
    ("profile --backbone fbank --db pipe", 2, NOT_REGULAR),
    ("profile --backbone fifo --db new.duckdb", 2, NOT_REGULAR),
    ("profile --backbone '' --db new.duckdb", 2, "unknown backbone"),
    *(
        (f"{command} {name}", 2, words)
        for command in ("backbones --no-counts",
                        "profile --weights random --db new.duckdb --cache cache --backbone")
        for name, words in (
            ("whisper_tiny@0", "whisper_tiny@0: '0' is no number of layers"),
            ("whisper_tiny@x", "whisper_tiny@x: 'x' is no number of layers"),
            ("whisper_tiny@", "'' is no number of layers"),
            ("whisper_tiny@99", "whisper_tiny has no depth 99"),
            ("whisper_tiny@4", "1 to 3; whisper_tiny alone is all 4 layers"),
            ("whisper_tiny@99999999999999999999", "no number of layers"),
            ("$'whisper_tiny@\\n1'", "no number of layers"),
            ("fbank@2", "fbank has no transformer layers to leave out"),
            ("apc@1", "apc has no transformer layers to leave out"),
            ("@1", "unknown backbone '@1'"),
            ("whisper_tiny+last9", "whisper_tiny has no last 9 layers to tune"),
            ("whisper_tiny@2+last3", "whisper_tiny@2 has no last 3 layers to tune"),
            ("whisper_tiny+last0", "whisper_tiny\\+last0: '0' names no layers to tune"),
            ("whisper_tiny+last1@2", "unknown backbone 'whisper_tiny\\+last1'"),
            ("+last1", "unknown backbone '\\+last1'"),
        )
    ),
    *(
        (f"profile --weights random --db new.duckdb --cache cache {rest}", 2, words)
        for rest, words in (
            ("--backbone whisper_tiny --depths ''", "--depths: '' is no number of layers"),
            ("--backbone whisper_tiny --depths 2,,3", "--depths: '' is no number of layers"),
            ("--backbone whisper_tiny --depths two", "--depths: 'two' is no number of layers"),
            ("--backbone whisper_tiny --depths 0", "--depths: '0' is no number of layers"),
            ("--backbone whisper_tiny --depths 9", "whisper_tiny has no depth 9"),
            ("--backbone whisper_tiny@2 --depths 1", "names a depth already"),
            ("--backbone fbank --depths all", "fbank has no transformer layers"),
            ("--backbone fbank --depths all --only sustainability", "no transformer layers"),
            ("--backbone whisper_tiny --tune ''", "--tune: '' names no layers to tune"),
            ("--backbone whisper_tiny --tune 2", "--tune: '2' names no layers to tune"),
            ("--backbone whisper_tiny --tune last:-1", "'last:-1' names no layers to tune"),
            ("--backbone whisper_tiny --tune last:0", "'last:0' names no layers to tune"),
            ("--backbone whisper_tiny --tune last:99", "has no last 99 layers to tune"),
            ("--backbone whisper_tiny+last1 --tune all", "names its tuned layers already"),
            ("--backbone fbank --tune all --only sustainability", "no transformer layers to tune"),
            ("--backbone egemaps --tune last:1", "egemaps has no transformer layers to tune"),
            ("--backbone whisper_tiny --tune all --set tune_learning_rate=0", "greater than 0"),
        )
    ),
    ("measure fbank --db missing.duckdb", 2, "no such file"),
    ("measure '' --db ok.duckdb", 2, "no run or backbone is called ''"),
    ("measure whisper_tiny@2 --db ok.duckdb", 2, "no run or backbone is called 'whisper_tiny@2'"),
    ("advise edge --seed -1", 2, "seed"),
    ("advise edge --seed 99999999999999999999", 2, "seed"),
    ("advise edge --made-at yesterday", 2, "no time"),
    ("advise edge --json --markdown", 2, "together"),
    ("report --made-at '' --db ok.duckdb", 2, "no time"),
    ("schema nonsense", 2, "unexpected extra argument"),
    ("cache list --cache plain.txt", 2, "plain.txt"),
    ("cache list --cache missing", 2, "missing"),
    ("cache prune --cache missing --limit 1GB", 2, "missing"),
    ("cache prune --cache folder", 2, "exactly one"),
    ("cache prune --cache folder --limit nan", 2, "--limit"),
    ("cache verify --cache plain.txt", 2, "plain.txt"),
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hostile files."""
    place = tmp_path_factory.mktemp("hostile")
    store = Store(place / "ok.duckdb")
    fill(store)
    for name in ("folder", "deep", "fifo"):
        (place / name).mkdir()
    os.mkfifo(place / "pipe")
    (place / "sounds").mkdir()
    os.mkfifo(place / "sounds" / "endless.wav")
    (place / "sounds" / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(place / "fifo" / "config.json")
    (place / "deep" / "config.json").write_text("[" * 100_000)
    (place / "other").mkdir()
    (place / "other" / "config.json").write_text('{"model_type": "whisper"}')
    (place / "loop").symlink_to("loop")
    (place / "plain.txt").write_text("no such thing")
    (place / "brace.json").write_text("{" * 100_000)
    (place / "object.json").write_text("{}")
    (place / "empty").touch()
    (place / "nul").write_bytes(b"a: \0\n")
    (place / "ratings.csv").write_text("path,speaker,label,valence:1-7\na.wav,s,happy,9\n")
    (place / "alone.csv").write_text("path,speaker,valence\na.wav,s,0.5\n")
    (place / "utf16").write_text("version: 1\n", encoding="utf-16")
    with (place / "huge").open("wb") as file:
        file.truncate(2**26)
    (place / "bomb.yaml").write_text("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    (place / "deep.yaml").write_text("epochs: " + "[" * 3000)
    (place / "measured.yaml").write_text(
        "version: 1\ntitle: M\npriorities: {system_performance: high}\nevidence: measured\n"
    )
    return place


def _words(command: str) -> list[str]:
    """As a shell splits it; `$'...'` holds escapes."""
    text = re.sub(
        r"\$'(.*?)'", lambda m: shlex.quote(m[1].encode().decode("unicode_escape")), command
    )
    return shlex.split(text)


def _commands(command: object, words: tuple[str, ...] = ()) -> Iterator[str]:
    """The names of all commands that do something."""
    inner = getattr(command, "commands", {})
    if not inner or (words and getattr(command, "invoke_without_command", False)):
        yield " ".join(words)
    for name, one in inner.items():
        yield from _commands(one, (*words, name))


def test_no_command_is_left_out() -> None:
    known = list(_commands(typer.main.get_command(app)))
    assert len(known) > 15
    for name in known:
        assert any(f"{case[0]} ".startswith(f"{name} ") for case in CASES), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_hostile_use_is_one_line_and_an_exit_code(
    case: tuple[str, int, str],
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, code, expected = case
    monkeypatch.chdir(place)
    signal.alarm(60)  # what waits for a pipe would wait for ever
    try:
        found = run(_words(command))
    finally:
        signal.alarm(0)
    captured = capsys.readouterr()
    assert found == code, captured.err
    text = captured.err if code == 2 else captured.out
    first = text.splitlines()[0]
    assert re.search(expected, first), first
    assert code != 2 or first.startswith("trustser: ")
    assert "Traceback" not in captured.err + captured.out
    assert not list(place.glob(".*.part"))


def test_hostile_checkpoints_are_one_line(place: Path) -> None:
    from profiler.backbones.checkpoint import read_config, read_tensors  # noqa: PLC0415 - torch

    found = {"fifo": NOT_REGULAR, "deep": "nested too deep"}
    for folder, expected in found.items():
        with pytest.raises(CheckpointError, match=expected):
            read_config(place / folder)
    for ending in (".bin", ".safetensors"):
        link = place / f"weights{ending}"
        link.symlink_to("/dev/zero")
        with pytest.raises(CheckpointError, match=NOT_REGULAR):
            read_tensors(link)


# What needs a process of its own: streams, locale, names that are no UTF-8.
SHELL: tuple[tuple[str, int, str], ...] = (
    ("$T datasets >&-", 0, ""),
    ("$T nonsense >&- 2>&- <&-", 2, ""),
    ("$T datasets --json | true; exit ${PIPESTATUS[0]}", 141, ""),
    ("$T datasets | true; exit ${PIPESTATUS[0]}", 141, ""),
    ("$T datasets > /dev/full", 2, "No space left on device"),
    ("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 $T datasets >/dev/null", 0, ""),
    ("PYTHONIOENCODING=latin-1 $T advise edge --markdown >/dev/null", 0, ""),
    ("HOME=/proc/none XDG_CONFIG_HOME= XDG_CACHE_HOME= MPLCONFIGDIR= "
     "$T advise edge -o home.html >/dev/null", 0, ""),
    ("$T advise $'caf\\xe9.yaml' -o $'caf\\xe9.html' > /dev/null && $T verify $'caf\\xe9.html'", 0,
     ""),
    ("$T profiles list --db $'caf\\xe9.duckdb'", 2, r"caf\\udce9.duckdb: no such database"),
    ("$T validate $'a\\x1b[31m.yaml'", 2, r"a\\x1b\[31m.yaml: no such file"),
)  # fmt: skip


@pytest.mark.parametrize("case", SHELL, ids=lambda case: case[0])
def test_streams_locales_and_names(case: tuple[str, int, str], place: Path) -> None:
    command, code, expected = case
    shutil.copy(REPOSITORY / "scenarios" / "edge.yaml", place / os.fsdecode(b"caf\xe9.yaml"))
    done = subprocess.run(
        ["bash", "-c", command.replace("$T", f"{shlex.quote(sys.executable)} -m trustser")],
        check=False,
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        timeout=120,
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert "matplotlib" not in said.lower()
    assert len(said.splitlines()) == (1 if expected else 0), said
    assert re.search(expected, said)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_json_is_the_same_in_every_encoding(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trustser", "datasets", "--json"],
        check=True,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    found = json.loads(done.stdout.decode("utf-8" if encoding == "ascii" else encoding))
    assert [one["licence"] for one in found] == [info.licence for info in CORPORA.values()]
    assert [one["title"] for one in found] == [info.title for info in CORPORA.values()]
