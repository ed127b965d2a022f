"""Each criterion once: its name, aspect, unit, direction, fixed scale, and where they come from.

A *scale* maps a value to a score: `worst` scores 0, `best` scores 1, linearly between. Scales are
fixed, so a candidate's score never depends on which other candidates stand beside it. The paper's
scales are the axes of its published radar charts; the others are this project's choice, each
with its reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from profiles_db.dimensions import DIMENSIONS
from profiles_db.errors import InputError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Aspect = Literal[
    "system_performance", "privacy", "safety", "fairness", "sustainability", "robustness"
]
Direction = Literal["maximise", "minimise"]
Unit = Literal["fraction", "MAC", "parameters", "bytes", "seconds", "ratio", "coefficient"]
"""A coefficient is a correlation, from -1 to 1, or a difference of two."""

ASPECTS: Final[tuple[Aspect, ...]] = get_args(Aspect)

OPTIONAL_ASPECTS: Final[frozenset[Aspect]] = frozenset({"robustness"})
"""Aspects that are measured only where somebody asks. One that nobody measured and nobody weighs is
left out of tables and pictures, instead of standing there as unknown."""

ASPECT_TITLES: Final[dict[Aspect, str]] = {
    "system_performance": "System performance",
    "privacy": "Privacy",
    "safety": "Safety",
    "fairness": "Fairness",
    "sustainability": "Sustainability",
    "robustness": "Robustness",
}

_PAPER = "axis of the radar charts published with arXiv:2305.11229"
_FULL = "the whole range of the measure"
_FOUR_FIFTHS = (
    "from none to 20 points: at a rate of 1, what the four-fifths rule (29 CFR 1607.4 D) allows"
)
_TWICE = "from none to 50 points: at a recall of 1, twice as many clips answered right"
_STRESS = "the stress tests published with arXiv:2203.07378"
_SHIFTED = (
    f"from 0.2, four times the difference of 0.05 from which {_STRESS} count a prediction as "
    "changed, to none"
)
_AGREES = (
    "from 0, what the training mean scores as the answer to every clip, to 0.75, arousal of the "
    "best model fine-tuned in arXiv:2203.07378 (0.745 on MSP-Podcast)"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """A fixed linear scale: `worst` scores 0 and `best` scores 1.

    Both ends are in the criterion's unit; `source` says where they come from.

    Examples
    --------
    >>> Scale(worst=48e9, best=0.0, source="example").score(24e9)
    0.5
    """

    worst: float
    best: float
    source: str

    def score(self, value: float) -> float:
        """Score in [0, 1]; a value beyond an end scores as that end."""
        raw = (value - self.worst) / (self.best - self.worst)
        return min(1.0, max(0.0, raw))

    def holds(self, value: float) -> bool:
        """Whether `value` lies between the two ends, so that its score was not cut."""
        return min(self.worst, self.best) <= value <= max(self.worst, self.best)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One measurable property of a profile.

    `name` is what scenario files, the database and `--json` call it; `definition` says in one
    sentence what the figure means.
    """

    name: str
    aspect: Aspect
    title: str
    unit: Unit
    direction: Direction
    scale: Scale
    definition: str


def _criterion(
    name: str,
    aspect: Aspect,
    title: str,
    unit: Unit,
    worst: float,
    best: float,
    source: str,
    definition: str,
) -> Criterion:
    scale = Scale(worst, best, source)
    return Criterion(name, aspect, title, unit, _direction(scale), scale, definition)


def _direction(scale: Scale) -> Direction:
    return "maximise" if scale.best > scale.worst else "minimise"


# fmt: off
_ALL: Final[tuple[Criterion, ...]] = (
    _criterion(
        "uar", "system_performance", "Unweighted average recall", "fraction", 0.56, 0.68, _PAPER,
        "Mean over the emotion classes of the share of that class's test clips classified "
        "correctly.",
    ),
    _criterion(
        "accuracy", "system_performance", "Accuracy", "fraction", 0.0, 1.0, _FULL,
        "Share of the test clips classified correctly.",
    ),
    _criterion(
        "macro_f1", "system_performance", "Macro F1", "fraction", 0.0, 1.0, _FULL,
        "Mean over the emotion classes of the F1 score.",
    ),
    _criterion(
        "expected_calibration_error", "system_performance", "Expected calibration error",
        "fraction", 0.5, 0.0, "half the range: worse than that is worse than a constant guess",
        "Mean distance between confidence and accuracy over 15 bins of confidence.",
    ),
    _criterion(
        "ccc_mean", "system_performance", "Concordance with ratings, mean over the dimensions",
        "coefficient", 0.0, 0.75, _AGREES,
        "Concordance correlation coefficient of predicted and rated emotion, mean over the "
        "dimensions that clips are rated on (arousal, dominance, valence); 0 for one answer to "
        "all clips, 1 where every clip is rated as predicted.",
    ),
    *(
        _criterion(
            f"ccc_{dimension}", "system_performance", f"Concordance with ratings of {dimension}",
            "coefficient", 0.0, 0.75, _AGREES,
            f"Concordance correlation coefficient of predicted and rated {dimension}.",
        )
        for dimension in DIMENSIONS
    ),
    _criterion(
        "cross_corpus_uar", "system_performance", "Unweighted average recall on other corpora",
        "fraction", 0.25, 0.68,
        "from guessing four classes to the best end of the axis of UAR in the corpus itself",
        "UAR of the trained heads on every clip of other corpora, over the classes that both have, "
        "each answer any class of the heads; mean over the corpora.",
    ),
    _criterion(
        "cross_corpus_drop", "system_performance", "UAR lost on other corpora, relative",
        "fraction", 0.3, 0.0,
        "from 30 %, about the largest drop on another corpus that arXiv:2203.07378 prints of its "
        "best model (valence: CCC .635 to .448), to none",
        "Share of the UAR in the corpus itself, on the classes that both have, that is lost on "
        "other corpora; mean over the corpora; below 0 where UAR is higher there.",
    ),
    _criterion(
        "gender_inference", "privacy", "Gender inferred by the strongest attacker tried",
        "fraction", 1.0, 0.5, "from certainty to chance, which is 0.5 in any corpus",
        "Mean over the genders of the share of test clips whose speaker's gender is inferred, by "
        "the attacker that does best on the dev part of each fold.",
    ),
    _criterion(
        "gender_accuracy", "privacy", "Gender inference accuracy", "fraction", 1.0, 0.88, _PAPER,
        "Accuracy of the reference's probe that infers the speaker's gender from the frozen hidden "
        "states.",
    ),
    _criterion(
        "gender_uar", "privacy", "Gender inference UAR", "fraction", 1.0, 0.5,
        "from certainty to chance",
        "Unweighted average recall of the gender probe.",
    ),
    _criterion(
        "gender_auc", "privacy", "Gender inference AUC", "fraction", 1.0, 0.5,
        "from certainty to chance",
        "Area under the ROC curve of the gender probe.",
    ),
    _criterion(
        "linear_gender_accuracy", "privacy", "Gender inference accuracy, linear probe", "fraction",
        1.0, 0.5, "from certainty to chance in a balanced corpus",
        "Accuracy of a logistic regression that infers gender from the hidden states, pooled over "
        "layers and frames.",
    ),
    _criterion(
        "head_gender_accuracy", "privacy", "Gender leaked by the head", "fraction", 1.0, 0.5,
        "from certainty to chance in a balanced corpus",
        "Accuracy of a probe that infers gender from the emotion head's embedding alone.",
    ),
    _criterion(
        "speaker_eer", "privacy", "Speaker verification EER", "fraction", 0.0, 0.5,
        "from certainty to chance",
        "Equal error rate of verifying unseen speakers by cosine similarity of pooled hidden "
        "states, among clips of one emotion; 0.5 means that speakers cannot be told apart.",
    ),
    _criterion(
        "head_speaker_eer", "privacy", "Speaker verification EER, from the head", "fraction",
        0.0, 0.5, "from certainty to chance",
        "The same equal error rate, from the emotion head's embedding.",
    ),
    _criterion(
        "trained_speaker_eer", "privacy", "Speaker verification EER, trained verifier", "fraction",
        0.0, 0.5, "from certainty to chance",
        "Equal error rate of a speaker verifier that was trained on the frozen hidden states, for "
        "speakers it has not heard; published studies only.",
    ),
    _criterion(
        "speaker_identification_accuracy", "privacy", "Speaker identification accuracy", "fraction",
        1.0, 0.0, "the whole range: chance is next to nothing among a thousand speakers",
        "Share of clips whose speaker a head trained on the frozen hidden states names among those "
        "it was trained on; published studies only.",
    ),
    _criterion(
        "attack_success_rate", "safety", "Attack success rate", "fraction", 1.0, 0.4, _PAPER,
        "Share of the clips classified correctly whose class changes under FGSM at the protocol's "
        "signal-to-noise ratio (45 dB in the paper).",
    ),
    _criterion(
        "accuracy_under_attack", "safety", "Accuracy under attack", "fraction", 0.0, 1.0, _FULL,
        "Share of all test clips still classified correctly under the attack.",
    ),
    *(
        _criterion(
            f"shift_under_attack_{name}", "safety",
            f"Shift of predicted {name} under attack" if name in DIMENSIONS
            else "Shift under attack, mean over the dimensions",
            "fraction", 0.2, 0.0, _SHIFTED,
            "Mean absolute difference between what is predicted of the attacked clip and of the "
            "clip as it is, in the range of the ratings, "
            + (f"of {name}." if name in DIMENSIONS else "mean over the dimensions of emotion."),
        )
        for name in ("mean", *DIMENSIONS)
    ),
    *(
        _criterion(
            f"ccc_under_attack_{name}", "safety",
            f"Concordance with ratings of {name} under attack" if name in DIMENSIONS
            else "Concordance with ratings under attack, mean over the dimensions",
            "coefficient", 0.0, 0.75, _AGREES,
            "Concordance correlation coefficient of the emotion rated and that predicted of the "
            "attacked clips, "
            + (f"of {name}." if name in DIMENSIONS else "mean over the dimensions of emotion."),
        )
        for name in ("mean", *DIMENSIONS)
    ),
    _criterion(
        "excess_equalized_odds_difference", "fairness", "Equalized odds difference beyond chance",
        "fraction", 0.2, 0.0, _FOUR_FIFTHS,
        "Equalized odds difference less what a fair model would score on the same clips (mean over "
        "the genders permuted over the speakers), at least 0.",
    ),
    _criterion(
        "equalized_odds_difference", "fairness", "Equalized odds difference", "fraction",
        0.5, 0.0, _TWICE,
        "Largest difference between the genders in true- or false-positive rate, each class "
        "against the rest, worst class.",
    ),
    _criterion(
        "equalized_odds_difference_mean", "fairness", "Equalized odds difference, mean class",
        "fraction", 0.2, 0.0, _FOUR_FIFTHS,
        "The same difference, averaged over the classes.",
    ),
    _criterion(
        "equal_opportunity_difference", "fairness", "Equal opportunity difference", "fraction",
        0.5, 0.0, _TWICE,
        "Largest difference between the genders in recall, worst class.",
    ),
    _criterion(
        "conditional_total_variation", "fairness",
        "Total variation between the genders given the emotion", "fraction", 0.24, 0.12, _PAPER,
        "Total-variation distance between the genders' answers to clips of the same emotion, mean "
        "over the emotions, on each test fold, then over the folds: what the paper prints as "
        "equality of odds.",
    ),
    _criterion(
        "statistical_parity_difference", "fairness", "Statistical parity difference", "fraction",
        0.2, 0.0, _FOUR_FIFTHS,
        "Largest difference between the genders in how often a class is predicted, worst class.",
    ),
    _criterion(
        "parity_total_variation", "fairness",
        "Total variation between the genders' predictions", "fraction",
        0.2, 0.0, _FOUR_FIFTHS,
        "Total-variation distance between how often each class is predicted for either gender, on "
        "each test fold, then over the folds: statistical parity as the paper's code computes it.",
    ),
    _criterion(
        "true_positive_share_difference", "fairness", "Difference in the share of true positives",
        "fraction", 0.2, 0.0, _FOUR_FIFTHS,
        "Largest difference between the genders in the share of their clips that are of a class "
        "and answered as it, worst class, on each test fold, then over the folds: what the paper's "
        "code calls demographic parity.",
    ),
    _criterion(
        "uar_gender_gap", "fairness", "UAR gap between the genders", "fraction", 0.2, 0.0,
        _FOUR_FIFTHS,
        "Absolute difference between the genders' UAR.",
    ),
    _criterion(
        "ccc_gender_gap", "fairness", "Concordance gap between the genders", "coefficient",
        0.15, 0.0,
        f"from twice the difference of 0.075 above which {_STRESS} fail, to none",
        "Absolute difference between the concordance correlation coefficients on clips of either "
        "gender, mean over the dimensions of emotion.",
    ),
    _criterion(
        "detectable_recall_gap", "fairness", "Smallest recall gap that would be found", "fraction",
        0.5, 0.0, _TWICE,
        "Smallest difference between the genders in the recall of one class that would be found in "
        "80 % of cases with these speakers and clips (5 % permutation test): the power behind the "
        "other figures, not a property of the backbone.",
    ),
    _criterion(
        "speaker_worst_decile", "fairness", "Accuracy for the worst-served tenth of speakers",
        "fraction", 0.0, 1.0, _FULL,
        "Mean accuracy over the tenth of the speakers with the lowest accuracy.",
    ),
    _criterion(
        "excess_group_uar_gap", "fairness", "UAR gap between groups beyond chance", "fraction",
        0.2, 0.0, _FOUR_FIFTHS,
        "Largest difference in UAR between the groups of one attribute (gender, accent, age band, "
        "...) less what a fair model would score on the same clips, at least 0; of the attribute "
        "where that is largest.",
    ),
    _criterion(
        "group_uar_gap", "fairness", "UAR gap between groups", "fraction", 0.2, 0.0, _FOUR_FIFTHS,
        "Largest difference in UAR between the groups of the attribute whose groups lie farthest "
        "apart beyond chance.",
    ),
    _criterion(
        "speaker_uar_deviation", "fairness", "Deviation of UAR between speakers", "fraction",
        0.18, 0.0,
        "from none to 18 points: two speakers drawn at random are then 20 points apart on average, "
        "what the four-fifths rule (29 CFR 1607.4 D) allows",
        "Standard deviation of UAR between speakers with many clips, each by bootstraps of equally "
        "many clips.",
    ),
    _criterion(
        "speaker_uar_worst", "fairness", "UAR for the worst-served speaker", "fraction", 0.0, 1.0,
        _FULL,
        "Lowest UAR of a speaker with many clips, by bootstraps of equally many clips of each.",
    ),
    _criterion(
        "macs", "sustainability", "Multiply-accumulates, counted whole", "MAC", 48e9, 0.0, _PAPER,
        "Multiply-accumulates of the encoder for one 6 s clip, every operator counted.",
    ),
    _criterion(
        "paper_macs", "sustainability", "Multiply-accumulates, the paper's counting", "MAC",
        48e9, 0.0, _PAPER,
        "Multiply-accumulates for one 6 s clip as a module-hook counter sees them: what the paper "
        "prints as FLOPs, with most attention left out.",
    ),
    _criterion(
        "parameters", "sustainability", "Parameters", "parameters", 100e6, 0.0,
        "a little above the largest of the paper's backbones",
        "Parameters of the encoder.",
    ),
    _criterion(
        "size", "sustainability", "Size on disk", "bytes", 400e6, 0.0,
        "100 M parameters in 32-bit floats", "Bytes of the encoder's weights on disk.",
    ),
    _criterion(
        "latency_p50", "sustainability", "Median latency", "seconds", 1.0, 0.0,
        "one second for a 6 s clip", "Median time for one 6 s clip at batch 1 on the device named.",
    ),
    _criterion(
        "latency_p95", "sustainability", "95th percentile latency", "seconds", 1.0, 0.0,
        "one second for a 6 s clip",
        "Time within which 95 of 100 clips of 6 s are done, batch 1, on the device named.",
    ),
    _criterion(
        "real_time_factor", "sustainability", "Real-time factor", "ratio", 1.0, 0.0,
        "as long as the clip lasts", "Median latency divided by the clip's duration.",
    ),
    _criterion(
        "memory", "sustainability", "Peak memory above idle", "bytes", 2e9, 0.0,
        "half the memory of a 4 GB device",
        "Peak memory of inference on one 6 s clip, less the idle process.",
    ),
    _criterion(
        "robustness_mean_change", "robustness", "UAR lost to corruptions, mean over kinds",
        "fraction", 0.1, 0.0,
        f"from 10 points to none: twice the loss of 5 points at which {_STRESS} fail",
        "UAR on the clips as they are less UAR on corrupted ones (noise, rooms, telephone, ...), "
        "mean over the levels of each kind of corruption, then over the kinds; below 0 where it "
        "rises.",
    ),
    _criterion(
        "robustness_worst_change", "robustness", "UAR lost to corruptions, worst kind",
        "fraction", 0.22, 0.0,
        "from 22 points, the largest drop (of CCC) that Table III of arXiv:2203.07378 prints for "
        "sounds as loud as the voice, to none",
        "The same loss under the kind of corruption that costs most, mean over its levels.",
    ),
    _criterion(
        "unchanged_predictions", "robustness", "Answers unchanged by corruptions", "fraction",
        0.5, 1.0,
        f"from half, the least that any of {_STRESS} passes (telephone), to all",
        "Share of the test clips that are answered alike corrupted and not, right or wrong, mean "
        "over the levels of each kind of corruption, then over the kinds.",
    ),
)
# fmt: on

ATTACKED_DIMENSIONAL_CRITERIA: Final = tuple(
    f"{figure}_{name}"
    for figure in ("shift_under_attack", "ccc_under_attack")
    for name in ("mean", *DIMENSIONS)
)
"""What is measured of clips that are rated on dimensions and attacked, where somebody asks."""

DIMENSIONAL_CRITERIA: Final = (
    "ccc_mean", *(f"ccc_{dimension}" for dimension in DIMENSIONS), "ccc_gender_gap",
)  # fmt: skip
"""What is measured of clips that are rated on dimensions, where somebody asks: a measure of its own
that speaks of two aspects."""

OWN_CRITERIA: Final[Mapping[str, Criterion]] = {criterion.name: criterion for criterion in _ALL}
"""The criteria of this program, by name."""

ENTRY_POINT_GROUP: Final = "trustser.criteria"


@cache
def added_criteria() -> Mapping[str, Criterion]:
    """The criteria that other packages add, by name; their modules enter rows of measures too.

    Raises
    ------
    InputError
        If an entry point cannot be imported, is no sequence of criteria, or names one that there
        is already.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads what is installed

    found: dict[str, Criterion] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        for criterion in _load(point):
            fault = _fault_of(criterion)
            if fault is None and criterion.name in (*OWN_CRITERIA, *found):
                fault = f"a second criterion is called {criterion.name}"
            if fault:
                raise _refusal(point, fault)
            found[criterion.name] = criterion
    return found


def _load(point: EntryPoint) -> tuple[Any, ...]:
    try:
        return tuple(point.load())
    except (ImportError, AttributeError) as error:
        raise _refusal(point, f"cannot be imported: {error}") from error
    except TypeError as error:
        raise _refusal(point, "is no sequence") from error


def _fault_of(criterion: Any) -> str | None:
    if not isinstance(criterion, Criterion):
        return f"{criterion!r:.60} is no criterion"
    name, scale = criterion.name, criterion.scale
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        return f"a criterion cannot be called {name!r:.60}"
    if criterion.aspect not in ASPECTS or criterion.unit not in get_args(Unit):
        return f"{name} has no known aspect, or no known unit"
    if not (math.isfinite(scale.worst) and math.isfinite(scale.best)):
        return f"the scale of {name} has no end"
    if scale.worst == scale.best or criterion.direction != _direction(scale):
        return f"the scale of {name} does not lead to {criterion.direction} it"
    return None


def _refusal(point: EntryPoint, fault: str) -> InputError:
    return InputError(
        fault,
        where=f"entry point {point.name} of {ENTRY_POINT_GROUP}",
        rule="a sequence of profiles_db.criteria.Criterion",
        remedy=f"mend or uninstall the package that declares {point.value}",
    )


class _Criteria(Mapping[str, Criterion]):
    """All criteria by name: those of this program, then those that other packages add.

    What is installed is looked through when a name is not the program's own, or all are asked for.
    """

    def __getitem__(self, name: str) -> Criterion:
        own = OWN_CRITERIA.get(name)
        return added_criteria()[name] if own is None else own

    def __iter__(self) -> Iterator[str]:
        yield from OWN_CRITERIA
        yield from added_criteria()

    def __len__(self) -> int:
        return len(OWN_CRITERIA) + len(added_criteria())


CRITERIA: Final[Mapping[str, Criterion]] = _Criteria()
"""All criteria by name, those that other packages add at the end."""

ASPECT_CRITERION: Final[dict[Aspect, str]] = {
    "system_performance": "uar",
    "privacy": "gender_inference",
    "safety": "attack_success_rate",
    "fairness": "excess_equalized_odds_difference",
    "sustainability": "macs",
    "robustness": "robustness_mean_change",
}
"""The criterion that stands for its aspect, unless the study says otherwise."""


def shown_aspects(criteria: Iterable[str]) -> tuple[Aspect, ...]:
    """The aspects to show where these criteria have figures or are weighed.

    Examples
    --------
    >>> shown_aspects(["uar"])[-1], shown_aspects(["unchanged_predictions"])[-1]
    ('sustainability', 'robustness')
    """
    present = {CRITERIA[name].aspect for name in criteria if name in CRITERIA}
    return tuple(a for a in ASPECTS if a not in OPTIONAL_ASPECTS or a in present)


def criteria_of(criteria: Iterable[str]) -> dict[Aspect, str]:
    """The criterion that usually stands for each aspect that `shown_aspects` names."""
    return {aspect: ASPECT_CRITERION[aspect] for aspect in shown_aspects(criteria)}


GUESSED: Final = frozenset(
    {
        "uar", "accuracy", "macro_f1", "cross_corpus_uar", "ccc_mean",
        *(f"ccc_{dimension}" for dimension in DIMENSIONS),
    }
)  # fmt: skip
"""Criteria whose baseline is what guessing scores: a figure that reaches it shows nothing. Of the
others the baseline is the good end: a private, robust or fair model scores as chance does."""


def format_value(value: float, unit: Unit) -> str:
    """`value` as people write it: percent, G/M MACs, MB, ms.

    Examples
    --------
    >>> format_value(0.6374, "fraction"), format_value(2.3e9, "MAC"), format_value(0.04, "seconds")
    ('63.7 %', '2.30 GMAC', '40.0 ms')
    >>> format_value(16.9e6, "MAC"), format_value(0, "bytes"), format_value(0.0003, "ratio")
    ('16.9 MMAC', '0.0 MB', '0.0003')
    >>> format_value(-0.05, "coefficient")
    '-0.050'
    """
    return _WRITTEN[unit](value)


def _macs(value: float) -> str:
    if 0 < value < 1e8:  # noqa: PLR2004 - below a tenth of a billion, millions read better
        return f"{value / 1e6:.3g} MMAC"
    return f"{value / 1e9:.2f} GMAC"


def _parameters(value: float) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e4 else f"{value:.0f}"  # noqa: PLR2004


_WRITTEN: Final[dict[Unit, Callable[[float], str]]] = {
    "fraction": lambda value: f"{100 * value:.1f} %",
    "MAC": _macs,
    "parameters": _parameters,
    "bytes": lambda value: f"{value / 1e6:.1f} MB",
    "seconds": lambda value: f"{value * 1e3:.1f} ms",
    "ratio": lambda value: f"{value:.3g}",
    "coefficient": lambda value: f"{value:.3f}",
}
