"""A person is asked before something is paid for or ordered, by whichever way the client has."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.exceptions import ToolError

from crew_router import ModelDefinition, ModelRef, Router
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types import Price, Tier
from crew_router_mcp import create_server
from crew_router_mcp.approval import OneTimeKeys, Question

NEWER = int(version("fastmcp").split(".")[0]) >= 4
MODES = [{}, {"mode": "legacy"}] if NEWER else [{}]  # the newer client speaks the newer protocol unless told otherwise
EVENTS = ("approval asked", "approval given", "approval refused")


def _router(**approval):
    models = {
        "lab:best": ModelDefinition(
            ModelRef("lab:best"),
            provider="lab",
            model="best",
            tier=Tier.PREMIUM,
            quality=0.9,
            price=Price(1.0, 1.0),
            instance=ScriptedModel("done"),
        )
    }
    return Router({"mcp": {"approval": approval}}, models=models, ledger_url="sqlite://")


def _events(router):
    router.history.flush()
    rows = router.history.select("SELECT event FROM audit ORDER BY at")
    return [event for (event,) in rows if event in EVENTS]


def _person(action, *, says=True):
    """Return what answers forms, and the questions that were put to it."""
    asked = []

    async def answer(message, _response_type, params, _context):
        asked.append(message)
        schema = getattr(params, "requested_schema", None) or params.requestedSchema
        (field,) = schema["properties"]
        return ElicitResult(action=action, content={field: says} if action == "accept" else None)

    return answer, asked


@pytest.mark.parametrize("mode", MODES)
async def test_a_person_who_agrees_is_asked_once(mode):
    """A premium model is called when the person agrees, who is told the model and the price; the audit tells both."""
    handler, asked = _person("accept")
    with _router() as router:
        async with Client(create_server(router), elicitation_handler=handler, **mode) as client:
            answer = (await client.call_tool("ask", {"task": "Add 2 and 3."})).structured_content

        assert (answer["status"], answer["text"]) == ("done", "done")
        assert len(asked) == 1
        assert "lab:best" in asked[0]
        assert "$" in asked[0]
        assert _events(router) == ["approval asked", "approval given"]
        assert router.history.totals()["requests"] == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("action", "says"), [("decline", True), ("cancel", True), ("accept", False)])
async def test_a_person_who_does_not_agree_costs_nothing(mode, action, says):
    """Declining, cancelling and an unticked box all leave the model uncalled and the ledger without a request."""
    handler, _ = _person(action, says=says)
    with _router() as router:
        async with Client(create_server(router), elicitation_handler=handler, **mode) as client:
            answer = (await client.call_tool("ask", {"task": "Add 2 and 3."})).structured_content

        assert (answer["status"], answer["text"]) == ("declined", None)
        assert _events(router) == ["approval asked", "approval refused"]
        assert router.history.totals()["requests"] == 0


@pytest.mark.parametrize("says", ["yes", 1] if NEWER else [False])  # the older protocol's library reads the reply by the form
async def test_only_true_is_consent(says):
    """A reply that is not the truth value, such as the text yes, is no consent; on the newer protocol nothing checks it on the way."""
    handler, _ = _person("accept", says=says)
    with _router() as router:
        async with Client(create_server(router), elicitation_handler=handler) as client:
            answer = (await client.call_tool("ask", {"task": "Add 2 and 3."})).structured_content

        assert answer["status"] == "declined"


async def test_a_client_that_cannot_ask_gets_a_token_that_works_once():
    """Without elicitation the answer says what to ask and brings a token, which is good for one call with the same arguments."""
    with _router() as router:
        async with Client(create_server(router)) as client:
            waiting = (await client.call_tool("ask", {"task": "Add 2 and 3."})).structured_content
            again = {"task": "Add 2 and 3.", "confirmation_token": waiting["pending"]["confirmation_token"]}
            with pytest.raises(ToolError, match="other arguments"):
                await client.call_tool("ask", {**again, "task": "Add 2 and 4."})
            done = (await client.call_tool("ask", again)).structured_content
            with pytest.raises(ToolError, match="used up"):
                await client.call_tool("ask", again)

        assert waiting["status"] == "needs_approval"
        assert "premium" in waiting["pending"]["reason"]
        assert done["status"] == "done"
        assert _events(router) == ["approval asked", "approval given"]


async def test_the_configuration_may_want_a_person():
    """With unasked: refuse a client that cannot ask gets nowhere, and an error that says what to do."""
    with _router(unasked="refuse") as router:
        async with Client(create_server(router)) as client:
            with pytest.raises(ToolError, match="a person has to agree"):
                await client.call_tool("ask", {"task": "Add 2 and 3."})

        assert _events(router) == ["approval refused"]


@pytest.mark.parametrize(
    ("approval", "task", "reason"),
    [
        ({"premium": "allow", "risk": "ask"}, "My social security number is 078-05-1120, mail it to jo@example.org", "sensitive"),
        ({"premium": "allow", "above_usd": 0.0}, "Add 2 and 3.", "above"),
        ({"premium": "ask"}, "Add 2 and 3.", "premium"),
    ],
)
async def test_reasons_to_ask(approval, task, reason):
    """Sensitive prompts, runs above the configured cost and premium models are asked about, and the reason says which it was."""
    with _router(**approval) as router:
        async with Client(create_server(router)) as client:
            answer = (await client.call_tool("ask", {"task": task})).structured_content

    assert reason in answer["pending"]["reason"]


async def test_a_reasoning_effort_does_not_hide_a_premium_model():
    """A premium model at an effort is asked about as well."""
    entry = {
        "provider": "openai",
        "model": "best",
        "tier": "premium",
        "quality": 0.9,
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "none",
        "price": {"input": 1, "output": 1},
        "efforts": {"low": {}, "high": {}},
        "default_effort": "low",
    }
    with Router(models={"lab:best": entry}, ledger_url="sqlite://") as router:
        async with Client(create_server(router)) as client:
            asked = {"task": "Add 2 and 3.", "routing": {"effort": "high"}}
            answer = (await client.call_tool("ask", asked)).structured_content

    assert answer["status"] == "needs_approval"
    assert "lab:best#high" in answer["pending"]["question"]


async def test_what_is_allowed_is_not_asked_about():
    """Where the configuration allows it nobody is asked."""
    with _router(premium="allow") as router:
        async with Client(create_server(router)) as client:
            answer = (await client.call_tool("ask", {"task": "Add 2 and 3."})).structured_content

        assert answer["status"] == "done"
        assert _events(router) == []


@pytest.mark.parametrize("mode", MODES)
async def test_overrides_ask_first(mode):
    """An override holds only once a person has agreed, and then pins the model for every request; clearing asks as well."""
    handler, asked = _person("accept")
    with _router() as router:
        async with Client(create_server(router), elicitation_handler=handler, **mode) as client:
            ordered = (await client.call_tool("set_override", {"pin": "best", "minutes": "5"})).structured_content
            cleared = (await client.call_tool("clear_override", {})).structured_content

        assert (ordered["status"], ordered["pin"], cleared["status"]) == ("done", "lab:best", "done")
        assert len(asked) == 2
        assert "5 minutes" in asked[0]
        assert "override" in {event for (event,) in router.history.select("SELECT event FROM audit")}


async def test_an_override_without_consent_orders_nothing():
    """Without a person and without a token nothing is ordered."""
    with _router() as router:
        async with Client(create_server(router)) as client:
            answer = (await client.call_tool("set_override", {"cost_ceiling_usd": 0.1})).structured_content

        assert answer["status"] == "needs_approval"
        assert "override" not in {event for (event,) in router.history.select("SELECT event FROM audit")}


async def test_the_audit_does_not_hold_the_prompt():
    """What a gate writes names the arguments by their hash."""
    with _router() as router:
        async with Client(create_server(router)) as client:
            await client.call_tool("ask", {"task": "The password is swordfish."})

        assert "swordfish" not in str(router.history.select("SELECT * FROM audit"))


def test_tokens_end_after_ten_minutes():
    """A token that nobody used in ten minutes is refused, and one more than is kept pushes the oldest out."""
    clock = FrozenClock(1_000.0)
    keys, question = OneTimeKeys(clock), Question("ask", {"task": "x"}, reason="r", text="t")
    late, first = keys.issue(question), None

    clock.advance(601)
    with pytest.raises(ToolError, match="too old"):
        keys.take(late, question)
    first = keys.issue(question)
    for _ in range(1000):
        keys.issue(question)
    with pytest.raises(ToolError, match="unknown"):
        keys.take(first, question)


def test_a_token_does_not_hold_for_another_choice():
    """What was agreed to was one model; where another would be called the token is spent and the person is asked again."""
    keys = OneTimeKeys()
    asked = Question("ask", {"task": "x"}, reason="r", text="t", subject="lab:a")
    token = keys.issue(asked)

    assert keys.take(token, Question("ask", {"task": "x"}, reason="r", text="t", subject="lab:b")) is False
