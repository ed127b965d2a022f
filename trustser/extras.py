"""Whether the optional dependencies of a command are installed."""

from __future__ import annotations

import importlib.util
import sys

from profiles_db.errors import MissingExtraError

PROFILE_MODULES = ("torch", "torchaudio", "transformers", "s3prl", "fvcore", "soundfile", "soxr")


def is_installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return module in sys.modules or importlib.util.find_spec(module) is not None


def require_pdf(command: str) -> None:
    """Raise `MissingExtraError` unless what writes PDF is installed."""
    if not is_installed("fpdf"):
        raise MissingExtraError(
            "needs fpdf2, not installed here",
            where=f"trustser {command} --pdf",
            remedy='install it with: pip install "trustser[pdf]"',
        )


def require_profile(command: str) -> None:
    """Raise `MissingExtraError` unless everything that measuring needs is installed."""
    missing = [name for name in PROFILE_MODULES if not is_installed(name)]
    if missing:
        raise MissingExtraError(
            f"needs {', '.join(missing)}, not installed here",
            where=f"trustser {command}",
            remedy='install it with: pip install "trustser[profile]"',
        )
