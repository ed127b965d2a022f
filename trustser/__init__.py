"""Choose a speech encoder for emotion recognition on five aspects of trust.

The functions here do what the command line does; `import trustser` alone loads none of what they
need.

Examples
--------
>>> import trustser
>>> trustser.advise("edge").choice
'whisper_tiny'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from advisor.decision import Decision
    from profiles_db.errors import (
        AudioError,
        CacheError,
        CheckpointError,
        CorpusError,
        EngineError,
        EvidenceError,
        InputError,
        MeasuringError,
        MissingExtraError,
        OutputError,
        ScenarioError,
        StoreBusyError,
        StoreError,
        TrustserError,
    )
    from profiles_db.measurement import Measurement
    from profiles_db.profile import Profile
    from trustser.api import (
        advise,
        choose,
        export_model,
        load_model,
        measure,
        open,
        profile,
        write_report,
    )
    from trustser.database import Database
    from trustser.staged_choice import Chosen

__version__ = "0.1.0"

__all__ = [
    "AudioError",
    "CacheError",
    "CheckpointError",
    "Chosen",
    "CorpusError",
    "Database",
    "Decision",
    "EngineError",
    "EvidenceError",
    "InputError",
    "Measurement",
    "MeasuringError",
    "MissingExtraError",
    "OutputError",
    "Profile",
    "ScenarioError",
    "StoreBusyError",
    "StoreError",
    "TrustserError",
    "__version__",
    "advise",
    "choose",
    "export_model",
    "load_model",
    "measure",
    "open",
    "profile",
    "write_report",
]

_HOME: Final = {
    "Chosen": "trustser.staged_choice",
    "Database": "trustser.database",
    "Decision": "advisor.decision",
    "Measurement": "profiles_db.measurement",
    "Profile": "profiles_db.profile",
    **dict.fromkeys(
        (
            "advise",
            "choose",
            "export_model",
            "load_model",
            "measure",
            "open",
            "profile",
            "write_report",
        ),
        "trustser.api",
    ),
}
"""In which module a public name is; errors are in `profiles_db.errors`."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(_HOME.get(name, "profiles_db.errors")), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
