"""What the command line does, as functions for Python.

Errors are `TrustserError` and name options as the command line does: each is a parameter of the
same name. What a function needs is loaded when it is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from profiles_db.errors import InputError

if TYPE_CHECKING:
    from advisor.decision import Decision
    from advisor.scenario.loading import Scenario
    from profiler.deployment.recogniser import Recogniser
    from profiler.progress import Progress
    from profiler.protocol import Protocol
    from profiles_db.profile import Profile
    from profiles_db.store import Store
    from trustser.database import Database
    from trustser.staged_choice import Chosen

PathLike: TypeAlias = str | os.PathLike[str]
EngineName: TypeAlias = Literal["local", "ray"]

DEFAULT_DB: Final = Path("trustser.duckdb")
COSTS: Final = ("sustainability",)
"""The measures that need neither corpus nor training."""


def profile(
    backbone: str | Sequence[str],
    dataset: str = "demo",
    *,
    data_root: PathLike | None = None,
    weights: str | None = None,
    measures: str | Sequence[str] = "default",
    settings: Mapping[str, Any] | None = None,
    protocol: PathLike | Protocol | None = None,
    db: PathLike = DEFAULT_DB,
    cache: PathLike | None = None,
    cache_limit: int | str | None = None,
    device: str = "auto",
    workers: int | None = None,
    engine: EngineName = "local",
    ray_address: str | None = None,
    weights_seed: int = 0,
    allow_outside: bool = False,
    depths: str | None = None,
    tune: str | None = None,
    test_on: Sequence[str] = (),
    label_map: PathLike | Mapping[str, Any] | None = None,
    progress: bool | Progress = False,
) -> list[Profile]:
    """Train heads on frozen backbones, measure them, and keep rows and figures in a database.

    As `trustser profile`: what is there already is not done again, what was interrupted goes on.
    Needs the extra `trustser[profile]`.

    Parameters
    ----------
    backbone : str or sequence of str
        Names, as `trustser backbones` lists them.
    dataset : str, optional
        A corpus, as `trustser datasets` lists them; `demo` is synthetic speech.
    data_root : path, optional
        Folder of the corpus, or the manifest's CSV file.
    weights : str, optional
        `pretrained`, `random` (an untrained stand-in), or a path. If not given `pretrained`, and
        `random` where sustainability alone is measured, which does not depend on them.
    measures : str or sequence of str, optional
        `default`, `all`, or names: performance, privacy, safety, fairness, sustainability, on
        request robustness, dimensional, dimensional_safety, groups, embeddings, data_amount,
        generalisation and linguistic, and those of other packages.
        `sustainability` alone needs no corpus.
    settings : mapping, optional
        Settings by name, such as ``{"training.epochs": 5}``, or by section and name.
    protocol : path or Protocol, optional
        A YAML file of settings, or all settings; `settings` win.
    db : path, optional
        DuckDB file that keeps the profiles; made if it is not there.
    cache : path, optional
        Folder of features and heads; if not given ``$TRUSTSER_CACHE`` or ``~/.cache/trustser``.
    cache_limit : int or str, optional
        Most bytes of features to keep, or text such as ``"20GB"``.
    device : str, optional
        `auto`, `cpu` or `cuda`.
    workers : int, optional
        Worker processes, 0 for none; measured and chosen if not given.
    engine : 'local' or 'ray', optional
        Where jobs run: this machine, or a Ray cluster.
    ray_address : str, optional
        ``HOST:PORT`` of a Ray cluster, or `auto`; if not given, one starts here.
    weights_seed : int, optional
        Seed of random weights.
    allow_outside : bool, optional
        Let a manifest name files outside its own folder.
    depths : str, optional
        `all`, or numbers of layers with commas: each a candidate beside the whole encoder.
    tune : str, optional
        `last:N` or `all`: train the last N transformer layers, or all, together with the head.
    test_on : sequence of str, optional
        Other corpora for the measure `generalisation`, each ``NAME=PATH``, or ``NAME`` where the
        corpus needs no path.
    label_map : path or mapping, optional
        Which class a label of these corpora counts as (None: left out), for all of them or by the
        name of the corpus; labels that it leaves out count as the class of their own name.
    progress : bool or Progress, optional
        Whether to show progress on standard error, or where it goes.

    Returns
    -------
    list of Profile
        One for each backbone and each of its depths, in their order. A part that could not be
        measured is unknown in it, with the reason, and named in its `failed`.

    Raises
    ------
    TrustserError
        Of the kind that says what is wrong: `InputError`, `CorpusError`, `CheckpointError`, ...

    Examples
    --------
    >>> import tempfile, trustser
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (found,) = trustser.profile(
    ...         "fbank",
    ...         measures="performance",
    ...         settings={
    ...             "study.folds": 1, "training.repetitions": 1, "training.epochs": 1
    ...         },
    ...         workers=0,
    ...         db=f"{folder}/profiles.duckdb",
    ...         cache=folder,
    ...     )
    >>> found.backbone, found.synthetic, found.pooled("uar").value > 0
    ('fbank', True, True)
    """
    from trustser.extras import require_profile  # noqa: PLC0415

    require_profile("profile")
    from profiler.cache_home import cache_home  # noqa: PLC0415
    from profiler.measures.registry import chosen  # noqa: PLC0415
    from profiler.protocol import Protocol, load_protocol  # noqa: PLC0415
    from profiler.session import profile_all, profile_all_costs  # noqa: PLC0415
    from profiles_db.store import Store  # noqa: PLC0415
    from trustser.other_corpora import with_other_corpora  # noqa: PLC0415

    shown = _progress(progress)
    all_settings = load_protocol(
        None if protocol is None or isinstance(protocol, Protocol) else Path(protocol),
        values=with_other_corpora(
            settings, measures, test_on, _map(label_map), allow_outside=allow_outside
        ),
        base=protocol if isinstance(protocol, Protocol) else None,
        say=shown.say,
    )
    wanted = chosen(_names(measures))
    limit = _bytes(cache_limit)
    backbones = [backbone] if isinstance(backbone, str) else list(backbone)
    store = Store(Path(db), on_wait=shown.say)
    if wanted == COSTS:
        return profile_all_costs(
            backbones,
            store,
            weights=weights or "random",
            device=device,
            progress=shown,
            depths=depths,
            tune=tune,
        )
    return profile_all(
        backbones,
        dataset,
        _path(data_root),
        all_settings,
        store,
        weights=weights or "pretrained",
        weights_seed=weights_seed,
        cache=_path(cache) or cache_home(),
        device=device,
        workers=workers,
        progress=shown,
        wanted=wanted,
        allow_outside=allow_outside,
        engine=engine,
        ray_address=ray_address,
        cache_limit=limit,
        depths=depths,
        tune=tune,
    )


def measure(
    name: str,
    *,
    measures: str | Sequence[str] | None = None,
    recompute: bool = False,
    settings: Mapping[str, Any] | Sequence[str] | None = None,
    db: PathLike = DEFAULT_DB,
    data_root: PathLike | None = None,
    weights: str | None = None,
    cache: PathLike | None = None,
    cache_limit: int | str | None = None,
    device: str = "auto",
    workers: int | None = None,
    test_on: Sequence[str] = (),
    label_map: PathLike | Mapping[str, Any] | None = None,
    allow_outside: bool = False,
    progress: bool | Progress = False,
) -> list[Profile]:
    """Measure finished runs further, with the heads that were trained, or recompute their figures.

    As `trustser measure`. To measure further needs the extra `trustser[profile]`.

    Parameters
    ----------
    name : str
        A run (or its first characters), or a backbone: then all its runs.
    measures : str or sequence of str, optional
        As in `trustser.profile`; if not given `default`, and with `recompute` those that each run
        was measured with.
    recompute : bool, optional
        Compute figures again from the stored rows: no sound, no weights, no torch.
    settings : mapping or sequence of str, optional
        Settings of these measures, such as ``{"robustness.gain_db": [3]}``, or texts
        ``SECTION.NAME=VALUE``. Others than the run has name a run of their own, of the same heads.
        With `recompute` those alone that rows suffice for, such as ``{"fairness.resamples": 500}``.
    db : path, optional
    data_root, weights : optional
        Where corpus and weights lie, if not where they lay.
    cache, cache_limit, device, workers, test_on, label_map, allow_outside, progress : optional
        As in `trustser.profile`; `allow_outside` is of the corpora that `test_on` names.

    Returns
    -------
    list of Profile
        The runs that were measured, as they are then. A part that could not be measured is
        unknown, and named in `failed`.

    Raises
    ------
    TrustserError
        Of the kind that says what is wrong.
    """
    from profiles_db.store import Store  # noqa: PLC0415
    from trustser.other_corpora import with_other_corpora  # noqa: PLC0415
    from trustser.stored_profiles import named  # noqa: PLC0415

    shown, path = _progress(progress), Path(db)
    if not path.exists():
        raise InputError("no such file", where=str(path), remedy="name it with --db")
    store = Store(path, on_wait=shown.say)
    runs = named(store.outlines(), [name], path)
    found = store.with_measurements(runs)
    values = settings if isinstance(settings, Mapping) else None
    texts = () if settings is None or isinstance(settings, Mapping) else settings
    if recompute and (test_on or label_map is not None):
        raise InputError(
            "needs sound", where="--test-on", remedy="leave out one of --recompute and --test-on"
        )
    values = with_other_corpora(
        values, measures, test_on, _map(label_map), allow_outside=allow_outside
    )

    def changed(stored: Protocol) -> Protocol:
        from profiler.protocol import load_protocol  # noqa: PLC0415

        return load_protocol(None, texts, values=values, say=shown.say, base=stored)

    if recompute:
        _recompute(found, store, measures, changed, shown)
        return store.with_measurements(runs)
    return _further(
        found,
        store,
        measures,
        cache=_path(cache),
        cache_limit=_bytes(cache_limit),
        data_root=_path(data_root),
        weights=weights,
        device=device,
        workers=workers,
        progress=shown,
        settings=changed if values or texts else None,
    )


def advise(
    scenario: PathLike | Mapping[str, Any],
    *,
    db: PathLike | None = None,
    profiles: Sequence[Profile] | None = None,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> Decision:
    """Choose a backbone for a scenario.

    As `trustser advise`; `trustser.write_report` writes its report.

    Parameters
    ----------
    scenario : path, str or mapping
        A scenario file, a shipped scenario's name, or what a scenario file would hold.
    db : path, optional
        DuckDB file with measured profiles, where the scenario weighs those; if not given
        ``trustser.duckdb``.
    profiles : sequence of Profile, optional
        Measured profiles at hand, in place of a database's.
    seed : int, optional
        Seed of the draws, 0 or above; the same seed gives the same decision.
    say : callable, optional
        Told in one line when a database is waited for, or is not read.

    Returns
    -------
    Decision
        Its `choice` is None where no candidate meets the requirements.

    Raises
    ------
    ScenarioError
        The scenario breaks the language, or does not fit the evidence.
    EvidenceError
        The evidence is missing, or not comparable.
    StoreError
        There is no such database, or it cannot be read.
    InputError
        The seed is out of range.

    Examples
    --------
    >>> import trustser
    >>> trustser.advise("critical").choice
    'wavlm_base_plus'
    >>> asked = {"version": 1, "title": "Small", "priorities": {"sustainability": "high"}}
    >>> trustser.advise(asked).ranking[0]
    'whisper_tiny'
    """
    from advisor.choosing import advise as decided  # noqa: PLC0415

    loaded = _scenario(scenario)
    if profiles is None:
        profiles = profiles_for(loaded, db, say)
    return decided(loaded, profiles, seed=seed)


def choose(
    scenario: PathLike | Mapping[str, Any],
    dataset: str,
    backbones: Sequence[str] | None = None,
    *,
    data_root: PathLike | None = None,
    weights: str = "pretrained",
    settings: Mapping[str, Any] | None = None,
    protocol: PathLike | Protocol | None = None,
    db: PathLike = DEFAULT_DB,
    cache: PathLike | None = None,
    cache_limit: int | str | None = None,
    device: str = "auto",
    workers: int | None = None,
    weights_seed: int = 0,
    allow_outside: bool = False,
    confidence: float = 0.95,
    budget: float | None = None,
    seed: int = 0,
    progress: bool | Progress = False,
) -> Chosen:
    """Measure backbones on a corpus only as far as a scenario's decision needs, and decide.

    As `trustser choose`. Candidates that a bound on costs excludes are not trained; the others are
    measured on few folds first, with the measures that the scenario weighs or bounds, and are left
    where they are once they cannot come out first. All runs are kept under the names that whole
    ones have, so that the same call, or `trustser.profile`, goes on from there. Needs the extra
    `trustser[profile]`.

    Parameters
    ----------
    scenario : path, str or mapping
        As in `trustser.advise`; what is measured here takes the place of its evidence.
    dataset : str
    backbones : sequence of str, optional
        The candidates; those that the scenario includes if not given.
    data_root, weights, settings, protocol, db, cache, cache_limit, device, workers : optional
        As in `trustser.profile`.
    weights_seed, allow_outside : optional
        As in `trustser.profile`.
    confidence : float, optional
        With which nobody is left out who, measured in full, would come out first; in (0, 1).
    budget : float, optional
        Seconds; nothing begins that would end later, as far as earlier stages tell.
    seed : int, optional
        Of the draws.
    progress : bool or Progress, optional

    Returns
    -------
    Chosen
        Its `decision` holds every candidate with the figures it has.

    Raises
    ------
    TrustserError
        Of the kind that says what is wrong.
    """
    from trustser.extras import require_profile  # noqa: PLC0415

    require_profile("choose")
    from advisor.choosing import MOST_SEED  # noqa: PLC0415
    from profiler.backbones.catalogue import resolve  # noqa: PLC0415
    from profiler.backbones.load import require_runs_on  # noqa: PLC0415
    from profiler.cache_home import cache_home  # noqa: PLC0415
    from profiler.machine import pick_device  # noqa: PLC0415
    from profiler.protocol import Protocol, load_protocol  # noqa: PLC0415
    from profiler.session import require_float32  # noqa: PLC0415
    from profiler.study import open_study  # noqa: PLC0415
    from profiles_db.store import Store  # noqa: PLC0415
    from trustser.staged_choice import Choosing, candidates_of, in_published_order  # noqa: PLC0415

    if not 0 <= seed <= MOST_SEED:
        raise InputError(f"seed {seed}", rule=f"0 to {MOST_SEED}")
    if not 0 < confidence < 1:
        raise InputError(f"confidence {confidence:g}", rule="between 0 and 1")
    shown = _progress(progress)
    loaded = _scenario(scenario)
    all_settings = load_protocol(
        None if protocol is None or isinstance(protocol, Protocol) else Path(protocol),
        values=settings,
        base=protocol if isinstance(protocol, Protocol) else None,
        say=shown.say,
    )
    where = _path(cache) or cache_home()
    candidates = in_published_order(loaded, candidates_of(loaded, backbones), shown)
    for name in candidates:  # so that what cannot be measured is told before any work
        resolve(name)
        require_runs_on(name, pick_device(device))
    require_float32(candidates, all_settings)
    study = open_study(
        dataset, _path(data_root), all_settings, shown, allow_outside=allow_outside, cache=where
    )
    options = {
        "dataset": dataset,
        "data_root": _path(data_root),
        "protocol": all_settings,
        "weights": weights,
        "weights_seed": weights_seed,
        "cache": where,
        "cache_limit": _bytes(cache_limit),
        "device": device,
        "workers": workers,
        "allow_outside": allow_outside,
    }
    store = Store(Path(db), on_wait=shown.say)
    return Choosing(
        loaded, candidates, study, store, options, confidence, budget, shown, seed
    ).run()


def write_report(
    of: Decision | Profile | Sequence[Profile],
    path: PathLike,
    *,
    made_at: str | None = None,
    db: PathLike | None = None,
) -> Path:
    """Write the report of a decision, or of profiles, as one self-contained HTML file.

    Parameters
    ----------
    of : Decision, Profile or sequence of Profile
    path : path
        The file to write; its folder must exist.
    made_at : str, optional
        Time that the report shows, as ISO 8601; now if not given.
    db : path, optional
        The database that the profiles are from: then its rows are drawn too, such as where the
        clips lie.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    EvidenceError
        If there is no profile.
    InputError
        If `made_at` is no time.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, trustser
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trustser.write_report(trustser.advise("edge"), f"{folder}/edge.html").name
    'edge.html'
    """
    from advisor.decision import Decision  # noqa: PLC0415
    from profiles_db.profile import Profile  # noqa: PLC0415
    from trustser.option_values import timestamp  # noqa: PLC0415

    target, when = Path(path), timestamp(made_at)
    if isinstance(of, Decision):
        from reports.advice import write_advice  # noqa: PLC0415 - draws pictures

        write_advice(of, target, made_at=when)
    else:
        from profiles_db.run_rows import run_rows  # noqa: PLC0415
        from profiles_db.snapshot import reading  # noqa: PLC0415
        from reports.profile import write_profile  # noqa: PLC0415

        profiles, rows = [of] if isinstance(of, Profile) else of, None
        if db is not None:
            with reading(Path(db)) as snapshot:
                rows = run_rows(snapshot, profiles)
        write_profile(profiles, target, made_at=when, rows=rows)
    return target


def export_model(
    name: str,
    folder: PathLike,
    *,
    db: PathLike = DEFAULT_DB,
    cache: PathLike | None = None,
    fold: int | None = None,
    repetition: int | None = None,
    weights: str | None = None,
    include_encoder: bool = False,
    onnx: bool = False,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Export what a run trained as a folder that `load_model` and `trustser predict` take.

    As `trustser export-model`: the heads, the encoder or what names it, all settings of what is
    heard, and a model card. Needs the extra `trustser[profile]`.

    Parameters
    ----------
    name : str
        A run (or its first characters), or a backbone that has one run.
    folder : path
        A new folder, an empty one, or an earlier export.
    db, cache : optional
        As in `trustser.profile`.
    fold : int, optional
        The heads of this fold alone, from 1; all folds' if not given.
    repetition : int, optional
        The heads of this repetition alone, from 0; all repetitions' if not given.
    weights : str, optional
        Where the encoder's weights lie, if not where they lay.
    include_encoder : bool, optional
        Whether weights from the hub go into the folder; those of this machine always do.
    onnx : bool, optional
        Whether to write an ONNX graph too; needs the extra `trustser[onnx]`.
    say : callable, optional
        Told in one line when a database is waited for, and what is to be known of the export.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    TrustserError
        Of the kind that says what is wrong: `InputError`, `CacheError`, `CheckpointError`,
        `OutputError`.
    """
    from trustser.exporting import assembled, card_of  # noqa: PLC0415 - loads torch

    target = Path(folder)
    recogniser, found = assembled(
        name,
        command="export-model",
        db=Path(db),
        cache=_path(cache),
        fold=fold,
        repetition=repetition,
        weights=weights,
        include_encoder=include_encoder,
        say=say,
    )
    from profiler.deployment.folder import write_folder  # noqa: PLC0415

    if say is not None and recogniser.config.warning is not None:
        say(recogniser.config.warning)
    write_folder(recogniser, target, card_of(found), onnx=onnx)
    return target


def load_model(folder: PathLike, *, device: str = "cpu") -> Recogniser:
    """The recogniser that `export_model` wrote, ready to `predict`.

    Needs neither database nor cache, but the extra `trustser[profile]`.

    Parameters
    ----------
    folder : path
    device : str, optional
        `auto`, `cpu` or `cuda`.

    Returns
    -------
    Recogniser
        ``recogniser.predict(waveform, sample_rate)`` answers with `predicted` and `probabilities`.
        `config.warning` is set where the encoder is untrained, and `temperature` is None where the
        probabilities are not calibrated.

    Raises
    ------
    CheckpointError
        Where the folder is no export, is damaged, or names weights that are not to be had.
    """
    from trustser.extras import require_profile  # noqa: PLC0415

    require_profile("predict")
    from profiler.deployment.folder import load_folder  # noqa: PLC0415 - loads torch
    from profiler.machine import pick_device  # noqa: PLC0415

    return load_folder(Path(folder), pick_device(device))


def open(db: PathLike = DEFAULT_DB, *, on_wait: Callable[[str], None] | None = None) -> Database:
    """A profile database to read from.

    Parameters
    ----------
    db : path, optional
    on_wait : callable, optional
        Told in one line when a run holds the file, which is waited for.

    Raises
    ------
    StoreError
        If the file is missing, no database, of another schema, damaged, or held too long.

    Examples
    --------
    >>> import tempfile, trustser
    >>> from profiles_db.store import Store
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(Path(folder) / "profiles.duckdb")
    ...     with trustser.open(store.path) as database:
    ...         len(database.profiles()), len(database.rows("predictions"))
    (0, 0)
    """
    from trustser.database import Database  # noqa: PLC0415 - DuckDB takes a while to load

    return Database(Path(db), on_wait=on_wait)


def _recompute(
    found: Sequence[Profile],
    store: Store,
    measures: str | Sequence[str] | None,
    settings: Callable[[Protocol], Protocol],
    progress: Progress,
) -> None:
    from profiler.measures.registry import chosen  # noqa: PLC0415
    from profiler.recompute import recompute  # noqa: PLC0415

    wanted = None if measures is None else chosen(_names(measures))
    with progress.stage("recomputing figures", len(found)) as stage:
        for one in found:
            outcome = recompute(one, store, wanted, settings=settings)
            for measure_name, reason in outcome.kept.items():
                progress.say(f"run {one.run}: {measure_name} stays as it is: {reason}")
            stage.advance()


def _further(
    found: Sequence[Profile],
    store: Store,
    measures: str | Sequence[str] | None,
    *,
    cache: Path | None,
    **options: Any,
) -> list[Profile]:
    from profiler.cache_home import cache_home  # noqa: PLC0415
    from profiler.from_rows import measure_rows, rows_suffice  # noqa: PLC0415
    from profiler.measures.registry import chosen  # noqa: PLC0415

    wanted = chosen(_names(measures or "default"))
    place = cache or cache_home()
    as_it_is = options["weights"] is None and options["settings"] is None
    if as_it_is and all(rows_suffice(one, wanted) for one in found):
        for one in found:
            root, shown = options["data_root"], options["progress"]
            measure_rows(one, wanted, store, cache=place, data_root=root, progress=shown)
        return store.with_measurements(found)
    from trustser.extras import require_profile  # noqa: PLC0415

    require_profile("measure")
    from profiler.session import measure_further  # noqa: PLC0415

    done = [measure_further(one, wanted, store, cache=place, **options) for one in found]
    return list({one.run: one for one in done}.values())


def profiles_for(
    scenario: Scenario, db: PathLike | None, say: Callable[[str], None] | None
) -> Sequence[Profile] | None:
    """The profiles of the database, where the scenario weighs them."""
    asked = scenario.spec.evidence.measured
    if asked is None:
        if db is not None and say is not None:
            say(f"{scenario.name} weighs published figures, {os.fspath(db)} is not read.")
        return None
    # DuckDB takes a while to load, and published figures do without it.
    from advisor.evidence.selection import needed  # noqa: PLC0415
    from profiles_db.snapshot import reading  # noqa: PLC0415

    with reading(Path(db or DEFAULT_DB), on_wait=say) as snapshot:
        return snapshot.with_measurements(needed(asked, snapshot.outlines()))


def _progress(wanted: bool | Progress) -> Progress:
    if not isinstance(wanted, bool):
        return wanted
    if wanted:
        from trustser.terminal import TerminalProgress  # noqa: PLC0415 - Rich loads slowly

        return TerminalProgress()
    from profiler.progress import Silent  # noqa: PLC0415

    return Silent()


def _scenario(scenario: PathLike | Mapping[str, Any]) -> Scenario:
    from advisor.scenario.loading import load_scenario, scenario_of  # noqa: PLC0415

    if isinstance(scenario, Mapping):
        return scenario_of(scenario)
    return load_scenario(os.fspath(scenario))


def _names(measures: str | Sequence[str]) -> str:
    return measures if isinstance(measures, str) else ",".join(measures)


def _bytes(size: int | str | None) -> int | None:
    from trustser.option_values import parse_size  # noqa: PLC0415

    return parse_size(size, "--cache-limit") if isinstance(size, str) else size


def _map(
    label_map: PathLike | Mapping[str, Any] | None,
) -> Path | Mapping[str, Any] | None:
    return label_map if isinstance(label_map, Mapping) else _path(label_map)


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)
