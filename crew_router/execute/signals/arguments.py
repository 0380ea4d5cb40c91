"""Whether the arguments of tool calls fit the schemas of the tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, cast

from crew_router.execute.json_schema import problems
from crew_router.execute.signals.protocol import Drafted

_FITS: Final = 0.5  # guess, not measured
_DOES_NOT: Final = -3.0  # guess, not measured


def tool_arguments(draft: Drafted) -> float | None:
    """Return evidence from checking every tool call against the schema of its tool."""
    if not draft.reply.tool_calls:
        return None
    schemas = {name: schema for tool in draft.payload.tools for name, schema in [_schema_of(tool)]}
    for call in draft.reply.tool_calls:
        schema = schemas.get(call.name)
        if schema is None or problems(json.loads(call.arguments or "{}"), schema):
            return _DOES_NOT
    return _FITS


def _schema_of(tool: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    function = cast("Mapping[str, object]", tool.get("function", tool))
    return str(function.get("name")), cast("Mapping[str, object]", function.get("parameters") or {})
