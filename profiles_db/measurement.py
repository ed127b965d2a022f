"""A measurement: one value of one criterion, with its uncertainty and origin, or `unknown`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from profiles_db.corruptions import said
from profiles_db.criteria import CRITERIA, Criterion

Origin = Literal["measured", "published", "digitised", "counted", "estimated"]
"""How a value came to be: measured by a run, printed in a publication, read off a published
chart, counted from the architecture, or estimated by a model from other studies' figures."""

IntervalKind = Literal["none", "bootstrap", "assumed", "exact", "quantile", "prediction"]
"""What `low` and `high` mean; `none` where there is no interval."""

POOLED = -1
"""The `fold` of a figure taken over all folds together."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of one criterion for one backbone in one study.

    Rates are fractions in [0, 1], never percent; costs are in units (MACs, bytes, seconds), never
    billions. `value` is None exactly when `unknown` gives the reason.

    Parameters
    ----------
    study : str
        Digest of the clips, labels and folds, or the name of a published study.
    backbone, weights, corpus : str
        `weights` is a content hash, `random:SEED`, `none` (no weights needed) or `published`.
    criterion : str
        A name from `profiles_db.criteria.CRITERIA`, or a detail such as `recall` that only
        reports show.
    value : float or None
    low, high : float or None
        Ends of the 95 % interval, whose making `interval` names.
    n : int or None
        Number of clips the value rests on.
    baseline : float or None
        What chance (or a model without the flaw, at this n) would score.
    label, predicted, gender, attack, snr_db, layer, attacker, corruption, level, statistic
        What tells figures of one criterion apart, each None where it does not: the true class, the
        class answered, the speakers' gender, the perturbation and its ratio in dB, the number of
        the hidden state from 1, the attacker on gender, the kind of corruption and its level in the
        unit of its kind (None for the mean over its levels, or where it has none), and, where the
        figure is another statistic than the criterion itself, which. All are None in the figure
        that stands for the criterion.
    fold : int
        Number of the fold from 1, or `POOLED`.
    unknown : str or None
        Why there is no value.
    flags : tuple of str
        Reasons not to believe the value, in words. They bind: unless a scenario accepts them, a
        flagged value neither meets a requirement nor earns a score.
    notes : tuple of str
        What to know of the value that is no reason to doubt it: that a fair model would score the
        same, what a published count includes.
    measure : str
        The measure that gave it; empty for a published figure.
    """

    study: str
    backbone: str
    weights: str
    corpus: str
    criterion: str
    value: float | None
    low: float | None = None
    high: float | None = None
    interval: IntervalKind = "none"
    n: int | None = None
    baseline: float | None = None
    label: str | None = None
    predicted: str | None = None
    gender: str | None = None
    attack: str | None = None
    snr_db: float | None = None
    layer: int | None = None
    attacker: str | None = None
    corruption: str | None = None
    level: float | None = None
    statistic: str | None = None
    fold: int = POOLED
    unknown: str | None = None
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    origin: Origin = "measured"
    source: str = ""
    device: str = ""
    measure: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.unknown is not None):
            raise ValueError(f"{self.criterion}: either a value or the reason why it is unknown")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.criterion}: {self.value} is not a finite value")

    @property
    def definition(self) -> Criterion:
        """The criterion this measures; KeyError for a detail that is no criterion."""
        return CRITERIA[self.criterion]

    @property
    def variant(self) -> str:
        """What tells the figure apart, for people; empty where it stands for its criterion.

        Examples
        --------
        >>> figure = Measurement("s", "b", "none", "c", "recall", 0.5, label="sad", gender="male")
        >>> figure.variant
        'class=sad,gender=male'
        """
        if self.attack is not None:
            return f"{self.attack}@{self.snr_db:g}dB"
        if self.corruption is not None:
            return said(self.corruption, self.level)
        named = {
            "true" if self.predicted is not None else "class": self.label,
            "predicted": self.predicted,
            "gender": self.gender,
            "layer": self.layer,
            "attacker": self.attacker,
        }
        parts = [f"{name}={value}" for name, value in named.items() if value is not None]
        return ",".join([*parts, *([] if self.statistic is None else [self.statistic])])

    @property
    def stands_for_criterion(self) -> bool:
        """Whether this is the criterion itself, and not one of its details."""
        return all(getattr(self, name) is None for name in DETAILS)


DETAILS: Final = (
    "label",
    "predicted",
    "gender",
    "attack",
    "snr_db",
    "layer",
    "attacker",
    "corruption",
    "level",
    "statistic",
)
"""The fields of a measurement that tell figures of one criterion apart."""
