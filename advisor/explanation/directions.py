"""What a figure counts and which way is better: said alike in every report, table and line."""

from __future__ import annotations

from typing import Final

from profiles_db.criteria import CRITERIA, format_value

_COUNTED: Final[dict[str, str]] = {
    "uar": "Emotions recognised (UAR)",
    "accuracy": "Emotions recognised",
    "cross_corpus_uar": "Emotions recognised on other corpora (UAR)",
    "cross_corpus_drop": "UAR lost on other corpora",
    "gender_inference": "Gender inferred by the strongest attacker",
    "gender_accuracy": "Gender inferred",
    "gender_uar": "Gender inferred (UAR)",
    "gender_auc": "Gender inferred (AUC)",
    "linear_gender_accuracy": "Gender inferred by a linear probe",
    "head_gender_accuracy": "Gender inferred from the head",
    "speaker_eer": "Speakers mistaken for one another (EER)",
    "head_speaker_eer": "Speakers mistaken for one another, from the head (EER)",
    "attack_success_rate": "Right answers changed by the attack",
    "accuracy_under_attack": "Emotions recognised under the attack",
    "excess_equalized_odds_difference": "Gap between the genders, beyond chance",
    "equalized_odds_difference": "Gap between the genders (equalized odds)",
    "conditional_total_variation": "Gap between the genders' answers",
    "excess_group_uar_gap": "Gap between groups, beyond chance (UAR)",
    "group_uar_gap": "Gap between groups (UAR)",
    "robustness_mean_change": "UAR lost to corruptions",
    "robustness_worst_change": "UAR lost to the worst kind of corruption",
    "unchanged_predictions": "Answers unchanged by corruptions",
    "macs": "Multiply-accumulates, counted whole",
    "paper_macs": "Multiply-accumulates, the paper's counting",
}
"""What stands for an aspect, in words that say whether more of it is wanted."""


def counted(criterion: str) -> str:
    """What the figure counts, or the title of a criterion that says so itself.

    Examples
    --------
    >>> counted("gender_accuracy"), counted("latency_p50")
    ('Gender inferred', 'Median latency')
    """
    if criterion in _COUNTED:
        return _COUNTED[criterion]
    return CRITERIA[criterion].title if criterion in CRITERIA else criterion.replace("_", " ")


def better(criterion: str) -> str:
    """Which way is better; empty for a detail that is no criterion.

    Examples
    --------
    >>> better("uar"), better("gender_accuracy")
    ('higher is better', 'lower is better')
    """
    if criterion not in CRITERIA:
        return ""
    return f"{'higher' if CRITERIA[criterion].direction == 'maximise' else 'lower'} is better"


def reading(criterion: str, value: float | None, baseline: float | None = None) -> str:
    """A figure that cannot be mistaken for a mark: what is counted, its baseline, its direction.

    Examples
    --------
    >>> reading("gender_accuracy", 0.974, 0.5)
    'Gender inferred 97.4 %, baseline 50.0 %, lower is better'
    >>> reading("macs", None)
    'Multiply-accumulates, counted whole: unknown'
    """
    if value is None:
        return f"{counted(criterion)}: unknown"
    unit = CRITERIA[criterion].unit
    colon = ":" if "," in counted(criterion) else ""
    parts = [f"{counted(criterion)}{colon} {format_value(value, unit)}"]
    if baseline is not None:
        parts.append(f"baseline {format_value(baseline, unit)}")
    return ", ".join([*parts, better(criterion)])
