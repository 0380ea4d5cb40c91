"""The schema of a ``routing`` block, made from the request itself so that the two cannot differ."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

from pydantic import TypeAdapter

from crew_router.types import RoutingRequest

_BRIEF: Final = "x-brief"


def routing_schema(*, described: bool = True, meaning: str = "") -> dict[str, Any]:
    """Return the JSON Schema of what :meth:`RoutingRequest.from_mapping` reads.

    Args:
        described: Whether the documented meaning of each key stands beside it; one tool that says it is enough for a client.
        meaning: What the block is for, where it is not the constraints of the task.
    """
    schema = TypeAdapter(RoutingRequest).json_schema()
    meanings = dict(re.findall(r"^\s{4}(\w+): (.+)$", inspect.getdoc(RoutingRequest) or "", re.MULTILINE)) if described else {}
    definitions = schema.get("$defs", {})
    properties = {name: {**_plain(field, definitions), **_described(meanings.get(name))} for name, field in schema["properties"].items()}
    properties["messages"]["items"] = {"type": "object"}
    keys = {"type": "object", "properties": properties, "additionalProperties": False}
    meaning = meaning or f"Constraints and wishes{'; unknown keys are errors' if described else ': the keys of routing of suggest_model'}"
    return {"anyOf": [keys, {"type": "null"}], "description": meaning, **({} if described else {_BRIEF: True})}


def announced(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a tool as clients are shown it: the keys of ``routing`` are listed by one tool, the others name that one.

    Every client reads the schemas of all tools into its context, and the keys are most of them.
    """
    properties = {name: _named(field) if _BRIEF in field else field for name, field in parameters["properties"].items()}
    return {**parameters, "properties": properties}


def _named(field: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "object"}, {"type": "null"}], "default": None, "description": field["description"]}


def _described(meaning: str | None) -> dict[str, str]:
    return {"description": meaning} if meaning else {}


def _plain(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key that may be left out: a null beside the type says nothing more, and costs every client tokens."""
    flat: dict[str, Any] = inlined(field, definitions)
    choices = [choice for choice in flat.pop("anyOf", []) if choice.get("type") != "null"]
    flat.pop("default", None)
    return {**choices[0], **flat} if choices else flat


def inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with references replaced by what they name; models read flat schemas better."""
    if isinstance(node, list):
        return [inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = definitions[str(node["$ref"]).rpartition("/")[2]]
        return {key: inlined(value, definitions) for key, value in found.items() if key not in {"title", "description"}}
    return {key: inlined(value, definitions) for key, value in node.items() if key != "title"}
