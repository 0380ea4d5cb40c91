"""The MCP server, asked by a real client in memory."""

from __future__ import annotations

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from crew_router import Router, RoutingRequest
from crew_router.testing import ScriptedModel
from crew_router_mcp import create_server


@pytest.fixture
def router():
    """Return a router over a dear and a cheap scripted model that keeps everything in memory."""
    models = {
        "lab:strong": ScriptedModel("ok", price=(3.0, 15.0), quality=0.9),
        "lab:cheap": ScriptedModel("ok", price=(0.1, 0.4), quality=0.5),
    }
    with Router(models=models, ledger_url="sqlite://") as made:
        yield made


@pytest.fixture
async def client(router):
    """Return a client that is connected to a server over the router."""
    async with Client(create_server(router)) as connected:
        yield connected


async def test_suggestion_is_the_decision_of_the_router(client, router):
    """suggest_model answers with the model, the fallbacks and the cost that the router itself decides on."""
    task, wish = "Prove that 17 is prime.", {"quality_requirement": 0.8}

    answer = (await client.call_tool("suggest_model", {"task": task, "routing": wish})).structured_content

    decision = router.select_model(RoutingRequest(task_description=task, **wish))
    assert answer["model"] == decision.selected_model == "lab:strong"
    assert answer["fallbacks"] == list(decision.fallbacks)
    assert answer["estimated_cost_usd"] == pytest.approx(decision.estimated_cost)
    assert [removed["model"] for removed in answer["removed"]] == ["lab:cheap"]


async def test_suggestion_shows_the_frontier(client, router):
    """The models that no other beats are those of the router and of the command line, with their figures."""
    answer = (await client.call_tool("suggest_model", {"task": "Prove that 17 is prime."})).structured_content

    rows = router.pareto(RoutingRequest(task_description="Prove that 17 is prime."))
    assert [each["model"] for each in answer["pareto"]] == [row.model for row in rows] == ["lab:cheap", "lab:strong"]
    assert answer["pareto"][0]["cost_usd"] == pytest.approx(rows[0].cost_usd)


async def test_suggestion_can_be_explained_later(client, router):
    """The decision of a suggestion stands in the ledger under the id that the client got."""
    answer = (await client.call_tool("suggest_model", {"task": "Say hello."})).structured_content

    assert router.explain(answer["decision_id"]).selected_model == answer["model"]


async def test_suggestion_calls_no_model(client, router):
    """A suggestion is advice; no attempt is made."""
    answer = (await client.call_tool("suggest_model", {"task": "Say hello."})).structured_content

    assert router.attempts(answer["decision_id"]) == ()


@pytest.mark.parametrize(
    ("routing", "said"),
    [
        ({"cost_tier": "low"}, "cost_tier"),
        ({"quality_requirement": 7}, "quality_requirement=7"),
        ({"quality_requirement": 0.99}, "no model satisfies"),
        ({"force_model": "lab:none"}, "lab:none"),
    ],
)
async def test_wrong_routing_is_an_error_that_says_what_is_wrong(client, routing, said):
    """An unknown key, a value out of range and a wish that cannot be met come back as an error in words."""
    with pytest.raises(ToolError, match=said):
        await client.call_tool("suggest_model", {"task": "Say hello.", "routing": routing})


async def test_unexpected_errors_are_masked(router, monkeypatch):
    """An error that is not ours tells the client nothing of what it says."""

    def broken(_request):
        raise RuntimeError("secret-in-the-text")

    monkeypatch.setattr(router, "select_model", broken)
    async with Client(create_server(router)) as client:
        answer = await client.call_tool("suggest_model", {"task": "Say hello."}, raise_on_error=False)

    assert answer.is_error
    assert "secret" not in str(answer.content)


async def test_models_are_listed_with_price_quality_and_its_source(client):
    """list_models gives every entry with its figures and where they come from."""
    models = (await client.call_tool("list_models", {})).structured_content["models"]

    by_name = {model["model"]: model for model in models}
    assert by_name["lab:strong"]["input_usd_per_million"] == 3.0
    assert by_name["lab:cheap"]["quality"] == 0.5
    assert all(model["quality_source"] for model in models)
    assert all(model["callable_here"] for model in models)


@pytest.mark.parametrize(("narrowed", "names"), [({"provider": "lab"}, {"lab:strong", "lab:cheap"}), ({"provider": "other"}, set())])
async def test_list_can_be_narrowed(client, narrowed, names):
    """list_models gives only what fits."""
    models = (await client.call_tool("list_models", narrowed)).structured_content["models"]

    assert {model["model"] for model in models} == names


async def test_health_names_every_model(client):
    """check_health says for each model whether it can be called."""
    health = (await client.call_tool("check_health", {})).structured_content

    assert health["ok"] is True
    assert set(health["models"]) == {"lab:strong", "lab:cheap"}


async def test_health_of_one_model(client):
    """check_health of a named model speaks of that model only; an unknown one is an error in words."""
    health = (await client.call_tool("check_health", {"model": "lab:cheap"})).structured_content

    assert set(health["models"]) == {"lab:cheap"}
    with pytest.raises(ToolError, match="lab:none"):
        await client.call_tool("check_health", {"model": "lab:none"})


async def test_an_active_check_asks_the_models(client, router):
    """check_health with active calls each model, and says what failed."""
    health = (await client.call_tool("check_health", {"active": True})).structured_content

    assert health["models"] == {"lab:strong": "ready", "lab:cheap": "ready"}
    assert router.history.totals()["requests"] == 2


async def test_tools_describe_themselves(client):
    """Every tool has a title, hints, a described argument list and a schema of its answer."""
    tools = await client.list_tools()

    assert {tool.name for tool in tools} == {"suggest_model", "list_models", "check_health"}
    for tool in tools:
        described = tool.model_dump(by_alias=True)
        assert described["title"]
        assert described["annotations"]["readOnlyHint"] is True
        assert described["outputSchema"]["properties"]
        assert all(argument.get("description") for argument in described["inputSchema"]["properties"].values())


async def test_routing_schema_has_exactly_the_keys_of_a_request(client):
    """The schema of `routing` allows the fields of RoutingRequest and nothing else."""
    tools = {tool.name: tool.model_dump(by_alias=True) for tool in await client.list_tools()}

    routing = tools["suggest_model"]["inputSchema"]["properties"]["routing"]
    (keys,) = [choice for choice in routing["anyOf"] if choice["type"] == "object"]
    assert set(keys["properties"]) == set(RoutingRequest.__dataclass_fields__) - {"_"}
    assert keys["additionalProperties"] is False
