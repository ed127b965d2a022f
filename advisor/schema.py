"""The JSON Schema of scenario files, made from the models, for editors and CI."""

from __future__ import annotations

from typing import Any, Final

from advisor.language import ScenarioSpec

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the scenario language.

    It adds to the models what the reader of the file handles: `extends`, keys that begin `x-`,
    and the short form of `evidence`.
    """
    schema = ScenarioSpec.model_json_schema()
    properties: dict[str, Any] = schema["properties"]
    properties["extends"] = {
        "type": "string",
        "description": "A scenario to start from: a relative path, or a shipped one's name.",
    }
    whole = properties["evidence"]
    properties["evidence"] = {"anyOf": [{"enum": ["published", "measured"]}, whole]}
    required = schema.pop("required")
    schema["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    for model in (schema, *schema["$defs"].values()):
        if model.get("type") == "object":
            model["patternProperties"] = {"^x-": {}}
    return {"$schema": DIALECT, **schema, "title": "TrustSER scenario"}
