"""The plainest JSON value that a schema allows, for echoes of structured outputs."""

from __future__ import annotations

from typing import Any

from farthing.prompts.shape import mapping

_DEPTH_MAX = 32
_PLAIN: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "null": None, "array": []}


def plainest(schema: Any) -> Any:
    """
    A value of *schema*: required properties only, empty strings and lists, zeros, the first of an enumeration.

    References into ``$defs`` are followed; other keywords (formats, bounds) are not looked at.
    """
    return _value(mapping(schema), mapping(mapping(schema).get("$defs")), 0)


def _value(schema: Any, definitions: Any, depth: int) -> Any:
    if depth > _DEPTH_MAX:
        return None
    if "const" in schema:
        return schema["const"]
    for choices in ("enum", "anyOf", "oneOf"):
        listed = schema.get(choices)
        if isinstance(listed, list) and listed:
            return listed[0] if choices == "enum" else _value(mapping(listed[0]), definitions, depth + 1)
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _value(mapping(definitions.get(reference.removeprefix("#/$defs/"))), definitions, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if isinstance(one, str)), None)
    if kind != "object":
        return _PLAIN.get(str(kind))
    properties = mapping(schema.get("properties"))
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return {name: _value(mapping(properties.get(name)), definitions, depth + 1) for name in names}
