"""Whether the optional dependencies of a command are installed."""

from __future__ import annotations

import importlib.util

from profiles_db.errors import MissingExtraError

PROFILE_MODULES = ("torch", "torchaudio", "transformers", "s3prl", "fvcore", "soundfile", "soxr")


def require_profile(command: str) -> None:
    """Raise `MissingExtraError` unless everything that measuring needs is installed."""
    missing = [name for name in PROFILE_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"needs {', '.join(missing)}, not installed here",
            where=f"trustser {command}",
            remedy='install it with: pip install "trustser[profile]"',
        )
