"""Texts spoken by eSpeak NG, a program of its own: the same words in one neutral voice.

A rule-based synthesiser on purpose: it reads every text alike, and knows nothing of emotion.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from profiler.settings import digest_of
from profiles_db.errors import AudioError, InputError, MissingExtraError
from profiles_db.files import make_folder, replacing

PROGRAM: Final = "espeak-ng"
PATIENCE_SECONDS: Final = 120
_UTF8: Final = "1"


@cache
def synthesiser() -> str:
    """Name and version of the program.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    if shutil.which(PROGRAM) is None:
        raise MissingExtraError(
            f"needs {PROGRAM}, not installed here",
            where="measure linguistic",
            remedy="install it with: apt install espeak-ng (Debian, Ubuntu), brew install "
            "espeak-ng (macOS); or leave linguistic out of --measures",
        )
    printed = _run(["--version"], "")
    found = re.search(r"text-to-speech:\s*(\S+)", printed.stdout.decode(errors="replace"))
    return f"eSpeak NG {found[1] if found else 'of unknown version'}"


@cache
def require_voice(voice: str) -> None:
    """Refuse a voice that the program does not have.

    Raises
    ------
    MissingExtraError
        If the program is not installed.
    InputError
        If it has no such voice.
    """
    synthesiser()
    if _run(["-v", voice, "-q", "--stdin"], "").returncode:
        raise InputError(
            f"{PROGRAM} has no voice {voice!r:.60}",
            where="linguistic.voice",
            remedy=f"list its voices with: {PROGRAM} --voices",
        )


def spoken(text: str, voice: str, folder: Path) -> Path:
    """The file with `text` spoken, made if it is not there.

    Its name is a digest of the program's version, the voice and the text.

    Raises
    ------
    MissingExtraError
        If the program is not installed.
    AudioError
        If there is nothing to speak in it.
    InputError
        If the program fails.
    """
    path = make_folder(folder) / f"{digest_of([synthesiser(), voice, text])}.wav"
    if path.exists():
        return path
    with replacing(path) as part:
        done = _run(["-v", voice, "-b", _UTF8, "--stdin", "-w", str(part)], text)
        if done.returncode == 0 and not part.exists():
            raise AudioError("holds no words to speak", where=repr(text[:60]))
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip() or f"code {done.returncode}"
            raise InputError(f"cannot speak {text!r:.60}: {said:.200}", where=PROGRAM)
    return path


def _run(arguments: list[str], text: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - no shell, and the text goes in by a pipe
            [shutil.which(PROGRAM) or PROGRAM, *arguments],
            input=text.encode(),
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"cannot be run: {error}", where=PROGRAM) from error
