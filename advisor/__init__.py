"""The advisor: from requirements, priorities and evidence to a choice that holds.

Examples
--------
>>> from advisor import advise
>>> advise("critical").choice
'wavlm_base_plus'
"""

from advisor.choosing import advise
from advisor.decision import Decision
from advisor.evidence.gathering import Evidence, gather
from advisor.scenario.loading import Scenario, load_scenario, parse_scenario, shipped_names

__all__ = [
    "Decision",
    "Evidence",
    "Scenario",
    "advise",
    "gather",
    "load_scenario",
    "parse_scenario",
    "shipped_names",
]
