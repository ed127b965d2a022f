"""Recordings to answers: each heard in turn, and one that cannot be heard stops no other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from profiler.corpora.audio import load_clip, open_clip
from profiler.deployment.recogniser import Answer, Recogniser
from profiler.deployment.recordings import (
    STDIN,
    Piece,
    Windows,
    clip_piece,
    file_blocks,
    listed,
    stream_blocks,
    window_pieces,
)
from profiler.settings import SAMPLE_RATE
from profiles_db.errors import AudioError


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a recording, or of a part of it.

    Parameters
    ----------
    file : str
        As it was named; `-` for standard input.
    start, end : float or None
        Of the part heard, in seconds; None where nothing of the recording could be heard.
    answer : Answer or None
    unknown : str or None
        Why there is no answer.
    more : bool
        Whether the recording goes on, and the rest is not heard.
    seconds : float or None
        That encoder and heads took.
    error : AudioError or None
        Where the recording could not be heard; the recording ends here.
    """

    file: str
    start: float | None = None
    end: float | None = None
    answer: Answer | None = None
    unknown: str | None = None
    more: bool = False
    seconds: float | None = None
    error: AudioError | None = None


def predict(
    recogniser: Recogniser,
    inputs: Sequence[str],
    *,
    stdin: BinaryIO,
    windows: Windows | None = None,
    sample_rate: int | None = None,
) -> Iterator[Said]:
    """Answers to recordings, one by one as they are known.

    Parameters
    ----------
    recogniser : Recogniser
    inputs : sequence of str
        Files, folders of them, and `-` for standard input.
    stdin : binary file
    windows : Windows, optional
        If not given, the first part of each recording is heard, as long as the recogniser's clips.
    sample_rate : int, optional
        Of raw samples on standard input; if not given it is a WAV.

    Raises
    ------
    InputError
        As `listed`.
    """
    for name in listed(inputs):
        try:
            for piece in _pieces(recogniser, name, stdin, windows, sample_rate):
                yield _said(recogniser, name, piece)
        except AudioError as error:
            yield Said(name, unknown=error.what, error=error)


def _pieces(
    recogniser: Recogniser,
    name: str,
    stdin: BinaryIO,
    windows: Windows | None,
    sample_rate: int | None,
) -> Iterator[Piece]:
    shortest, longest = recogniser.shortest, recogniser.longest
    if windows is None and name != STDIN:
        yield _first_part(recogniser, Path(name))
        return
    where = "standard input" if name == STDIN else name
    blocks = stream_blocks(stdin, sample_rate, where) if name == STDIN else file_blocks(Path(name))
    if windows is None:
        yield clip_piece(blocks, shortest=shortest, longest=longest, where=where)
    else:
        yield from window_pieces(blocks, windows, shortest=shortest, where=where)


def _first_part(recogniser: Recogniser, path: Path) -> Piece:
    """The clip that training would have made of a file."""
    seconds = recogniser.config.audio.longest_seconds
    clip = load_clip(path, seconds=seconds, min_samples=recogniser.shortest)
    return Piece(
        0, clip.size, clip, more=clip.size == recogniser.longest and _goes_on(path, seconds)
    )


def _goes_on(path: Path, seconds: float) -> bool:
    import soundfile  # noqa: PLC0415 - only metadata is read without it

    with open_clip(path) as handle, soundfile.SoundFile(handle.fileno(), closefd=False) as sound:
        return bool(sound.frames > seconds * sound.samplerate + 1)


def _said(recogniser: Recogniser, name: str, piece: Piece) -> Said:
    start, end = piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE
    if piece.samples is None:
        return Said(name, start, end, unknown=piece.unknown)
    begun = time.perf_counter()
    answer = recogniser.answer(piece.samples)
    return Said(name, start, end, answer, more=piece.more, seconds=time.perf_counter() - begun)
