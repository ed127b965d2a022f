"""Several backbones through one study, one after the other; and runs measured further.

Where depths are asked for, each backbone comes whole first: its features hold those of its depths.
Where layers are to be tuned, they are so at each depth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from profiler.backbones.base import Backbone
from profiler.backbones.catalogue import resolve, unquantised, untuned, whole_and_depth
from profiler.backbones.depth import (
    Depths,
    Tuning,
    depths_of,
    parse_depths,
    parse_tuning,
    tuned_layers,
)
from profiler.backbones.load import load
from profiler.corpora.base import Corpus
from profiler.corpora.registry import reader_of
from profiler.machine import pick_device
from profiler.measures.generalisation import (
    FEWEST_CLASSES,
    Generalisation,
    GeneralisationSettings,
)
from profiler.measures.linguistic import Linguistic, LinguisticSettings, digest_of_texts
from profiler.measures.registry import chosen, measures
from profiler.measures.synthesis import require_voice
from profiler.pipeline.context import BackboneSpec
from profiler.pipeline.engines.choose import Choice, EngineName
from profiler.pipeline.measuring import RESTS_ON
from profiler.progress import Progress
from profiler.protocol import Protocol, sections
from profiler.run import Outcome, describe_run, profile, profile_costs
from profiler.study import Study, open_study
from profiles_db.candidate_names import with_depth, with_tuned
from profiles_db.errors import InputError
from profiles_db.profile import Profile
from profiles_db.records import Run, StepResult
from profiles_db.row_tables import TRAINING, row_tables
from profiles_db.store import Step, Store


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
    wanted: Sequence[str] | None = None,
    allow_outside: bool = False,
    engine: EngineName = "local",
    ray_address: str | None = None,
    cache_limit: int | None = None,
    depths: str | None = None,
    study: Study | None = None,
    first_folds: int | None = None,
    tune: str | None = None,
) -> list[Profile]:
    """Profile each of `backbones`; every weight is loaded, once, before any work begins.

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
    wanted : sequence of str, optional
        Measures to take; those of `default` if not given.
    allow_outside : bool, optional
        Whether a manifest may name files outside its own folder.
    engine : 'local' or 'ray', optional
    ray_address : str, optional
        The Ray cluster to join; one is started on this machine where none is named.
    cache_limit : int, optional
        Most bytes of features to keep; the rest is computed again whenever it is read.
    depths : str, optional
        Numbers of layers with commas, or `all`: profile each backbone at these depths too.
    study : Study, optional
        The corpus, where it is read already.
    first_folds : int, optional
        Stop after so many folds. The run has the name of the whole one: asked for more
        folds later, it goes on from there.
    tune : str, optional
        `last:N` or `all`: how many of the last layers are trained with the head, at each depth.

    Returns
    -------
    list of Profile
        In the order of `backbones`, each whole and then from its least depth on.
    """
    asked = _asked(backbones, depths, tune)
    choice = Choice(workers, engine, ray_address)
    where = pick_device(device)
    choice.prepare(backbones, where)
    loaded: list[Backbone] = []
    specs: list[BackboneSpec] = []
    for name in backbones:
        spec = BackboneSpec(name, weights, weights_seed, where.type)
        found = _forms(name, spec.load(), asked)
        specs += [replace(spec, name=one) for one in found]
        loaded += found.values()
        found.clear()  # so that `loaded` alone holds the weights
    if study is None:
        study = open_study(
            dataset, data_root, protocol, progress, allow_outside=allow_outside, cache=cache
        )
    protocol = _with_texts(protocol, study.corpus, dataset, wanted or ())
    study = replace(study, protocol=protocol)
    require_float32([backbone.name for backbone in loaded], protocol)
    _require_possible(study.corpus, protocol, wanted or ())
    if first_folds is not None:
        study = replace(study, folds=study.folds[:first_folds])
    request = {
        "dataset": dataset,
        "data_root": None if data_root is None else str(data_root.absolute()),
        "weights": weights,
        "weights_seed": weights_seed,
        "allow_outside": allow_outside,
    }
    profiles = []
    for spec in specs:
        outcome = profile(
            study,
            spec,
            store,
            wanted=wanted if wanted is not None else chosen("default"),
            cache=cache,
            choice=choice,
            progress=progress,
            cache_limit=cache_limit,
            backbone=loaded.pop(0),
            request=request,
        )
        _say_if_there(outcome, progress)
        profiles.append(outcome.profile)
    return profiles


def measure_further(
    found: Profile,
    wanted: Sequence[str],
    store: Store,
    *,
    cache: Path,
    data_root: Path | None,
    weights: str | None,
    device: str,
    workers: int | None,
    progress: Progress,
    cache_limit: int | None = None,
    settings: Callable[[Protocol], Protocol] | None = None,
) -> Profile:
    """Take further measures of a run that is there, with the heads that were trained for it.

    Parameters
    ----------
    found : Profile
    wanted : sequence of str
    store : Store
    cache : Path
        Where the heads and features are kept; heads that are gone are trained again, and must
        answer as before.
    data_root : Path or None
        Where the corpus lies now; where it lay then if None.
    weights : str or None
        Where the weights lie now; as they were asked for then if None.
    device : str
    workers : int or None
    progress : Progress
    cache_limit : int, optional
    settings : callable, optional
        From the settings that the run was made with to those that hold now. Only settings of
        measures that are `wanted` may differ; rows that they shape are those of another run, of
        the same heads, which has all else from this one.

    Returns
    -------
    Profile
        The run, or the other one.

    Raises
    ------
    InputError
        If the run was made without a corpus or by an earlier release, or corpus, weights or kind
        of device are others than then, or settings that are not of measures that are wanted.
    """
    request = found.provenance.get("request")
    if not request:
        raise InputError(
            "was made without a corpus, or by a release that did not note how",
            where=f"run {found.run}",
            remedy="profile it with `trustser profile --measures ...`; `trustser measure "
            "--recompute` needs rows alone",
        )
    choice = Choice(workers, "local", None)
    where = pick_device(device)
    spec = BackboneSpec(
        found.backbone, weights or request["weights"], request["weights_seed"], where.type
    )
    choice.prepare([found.backbone], where)
    backbone = spec.load()
    root = data_root or (Path(request["data_root"]) if request["data_root"] else None)
    stored = Protocol.from_record(found.protocol)
    protocol = stored if settings is None else settings(stored)
    _require_own_settings(found, stored, protocol, wanted)
    study = open_study(
        request["dataset"],
        root,
        stored,
        progress,
        allow_outside=request["allow_outside"],
        cache=cache,
    )
    study = replace(study, folds=study.folds[: found.folds])  # as many as the run has
    _require_same(found, study, backbone)
    _require_same_run(found, describe_run(study, backbone, where, request).run)
    protocol = _with_texts(protocol, study.corpus, request["dataset"], wanted)
    study = replace(study, protocol=protocol)
    _require_possible(study.corpus, protocol, wanted)
    other = describe_run(study, backbone, where, request)
    if other.run != found.run:
        progress.say(f"{backbone.name}: run {other.run}, of the same heads as run {found.run}")
        _carry_over(found, other, stored, protocol, store)
    outcome = profile(
        study,
        spec,
        store,
        wanted=wanted,
        cache=cache,
        choice=choice,
        progress=progress,
        cache_limit=cache_limit,
        backbone=backbone,
        request=request,
    )
    _say_if_there(outcome, progress)
    return outcome.profile


@dataclass(frozen=True, slots=True)
class _Asked:
    """In which forms each backbone is asked for: beside itself at which depths, and how tuned."""

    depths: Depths
    tuning: Tuning


def _asked(backbones: Sequence[str], depths: str | None, tune: str | None) -> _Asked:
    """What is asked for, which `backbones` have as far as their names alone tell.

    Raises
    ------
    InputError
        Where one has not, or is named with a depth or tuned layers already.
    """
    asked = _Asked(
        () if depths is None else parse_depths(depths), None if tune is None else parse_tuning(tune)
    )
    for name in backbones:
        plain, quantised = unquantised(name)
        if quantised and (depths or tune) is not None:
            raise InputError(
                f"{name} is in int8 already",
                where="--depths" if tune is None else "--tune",
                rule="+int8 comes last, and where no layers are tuned",
                remedy=f"name each form: --backbone {plain} --backbone {plain}@1+int8",
            )
        frozen, tuned = untuned(plain)
        whole, depth = whole_and_depth(frozen)
        if tuned is not None and (depths or tune) is not None:
            raise InputError(
                f"{name} names its tuned layers already",
                where="--depths" if tune is None else "--tune",
                remedy=f"name it frozen, --backbone {frozen}, and add --tune last:{tuned}",
            )
        if depth is not None and depths is not None:
            raise InputError(
                f"{name} names a depth already",
                where="--depths",
                remedy=f"name the whole encoder: --backbone {whole}",
            )
        layers = resolve(name).transformer_layers
        if layers is not None:
            _numbers_of_layers(frozen, depth or layers, asked)
    return asked


def _numbers_of_layers(name: str, layers: int, asked: _Asked) -> list[int]:
    """How many of the `layers` of `name` each form asked for has: all, and at each depth."""
    depths = [] if asked.depths == () else depths_of(name, layers, asked.depths)
    if asked.tuning is not None:
        tuned_layers(name, layers, asked.tuning)
        for depth in depths:
            tuned_layers(with_depth(name, depth), depth, asked.tuning)
    return [layers, *depths]


def _forms(name: str, whole: Backbone, asked: _Asked) -> dict[str, Backbone]:
    """`whole`, and its beginnings at each depth asked for, tuned as asked for, by the names that
    load them."""
    _, *depths = _numbers_of_layers(name, whole.transformer_layers, asked)
    found = {name: whole} | {with_depth(name, d): whole.first_layers(d) for d in depths}
    if asked.tuning is None:
        return found
    tuned = {}
    for form, backbone in found.items():
        layers = tuned_layers(form, backbone.transformer_layers, asked.tuning)
        tuned[with_tuned(form, layers)] = backbone.tune(layers)
    return tuned


def _require_same(found: Profile, study: Study, backbone: Backbone) -> None:
    if study.name != found.study:
        raise InputError(
            f"its clips, labels or folds are not those of run {found.run}",
            where=study.corpus.name,
            rule=f"study {found.study}, found {study.name}",
            remedy="name the same data with --data-root",
        )
    if backbone.weights.id != found.weights_id:
        raise InputError(
            f"its weights are not those of run {found.run}",
            where=found.backbone,
            rule=f"{found.weights_id}, found {backbone.weights.id}",
            remedy="name the same weights with --weights",
        )


def _require_own_settings(
    found: Profile, stored: Protocol, protocol: Protocol, wanted: Sequence[str]
) -> None:
    """Refuse settings that are not of the measures to be taken."""
    before, after = stored.as_record(), protocol.as_record()
    others = [name for name in after if before[name] != after[name] and name not in wanted]
    if others:
        raise InputError(
            f"changes settings of {', '.join(others)}",
            where=f"run {found.run}",
            rule=f"settings of what is measured now: {', '.join(wanted)}",
            remedy="name the measure with --measures; for other heads run `trustser profile`",
        )


def _carry_over(
    found: Profile, other: Run, stored: Protocol, protocol: Protocol, store: Store
) -> None:
    """Enter `other` with the heads' answers, and what `found` was measured with alike."""
    alike = {
        one.measure: one
        for one in found.measured
        if one.measure in measures()
        and one.measure not in store.measured(other.run)
        and stored.measure(one.measure) == protocol.measure(one.measure)
    }
    store.begin(other)
    rests_on = {n: one for n, one in found.provenance.get(RESTS_ON, {}).items() if n in alike}
    if rests_on:
        provenance = store.provenance(other.run)
        provenance[RESTS_ON] = rests_on | provenance.get(RESTS_ON, {})
        store.note(other.run, provenance)
    seconds = store.seconds(found.run)
    rows: dict[Step, list[Any]] = {
        step: [] for step in sorted(seconds) if step[0] in (TRAINING, *alike)
    }
    for table in row_tables().values():
        if table.step == TRAINING or table.step in alike:
            for row in store.rows(found.run, table.kind):
                rows[table.step, row.repetition, row.fold].append(row)
    for step, own in rows.items():
        store.add_step(other.run, StepResult(*step, tuple(own), seconds[step]))
    for name, measured in alike.items():
        store.record(other.run, measured, [m for m in found.measurements if m.measure == name])


def _with_texts(
    protocol: Protocol, corpus: Corpus, dataset: str, wanted: Sequence[str]
) -> Protocol:
    """The protocol with the texts of the corpus named, where they are spoken and no id says them.

    So texts that changed name another run.
    """
    if Linguistic.name not in wanted or reader_of(dataset).texts_by_id:
        return protocol
    known = any(one.text for one in corpus.utterances)
    texts = digest_of_texts(corpus.utterances) if known else None
    settings = protocol.of_measure(LinguisticSettings).model_copy(update={"texts": texts})
    return replace(protocol, measures={**protocol.measures, Linguistic.name: settings})


def _require_possible(corpus: Corpus, protocol: Protocol, wanted: Sequence[str]) -> None:
    """Refuse, before any work begins, what cannot be measured here.

    Raises
    ------
    TrustserError
        If texts are to be spoken, and there is no synthesiser with such a voice; if heads are to
        be tested on corpora whose labels are not their classes.
    """
    if Linguistic.name in wanted and any(one.text for one in corpus.utterances):
        require_voice(protocol.of_measure(LinguisticSettings).voice)
    _require_classes(corpus, protocol, wanted)


def require_float32(names: Sequence[str], protocol: Protocol) -> None:
    """Refuse to pass what is in int8 in mixed precision."""
    if protocol.training.precision == "float32":
        return
    for name in names:
        if unquantised(name)[1]:
            raise InputError(
                f"training.precision is {protocol.training.precision}",
                where=name,
                rule="all but linear layers in int8 is in float32",
                remedy="leave out training.precision",
            )


def _require_classes(corpus: Corpus, protocol: Protocol, wanted: Sequence[str]) -> None:
    """Refuse, before any work begins, to test on corpora whose labels are not the heads' classes.

    Raises
    ------
    InputError
        If a label is mapped to what is no class, or fewer than two classes are left.
    """
    if Generalisation.name not in wanted:
        return
    for name, other in protocol.of_measure(GeneralisationSettings).corpora.items():
        rule = f"classes of {corpus.name}: {', '.join(corpus.classes)}"
        strange = sorted({c for c in other.labels.values() if c and c not in corpus.classes})
        if strange:
            raise InputError(
                f"labels of {name} count as {', '.join(strange)}", where="--label-map", rule=rule
            )
        shared = {other.counts_as(label) for label in other.clips} & set(corpus.classes)
        if len(shared) < FEWEST_CLASSES:
            raise InputError(
                f"{name} has fewer than two of the classes, its labels are "
                f"{', '.join(other.clips)}",
                where="--test-on",
                rule=rule,
                remedy="say with --label-map which class each of its labels counts as",
            )


def _require_same_run(found: Profile, here: str) -> None:
    """Refuse to begin another run where one was to be measured further."""
    if here == found.run:
        return
    unknown = sorted(found.protocol.keys() - sections().keys())
    remedy = "name the kind of device with --device"
    if unknown:
        remedy += f", and install what adds the measure {', '.join(unknown)}"
    raise InputError(
        "would be another run here",
        where=f"run {found.run}",
        rule="the kind of device and the settings of all measures as they were",
        remedy=remedy,
    )


def _say_if_there(outcome: Outcome, progress: Progress) -> None:
    if outcome.already_there:
        done = outcome.profile
        progress.say(f"{done.backbone}: already profiled as run {done.run}, nothing to do")


def profile_all_costs(
    backbones: Sequence[str],
    store: Store,
    *,
    weights: str,
    device: str,
    progress: Progress,
    depths: str | None = None,
    tune: str | None = None,
) -> list[Profile]:
    """Sustainability of each of `backbones` on this device, at `depths` too, without a corpus."""
    asked = _asked(backbones, depths, tune)
    where = pick_device(device)
    loaded = [
        one
        for name in backbones
        for one in _forms(name, load(name, weights, device=where), asked).values()
    ]
    return [
        profile_costs(backbone, store, device=where, progress=progress).profile
        for backbone in loaded
    ]
