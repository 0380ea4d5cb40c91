"""Resources, templates, prompts and completions, read by a real client."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from fastmcp import Client

from crew_router import Router
from crew_router.testing import ScriptedModel
from crew_router_mcp import create_server

NEWER = int(version("fastmcp").split(".")[0]) >= 4


@pytest.fixture(scope="module")
def router():
    """Return a router with a rule, budgets and two scripted models."""
    models = {
        "lab:strong": ScriptedModel("ok", price=(3.0, 15.0), quality=0.9),
        "lab:odd/name@host": ScriptedModel("ok", price=(0.1, 0.4), quality=0.5),
    }
    rule = {"name": "thrift", "order": "budget", "when": {}, "then": {"cost_cap": 1}}
    with Router({"policies": [rule], "budgets": {"day": 5, "run": 1}}, models=models, ledger_url="sqlite://") as made:
        yield made


@pytest.fixture(scope="module")
async def client(router):
    """Return a client of a server over the router."""
    async with Client(create_server(router)) as connected:
        yield connected


async def _read(client, uri):
    (found,) = await client.read_resource(uri)
    return json.loads(found.text)


async def test_everything_that_can_be_read_says_what_it_is(client):
    """Every resource, template and prompt has a title and a description."""
    resources, templates, prompts = (await client.list_resources(), await client.list_resource_templates(), await client.list_prompts())

    assert {str(each.uri) for each in resources} == {
        f"crew-router://{name}" for name in ("models", "policies", "budgets", "statistics", "dashboard")
    }
    assert len(templates) == 2
    assert len(prompts) == 3
    assert all(each.title and each.description for each in (*resources, *templates, *prompts))


async def test_models_can_be_read(client, router):
    """The list holds every model, and each can be read by its id, whatever characters stand in it."""
    listed = await _read(client, "crew-router://models")
    one = await _read(client, "crew-router://models/lab:odd%2Fname%40host")
    same = await _read(client, "crew-router://models/lab:odd/name@host")

    assert [each["model"] for each in listed] == [model.ref for model in router.models]
    assert one["entry"]["model"] == same["entry"]["model"] == "lab:odd/name@host"


async def test_policies_budgets_and_statistics_can_be_read(client):
    """The rules, what is left of budgets, and what requests came to are those of the router."""
    (rule,) = [each for each in await _read(client, "crew-router://policies") if each["name"] == "thrift"]
    budgets = {each["budget"]: each["remaining_usd"] for each in (await _read(client, "crew-router://budgets"))["budgets"]}
    stats = await _read(client, "crew-router://statistics")

    assert rule["then"] == {"cost_cap": 1}
    assert set(budgets) == {"day", "run"}
    assert stats["models"] == 2


async def test_a_decision_can_be_read_by_its_id(client):
    """The id of a suggestion is a resource that holds the decision with its table."""
    suggested = (await client.call_tool("suggest_model", {"task": "Add 2 and 3."})).structured_content

    read = await _read(client, f"crew-router://decisions/{suggested['decision_id']}")

    assert read["decision"]["selected_model"] == suggested["model"]
    assert read["attempts"] == []


async def test_the_dashboard_is_markdown(client):
    """The dashboard is a page with spend, success and budgets."""
    (page,) = await client.read_resource("crew-router://dashboard")

    assert page.text.startswith("# crew-router: ")
    assert "| requests |" in page.text
    assert "2 of 2 models can be called." in page.text
    assert "| day | $5.00 |" in page.text


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("crew-router://models/lab:none", "no single model"),
        ("crew-router://models/%00", "ref"),
        ("crew-router://decisions/d-none", "no decision"),
        ("crew-router://decisions/..%2F..%2Fetc", "decision"),
        ("crew-router://decisions/" + "d" * 300, "decision"),
    ],
)
async def test_values_of_templates_are_checked(client, uri, said):
    """What names nothing is an error in words, with nothing of the inside in it."""
    with pytest.raises(Exception, match=rf"{said}|not found|[Uu]nknown|[Rr]esource") as refused:  # both protocols have a type of their own
        await client.read_resource(uri)

    assert "Traceback" not in str(refused.value)
    assert "/crew_router" not in str(refused.value)


async def test_prompts_start_a_conversation(client):
    """The prompts name the tools to call and hold what they were given."""
    choose = await client.get_prompt("choose_model_for_my_task", {"task": "Translate a poem.", "budget_usd": "0.1"})
    review = await client.get_prompt("review_last_weeks_spend", {})
    policy = await client.get_prompt("write_a_policy_for", {"goal": "no premium models at night"})

    assert "Translate a poem." in choose.messages[0].content.text
    assert "0.1 USD" in choose.messages[0].content.text
    assert "get_stats" in review.messages[0].content.text
    assert "no premium models at night" in policy.messages[0].content.text


if NEWER:  # the older library has no completions, and does not announce any

    async def test_model_ids_are_completed(client):
        """A part of a model's name is enough."""
        from mcp_types import ResourceTemplateReference

        found = await client.complete(ResourceTemplateReference(uri="crew-router://models/{ref*}"), {"name": "ref", "value": "odd"})

        assert found.values == ["lab:odd/name@host"]


async def test_no_figure_is_nan(router):
    """Everything that can be read is JSON in the strict sense."""

    def refuse(constant):
        raise AssertionError(constant)

    async with Client(create_server(router)) as client:
        for name in ("models", "policies", "budgets", "statistics"):
            (found,) = await client.read_resource(f"crew-router://{name}")
            assert json.loads(found.text, parse_constant=refuse) is not None
