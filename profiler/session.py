"""Several backbones through one study, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from profiler.backbones.load import load
from profiler.machine import pick_device
from profiler.pipeline.engines.choose import Choice, EngineName
from profiler.pipeline.plan import BackboneSpec
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
    workers: int | None,
    progress: Progress,
    allow_outside: bool = False,
    engine: EngineName = "local",
    ray_address: str | None = None,
    cache_limit: int | None = None,
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
    workers : int or None
        Worker processes; 0 for none, None to measure what is best (or for a whole cluster).
    progress : Progress
    allow_outside : bool, optional
        Whether a manifest may name files outside its own folder.
    engine : 'local' or 'ray', optional
    ray_address : str, optional
        The Ray cluster to join; one is started on this machine where none is named.
    cache_limit : int, optional
        Most bytes of features to keep; the rest is made anew whenever it is read.

    Returns
    -------
    list of Profile
        In the order of `backbones`.
    """
    choice = Choice(workers, engine, ray_address)
    where = pick_device(device)
    specs = [BackboneSpec(name, weights, weights_seed, where.type) for name in backbones]
    choice.prepare(backbones, where)
    for spec in specs:
        spec.load()
    study = open_study(
        dataset, data_root, protocol, progress, allow_outside=allow_outside, cache=cache
    )
    profiles = []
    for spec in specs:
        outcome = profile(
            study,
            spec,
            store,
            cache=cache,
            choice=choice,
            progress=progress,
            cache_limit=cache_limit,
        )
        if outcome.already_there:
            run = outcome.profile.run
            progress.say(f"{spec.name}: already profiled as run {run}, nothing to do")
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
