"""A crew is moved to another model at any call of its run, and ends with the same tasks, messages and tool results."""

from __future__ import annotations

import random
import threading

import pytest
from crewai import Crew, Process, Task
from crewai.flow.flow import Flow, listen, start
from crewai.tools import tool
from wire_server import Fault, WireServer

from crew_router import Router, RoutingRequest
from crew_router_crewai import AgentFactory, RouterLLM

_DOWN = Fault(status=503)
_ANY = RoutingRequest(task_description="Do it.")
_WRITER = {"role": "Writer", "goal": "write", "backstory": "brief"}


@pytest.fixture
def wire():
    """Return a running fake provider."""
    with WireServer() as server:
        yield server


@pytest.fixture
def entries(wire):
    """Return two models, the first preferred."""
    shared = {"provider": "openai", "base_url": wire.openai_url, "api_key": "none", "context_window": 64_000, "source": "unmeasured"}
    shared["capabilities"] = ["tools", "json", "streaming"]
    return {
        "lab:first": {**shared, "model": "first", "quality": 0.9, "price": {"input": 0.1, "output": 0.1}},
        "house:second": {**shared, "model": "second", "quality": 0.8, "price": {"input": 0.2, "output": 0.2}},
    }


@pytest.fixture
def router(entries):
    """Return a router over both."""
    with Router(models=entries, ledger_url="sqlite://") as made:
        yield made


@tool("lookup")
def lookup(q: str) -> str:
    """Look something up."""
    return f"fact {len(q)}"


def _sequential(router):
    writer = AgentFactory(router).agent(_WRITER, tools=[lookup])
    tasks = [Task(description=f"Do {name}.", expected_output="text", name=name, agent=writer) for name in ("one", "two")]
    return Crew(agents=[writer], tasks=tasks).kickoff()


def _hierarchical(router):
    writer = AgentFactory(router).agent(_WRITER, tools=[lookup])
    task = Task(description="Do it.", expected_output="text", name="one")
    return Crew(agents=[writer], tasks=[task], process=Process.hierarchical, manager_llm=RouterLLM(router)).kickoff()


def _flow(router):
    class Work(Flow):
        @start()
        def one(self):
            return _sequential(router).raw

        @listen(one)
        def two(self, before):
            writer = AgentFactory(router).agent(_WRITER)
            task = Task(description=f"Shorten {before}", expected_output="text", name="short", agent=writer)
            return Crew(agents=[writer], tasks=[task]).kickoff()

    return Work().kickoff()


_RUNS = {"sequential": _sequential, "hierarchical": _hierarchical, "flow": _flow}


def _talk(seen):
    """Return roles and tool results of a request, which do not depend on who answered."""
    return [(message["role"], message.get("content") if message["role"] == "tool" else None) for message in seen.body["messages"]]


@pytest.mark.parametrize("form", _RUNS)
def test_downtime_at_every_call_leaves_the_run_as_it_was(wire, entries, form):
    """Whichever call the preferred model goes down at, the run goes on on the other with the same conversation."""
    with Router(models=entries, ledger_url="sqlite://") as router:
        _RUNS[form](router)
    undisturbed = [_talk(seen) for seen in wire.seen]
    assert len(undisturbed) >= 2

    for down_at in range(len(undisturbed)):
        wire.heal()
        wire.rule(lambda at, seen, limit=down_at: _DOWN if seen.model == "first" and at >= limit else None)
        with Router(models=entries, ledger_url="sqlite://") as router:
            result = _RUNS[form](router)

        assert result.raw, down_at
        served = [seen for at, seen in enumerate(wire.seen) if not (seen.model == "first" and at >= down_at)]
        assert [_talk(seen) for seen in served] == undisturbed, down_at
        assert {seen.model for seen in served[down_at:]} == {"second"}


def test_budget_that_ends_moves_the_run_to_a_model_it_can_pay(wire, entries):
    """When the run's budget no longer bears the dear model, a free one finishes it."""
    dear = {**entries["lab:first"], "price": {"input": 200.0, "output": 200.0}, "quality": 0.95}
    free = {**entries["house:second"], "price": {"input": 0.0, "output": 0.0}, "quality": 0.3}
    config = {"budgets": {"run": 0.27}, "optimize": "quality"}
    with Router(config, models={"lab:first": dear, "house:second": free}, ledger_url="sqlite://") as router:
        writer = AgentFactory(router).agent({**_WRITER, "routing": {"expected_output_tokens": 100}})
        writer.llm.max_tokens = 1000
        tasks = [Task(description=f"Do {n}.", expected_output="text", name=f"t{n}", agent=writer) for n in range(6)]

        result = Crew(agents=[writer], tasks=tasks).kickoff()

    assert len(result.tasks_output) == 6
    assert wire.models_called()[0] == "first"
    assert wire.models_called()[-1] == "second"


def test_override_of_an_operator_moves_a_run_between_two_calls(wire, entries, tmp_path):
    """A pin that another router of the project sets in the middle of a run holds from the next call on."""
    shared = {"ledger_url": f"sqlite:///{tmp_path}/ledger.db", "state_url": f"sqlite:///{tmp_path}/state.db", "project": "news"}
    with Router(models=entries, **shared) as working, Router(models=entries, **shared) as operator:

        @tool("lookup")
        def pins(q: str) -> str:
            """Look something up."""
            operator.override(pin="house:second")
            for _ in range(200):
                if working.select_model(_ANY, record=False).selected_model == "house:second":
                    break
                threading.Event().wait(0.02)
            return f"fact {len(q)}"

        writer = AgentFactory(working).agent(_WRITER, tools=[pins])
        Crew(agents=[writer], tasks=[Task(description="Do it.", expected_output="text", agent=writer)]).kickoff()

    assert wire.models_called() == ["first", "second"]
    assert [message["role"] for message in wire.seen[1].body["messages"]][-2:] == ["assistant", "tool"]


def test_policy_moves_the_task_that_it_is_about(wire, entries):
    """A policy on a task's tag, which the adapter sets, sends that task and no other elsewhere."""
    policy = {"name": "two stays in", "order": "safety", "when": {"tags": ["task:two"]}, "then": {"deny_providers": ["lab"]}}
    with Router({"policies": [policy]}, models=entries, ledger_url="sqlite://") as router:
        _sequential(router)

    by_task = [(seen.model, "Do two." in str(seen.body["messages"])) for seen in wire.seen]
    assert ("first", False) in by_task
    assert all(model == "second" for model, two in by_task if two)


def test_third_of_all_calls_failing_does_not_reach_the_crew(router, wire):
    """With 30 % of all calls failing at random the tasks come out complete and in order."""
    chance, failed = random.Random(11), []

    def fails(at, _seen):
        failed.extend([at] if chance.random() < 0.3 else [])
        return _DOWN if failed[-1:] == [at] else None

    wire.rule(fails)

    outputs = [_sequential(router).tasks_output for _ in range(5)]

    assert [[output.name for output in each] for each in outputs] == [["one", "two"]] * 5
    assert all(output.raw for each in outputs for output in each)
    assert len(failed) > 5


def test_ledger_agrees_with_the_server_to_the_token(router, wire):
    """Every token that the server counted stands in the ledger, over two kickoffs with tools and a text guardrail."""
    writer = AgentFactory(router).agent(_WRITER, tools=[lookup])
    task = Task(description="Do it.", expected_output="text", agent=writer, guardrail="Must be a text.")
    made = Crew(agents=[writer], tasks=[task])

    made.kickoff()
    made.kickoff()

    spent = [attempt.usage for decision, _ in router.history.logged(since=0) for attempt in router.attempts(decision.id)]
    assert sum(usage.input_tokens for usage in spent if usage) == sum(said.input_tokens for said in wire.answers)
    assert sum(usage.output_tokens for usage in spent if usage) == sum(said.output_tokens for said in wire.answers)
