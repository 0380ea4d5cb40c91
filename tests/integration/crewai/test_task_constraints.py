"""What a task may not show to a provider is not shown by any call made for that task, whoever CrewAI says is asking."""

from __future__ import annotations

import pytest
from crewai import Agent, Crew, Process, Task
from crewai.hooks import register_before_tool_call_hook, unregister_before_tool_call_hook
from crewai.hooks.dispatch import clear_all
from crewai.memory.unified_memory import Memory
from crewai.tools import tool
from pydantic import BaseModel
from wire_brain import Said
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router.errors import InvalidRequestError
from crew_router_crewai import AgentFactory, RoutedAgent, RouterLLM

_PRIVATE = {"deny_providers": ["cloud"]}
_WRITER = {"role": "Writer", "goal": "write", "backstory": "brief"}
_TASK = {"description": "Summarise the secret file.", "expected_output": "text", "name": "secret"}


class City(BaseModel):
    """A structured result of a task."""

    name: str
    size: int


@pytest.fixture
def cloud():
    """Return the server of a provider that may not see the task."""
    with WireServer() as server:
        yield server


@pytest.fixture
def house():
    """Return the server of a provider that may."""
    with WireServer() as server:
        yield server


@pytest.fixture
def router(cloud, house):
    """Return a router that prefers the cloud: better, cheaper."""
    shared = {"provider": "openai", "api_key": "none", "context_window": 64_000, "source": "unmeasured"}
    shared["capabilities"] = ["tools", "json", "streaming"]
    models = {
        "cloud:best": {**shared, "model": "best", "base_url": cloud.openai_url, "quality": 0.95, "price": {"input": 0.01, "output": 0.01}},
        "house:plain": {**shared, "model": "plain", "base_url": house.openai_url, "quality": 0.5, "price": {"input": 1.0, "output": 1.0}},
    }
    with Router(models=models, ledger_url="sqlite://") as made:
        yield made


@pytest.fixture
def factory(router):
    """Return a factory that knows of one task that the cloud may not see."""
    return AgentFactory(router, tasks={"secret": {"routing": _PRIVATE}})


@tool("lookup")
def lookup(q: str) -> str:
    """Look something up."""
    return f"fact about {q}"


def _run(writer, **fields):
    crew_fields = {name: fields.pop(name) for name in ("planning", "planning_llm", "memory", "process", "manager_llm") if name in fields}
    agents = [writer, *fields.pop("agents", [])]
    task = Task(**{**_TASK, **({} if crew_fields.get("process") else {"agent": writer}), **fields})
    return Crew(agents=agents, tasks=[task], **crew_fields).kickoff()


def test_cloud_is_preferred_without_the_constraint(router, cloud):
    """The other tests would pass with any router if the cloud were not the first choice."""
    _run(AgentFactory(router).agent(_WRITER))

    assert cloud.models_called() == ["best"]


def test_forced_last_answer_keeps_the_constraint(factory, cloud, house):
    """The call that CrewAI makes without a task when max_iter is reached stays in the house."""
    house.break_model("plain", Fault(answer=Said("", (("lookup", {"q": "cats"}),), 1, 1)))

    @tool("lookup")
    def looks_up_twice(q: str) -> str:
        """Look something up."""
        if len(house.seen) > 1:
            house.break_model("plain", Fault())
        return f"fact {len(house.seen)} about {q}"

    result = _run(factory.agent(_WRITER, tools=[looks_up_twice], max_iter=2))

    assert result.raw
    assert "final answer" in str(house.seen[-1].body["messages"][-1]["content"])
    assert cloud.seen == []


def test_text_guardrail_keeps_the_constraint(factory, cloud, house):
    """The agent that checks a guardrail written as a text asks in the house too."""
    _run(factory.agent(_WRITER), guardrail="Must be a text.")

    assert any("Guardrail" in str(seen.body["messages"]) for seen in house.seen)
    assert cloud.seen == []


def test_converter_keeps_the_constraint(factory, cloud, house):
    """The call that turns prose into a model, for an agent with tools, stays in the house."""
    _run(factory.agent(_WRITER, tools=[lookup]), output_pydantic=City)

    assert len(house.seen) > 2
    assert cloud.seen == []


def _vectors(texts):
    return [[float(len(text) % 7), 1.0, 2.0, 3.0] for text in texts]


@pytest.mark.parametrize("told", [True, False])
def test_memory_keeps_the_constraint(router, cloud, house, *, tmp_path, told):
    """Memory extracts what to keep in the house, with the agent's LLM or with one that was never told of the task."""
    writer = AgentFactory(router, tasks={"secret": {"routing": _PRIVATE}}).agent(_WRITER)
    memory = Memory(llm=writer.llm if told else RouterLLM(router), embedder=_vectors, storage=str(tmp_path / "memory"))

    _run(writer, memory=memory, description="Summarise the secret file. " * 20)

    assert any("memor" in str(seen.body["messages"]).lower() for seen in house.seen)
    assert cloud.seen == []


@pytest.mark.parametrize("told", [True, False])
def test_planner_keeps_the_constraint(router, factory, cloud, house, told):
    """The crew's planner sees every task, and so keeps the restrictions of all, whether its own LLM knows of them or not."""
    llm = RouterLLM(router, task_routing={"secret": _PRIVATE} if told else None)

    _run(factory.agent(_WRITER), planning=True, planning_llm=llm)

    assert any("Planner" in str(seen.body["messages"]) for seen in house.seen)
    assert cloud.seen == []


def test_delegated_work_keeps_the_constraint(router, factory, cloud, house):
    """A colleague to whom the work is passed on answers in the house, although its LLM was never told of the task."""
    colleague = RoutedAgent(role="Helper", goal="help", backstory="kind", router=router)
    asked = {"task": "Read the secret file", "context": "all of it", "coworker": "Helper"}
    house.break_model("plain", Fault(answer=Said("", (("delegate_work_to_coworker", asked),), 1, 1)))

    def behaves(_context):
        house.break_model("plain", Fault())

    register_before_tool_call_hook(behaves)
    try:
        _run(factory.agent(_WRITER, allow_delegation=True), agents=[colleague])
    finally:
        unregister_before_tool_call_hook(behaves)

    assert any("You are Helper" in str(seen.body["messages"][0]) for seen in house.seen)
    assert cloud.seen == []


def test_manager_keeps_the_constraint(router, factory, cloud, house):
    """The manager of a hierarchical crew works on the task in the house."""
    _run(factory.agent(_WRITER), process=Process.hierarchical, manager_llm=RouterLLM(router))

    assert house.seen
    assert cloud.seen == []


def test_crew_within_a_tool_keeps_the_constraint_of_the_task_around_it(router, factory, cloud, house):
    """A crew that a tool starts carries the outer task's content, and so its restrictions."""
    inner_agent = RoutedAgent(role="Inner", goal="help", backstory="kind", router=router)

    @tool("ask_crew")
    def ask_crew(q: str) -> str:
        """Ask another crew."""
        inner = Task(description=f"Answer {q}", expected_output="text", agent=inner_agent, name="inner")
        return str(Crew(agents=[inner_agent], tasks=[inner]).kickoff().raw)

    _run(factory.agent(_WRITER, tools=[ask_crew]))

    assert any("Inner" in str(seen.body["messages"][0]) for seen in house.seen)
    assert cloud.seen == []


def test_next_task_is_free_again(router, cloud, house):
    """The restriction ends with its task, also for the same agent."""
    writer = AgentFactory(router, tasks={"secret": {"routing": _PRIVATE}}).agent(_WRITER)
    tasks = [Task(**_TASK, agent=writer), Task(description="Say it.", expected_output="text", name="open", agent=writer, context=[])]

    Crew(agents=[writer], tasks=tasks).kickoff()

    assert house.models_called() == ["plain"]
    assert cloud.models_called() == ["best"]


def test_crew_after_one_that_failed_is_free_again(router, cloud, house):
    """A task that ends with an exception leaves no restriction behind."""
    failing = AgentFactory(router, tasks={"secret": {"routing": {**_PRIVATE, "fallbacks": False}}}).agent(_WRITER)
    house.break_model("plain", Fault(status=400))
    with pytest.raises(Exception, match=r"plain|400"):
        _run(failing)

    _run(AgentFactory(router).agent(_WRITER))

    assert cloud.models_called() == ["best"]


async def test_asynchronous_run_keeps_the_constraint(factory, cloud, house):
    """The same holds for akickoff, and for the guardrail in it."""
    writer = factory.agent(_WRITER)

    await Crew(agents=[writer], tasks=[Task(**_TASK, agent=writer, guardrail="Must be a text.")]).akickoff()

    assert len(house.seen) >= 2
    assert cloud.seen == []


def test_copies_of_a_crew_keep_the_constraint(factory, cloud, house):
    """kickoff_for_each copies tasks and agents; the copies keep it."""
    writer = factory.agent(_WRITER)
    crew = Crew(agents=[writer], tasks=[Task(**_TASK, agent=writer, guardrail="Must be a text.")])

    crew.kickoff_for_each(inputs=[{"n": "1"}, {"n": "2"}])

    assert len(house.seen) >= 4
    assert cloud.seen == []


def test_block_in_the_configuration_of_a_task_is_read(router, cloud, house):
    """A project's ``Task(config=self.tasks_config[...])`` brings its block along; nobody else has to be told of it."""
    writer = AgentFactory(router).agent(_WRITER)
    task = Task(config={**_TASK, "routing": _PRIVATE}, agent=writer, guardrail="Must be a text.")

    Crew(agents=[writer], tasks=[task]).kickoff()

    assert len(house.seen) >= 2
    assert cloud.seen == []


def test_constraint_survives_that_somebody_clears_all_hooks(factory, cloud, house):
    """The restriction does not hang on CrewAI's hooks alone."""
    clear_all()

    _run(factory.agent(_WRITER), guardrail="Must be a text.")

    assert len(house.seen) >= 2
    assert cloud.seen == []


def test_hooks_cleared_in_the_middle_of_a_task_leak_nothing(factory, cloud, house):
    """What CrewAI does not tell is taken from the task's id, and what is not known then is restricted as every known task."""

    def clears(output):
        clear_all()
        return (True, output.raw)

    _run(factory.agent(_WRITER), guardrails=[clears, "Must be a text."])

    assert len(house.seen) >= 2
    assert cloud.seen == []


def test_hooks_cleared_in_the_middle_do_not_hide_the_block_of_the_task(router, cloud, house, tmp_path):
    """An LLM that knows of no task, as that of memory, finds the block of the task that CrewAI is on."""
    memory = Memory(llm=RouterLLM(router), embedder=_vectors, storage=str(tmp_path / "memory"))

    @tool("lookup")
    def clears(q: str) -> str:
        """Look something up."""
        clear_all()
        return f"fact about {q}"

    writer = AgentFactory(router).agent(_WRITER, tools=[clears])
    task = Task(config={**_TASK, "description": "Summarise the secret file. " * 20, "routing": _PRIVATE}, agent=writer)
    Crew(agents=[writer], tasks=[task], memory=memory).kickoff()

    assert any("memor" in str(seen.body["messages"]).lower() for seen in house.seen)
    assert cloud.seen == []


def test_pin_without_fallbacks_holds_for_the_planner(router, cloud):
    """A task that only one model may see is planned by that model."""
    writer = AgentFactory(router, tasks={"secret": {"routing": {"force_model": "house:plain", "fallbacks": False}}}).agent(_WRITER)

    _run(writer, planning=True, planning_llm=RouterLLM(router), guardrail="Must be a text.")

    assert cloud.seen == []


def test_two_regions_for_one_call_are_one_clear_error(router):
    """A planner that would carry the content of two regions is refused before anything is sent."""
    tasks = {"a": {"routing": {"region": "eu"}}, "b": {"routing": {"region": "us"}}}
    writer = AgentFactory(router, tasks=tasks).agent(_WRITER)
    made = [Task(**{**_TASK, "name": name}, agent=writer) for name in tasks]

    with pytest.raises(InvalidRequestError, match="region"):
        Crew(agents=[writer], tasks=made, planning=True, planning_llm=RouterLLM(router)).kickoff()


def test_agent_of_crewai_with_a_routed_llm_keeps_the_constraint(router, cloud, house):
    """A plain Agent that has a RouterLLM is served alike."""
    plain = Agent(**_WRITER, llm=RouterLLM(router, task_routing={"secret": _PRIVATE}))

    _run(plain, guardrail="Must be a text.")

    assert len(house.seen) >= 2
    assert cloud.seen == []
