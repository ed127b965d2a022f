"""All candidates before they are judged: what every kind of evidence becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.records import Alternative, Excluded, StudyRecord


@dataclass(frozen=True, slots=True)
class Evidence:
    """Comparable alternatives of one study (or of one protocol on several corpora)."""

    study: StudyRecord
    alternatives: Sequence[Alternative]
    excluded: tuple[Excluded, ...]
