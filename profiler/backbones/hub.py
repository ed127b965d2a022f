"""Where a checkpoint's files come from: the Hugging Face cache, then the hub itself.

The only place that reaches the network, and only for the repository the user asked for. It asks
the hub once, with a short time-out and no retries, so that a machine without network is told at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from profiler.backbones.printable import printable
from profiles_db.errors import CheckpointError

CONFIG: Final = "config.json"
WEIGHTS_FILES: Final = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""The weights of a transformers folder, the first that is there counts; an index names shards."""

TIMEOUT_SECONDS: Final = 5

# Nothing but the weights is asked for: the client would also look up who might be calling it.
constants.HF_HUB_DISABLE_TELEMETRY = True

# The hub's own errors derive from those of the HTTP client it is built on, whichever that is;
# a connection that fails raises the client's base, which may not be an OSError.
_REFUSALS: Final[tuple[type[Exception], ...]] = (
    OSError,
    HFValidationError,
    *HfHubHTTPError.__bases__,
)


def missing(checkpoint: str, reason: str) -> CheckpointError:
    """The error for a checkpoint that is nowhere to be had, with the ways on."""
    return CheckpointError(
        f"checkpoint {checkpoint} is missing: {reason}",
        remedy=(
            "give --weights PATH, fill the Hugging Face cache, "
            "or use --weights random for a dry run"
        ),
    )


def weights_file(folder: Path) -> Path | None:
    """The file of `folder` that holds, or indexes, the weights; None where there is none."""
    files = (folder / name for name in WEIGHTS_FILES)
    return next((file for file in files if file.is_file()), None)


def folder_of(hub_id: str, weights: bool = True) -> Path:
    """Local folder with the repository's configuration and, unless told not to, its weights.

    Raises
    ------
    CheckpointError
        Where neither the cache nor the hub has it.
    """
    cached = cached_file(hub_id, CONFIG)
    if cached and (not weights or weights_file(cached.parent)):
        return cached.parent
    return _asked(hub_id, lambda: _download(hub_id, weights))


def file_of(hub_id: str, name: str) -> Path:
    """Local path of one file of a repository, from the cache or the hub.

    Raises
    ------
    CheckpointError
        Where neither the cache nor the hub has it.
    """
    return cached_file(hub_id, name) or _asked(hub_id, lambda: _download_file(hub_id, name))


def cached_file(hub_id: str, name: str) -> Path | None:
    """The file in the Hugging Face cache, or None."""
    found = try_to_load_from_cache(hub_id, name)
    return Path(found) if isinstance(found, str) else None


def _asked(hub_id: str, fetch: Callable[[], Path]) -> Path:
    """What `fetch` returns, once the hub has answered that it knows the repository."""
    try:
        return fetch()
    except _REFUSALS as error:
        _refuse(hub_id, error)


def _refuse(hub_id: str, error: Exception) -> NoReturn:
    answer = printable(str(error)) or type(error).__name__
    reason = f"it is not in the Hugging Face cache, and the hub gave: {answer}"
    raise missing(hub_id, reason) from error


def _listed(hub_id: str) -> set[str]:
    """Names of the repository's files; one request without retries, so it fails at once."""
    info: Any = HfApi().model_info(hub_id, timeout=TIMEOUT_SECONDS)
    return {sibling.rfilename for sibling in info.siblings or ()}


def _download_file(hub_id: str, name: str) -> Path:
    if name not in _listed(hub_id):
        raise missing(f"{hub_id}/{name}", "the repository has no such file")
    return Path(hf_hub_download(hub_id, name, etag_timeout=TIMEOUT_SECONDS))


def _download(hub_id: str, weights: bool) -> Path:
    names = _listed(hub_id)
    if CONFIG not in names:
        raise missing(hub_id, f"the repository has no {CONFIG}")
    wanted = [CONFIG, *(_weights_names(hub_id, names) if weights else ())]
    paths = [hf_hub_download(hub_id, name, etag_timeout=TIMEOUT_SECONDS) for name in wanted]
    return Path(paths[0]).parent


def _weights_names(hub_id: str, names: set[str]) -> list[str]:
    """The weights of the first format that the repository has, with the shards it indexes."""
    chosen = next((name for name in WEIGHTS_FILES if name in names), None)
    if chosen is None:
        raise missing(hub_id, f"the repository has none of {', '.join(WEIGHTS_FILES)}")
    if not chosen.endswith(".index.json"):
        return [chosen]
    stem, ending = chosen.removesuffix(".index.json").split(".")
    shards = (n for n in names if n.startswith(f"{stem}-") and n.endswith(f".{ending}"))
    return [chosen, *sorted(shards)]
