"""The scenario of a decision in pieces, from which the page writes it with other priorities.

The page changes weights and drops requirements, so these come apart; all else is one piece. What a
scenario extends is in it, so that the text stands alone; comments and keys that begin `x-` are not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from advisor.decision import Decision
from advisor.ranking.findings import BaselineRequirement
from advisor.ranking.requirements import bounds_of
from advisor.scenario.loading import Scenario, parse_scenario
from profiles_db.errors import ScenarioError
from profiles_db.located_yaml import write_yaml

SCENARIO_ID: Final = "trustser-scenario"
_APART: Final = ("priorities", "budget", "requirements", "baseline")


def scenario_parts(decision: Decision) -> str | None:
    """The pieces as JSON; None where the decision carries no scenario that can be read.

    `head` is YAML for all that the page does not change. Each of `groups` has a `head` and `items`,
    each of these the `id` of the requirement that it states and its `text`; a group without an item
    has no place in the text. `keys` gives for each criterion the key of its priority.

    Examples
    --------
    >>> from advisor import advise
    >>> parts = json.loads(scenario_parts(advise("edge")))
    >>> parts["groups"][0]["items"]
    [{'id': 'budget.macs', 'text': '  macs: 5 GMAC\\n'}]
    """
    try:
        scenario = parse_scenario(decision.scenario.texts)
    except ScenarioError:
        # A page can be drawn of any decision; one whose scenario is none has nothing to send back.
        return None
    plain = scenario.root.plain()
    head = {key: value for key, value in plain.items() if key not in _APART}
    groups = (_budget(scenario, plain), _requirements(scenario, plain), _baseline(decision, plain))
    return json.dumps(
        {
            "head": write_yaml(head),
            "keys": {one.criterion: one.key for one in decision.criteria},
            "groups": [group for group in groups if group["items"]],
        },
        ensure_ascii=False,
    )


def _requirements(scenario: Scenario, plain: Mapping[str, Any]) -> dict[str, Any]:
    stated = plain.get("requirements") or []
    ids = [bound.id for bound in bounds_of(scenario)]
    items = [
        {"id": id_, "text": write_yaml([one])} for id_, one in zip(ids, stated, strict=False)
    ]  # the budget's come after them
    return {"head": "requirements:\n", "items": items}


def _budget(scenario: Scenario, plain: Mapping[str, Any]) -> dict[str, Any]:
    names = list(scenario.spec.budget.bounds())
    ids = [bound.id for bound in bounds_of(scenario)][len(scenario.spec.requirements) :]
    items = [
        {"id": id_, "text": _indented({name: plain["budget"][name]})}
        for id_, name in zip(ids, names, strict=True)
    ]
    return {"head": "budget:\n", "items": items}


def _baseline(decision: Decision, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The baseline with its criteria named, since by default they follow the priorities."""
    stated = plain.get("baseline")
    named = stated if isinstance(stated, Mapping) else {"candidate": stated}
    rest = {key: value for key, value in named.items() if key != "aspects"}
    items = [
        {"id": one.id, "text": f"  - {one.criterion}\n"}
        for one in decision.requirements
        if isinstance(one, BaselineRequirement)
    ]
    return {"head": f"baseline:\n{_indented(rest)}  aspects:\n", "items": items}


def _indented(content: Any) -> str:
    return "".join(f"  {line}\n" for line in write_yaml(content).removesuffix("\n").split("\n"))
