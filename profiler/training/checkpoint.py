"""Where heads in training are kept between epochs, so that a killed run goes on from there.

One file per head, written atomically, with a checksum; a damaged one, or one of other
clips, is as if it were not there.
"""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from profiler.training.learner import Learner
from profiles_db.files import make_folder, open_regular, replacing

SECONDS_BETWEEN: Final = 5.0
"""At most so much training is done again; writing more often would cost more than it saves."""
_CHECKSUM_BYTES: Final = 4


class StateFiles:
    """States of learners in files.

    Parameters
    ----------
    files : mapping from learner to Path
    clips : str
        Digest of the clips in their order: positions mean nothing without it.
    seconds : float, optional
        Least time between two writes.
    clock : callable, optional
    """

    def __init__(
        self,
        files: Mapping[Learner, Path],
        clips: str,
        *,
        seconds: float = SECONDS_BETWEEN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._clips, self._seconds, self._clock = files, clips, seconds, clock
        self._written = clock()
        self._kept: dict[Learner, int] = {}
        for learner, file in files.items():
            state = _read(file)
            if state is not None and state["clips"] == clips:
                learner.resume(state["learner"])

    def keep(self) -> None:
        """Write the states that changed, unless it was done just now."""
        if self._clock() - self._written < self._seconds:
            return
        for learner, file in self._files.items():
            if self._kept.get(learner) != learner.epoch:
                _write(file, {"clips": self._clips, "learner": learner.state()})
                self._kept[learner] = learner.epoch
        self._written = self._clock()


def _write(path: Path, state: Mapping[str, Any]) -> None:
    content = io.BytesIO()
    torch.save(dict(state), content)
    body = content.getvalue()
    make_folder(path.parent)
    with replacing(path) as part:
        part.write_bytes(zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") + body)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with open_regular(path) as stream:
            content = stream.read()
    except FileNotFoundError:
        return None
    checksum, body = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    if not body or int.from_bytes(checksum, "big") != zlib.crc32(body):
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return state
