"""temporary"""

from __future__ import annotations

from dataclasses import replace

from advisor.decision import Decision
from advisor.findings import Sentence
from advisor.judgement import Judgement


def explain(decision: Decision, judgement: Judgement) -> Decision:
    return replace(
        decision, explanation=(Sentence("choice", decision.choice or "", f"{decision.choice}"),)
    )
