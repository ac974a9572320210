"""As much of JSON Schema as our OpenAPI document uses, so that answers can be held against it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}
KNOWN = {
    "$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "format", "oneOf", "minimum",
    "maximum", "maxLength", "maxItems", "default", "examples", "contentMediaType",
}  # fmt: skip


def complaints(value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = "$") -> list[str]:
    """What is wrong with `value` under `schema`; empty when nothing is. Unknown schema words are an error."""
    unknown = schema.keys() - KNOWN
    assert not unknown, f"the checker does not know {unknown}"
    if "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return complaints(value, target, document, at)
    if "oneOf" in schema:
        fitting = [option for option in schema["oneOf"] if not complaints(value, option, document, at)]
        return [] if len(fitting) == 1 else [f"{at}: fits {len(fitting)} of oneOf"]
    found: list[str] = []
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(
            isinstance(value, TYPES[name]) and not (isinstance(value, bool) and name != "boolean") for name in names
        ):
            return [f"{at}: {value!r} is not {names}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not in the enum")
    if schema.get("format") == "date-time" and value is not None and datetime.fromisoformat(value).tzinfo is None:
        found.append(f"{at}: {value!r} has no zone")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        more = schema.get("additionalProperties", True)
        for name, inner in value.items():
            if name in properties:
                found += complaints(inner, properties[name], document, f"{at}.{name}")
            elif more is False:
                found.append(f"{at}: {name} is not described")
            elif isinstance(more, dict):
                found += complaints(inner, more, document, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            found += complaints(inner, schema["items"], document, f"{at}[{index}]")
    return found
