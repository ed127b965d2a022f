"""The first part of an advice report, to be read in a minute: in HTML and as a page of PDF."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from advisor.explanation.directions import counted
from advisor.explanation.wording import listed, scores_text
from advisor.ranking.findings import Flip, Requirement, Sway
from advisor.records import Candidate, EvidenceKind
from profiles_db.candidate_names import split_depth, split_tuned
from profiles_db.criteria import ATTACKED_DIMENSIONAL_CRITERIA, CRITERIA, Aspect
from reports import wording
from reports.advice_view import View
from reports.trust_axis import TrustAxis

_MOST_SHOWN: Final = 3
_MOST_CHANGES: Final = 3
_LEAST_MOVED: Final = 1e-9
"""Less is the rounding of sums, not a weight that moves."""

_BETWEEN: Final = "What would decide between them"
_OTHERWISE: Final = "What would change it"
_OTHERWISE_NONE: Final = "What would let one in"

_GENDER: Final = "Clips whose features give the speaker's gender away"
_RISKS: Final = {
    "uar": "Emotions it gets right",
    "accuracy": "Clips it gets right",
    "cross_corpus_uar": "Emotions it gets right in other corpora",
    "gender_inference": _GENDER,
    "gender_accuracy": _GENDER,
    "gender_uar": "How well features give the speaker's gender away (UAR)",
    "linear_gender_accuracy": _GENDER,
    "attack_success_rate": "Right answers that a faint disturbance turns wrong",
    "accuracy_under_attack": "Clips it gets right under a faint disturbance",
    "excess_equalized_odds_difference": "Gap in errors between the genders, beyond chance",
    "equalized_odds_difference": "Gap in errors between the genders",
    "conditional_total_variation": "Gap in answers between the genders",
    "macs": "Arithmetic for 6 s of speech",
    "paper_macs": "Arithmetic for 6 s of speech, by the paper's counting",
    "latency_p50": "Time for 6 s of speech",
    "robustness_mean_change": "UAR lost to noise, rooms and telephones",
}
"""What a figure means to those who live with it; others are said as they are counted."""


@dataclass(frozen=True, slots=True)
class Risk:
    """One aspect in plain words, and what it is for each candidate, in the order of them.

    `graded` holds the word for each figure by itself.
    """

    number: int
    aspect: Aspect
    title: str
    words: str
    axes: tuple[TrustAxis, ...]
    graded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What would change the choice, and to what; `between` says that they are level now."""

    cause: str
    result: str
    between: bool = False


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to measure next, what to expect of it, and the command; empty where there is none.

    `note` is what the command takes to be of use.
    """

    what: str
    gain: str
    command: str
    note: str = ""

    @property
    def pieces(self) -> list[list[str]]:
        """The command line by line, each option with its value in one piece.

        Examples
        --------
        >>> NextStep("", "", "trustser measure fbank --db my.duckdb").pieces
        [['trustser measure fbank', '--db my.duckdb']]
        """
        return [re.split(" (?=--)", line) for line in self.command.splitlines()]


@dataclass(frozen=True, slots=True)
class Minute:
    """All that the first part says beside the heading and the summary.

    `shown` are the candidates that the evidence cannot tell apart, or the choice; `further` counts
    those that are level too and have no column. `changes` has a title for what would decide between
    those that are level, and one for what would make another the choice; `unchanged` is what to
    say where there is none.
    """

    lede: str
    shown: tuple[Candidate, ...]
    further: int
    risks: tuple[Risk, ...]
    changes: Mapping[str, tuple[Change, ...]]
    unchanged: str
    next_step: NextStep | None

    @property
    def level_too(self) -> str:
        """How many are level and have no column; empty where all have one."""
        count = self.further
        return f"{count} more {'is' if count == 1 else 'are'} level." if count else ""


def minute(view: View) -> Minute:
    """What the first part of the report of a decision says."""
    alike = [view.candidates[name] for name in view.alike]
    shown = tuple(alike[:_MOST_SHOWN])
    return Minute(
        _lede(view),
        shown,
        len(alike) - len(shown),
        _risks(view, shown),
        _by_title(view, _changes(view) if alike else _relaxations(view)),
        _unchanged(view),
        _next_step(view),
    )


def plain_risk(criterion: str) -> str:
    """A criterion as those say it who live with the figure.

    Examples
    --------
    >>> plain_risk("conditional_total_variation"), plain_risk("speaker_eer")
    ('Gap in answers between the genders', 'Speakers mistaken for one another (EER)')
    """
    return _RISKS.get(criterion) or counted(criterion)


def _risks(view: View, shown: tuple[Candidate, ...]) -> tuple[Risk, ...]:
    rows = zip(*(view.axes(candidate) for candidate in shown), strict=True)
    return tuple(
        Risk(
            axes[0].number,
            axes[0].aspect,
            axes[0].title,
            plain_risk(axes[0].criterion),
            axes,
            tuple(candidate.grades[axes[0].aspect] for candidate in shown),
        )
        for axes in rows
    )


def _lede(view: View) -> str:
    """The choice in one line, where the heading and the numbers below it say the rest."""
    chosen, decision = view.chosen, view.decision
    eligible = [candidate for candidate in decision.candidates if candidate.eligible]
    if chosen is None or chosen.score is None or len(eligible) == 1:
        return decision.summary
    second = eligible[1]
    own, other = scores_text(chosen.score, second.score or 0.0)
    level = second.score == chosen.score
    ahead = f"scores {own}{', like' if level else f' against {other} for'} {second.title}"
    if len(view.alike) == 1:
        return f"It {ahead}."
    return f"The evidence cannot tell them apart; {chosen.title} {ahead}."


def _by_title(view: View, changes: Sequence[Change]) -> Mapping[str, tuple[Change, ...]]:
    between = tuple(change for change in changes if change.between)
    others = tuple(change for change in changes if not change.between)
    titled = {_BETWEEN: between, _OTHERWISE if view.chosen else _OTHERWISE_NONE: others}
    return {title: found for title, found in titled.items() if found}


def _changes(view: View) -> tuple[Change, ...]:
    """Another choice: without a requirement, with other weights, without a criterion."""
    decision = view.decision
    found = [
        _change(view, f"Without “{view.said(requirement)}”", requirement.choice_without)
        for requirement in decision.requirements
        if requirement.decisive
    ]
    if decision.flip is not None:
        found.append(_change(view, _moved(view, decision.flip), decision.flip.to))
    found += [
        _change(view, f"Without {view.criterion_title(out.criterion)}", out.choice)
        for out in decision.leave_one_out
        if out.choice != decision.choice
    ]
    return tuple(found[:_MOST_CHANGES])


def _moved(view: View, flip: Flip) -> str:
    """How much of the weight moves, from what and to what."""
    weights = {c.criterion: c.weight for c in view.decision.criteria}
    gains = {name: flip.weights.get(name, 0.0) - weight for name, weight in weights.items()}
    losing = [name for name, gain in gains.items() if gain < -_LEAST_MOVED]
    gaining = [name for name, gain in gains.items() if gain > _LEAST_MOVED]
    said = f"With {wording.percent(flip.moved)} of weight moved"
    if not losing or not gaining:
        return said
    return f"{said} from {_aspects(view, losing)} to {_aspects(view, gaining)}"


def _aspects(view: View, criteria: Sequence[str]) -> str:
    """Criteria by their aspects, where no other criterion of the same aspect is weighed."""
    count = Counter(weighted.aspect for weighted in view.decision.criteria)
    return listed(
        [
            view.aspect_title(name).lower()
            if count[view.weighted[name].aspect] == 1
            else view.criterion_title(name)
            for name in criteria
        ]
    )


def _unchanged(view: View) -> str:
    """Why there is no change to tell of."""
    if view.chosen is None:
        return "No bound that gives way is enough."
    if sum(candidate.eligible for candidate in view.candidates.values()) == 1:
        return (
            "No other candidate qualifies, and without any one requirement the choice is the same."
        )
    return "Nothing that was tried: no requirement dropped, no weight moved."


def _change(view: View, cause: str, name: str | None) -> Change:
    return Change(cause, view.title(name), name in view.alike)


def _relaxations(view: View) -> tuple[Change, ...]:
    """Who would come in first if bounds gave way, the smallest change first."""
    near = [
        candidate
        for candidate in view.decision.candidates
        if candidate.score is not None
        and candidate.relaxations
        and all(relaxation.to is not None for relaxation in candidate.relaxations)
    ]
    near.sort(key=lambda one: sum(relaxation.share or 0.0 for relaxation in one.relaxations))
    return tuple(Change(_relaxed(view, one), one.title) for one in near[:_MOST_CHANGES])


def _relaxed(view: View, candidate: Candidate) -> str:
    parts = []
    for relaxation in candidate.relaxations:
        requirement = view.requirements[relaxation.requirement]
        if isinstance(requirement, Requirement):
            stated = wording.quantity(requirement.bound, requirement.unit)
            way = requirement.comparison.replace("_", " ")
            parts.append(f"{requirement.title} {way} {relaxation.to_text} instead of {stated}")
    return f"With {listed(parts)}"


def _next_step(view: View) -> NextStep | None:
    """The measurement to make next: what is unknown and could change the choice comes first."""
    step = _step(view)
    return step if step is None or not step.command else replace(step, note=_note(view, step))


def _note(view: View, step: NextStep) -> str:
    if view.decision.study.kind == "published":
        return "Then set “evidence: measured” and give “--db my.duckdb”."
    goes_on = step.command.startswith("trustser profile") and MORE_SPEECH not in step.command
    return "With the settings of the run, so that it goes on." if goes_on else ""


def _step(view: View) -> NextStep | None:
    gaps = [gap for gap in view.decision.missing if gap.could_change]
    if gaps:
        same = [gap for gap in gaps if gap.criterion == gaps[0].criterion]
        return _fill(view, gaps[0].criterion, [gap.candidate for gap in same], gaps[0].flagged)
    if view.decision.sways:
        return _sharpen(view, view.decision.sways[0])
    return _own_speech(view)


def _fill(view: View, criterion: str, names: list[str], flagged: bool) -> NextStep:
    candidates = [view.candidates[name] for name in names]
    who = listed([candidate.title for candidate in candidates[:_MOST_SHOWN]])
    if more := len(candidates) - _MOST_SHOWN:
        who += f" and {more} more" if more > 0 else ""
    state = "flagged" if flagged else "unknown"
    what = f"{plain_risk(criterion)}, of {who}: {state}."
    could = "Known" if not flagged else "Beyond doubt"
    gain = f"{could}, it could {'change the choice' if view.chosen else 'give a choice'}."
    return NextStep(what, gain, _filling(view, candidates, criterion, flagged))


def _filling(view: View, candidates: list[Candidate], criterion: str, flagged: bool) -> str:
    """No command where measuring again would raise the same flag, or nobody can measure it."""
    kind = view.decision.study.kind
    if kind == "published":
        chosen = [view.chosen] if view.chosen else []
        return _on_own_speech(view, [*chosen, *candidates])
    return "" if flagged else measure_command(candidates, criterion)


def _sharpen(view: View, sway: Sway) -> NextStep:
    involved = [name for name in (sway.candidate, sway.towards) if name]
    candidates = _compared(view, [view.candidates[name] for name in involved])
    what = f"{plain_risk(sway.criterion)}, of {view.title(sway.candidate)}."
    towards = f"mostly to {view.title(sway.towards)}" if sway.towards else "mostly to none at all"
    gain = f"Could change the choice: {wording.probability(sway.probability)}, {towards}."
    if view.decision.study.kind == "published":
        return NextStep(what, gain, _on_own_speech(view, candidates))
    return NextStep(what, gain, profile_command(candidates, [sway.criterion], "measured"))


def _on_own_speech(view: View, candidates: Sequence[Candidate]) -> str:
    """Published figures do not mix with measured ones: all that is weighed is to be measured."""
    compared = _compared(view, candidates)
    return profile_command(compared, [c.criterion for c in view.decision.criteria], "published")


def _compared(view: View, candidates: Sequence[Candidate]) -> list[Candidate]:
    """All that the next choice is between: those that are level, `candidates` and the baselines."""
    baselines = [r.baseline for r in view.decision.requirements if r.kind == "baseline"]
    names = [*view.alike, *(candidate.name for candidate in candidates), *baselines]
    return [view.candidates[name] for name in dict.fromkeys(names) if name in view.candidates]


def _own_speech(view: View) -> NextStep | None:
    """Where no figure in its interval changes the choice, whether it holds elsewhere is open."""
    if view.chosen is None:
        return None
    said = " ".join(view.decision.sentences("measure_next"))
    kind = view.decision.study.kind
    if kind == "measured" and not folds_left([view.chosen]):
        return NextStep(said, "", "") if said else None
    where = "on your own speech" if kind == "published" else "on the folds that are left"
    what = f"{said} Whether it holds {where} is open.".strip()
    first = [view.chosen, *(view.candidates[name] for name in view.decision.ranking[:2])]
    if kind == "published":
        return NextStep(what, "", _on_own_speech(view, first))
    criteria = [weighted.criterion for weighted in view.decision.criteria]
    return NextStep(what, "", profile_command(_compared(view, [view.chosen]), criteria, kind))


_BY_ASPECT: Final[dict[Aspect, str]] = {
    "system_performance": "performance",
    "privacy": "privacy",
    "safety": "safety",
    "fairness": "fairness",
    "sustainability": "sustainability",
    "robustness": "robustness",
}
_OTHERS: Final = {
    **dict.fromkeys(
        ("ccc_mean", "ccc_arousal", "ccc_dominance", "ccc_valence", "ccc_gender_gap"),
        "dimensional",
    ),
    **dict.fromkeys(ATTACKED_DIMENSIONAL_CRITERIA, "dimensional_safety"),
    **dict.fromkeys(("cross_corpus_uar", "cross_corpus_drop"), "generalisation"),
    **dict.fromkeys(
        ("excess_group_uar_gap", "group_uar_gap", "speaker_uar_deviation", "speaker_uar_worst"),
        "groups",
    ),
}
"""Criteria that are not taken by the measure named like their aspect."""

_DEFAULT: Final = {"performance", "privacy", "safety", "fairness", "sustainability"}
"""What `trustser profile` measures where nobody names measures."""

PROFILED: Final = frozenset(
    {
        "apc", "cnn14", "data2vec_base", "data2vec_large", "egemaps", "fbank", "hubert_base",
        "hubert_large", "mms_300m", "tera", "w2v_bert_2", "wav2vec2_base", "wav2vec2_emotion_dim",
        "wav2vec2_large", "wav2vec2_large_lv60", "wav2vec2_large_robust",
        "wav2vec2_large_voxpopuli", "wav2vec2_large_xlsr_53", "wav2vec2_xls_r_300m", "wavlm_base",
        "wavlm_base_plus", "wavlm_large", "whisper_base", "whisper_large", "whisper_large_v2",
        "whisper_large_v3", "whisper_medium", "whisper_small", "whisper_tiny",
    }
)  # fmt: skip
"""Encoders of published studies that `trustser profile` knows by name, too."""

_OWN_CORPUS: Final = "--dataset manifest --data-root my.csv"
MORE_SPEECH: Final = "--dataset manifest --data-root more.csv"
"""What joins a profile whose folds are all measured."""
_DATABASE: Final = "--db my.duckdb"


def measure_of(criterion: str) -> str:
    """Name of the measure that takes a criterion.

    Examples
    --------
    >>> measure_of("gender_accuracy"), measure_of("group_uar_gap")
    ('privacy', 'groups')
    """
    return _OTHERS.get(criterion) or _BY_ASPECT[CRITERIA[criterion].aspect]


def profile_command(
    candidates: Sequence[Candidate], criteria: Sequence[str], kind: EvidenceKind
) -> str:
    """The command that measures `criteria` of `candidates`; empty where one is not known here.

    Published figures cannot be measured again, so that the candidates are profiled on one's own
    speech. A measured profile goes on where folds are left, or is joined by more speech.

    Parameters
    ----------
    candidates : sequence of Candidate
        At least one.
    criteria : sequence of str
    kind : EvidenceKind
        Of the evidence that the decision rests on.
    """
    encoders = list(dict.fromkeys(candidate.backbone for candidate in candidates))
    if kind == "published" and not all(_whole(name) in PROFILED for name in encoders):
        return ""
    names = " ".join(f"--backbone {shlex.quote(name)}" for name in encoders)
    measures = dict.fromkeys(("performance", *map(measure_of, criteria)))
    named = "" if set(measures) == _DEFAULT else f" --measures {','.join(measures)}"
    speech = _OWN_CORPUS if kind == "published" else _speech(candidates)
    weights = " --weights random" if {c.weights_kind for c in candidates} == {"random"} else ""
    return f"trustser profile {names}{weights} {speech}{named} {_DATABASE}"


def measure_command(candidates: Sequence[Candidate], criterion: str) -> str:
    """The commands that take a further measure of profiles, with the heads that they have."""
    names = dict.fromkeys(candidate.backbone for candidate in candidates)
    return "\n".join(
        f"trustser measure {shlex.quote(name)} --measures {measure_of(criterion)} {_DATABASE}"
        for name in names
    )


def folds_left(candidates: Sequence[Candidate]) -> bool:
    """Whether some candidate was measured on a part of the folds of one corpus only."""
    one = len({corpus for candidate in candidates for corpus in candidate.corpora}) == 1
    return one and any(candidate.folds < candidate.folds_total for candidate in candidates)


def _speech(candidates: Sequence[Candidate]) -> str:
    if not folds_left(candidates):
        return MORE_SPEECH
    corpus = candidates[0].corpora[0]
    root = "" if corpus == "demo" else f" --data-root {'my.csv' if corpus == 'manifest' else 'DIR'}"
    return f"--dataset {shlex.quote(corpus)}{root}"


def _whole(name: str) -> str:
    """The encoder that a depth, or a tuned variant, is of."""
    return split_depth(split_tuned(name)[0])[0]
