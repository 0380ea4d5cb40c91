"""Arguments as clients send them: JSON text, numbers and booleans as text, empty text; everything else is one sentence."""

from __future__ import annotations

import json
import math

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from hypothesis import given, settings
from hypothesis import strategies as st

from crew_router import Router
from crew_router.testing import ScriptedModel
from crew_router_mcp import create_server
from crew_router_mcp.arguments import ArgumentError, read_arguments


@pytest.fixture(scope="module")
async def client():
    """Return a client of a server over two scripted models."""
    models = {"lab:strong": ScriptedModel("ok", price=(3.0, 15.0), quality=0.9), "lab:cheap": ScriptedModel("ok", quality=0.5)}
    with Router(models=models, ledger_url="sqlite://") as router:
        async with Client(create_server(router)) as connected:
            yield connected


@pytest.mark.parametrize(
    "arguments",
    [
        {"task": "Add 2 and 3.", "routing": '{"cost_budget": "0.5", "critical": "false", "complexity": "3.0"}'},
        {"task": "Add 2 and 3.", "routing": {"cost_budget": "$0.5", "requires_tools": "yes", "allow_providers": '["lab"]'}},
        {"task": "Add 2 and 3.", "routing": "", "detail": ""},
        {"task": "Add 2 and 3.", "routing": None, "messages": ""},
        {"task": 42},
        {"task": True},
        {"task": {"question": "2 + 3"}},
        {"messages": '[{"role": "user", "content": "Add 2 and 3."}]', "task": ""},
        {"task": "Add 2 and 3.", "detail": "Full"},
    ],
)
async def test_arguments_are_read_as_clients_send_them(client, arguments):
    """JSON text for an object or a list, numbers and booleans as text, and empty text for nothing are understood."""
    answer = (await client.call_tool("suggest_model", arguments)).structured_content

    assert answer["model"].startswith("lab:")


async def test_values_arrive_as_what_they_mean(client):
    """A limit as text is a number, a flag as text a truth value, a filter as empty text no filter."""
    page = (await client.call_tool("list_models", {"limit": "1", "callable_only": "true", "provider": "", "tier": " "})).structured_content

    assert len(page["models"]) == 1
    assert page["total"] == 2


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("suggest_model", {"task": "x", "routing": "{nope"}, r"routing='\{nope' is no object; give one such as"),
        ("suggest_model", {"task": "x", "routing": "[1]"}, "routing='.*' is not valid; give an object"),
        ("suggest_model", {"task": "x", "routing": '{"cost_budget": NaN}'}, "is no object"),
        ("suggest_model", {"task": "x", "routing": {"cost_budget": "nan"}}, "routing.cost_budget='nan' is not valid; give a finite number"),
        ("suggest_model", {"task": "x", "routing": {"cost_budget": "much"}}, "routing.cost_budget='much' is not valid"),
        ("suggest_model", {"task": "x", "routing": {"complexity": True}}, "routing.complexity=True is not valid; give a whole number"),
        ("suggest_model", {"task": "x", "routing": {"critical": "perhaps"}}, "routing.critical='perhaps' is not valid; give true or false"),
        ("suggest_model", {"task": "x", "routing": {"cost_bugdet": 1}}, "routing.cost_bugdet is not known; .*cost_budget"),
        ("suggest_model", {"task": "x", "prompt": "y"}, "prompt is not known; the arguments here are task, messages, routing, detail"),
        ("suggest_model", {"task": "x", "detail": "some"}, "detail='some' is not valid; give one of short, full"),
        ("suggest_model", {}, "give the prompt as task"),
        ("suggest_model", {"messages": [{"content": "x"}]}, r"messages\.0.*role"),
        ("suggest_model", {"task": "x", "routing": '{"region": "\\ud800"}'}, "surrogate"),
        ("suggest_model", {"task": "x", "routing": "[" * 100_000}, "is no object"),
        ("list_models", {"limit": 0}, "limit=0 is not valid; give a whole number from 1 to 100"),
        ("list_models", {"limit": "1.5"}, "limit='1.5' is not valid; give a whole number"),
        ("list_models", {"tier": "best"}, "tier='best' is not valid; give one of premium, baseline, fast, local"),
        ("explain_decision", {}, "decision_id is missing; give a text"),
        ("explain_decision", {"decision_id": " "}, "decision_id is empty; give a text"),
        ("record_outcome", {"success": 2, "model": "cheap"}, "success=2 is not valid; give true or false"),
        ("ask", {"task": "x", "deadline_s": 0}, "deadline_s=0 is not valid; give a finite number from 0 to 3600"),
    ],
)
async def test_what_means_nothing_is_one_sentence_with_the_cure(client, tool, arguments, said):
    """A value that cannot be meant is refused with its place, the value and what to give; no validator of a library speaks."""
    with pytest.raises(ToolError, match=said) as refused:
        await client.call_tool(tool, arguments)

    assert "pydantic" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1500


async def test_a_long_value_is_not_repeated(client):
    """What is refused is shown in a few characters, however long it was."""
    with pytest.raises(ToolError) as refused:
        await client.call_tool("suggest_model", {"task": "x", "routing": "secret " * 10_000})

    assert len(str(refused.value)) < 400


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["text"],
    "properties": {
        "text": {"type": "string", "maxLength": 50},
        "number": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "null"}]},
        "whole": {"type": "integer"},
        "flag": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "inner": {"type": "object", "additionalProperties": False, "properties": {"number": {"type": "number"}}},
    },
}
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(list(SCHEMA["properties"])) | st.text(max_size=5), _json))
def test_whatever_comes_is_read_or_refused(arguments):
    """Any JSON value gives arguments of the announced types or an ArgumentError, never another error; as text it fares the same."""
    for form in (arguments, {name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()}):
        try:
            read = read_arguments(form, SCHEMA)
        except ArgumentError:
            continue
        assert isinstance(read["text"], str)
        assert 0 <= read.get("number", 0) <= 1
        assert isinstance(read.get("flag", False), bool)
        assert math.isfinite(read.get("inner", {}).get("number", 0))
