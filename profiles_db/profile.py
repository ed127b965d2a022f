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

    Two profiles are comparable when their `study` is the same: it names the protocol and the
    corpus' content (or a publication).

    Parameters
    ----------
    study : str
        Hash of protocol and corpus, or the name of a published study.
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
    folds, seeds : int
        How many folds were measured, of how many the corpus has (`folds_total`), and how often.
    device : str
        Where latency and memory were measured, for people.
    run : str
        Identifier of the run, empty for a published study.
    finished : str
        ISO 8601 time at which the run ended, empty for a published study.
    protocol : mapping
        Every setting that changes a number.
    provenance : mapping
        Versions, times, counts, clips left out.
    measurements : tuple of Measurement
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
    seeds: int
    device: str
    run: str = ""
    finished: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()

    def pooled(self, criterion: str, variant: str = "") -> Measurement | None:
        """The figure of `criterion` over all folds, or None if the study has none."""
        for measurement in self.measurements:
            if measurement.criterion != criterion or measurement.variant != variant:
                continue
            if measurement.fold == POOLED:
                return measurement
        return None
