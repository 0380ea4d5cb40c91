"""The MCP server, asked by a real client in memory."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from crew_router import Router, RoutingRequest
from crew_router.errors import InvalidRequestError
from crew_router.testing import ScriptedModel
from crew_router_mcp import create_server
from crew_router_mcp.server import INSTRUCTIONS


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

    asked = {"task": task, "routing": wish, "detail": "full"}
    answer = (await client.call_tool("suggest_model", asked)).structured_content

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
    assert set(health["ready"]) == {"lab:strong", "lab:cheap"}


async def test_health_of_one_model(client):
    """check_health of a named model speaks of that model only; an unknown one is an error in words."""
    health = (await client.call_tool("check_health", {"model": "lab:cheap"})).structured_content

    assert set(health["models"]) == {"lab:cheap"}
    with pytest.raises(ToolError, match="lab:none"):
        await client.call_tool("check_health", {"model": "lab:none"})


async def test_a_probe_asks_the_models(client, router):
    """probe_health calls each model, and says what failed; check_health calls none."""
    await client.call_tool("check_health", {})
    before = router.history.totals()["requests"]

    health = (await client.call_tool("probe_health", {"detail": "full"})).structured_content

    assert before == 0
    assert health["models"] == {"lab:strong": "ready", "lab:cheap": "ready"}
    assert router.history.totals()["requests"] == 2


READS = {
    "suggest_model", "compare_models", "simulate_route", "explain_decision", "list_models", "check_health", "get_budget", "get_stats",
    "plan_crew",
}  # fmt: skip
WRITES = {"probe_health", "ask", "execute_crew", "record_outcome", "submit_feedback", "set_override", "clear_override"}


async def test_tools_describe_themselves(client):
    """Every tool has a title, honest hints, a described argument list and a schema of its answer."""
    tools = await client.list_tools()

    assert {tool.name for tool in tools} == READS | WRITES
    for tool in tools:
        described = tool.model_dump(by_alias=True)
        assert described["title"]
        assert described["description"]
        assert described["annotations"]["readOnlyHint"] is (tool.name in READS)
        assert described["outputSchema"]["properties"]
        assert all(argument.get("description") for argument in described["inputSchema"]["properties"].values())


async def test_a_read_only_server_offers_nothing_that_pays_or_changes(router):
    """With read_only only tools that read are there, whatever is named."""
    async with Client(create_server(router, read_only=True)) as client:
        everything = {tool.name for tool in await client.list_tools()}
    async with Client(create_server(router, read_only=True, tools=["ask", "get_stats"])) as client:
        some = {tool.name for tool in await client.list_tools()}
        refused = await client.call_tool("ask", {"task": "Hi"}, raise_on_error=False)

    assert everything == READS
    assert some == {"get_stats"}
    assert refused.is_error


def test_an_unknown_tool_is_refused(router):
    """A name that no tool has is an error that lists the tools."""
    with pytest.raises(InvalidRequestError, match=r"suggest_models.*suggest_model"):
        create_server(router, tools=["suggest_models"])


async def test_server_tells_its_own_name_and_version(client):
    """What a client is told is the name and version of crew-router, not of the library, and what to call when."""
    told = client.initialize_result
    info = client.server_info if told is None else told.serverInfo

    assert (info.name, info.version) == ("crew-router", version("crew-router"))


def test_instructions_name_the_tools():
    """The instructions, of which some clients read 512 characters, say what to call when."""
    assert "suggest_model" in INSTRUCTIONS[:200]
    assert all(name in INSTRUCTIONS for name in ("ask", "record_outcome", "explain_decision", "needs_approval"))


@pytest.fixture
def packaged():
    """Return a router over the packaged registry."""
    with Router({"state": {"url": "memory://"}, "ledger": {"url": "sqlite://"}, "project": "p"}) as made:
        yield made


async def test_answers_are_short_unless_everything_is_wanted(packaged):
    """A suggestion, a page of models and a health report over the packaged registry are short; detail full has everything."""
    long_task = {"task": "Review this contract for risks. " * 50, "routing": {"quality_requirement": 0.5, "cost_budget": 0.05}}
    async with Client(create_server(packaged)) as client:
        short = await client.call_tool("suggest_model", long_task)
        full = await client.call_tool("suggest_model", {**long_task, "detail": "full"})
        listed = await client.call_tool("list_models", {})
        health = await client.call_tool("check_health", {})

    assert len(short.content[0].text) < 2000
    assert len(full.content[0].text) > len(short.content[0].text)
    assert len(full.structured_content["removed"]) == short.structured_content["removed_models"] > 0
    assert len(listed.content[0].text) < 5000
    assert len(health.content[0].text) < 5000


async def test_pages_of_the_list_make_up_the_whole(packaged):
    """Following next_offset lists every model once."""
    names, offset = [], 0
    async with Client(create_server(packaged)) as client:
        while offset is not None:
            page = (await client.call_tool("list_models", {"limit": 40, "offset": offset})).structured_content
            names += [model["model"] for model in page["models"]]
            offset = page["next_offset"]

    assert names == [model.ref for model in packaged.models]


async def test_models_are_compared(client, router):
    """compare_models puts the named models side by side and marks the frontier; nothing is recorded."""
    table = (await client.call_tool("compare_models", {"task": "Add 2 and 3.", "models": ["cheap"]})).structured_content

    rows = router.pareto(RoutingRequest(task_description="Add 2 and 3."))
    assert [row["model"] for row in table["models"]] == ["lab:cheap"]
    assert table["frontier"] == [row.model for row in rows]
    assert router.history.totals()["requests"] == 0


@pytest.mark.parametrize(
    ("different", "chosen"),
    [
        ({"without": ["lab:strong"]}, "lab:cheap"),
        ({"models": ["lab:cheap"]}, "lab:cheap"),
        ({"change": {"cost_budget": 0.00001}}, "lab:cheap"),
        ({"policies": [{"name": "thrift", "order": "budget", "when": {}, "then": {"cost_cap": 0.00001}}]}, "lab:cheap"),
        ({"change": {"quality_requirement": 0.99}}, None),
    ],
)
async def test_simulation_says_what_would_be_chosen(client, different, chosen):
    """simulate_route shows today's choice beside that with other models, another budget or further rules."""
    answer = (await client.call_tool("simulate_route", {"task": "Prove that 17 is prime.", **different})).structured_content

    assert answer["now"]["model"] == "lab:strong"
    assert answer["then"]["model"] == chosen
    assert answer["changed"] is True


async def test_a_rule_that_means_nothing_is_a_sentence(client):
    """A policy without an order is refused with what is missing."""
    with pytest.raises(ToolError, match="order"):
        await client.call_tool("simulate_route", {"task": "Add 2 and 3.", "policies": [{"name": "x", "then": {"cost_cap": 1}}]})


async def test_an_answer_can_be_explained_and_judged(client, router):
    """Ask answers; explain_decision tells of its call; an outcome and feedback reach the ledger."""
    asked = (await client.call_tool("ask", {"task": "Add 2 and 3."})).structured_content
    decision_id = asked["decision_id"]

    told = (await client.call_tool("explain_decision", {"decision_id": decision_id, "detail": "full"})).structured_content
    await client.call_tool("record_outcome", {"decision_id": decision_id, "success": True, "quality": 0.9})
    taken = (await client.call_tool("submit_feedback", {"decision_id": decision_id, "user_rating": 5})).structured_content

    assert (asked["status"], asked["text"]) == ("done", "ok")
    assert [call["ok"] for call in told["calls"]] == [True]
    assert decision_id in told["story"]
    assert taken["reward"] == pytest.approx(0.95)  # the mean of the quality and the stars
    assert [said.user_rating for said in router.history.feedback(decision_id)] == [5]


async def test_an_unknown_decision_is_a_sentence(client):
    """Feedback, outcomes and explanations of an id that the ledger does not hold say so."""
    for tool, more in (("explain_decision", {}), ("record_outcome", {"success": True}), ("submit_feedback", {"user_rating": 5})):
        with pytest.raises(ToolError, match="no decision 'd-none'"):
            await client.call_tool(tool, {"decision_id": "d-none", **more})


async def test_budgets_and_statistics_are_those_of_the_router():
    """get_budget tells what the configured budgets have left, get_stats what requests came to."""
    models = {"lab:a": ScriptedModel("ok", usage=(1000, 1000), price=(1.0, 1.0))}
    with Router({"budgets": {"day": 5, "run": 1}}, models=models, ledger_url="sqlite://") as router:
        async with Client(create_server(router)) as client:
            await client.call_tool("ask", {"task": "Add 2 and 3."})
            all_of_them = (await client.call_tool("get_budget", {})).structured_content["budgets"]
            stats = (await client.call_tool("get_stats", {"hours": 1})).structured_content
            with pytest.raises(ToolError, match="one that is configured: run, day"):
                await client.call_tool("get_budget", {"budget": "week"})

        left = {line["budget"]: line["remaining_usd"] for line in all_of_them}
        assert left == {"day": pytest.approx(router.budget_remaining("day")), "run": None}
        assert left["day"] == pytest.approx(5 - 0.002)
        assert (stats["requests"], stats["success_rate"], stats["cost_usd"]) == (1, 1.0, pytest.approx(0.002))


async def test_progress_is_told_while_an_answer_comes(router):
    """A client that listens hears how far the answer is."""
    heard = []

    async def listen(progress, total, message):
        heard.append((progress, total, message))

    async with Client(create_server(router)) as client:
        await client.call_tool("ask", {"task": "Add 2 and 3."}, progress_handler=listen)

    assert heard
    assert heard[0][0] > 0


async def test_a_slow_answer_ends_at_its_deadline():
    """Ask gives up when its deadline passes, and says what to do."""
    with Router(models={"lab:slow": ScriptedModel("ok", latency_s=30)}, ledger_url="sqlite://") as router:
        async with Client(create_server(router)) as client:
            with pytest.raises(ToolError, match=r"no answer within 0\.2 s"):
                await client.call_tool("ask", {"task": "Add 2 and 3.", "deadline_s": 0.2})


async def test_routing_schema_has_exactly_the_keys_of_a_request(client):
    """The schema of `routing` allows the fields of RoutingRequest and nothing else."""
    tools = {tool.name: tool.model_dump(by_alias=True) for tool in await client.list_tools()}

    routing = tools["suggest_model"]["inputSchema"]["properties"]["routing"]
    (keys,) = [choice for choice in routing["anyOf"] if choice["type"] == "object"]
    assert set(keys["properties"]) == set(RoutingRequest.__dataclass_fields__) - {"_"}
    assert keys["additionalProperties"] is False
