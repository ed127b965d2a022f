"""Several backbones through one study, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.backbones.load import load
from profiler.machine import pick_device
from profiler.progress import Progress
from profiler.protocol import Protocol
from profiler.run import profile, profile_costs
from profiler.study import open_study
from profiles_db.profile import Profile
from profiles_db.store import Store


def profile_all(
    backbones: Sequence[str],
    dataset: str,
    data_root: Path | None,
    protocol: Protocol,
    store: Store,
    *,
    weights: str,
    weights_seed: int,
    cache: Path,
    device: str,
    progress: Progress,
) -> list[Profile]:
    """Profile each of `backbones`; every weight is loaded once before any work begins.

    Parameters
    ----------
    backbones : sequence of str
    dataset : str
    data_root : Path or None
    protocol : Protocol
    store : Store
    weights : str
        `pretrained`, `random`, or a path.
    weights_seed : int
        Seed of random weights.
    cache : Path
    device : str
        `auto`, `cpu` or `cuda`.
    progress : Progress

    Returns
    -------
    list of Profile
        In the order of `backbones`.
    """
    where = pick_device(device)
    for name in backbones:
        load(name, weights, weights_seed)
    root = cache / "demo" if dataset == "demo" and data_root is None else data_root
    study = open_study(dataset, root, protocol, progress)
    profiles = []
    for name in backbones:
        backbone = load(name, weights, weights_seed, where)
        outcome = profile(
            study, backbone, store, cache=cache / "features", device=where, progress=progress
        )
        if outcome.already_there:
            progress.say(f"{name}: already profiled as run {outcome.profile.run}, nothing to do")
        profiles.append(outcome.profile)
    return profiles


def profile_all_costs(
    backbones: Sequence[str],
    store: Store,
    *,
    weights: str,
    device: str,
    progress: Progress,
) -> list[Profile]:
    """Sustainability of each of `backbones` on this device, without a corpus."""
    where = pick_device(device)
    loaded = [load(name, weights, device=where) for name in backbones]
    return [
        profile_costs(backbone, store, device=where, progress=progress).profile
        for backbone in loaded
    ]
