"""What the profile report needs to know of a profile, gathered from its measurements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from profiles_db.criteria import ASPECT_CRITERION, ASPECT_TITLES, ASPECTS, CRITERIA, Aspect
from profiles_db.measurement import POOLED, Measurement
from profiles_db.profile import Profile
from reports.trust_axis import TrustAxis

_ATTACK: Final = re.compile(r"(?P<kind>[a-z]+)@(?P<snr>-?\d+(?:\.\d+)?)dB")
_ATTACK_CRITERIA: Final = ("attack_success_rate", "accuracy_under_attack", "reached_snr_db")
_TABLED: Final = frozenset({"recall", "confusion", "layer_weight", *_ATTACK_CRITERIA})
GENDERS: Final = ("female", "male")
_BY_GENDER: Final = tuple(f",gender={gender}" for gender in GENDERS)
_SHADES: Final = (0.005, 0.1, 0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class Attack:
    """One perturbation at one signal-to-noise ratio: what it was asked for and what it did."""

    kind: str
    snr_db: float
    success: Measurement | None
    accuracy: Measurement | None
    reached: Measurement | None


class ProfileView:
    """One profile with its tables at hand; `name` tells it apart from the others of a page."""

    def __init__(self, profile: Profile, name: str) -> None:
        self.profile = profile
        self.name = name
        self.title = profile.backbone
        self._pooled = {
            (m.criterion, m.variant): m for m in profile.measurements if m.fold == POOLED
        }

    @property
    def marks(self) -> tuple[str, ...]:
        """What must be said beside the name wherever it is shown."""
        profile = self.profile
        partial = profile.folds < profile.folds_total
        found = {
            "untrained weights": profile.weights_kind == "random",
            "synthetic speech": profile.synthetic,
            f"{profile.folds} of {profile.folds_total} folds": partial,
        }
        return tuple(words for words, true in found.items() if true)

    @cached_property
    def axes(self) -> list[TrustAxis]:
        """The five aspects, each by its usual criterion or else the first that was measured."""
        return [self._axis(aspect) for aspect in ASPECTS]

    @property
    def criteria(self) -> list[Measurement]:
        """The figure of each criterion, in the order of the aspects."""
        return [self._pooled[name, ""] for name in CRITERIA if (name, "") in self._pooled]

    @cached_property
    def recalls(self) -> dict[str, Measurement]:
        """Recall of each class."""
        found = self._variants("recall", "class=")
        return {name: m for name, m in found.items() if not name.endswith(_BY_GENDER)}

    @cached_property
    def genders(self) -> list[str]:
        """The genders that figures are told apart by."""
        ends = tuple(variant for _, variant in self._pooled)
        return [gender for gender in GENDERS if any(v.endswith(f"gender={gender}") for v in ends)]

    def by_gender(
        self, criterion: str, gender: str, label: str | None = None
    ) -> Measurement | None:
        """A figure for one gender, of one class where `label` names one."""
        variant = f"gender={gender}" if label is None else f"class={label},gender={gender}"
        return self._pooled.get((criterion, variant))

    @cached_property
    def confusion(self) -> dict[tuple[str, str], Measurement]:
        """Counts of (true class, predicted class)."""
        found = self._variants("confusion", "true=")
        pairs = [(text.rpartition(",predicted="), m) for text, m in found.items()]
        return {(true, predicted): m for (true, _, predicted), m in pairs}

    @property
    def confused(self) -> list[str]:
        """The classes of the confusion matrix."""
        return list(dict.fromkeys(true for true, _ in self.confusion))

    def shade(self, true: str, predicted: str) -> int:
        """Step of the heat scale for one cell: its share of the clips of the true class."""
        counts = {p: m.value or 0.0 for (t, p), m in self.confusion.items() if t == true}
        total = sum(counts.values())
        share = counts.get(predicted, 0.0) / total if total else 0.0
        return sum(share >= step for step in _SHADES)

    @cached_property
    def attacks(self) -> list[Attack]:
        """Every perturbation, by kind and signal-to-noise ratio."""
        variants = {v for criterion, v in self._pooled if criterion in _ATTACK_CRITERIA}
        found = [match for variant in variants if (match := _ATTACK.fullmatch(variant))]
        attacks = [self._attack(match["kind"], float(match["snr"]), match[0]) for match in found]
        return sorted(attacks, key=lambda attack: (attack.kind, attack.snr_db))

    @cached_property
    def layers(self) -> dict[int, Measurement]:
        """Softmax weight of each hidden state, by its number."""
        found = self._variants("layer_weight", "layer=")
        return dict(sorted((int(layer), m) for layer, m in found.items() if layer.isdigit()))

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds that have figures of their own."""
        return sorted({m.fold for m in self.profile.measurements if m.fold != POOLED})

    @property
    def fold_criteria(self) -> list[str]:
        """Criteria that have figures per fold."""
        found = {m.criterion for m in self.profile.measurements if m.fold != POOLED}
        return [name for name in CRITERIA if name in found]

    def of_fold(self, criterion: str, fold: int) -> Measurement | None:
        """The figure of one fold."""
        for m in self.profile.measurements:
            if (m.criterion, m.fold, m.variant) == (criterion, fold, ""):
                return m
        return None

    @property
    def further(self) -> list[Measurement]:
        """Figures that no table of the report holds."""
        return [
            m
            for (criterion, variant), m in self._pooled.items()
            if not (criterion in CRITERIA and variant == "")
            and criterion not in _TABLED
            and not variant.startswith("gender=")
        ]

    def _variants(self, criterion: str, start: str) -> dict[str, Measurement]:
        """What follows `start` in the variants of `criterion`."""
        return {
            variant.removeprefix(start): m
            for (name, variant), m in self._pooled.items()
            if name == criterion and variant.startswith(start)
        }

    def _attack(self, kind: str, snr_db: float, variant: str) -> Attack:
        figures = [self._pooled.get((criterion, variant)) for criterion in _ATTACK_CRITERIA]
        return Attack(kind, snr_db, *figures)

    def _axis(self, aspect: Aspect) -> TrustAxis:
        criterion = CRITERIA[self._stands_for(aspect)]
        figure = self._pooled.get((criterion.name, ""))
        number, title = ASPECTS.index(aspect), ASPECT_TITLES[aspect]
        return TrustAxis(number, title, criterion.name, figure, criterion.unit, criterion.scale)

    def _stands_for(self, aspect: Aspect) -> str:
        usual = ASPECT_CRITERION[aspect]
        if (usual, "") in self._pooled:
            return usual
        others = (m.criterion for m in self.criteria if CRITERIA[m.criterion].aspect == aspect)
        return next(others, usual)


class ProfilesView:
    """All profiles of a page."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self.profiles = [
            ProfileView(profile, f"profile-{number}") for number, profile in enumerate(profiles, 1)
        ]
        self._numbers = {view.name: number for number, view in enumerate(self.profiles)}

    @property
    def studies(self) -> Mapping[str, list[ProfileView]]:
        """The profiles by study; only those of one study may be compared."""
        found: dict[str, list[ProfileView]] = {}
        for view in self.profiles:
            found.setdefault(view.profile.study, []).append(view)
        return found

    @property
    def untrained(self) -> bool:
        """Whether any of the profiles is of random weights."""
        return any(view.profile.weights_kind == "random" for view in self.profiles)

    @property
    def synthetic(self) -> bool:
        """Whether any of the profiles rests on synthetic speech."""
        return any(view.profile.synthetic for view in self.profiles)

    def aspect_number(self, aspect: Aspect) -> int:
        """Number of the aspect's colour."""
        return ASPECTS.index(aspect)

    def color(self, name: str) -> int:
        """Number of the profile's colour."""
        return self._numbers[name] % 8
