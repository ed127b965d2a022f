"""Which profiles of a database a scenario means: comparable ones, chosen, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from advisor.records import Excluded
from advisor.scenario.language import EvidenceSpec
from profiles_db.errors import EvidenceError
from profiles_db.profile import Measured, Profile

SHORTEST_HASH: Final = 4
_SHOWN_HASH: Final = 12
ADDED: Final[Mapping[str, object]] = MappingProxyType(
    {
        "training.tune_learning_rate": 1e-4,
        "training.convolutions": 2,
        "training.pooling": "mean",
    }
)
"""Settings that runs of earlier releases do not name, and what these runs did."""
_OF_ONE_CORPUS: Final = ("corpus", "corpora", "dataset", "classes", "labels")


@dataclass(frozen=True, slots=True)
class Selection:
    """Comparable profiles, the share of each corpus, and what was left out."""

    profiles: tuple[Profile, ...]
    weights: Mapping[str, float]
    excluded: tuple[Excluded, ...]
    notes: tuple[str, ...]

    def named(self) -> Iterator[tuple[str, dict[str, Profile]]]:
        """Each candidate's name and its profiles by corpus, in the order of the profiles.

        A backbone with several sets of weights stands once for each, told apart by their id.
        """
        groups: dict[tuple[str, str], dict[str, Profile]] = {}
        for profile in self.profiles:
            groups.setdefault((profile.backbone, profile.weights_id), {})[profile.corpus] = profile
        backbones = [backbone for backbone, _ in groups]
        for (backbone, weights_id), by_corpus in groups.items():
            alone = backbones.count(backbone) == 1
            ordered = {c: by_corpus[c] for c in self.weights if c in by_corpus}
            yield backbone if alone else f"{backbone}@{weights_id[: _SHOWN_HASH + 7]}", ordered


def select(spec: EvidenceSpec, profiles: Sequence[Profile]) -> Selection:
    """The profiles that `spec` asks for, if they compare.

    Raises
    ------
    EvidenceError
        There are none, several studies could serve, or their protocols differ.
    """
    kept, excluded = _admitted(spec, _asked_for(spec, profiles))
    _check_one_study(kept, named=bool(spec.corpora))
    _check_protocols(kept)
    latest, notes = _latest(kept)
    latest, otherwise = _compared(latest)
    notes += otherwise
    corpora = spec.corpora or {kept[0].corpus: 1.0}
    total = sum(corpora.values())
    weights = {corpus: weight / total for corpus, weight in corpora.items()}
    return Selection(tuple(latest), weights, excluded, notes)


def needed(spec: EvidenceSpec, outlines: Sequence[Profile]) -> list[Profile]:
    """Those of a database's profiles that a decision can depend on, told by their outlines.

    Raises
    ------
    EvidenceError
        As `select`, before anything large is read; but for protocols that differ, which outlines
        do not show.
    """
    select(spec, outlines)
    return _asked_for(spec, outlines)


def _asked_for(spec: EvidenceSpec, profiles: Sequence[Profile]) -> list[Profile]:
    """The profiles of the studies, corpora and device that `spec` names.

    A profile of costs alone, which has no corpus, counts only where its study is named.
    """
    found = [p for p in profiles if p.weights_kind != "published" and (p.corpus or spec.study)]
    found = _of_study(found, spec.study)
    found = _on_corpora(found, tuple(spec.corpora))
    return _on_device(found, spec.device)


def marks(profiles: Iterable[Profile]) -> tuple[str, ...]:
    """What must stand beside a candidate's name, given all its profiles."""
    found: dict[str, None] = {}
    for profile in profiles:
        if profile.weights_kind == "random":
            found["untrained weights"] = None
        if profile.synthetic:
            found["synthetic speech"] = None
        if profile.folds < profile.folds_total:
            found[f"{profile.folds} of {profile.folds_total} folds"] = None
    return tuple(found)


def _of_study(profiles: list[Profile], names: tuple[str, ...]) -> list[Profile]:
    if not names:
        return profiles
    wanted = {_study(profiles, name) for name in names}
    return [profile for profile in profiles if {profile.study, profile.run} & wanted]


def _study(profiles: list[Profile], name: str) -> str:
    studies = {one for profile in profiles for one in (profile.study, profile.run) if one}
    if name in studies:
        return name
    long_enough = len(name) >= SHORTEST_HASH
    matches = [s for s in studies if long_enough and s.split(":")[-1].startswith(name)]
    if len(matches) == 1:
        return matches[0]
    what = (
        f"{len(matches)} studies begin with {name!r:.80}" if matches else f"no study {name!r:.80}"
    )
    raise EvidenceError(what, rule="the database has " + _listed(profiles))


def _on_corpora(profiles: list[Profile], corpora: tuple[str, ...]) -> list[Profile]:
    present = {profile.corpus for profile in profiles}
    missing = [corpus for corpus in corpora if corpus not in present]
    if missing:
        raise EvidenceError(
            "no profile on " + ", ".join(missing), rule="the database has " + _listed(profiles)
        )
    return [p for p in profiles if not corpora or p.corpus in corpora]


def _on_device(profiles: list[Profile], device: str | None) -> list[Profile]:
    if device is None:
        return profiles
    kept = [profile for profile in profiles if profile.device == device]
    if not kept:
        devices = sorted({profile.device for profile in profiles if profile.device})
        raise EvidenceError(
            f"no profile was measured on {device!r:.80}",
            rule="the database has " + (", ".join(devices) or "no device"),
        )
    return kept


def _admitted(
    spec: EvidenceSpec, profiles: list[Profile]
) -> tuple[list[Profile], tuple[Excluded, ...]]:
    kept, excluded = [], []
    for profile in profiles:
        reason = _refusal(spec, profile)
        if reason is None:
            kept.append(profile)
        else:
            excluded.append(Excluded(f"{profile.backbone} on {profile.corpus}", reason))
    if not kept:
        raise _nothing_left(excluded)
    return kept, tuple(excluded)


def _refusal(spec: EvidenceSpec, profile: Profile) -> str | None:
    if profile.weights_kind == "random" and not spec.allow_untrained:
        return "untrained weights, which need allow_untrained: true"
    if profile.synthetic and not spec.allow_synthetic:
        return "synthetic speech, which needs allow_synthetic: true"
    if profile.folds < spec.min_folds:
        return f"{profile.folds} folds, fewer than min_folds: {spec.min_folds}"
    return None


def _nothing_left(excluded: list[Excluded]) -> EvidenceError:
    if not excluded:
        return EvidenceError(
            "the database holds no profile", remedy="make some with `trustser profile`"
        )
    reasons = "; ".join(f"{entry.name}: {entry.reason}" for entry in excluded[:5])
    more = f"; and {len(excluded) - 5} more" if len(excluded) > 5 else ""  # noqa: PLR2004
    return EvidenceError(
        f"every profile is left out ({reasons}{more})",
        remedy="allow them under `evidence:` in the scenario, or profile others",
    )


def _check_one_study(profiles: list[Profile], *, named: bool) -> None:
    corpora = {profile.corpus for profile in profiles}
    if len(corpora) > 1 and not named:
        raise EvidenceError(
            f"several studies could serve: {_listed(profiles)}",
            remedy="name one under evidence.study, or the corpora under evidence.corpora",
        )
    for corpus in sorted(corpora):
        on_corpus = [profile for profile in profiles if profile.corpus == corpus]
        if len({profile.study for profile in on_corpus}) > 1:
            raise EvidenceError(
                f"several studies could serve: {_listed(on_corpus)}",
                rule="figures compare within one study",
                remedy="name one under evidence.study",
            )


def _listed(profiles: Iterable[Profile]) -> str:
    studies: dict[tuple[str, str], list[str]] = {}
    for profile in profiles:
        backbones = studies.setdefault((profile.study, profile.corpus), [])
        if profile.backbone not in backbones:
            backbones.append(profile.backbone)
    lines = (
        f"{study.split(':')[-1][:_SHOWN_HASH]} ({corpus}: {', '.join(backbones)})"
        for (study, corpus), backbones in sorted(studies.items())
    )
    return "; ".join(lines) or "none"


def _check_protocols(profiles: list[Profile]) -> None:
    """Studies on several corpora compare where they differ in the corpus alone."""
    first = _shared_protocol(profiles[0])
    for profile in profiles[1:]:
        other = _shared_protocol(profile)
        keys = sorted(k for k in first.keys() | other.keys() if first.get(k) != other.get(k))
        if keys:
            raise EvidenceError(
                f"the protocols on {profiles[0].corpus} and {profile.corpus} differ in "
                + ", ".join(keys),
                rule="figures compare under one study and training",
                remedy="name studies or runs of one kind under evidence.study",
            )


def _shared_protocol(profile: Profile) -> dict[str, object]:
    """The settings that all figures depend on: of the study and the training.

    Runs of releases before settings had sections have all of them in one; settings that came later
    are as in `ADDED`.
    """
    protocol = profile.protocol
    if "training" in protocol:
        sections = {name: protocol.get(name, {}) for name in ("study", "training")}
        named = {f"{s}.{name}": v for s, part in sections.items() for name, v in part.items()}
        protocol = {**ADDED, **named}
    return {k: v for k, v in protocol.items() if k.rpartition(".")[2] not in _OF_ONE_CORPUS}


def _compared(profiles: Sequence[Profile]) -> tuple[list[Profile], tuple[str, ...]]:
    """The profiles without the figures that do not compare with those of most, and a note on each.

    Figures of one measure compare where they rest on the same study, training, version and
    settings: their basis.
    """
    usual: dict[tuple[str, str], str] = {}
    for place in {(p.corpus, one.measure) for p in profiles for one in p.measured}:
        bases = [
            one.basis for p in profiles for one in p.measured if (p.corpus, one.measure) == place
        ]
        usual[place] = max(bases, key=bases.count)
    found, notes = [], []
    for profile in profiles:
        others = {
            one.measure: _how_measured(one, profile, profiles, usual[profile.corpus, one.measure])
            for one in profile.measured
            if one.basis != usual[profile.corpus, one.measure]
        }
        notes += [
            f"{profile.backbone} on {profile.corpus}: its figures of {measure} do not compare: "
            f"{how}."
            for measure, how in others.items()
        ]
        found.append(_without(profile, others))
    return found, tuple(notes)


def _how_measured(own: Measured, profile: Profile, profiles: Sequence[Profile], usual: str) -> str:
    """In what a measure was taken otherwise than that of basis `usual`."""
    other = next(
        one
        for p in profiles
        for one in p.measured
        if (p.corpus, one.measure, one.basis) == (profile.corpus, own.measure, usual)
    )
    if own.version != other.version:
        return f"measured by version {own.version}, most by {other.version}"
    keys = sorted(
        key
        for key in own.settings.keys() | other.settings.keys()
        if own.settings.get(key) != other.settings.get(key)
    )
    differ = ", ".join(
        f"{own.measure}.{key} {own.settings.get(key)}, most {other.settings.get(key)}"
        for key in keys
    )
    return f"measured with {differ}" if differ else "measured on another study"


def _without(profile: Profile, measures: Mapping[str, str]) -> Profile:
    """The profile with the figures of some measures unknown, each for the reason given."""
    if not measures:
        return profile
    return replace(
        profile,
        measurements=tuple(
            replace(m, value=None, low=None, high=None, interval="none",
                    unknown=f"does not compare: {measures[m.measure]}")
            if m.measure in measures
            else m
            for m in profile.measurements
        ),
    )  # fmt: skip


def _latest(profiles: list[Profile]) -> tuple[list[Profile], tuple[str, ...]]:
    """The newest run of each backbone, weights and corpus, and a note for each older one."""
    newest: dict[tuple[str, str, str], Profile] = {}
    notes = []
    for profile in sorted(profiles, key=lambda p: (p.finished, p.run)):
        key = (profile.backbone, profile.weights_id, profile.corpus)
        if key in newest:
            old = newest.pop(key)
            notes.append(
                f"{old.backbone} on {old.corpus}: run {old.run or 'of ' + old.finished} is "
                "superseded by a later one and left out."
            )
        newest[key] = profile
    return sorted(newest.values(), key=lambda p: (p.backbone, p.weights_id)), tuple(notes)
