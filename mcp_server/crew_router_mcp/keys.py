"""The schema of a ``routing`` block, made from the request itself so that the two cannot differ."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import TypeAdapter

from crew_router.types import RoutingRequest


def routing_schema() -> dict[str, Any]:
    """Return the JSON Schema of what :meth:`RoutingRequest.from_mapping` reads, with the documented meaning of each key."""
    schema = TypeAdapter(RoutingRequest).json_schema()
    meanings = dict(re.findall(r"^\s{4}(\w+): (.+)$", inspect.getdoc(RoutingRequest) or "", re.MULTILINE))
    definitions = schema.get("$defs", {})
    properties = {name: {**_inlined(field, definitions), **_described(meanings.get(name))} for name, field in schema["properties"].items()}
    keys = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"anyOf": [keys, {"type": "null"}], "description": "Constraints and wishes; unknown keys are errors"}


def _described(meaning: str | None) -> dict[str, str]:
    return {"description": meaning} if meaning else {}


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with references replaced by what they name; models read flat schemas better."""
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = definitions[str(node["$ref"]).rpartition("/")[2]]
        return {key: _inlined(value, definitions) for key, value in found.items() if key not in {"title", "description"}}
    return {key: _inlined(value, definitions) for key, value in node.items() if key != "title"}
