"""A profile: all that one study says of one backbone on one corpus, with its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from profiles_db.measurement import POOLED, Measurement

WeightsKind = Literal["pretrained", "random", "none", "published"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One backbone, one corpus, one study.

    Figures of two profiles compare when their `basis` is the same: the study, the settings of
    training, and those of the measure.

    Parameters
    ----------
    study : str
        Digest of the clips, labels and folds, or the name of a published study.
    backbone : str
    corpus : str
    weights_kind : 'pretrained', 'random', 'none' or 'published'
        `random` marks an untrained stand-in; `none` a front end that has no weights to train.
    weights_id : str
        Content hash, `random:SEED`, `none` or `published`.
    weights_origin : str
        Hub id, file name or publication, for people.
    synthetic : bool
        Whether the corpus is synthetic speech.
    folds, repetitions : int
        How many folds were measured, of how many the corpus has (`folds_total`), and how often the
        heads were trained.
    device : str
        Where latency and memory were measured, for people.
    run : str
        Identifier of the run, empty for a published study.
    model : str
        Names the trained heads; runs that differ in how they were measured share it.
    finished : str
        ISO 8601 time at which the run ended, empty for a published study.
    protocol : mapping
        Every setting that changes a number.
    provenance : mapping
        Versions, times, counts, clips left out.
    measurements : tuple of Measurement
    measured : tuple of Measured
        With which measures, of which version and settings.
    """

    study: str
    backbone: str
    corpus: str
    weights_kind: WeightsKind
    weights_id: str
    weights_origin: str
    synthetic: bool
    folds: int
    folds_total: int
    repetitions: int
    device: str
    run: str = ""
    model: str = ""
    finished: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()
    measured: tuple[Measured, ...] = ()

    def pooled(self, criterion: str) -> Measurement | None:
        """The figure of `criterion` over all folds, or None if the study has none."""
        for measurement in self.measurements:
            if measurement.criterion != criterion or measurement.fold != POOLED:
                continue
            if measurement.stands_for_criterion:
                return measurement
        return None

    def basis(self, criterion: str) -> str:
        """What the figure of `criterion` depends on beside the encoder, as one digest.

        Figures of equal basis compare. A published study is one basis.
        """
        figure = self.pooled(criterion)
        for measured in self.measured:
            if figure is not None and figure.measure == measured.measure:
                return measured.basis
        return self.study

    @property
    def failed(self) -> dict[str, str]:
        """The parts that could not be measured, each with the reason."""
        return {part: why for one in self.measured for part, why in one.failed.items()}


@dataclass(frozen=True, slots=True)
class Measured:
    """That a run was measured with one measure.

    Parameters
    ----------
    measure : str
    version : int
        Of the measure; 0 where a release before measures had versions did it.
    settings : mapping
        All settings of the measure.
    basis : str
        Digest of all that the figures depend on beside the encoder: the study, the settings of
        training, the measure's version and settings. Figures of equal basis compare.
    finished : str
        ISO 8601 time.
    failed : mapping
        Parts that could not be measured, each with the reason.
    provenance : mapping
        Versions and seconds.
    """

    measure: str
    version: int
    settings: Mapping[str, Any]
    basis: str
    finished: str
    failed: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def without_paths(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """A protocol with folders and corpora named by what they hold alone, not by where they lay.

    Examples
    --------
    >>> without_paths({"robustness": {"background": {"path": "/home/me", "digest": "sha256:1"}}})
    {'robustness': {'background': 'sha256:1'}}
    >>> without_paths({"test_on": [{"dataset": "x", "path": "/home/me", "digest": "sha256:1"}]})
    {'test_on': [{'dataset': 'x', 'digest': 'sha256:1'}]}
    """
    found: dict[str, Any] = {}
    for name, value in protocol.items():
        found[name] = _without_path(value)
    return found


def _without_path(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_path(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"path", "digest"}:
        return value["digest"]
    return without_paths({k: v for k, v in value.items() if k != "path" or "digest" not in value})
