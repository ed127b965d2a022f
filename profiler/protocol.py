"""Every setting that changes a number: those of the study, of the training, of each measure.

Defaults reproduce the protocol of TrustSER (arXiv:2305.11229) on frozen backbones. Where the
paper's text and its public code differ, the text is the default; `docs/protocol.md` lists the
differences.

A setting is called by its section: `study.folds`, `training.epochs`, `safety.snr_db`. Names
without one, as releases before sections had them, are still understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from profiler.measures.registry import measures
from profiler.settings import (
    MOST_CONVOLUTIONS,
    Pooling,
    Precision,
    Settings,
    StudySettings,
    digest_of,
)
from profiles_db.errors import InputError, ScenarioError
from profiles_db.located_yaml import Node, read_document, read_tree

MOST_SEED: Final = 2**32 - 1
"""So that the seeds of all folds and repetitions are seeds to PyTorch and NumPy alike."""
_SHOWN: Final = 60


class TrainingSettings(Settings):
    """How hidden states are computed, and heads trained on them."""

    precision: Precision = "float32"
    """Of the passes through the backbone; `bfloat16` is mixed precision, by autocast."""
    repetitions: int = Field(default=3, ge=1, le=100)
    """How often every head is trained, each time from another seed; figures are means of these."""
    base_seed: int = Field(default=8, ge=0, le=MOST_SEED)
    """Fold k of repetition r trains from seed `base_seed * k + 1000 * r`."""
    hidden_size: int = Field(default=128, ge=1, le=4096)
    """Width of the head."""
    convolutions: int = Field(default=2, ge=1, le=MOST_CONVOLUTIONS)
    """Pointwise convolutions of the head; ReLU and dropout stand between each two."""
    pooling: Pooling = "mean"
    """How the head makes one vector of a clip's frames: their mean, or one weighted by
    self-attention."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Dropout between the pointwise convolutions."""
    epochs: int = Field(default=30, ge=1, le=10_000)
    """Epochs of the emotion head; the epoch with the best dev UAR is kept."""
    batch_size: int = Field(default=64, ge=1, le=65_536)
    """Clips per training step; the last incomplete batch is dropped."""
    learning_rate: float = Field(default=5e-4, gt=0, le=100)
    tune_learning_rate: float = Field(default=1e-4, gt=0, le=100)
    """Of the encoder's layers that are trained with the head, where some are (`--tune`)."""
    betas: tuple[float, float] = (0.9, 0.98)
    """Adam's decay rates of the first and second moment."""
    weight_decay: float = Field(default=1e-4, ge=0, le=100)
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """The learning rate is multiplied by this when the dev loss stops falling."""
    plateau_patience: int = Field(default=5, ge=0, le=10_000)
    """After so many epochs without improvement."""
    min_learning_rate: float = Field(default=5e-5, ge=0, le=100)
    class_weighting: Literal["inverse_frequency", "none"] = "inverse_frequency"
    """Weights of the emotion loss, from the class counts of the training part."""

    @model_validator(mode="after")
    def _betas_in_range(self) -> TrainingSettings:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas must lie in [0, 1)")
        return self

    def seed(self, fold: int, repetition: int) -> int:
        """Seed of the heads of `fold` (from 1) in `repetition` (from 0)."""
        return self.base_seed * fold + 1000 * repetition


_RENAMED: Final[Mapping[str, str]] = {"seeds": "training.repetitions"}
"""Settings that were called otherwise."""

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Protocol:
    """All settings, in sections.

    Examples
    --------
    >>> Protocol.of(training={"epochs": 3}).training.epochs
    3
    >>> Protocol.of(snr_db=40) == Protocol.of(safety={"snr_db": 40})
    True
    """

    study: StudySettings = field(default_factory=StudySettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    measures: Mapping[str, Settings] = field(default_factory=dict)

    @classmethod
    def of(cls, **values: Any) -> Protocol:
        """The protocol with these settings, nested in sections or by names without one.

        Raises
        ------
        ValidationError
            If a section's settings are out of range.
        KeyError
            If no setting has that name.
        """
        nested: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            if name in sections() and isinstance(value, Mapping):
                nested.setdefault(name, {}).update(value)
            else:
                for section, own in places_of(name):
                    nested.setdefault(section, {})[own] = value
        return cls._validated(nested)

    @classmethod
    def _validated(cls, nested: Mapping[str, Mapping[str, Any]]) -> Protocol:
        found = {
            name: kind.model_validate(nested.get(name, {})) for name, kind in sections().items()
        }
        study, training = found.pop("study"), found.pop("training")
        assert isinstance(study, StudySettings)  # noqa: S101 - by construction
        assert isinstance(training, TrainingSettings)  # noqa: S101
        return cls(study, training, found)

    def of_measure(self, kind: type[S]) -> S:
        """The settings of the measure whose settings are of this kind."""
        for settings in self.measures.values():
            if isinstance(settings, kind):
                return settings
        return kind()

    def measure(self, name: str) -> Settings:
        """The settings of the measure of that name."""
        return self.measures.get(name) or measures()[name].settings()

    def as_record(self) -> dict[str, Any]:
        """All settings as plain data, by section."""
        parts = {"study": self.study, "training": self.training, **self.measures}
        return {name: part.model_dump(mode="json") for name, part in parts.items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Protocol:
        """The inverse of `as_record`, of this release or one before sections.

        Sections of measures that are not installed are left out.
        """
        known = {
            name: value
            for name, value in record.items()
            if name in sections() or (not isinstance(value, Mapping) and _places(name))
        }
        return cls.of(**known)

    @property
    def own_settings(self) -> dict[str, list[Any]]:
        """Of each measure the settings that shape rows, where they differ from their defaults."""
        return {
            name: settings.identity(rows_only=True)
            for name, settings in sorted(self.measures.items())
            if settings.changed(rows_only=True)
        }

    def basis(self, study: str, measure: str, rests_on: str | None = None) -> str:
        """Digest of all that a measure's figures depend on beside the encoder.

        `rests_on` is what the measure says it rests on of the corpus beside the study.
        """
        kind = measures()[measure]
        content = [study, self.training.identity(), kind.name, kind.version]
        beside = [] if rests_on is None else [rests_on]
        return digest_of([*content, self.measure(measure).identity(), *beside])[:12]


def sections() -> dict[str, type[Settings]]:
    """The kinds of settings by the name of their section."""
    own = {name: measure.settings for name, measure in measures().items()}
    return {"study": StudySettings, "training": TrainingSettings, **own}


def places_of(name: str) -> list[tuple[str, str]]:
    """Section and setting that `name` stands for; several where it is one of several measures.

    Raises
    ------
    KeyError
        If no setting has that name.
    """
    found = _places(name)
    if not found:
        raise KeyError(name)
    return found


def _places(name: str) -> list[tuple[str, str]]:
    name = _RENAMED.get(name, name)
    section, dot, own = name.partition(".")
    if dot:
        kind = sections().get(section)
        return [(section, own)] if kind and own in kind.model_fields else []
    return [(section, name) for section, kind in sections().items() if name in kind.model_fields]


def _names() -> Iterator[str]:
    for section, kind in sections().items():
        for name in kind.model_fields:
            yield f"{section}.{name}"


@dataclass(frozen=True, slots=True)
class _Given:
    """A value, and where it was given."""

    value: Any
    where: str


def load_protocol(
    file: Path | None,
    settings: Iterable[str] = (),
    *,
    values: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda _: None,
    base: Protocol | None = None,
    **named: Any,
) -> Protocol:
    """Protocol from a YAML file, then `name=value` settings, then values, then named options that
    are not None.

    Later ones win. Values of settings are read as YAML, so `training.betas=[0.9, 0.98]` works,
    within the limits of `profiles_db.located_yaml`.

    Parameters
    ----------
    file : Path or None
        Sections with their settings; names without a section are understood.
    settings : iterable of str, optional
    values : mapping, optional
        Settings by name, or by section and name, as a program gives them.
    say : callable, optional
        Told in one line what a setting that was renamed is called now.
    base : Protocol, optional
        What holds where nothing is given; the defaults if None.
    named : optional
        By the setting's full name with `_` for the dot, or its name without a section.

    Raises
    ------
    InputError
        For an unreadable file, an unknown setting, or a value out of its range.

    Examples
    --------
    >>> load_protocol(None, ["training.learning_rate=1e-3"], epochs=5).training.epochs
    5
    """
    given: dict[tuple[str, str], _Given] = {}
    hints: list[str] = []
    for name, value in _from_file(file) if file else ():
        given |= _placed(name, value, hints)
    for setting in settings:
        name, separator, text = setting.partition("=")
        name = name.strip()
        if not separator:
            raise InputError(
                f"{setting!r:.100} is no setting",
                where="--set",
                remedy="write --set SECTION.NAME=VALUE",
            )
        where = f"--set {name[:_SHOWN]}"
        given |= _placed(name, _Given(_read(text, where).plain(), where), hints)
    for name, value in _flat(values or {}):
        given |= _placed(name, _Given(value, f"settings {name[:_SHOWN]}"), hints)
    for name, value in named.items():
        if value is not None:
            given |= _placed(name, _Given(value, f"--{name}"), [])
    nested = {name: dict(part) for name, part in (base or Protocol.of()).as_record().items()}
    for (section, own), one in given.items():
        nested[section][own] = one.value
    for section, kind in sections().items():
        try:
            kind.model_validate(nested[section])
        except ValidationError as error:
            raise _explain(error, section, given) from None
    for hint in hints:
        say(hint)
    return Protocol.of(**nested)


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name in sections() and isinstance(value, Mapping):
            for own, inner in value.items():
                yield f"{name}.{own}", inner
        else:
            yield str(name), value


def _placed(name: str, value: _Given, hints: list[str]) -> dict[tuple[str, str], _Given]:
    found = _places(name)
    if not found:
        raise InputError(
            f"no setting is called {name!r:.100}",
            where=value.where,
            remedy=f"known: {', '.join(_names())}",
        )
    if "." not in name:
        full = ", ".join(f"{section}.{own}" for section, own in found)
        hints.append(f"{value.where}: {name} is called {full} now")
    return dict.fromkeys(found, value)


def _from_file(file: Path) -> Iterator[tuple[str, _Given]]:
    root = _read(read_document(file, InputError), str(file))
    if not isinstance(root.value, dict):
        raise InputError(
            "holds no settings", where=str(file), rule="sections with NAME: VALUE per line"
        )
    for name, node in root.value.items():
        if name in sections() and isinstance(node.value, dict):
            for own, inner in node.value.items():
                yield f"{name}.{own}", _Given(inner.plain(), inner.mark.where)
        else:
            yield name, _Given(node.plain(), node.mark.where)


def _read(text: str, where: str) -> Node:
    """The YAML of `text`; the first thing wrong with it as an InputError."""
    try:
        root, problems = read_tree(text, where)
    except ScenarioError as error:
        problems = list(error.problems) or [error]
    if problems:
        first = problems[0]
        raise InputError(first.what, where=first.where, rule=first.rule, remedy=first.remedy)
    return root


def _explain(
    error: ValidationError, section: str, given: Mapping[tuple[str, str], _Given]
) -> InputError:
    """The first fault of `error`, in this program's words, with where the setting was given."""
    fault = error.errors()[0]
    name = ".".join(str(part) for part in (section, *fault["loc"]))
    own = str(fault["loc"][0]) if fault["loc"] else ""
    where = given[section, own].where if (section, own) in given else "protocol"
    return InputError(f"{name}: {fault['msg']} (found {fault['input']!r:.100})", where=where)
