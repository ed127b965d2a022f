"""The JSON Schema of scenario files, made from the models, for editors and CI."""

from __future__ import annotations

from typing import Any, Final

from advisor.scenario.language import ScenarioSpec
from profiles_db.criteria import ASPECT_TITLES, CRITERIA

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the scenario language.

    It adds to the models what the reader of the file handles: `extends`, keys that begin `x-`,
    and the short forms of `evidence`.
    """
    schema = ScenarioSpec.model_json_schema()
    properties: dict[str, Any] = schema["properties"]
    properties["extends"] = {
        "type": "string",
        "description": "A scenario to start from: a relative path, or a shipped one's name.",
    }
    whole = properties["evidence"]
    word = {"type": "string", "pattern": "^(published|measured)(/.+)?$"}
    words = {"type": "array", "items": word, "minItems": 1, "uniqueItems": True}
    properties["evidence"] = {
        "anyOf": [{"enum": ["published", "measured"]}, word, words, whole],
    }
    _name_keys(properties["priorities"], dict(ASPECT_TITLES) | _definitions())
    _name_keys(properties["scales"], _definitions())
    properties["baseline"] = {
        **properties["baseline"],
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/BaselineSpec"}],
    }
    required = schema.pop("required")
    schema["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    mappings = (properties["priorities"], properties["scales"])
    for model in (schema, *mappings, *schema["$defs"].values()):
        if model.get("type") == "object":
            model["patternProperties"] = {"^x-": {}}
    return {"$schema": DIALECT, **schema, "title": "TrustSER scenario"}


def _definitions() -> dict[str, str]:
    return {name: criterion.definition for name, criterion in CRITERIA.items()}


def _name_keys(mapping: dict[str, Any], keys: dict[str, str]) -> None:
    """Name the keys of a mapping one by one, so that editors complete and explain them."""
    value = mapping["additionalProperties"]
    mapping["properties"] = {key: value | {"description": text} for key, text in keys.items()}
    mapping["additionalProperties"] = False
    mapping.pop("propertyNames", None)
