"""Which command measures a figure, for the candidates that a decision is about."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from advisor.records import Candidate, EvidenceKind
from profiles_db.criteria import CRITERIA, Aspect
from profiles_db.depths import split_depth
from profiles_db.tuning import split_tuned

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
