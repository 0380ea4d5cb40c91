"""Whole crews of CrewAI over a router."""

from __future__ import annotations

import socket

import pytest
import yaml
from crewai import Crew, Process, Task
from crewai.project import CrewBase, agent, crew, task
from crewai.tools import tool

from crew_router.errors import AllModelsFailedError, ConfigurationError, NoCandidateError
from crew_router.testing import ScriptedFault, ScriptedModel, ScriptedReply
from crew_router.types import ErrorKind, ToolCall
from crew_router_crewai import AgentFactory, RoutedAgent, RouterLLM, routed_crew

_RESEARCHER = {"role": "Researcher", "goal": "find facts", "backstory": "careful", "routing": {"quality_requirement": 0.8}}
_WRITER = {"role": "Writer", "goal": "write", "backstory": "brief", "routing": {"cost_budget": 0.0004}}
_AGENTS = {"researcher": _RESEARCHER, "writer": _WRITER}
_TASKS = {
    "research": {"description": "Find facts about cats.", "expected_output": "facts", "agent": "researcher"},
    "write": {"description": "Write about it.", "expected_output": "text", "agent": "writer", "context": ["research"]},
}


@tool("lookup")
def lookup(q: str) -> str:
    """Look something up."""
    return f"fact about {q}"


def test_factory_injects_the_chosen_model_and_its_fallbacks(router):
    """Each agent gets the model that its routing block leaves, with the others to fall back on."""
    made = AgentFactory(router, agents=_AGENTS)

    researcher, writer = made.agent("researcher"), made.agent("writer")

    assert researcher.llm.chosen == "lab:strong"
    assert writer.llm.chosen == "lab:cheap"
    assert made.agent({**_WRITER, "routing": {}}).llm.fallbacks
    assert researcher.llm is not writer.llm


def test_factory_reads_yaml(router, tmp_path):
    """Definitions come from the files that CrewAI projects have."""
    file = tmp_path / "agents.yaml"
    file.write_text("researcher: {role: R, goal: g, backstory: b, routing: {quality_requirement: 0.8}}\n", encoding="utf-8")

    assert AgentFactory(router, agents=file).agent("researcher").llm.chosen == "lab:strong"


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: 1\n", "{", "\x00"])
def test_unreadable_definitions_are_one_clear_error(router, tmp_path, text):
    """A file that is no mapping of names to definitions is named."""
    file = tmp_path / "agents.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"agents\.yaml"):
        AgentFactory(router, agents=file)


def test_factory_says_when_no_model_fits(router):
    """A routing block that no model meets is reported before a crew starts."""
    with pytest.raises(NoCandidateError, match="lab:strong"):
        AgentFactory(router).agent({**_RESEARCHER, "routing": {"quality_requirement": 0.99}})


def test_crew_of_two_agents_runs_on_two_models(router):
    """A real crew runs through; each agent is answered by its own model and the crew counts each call once."""
    members = routed_crew(router, agents=_AGENTS, tasks=_TASKS, verbose=False)

    result = members.kickoff()

    assert [output.raw for output in result.tasks_output] == ["from strong", "from cheap"]
    assert result.token_usage.successful_requests == 2
    assert result.token_usage.total_tokens == 220


async def test_crew_runs_asynchronously(router):
    """The same crew runs natively asynchronous."""
    result = await routed_crew(router, agents=_AGENTS, tasks=_TASKS, verbose=False).akickoff()

    assert [output.raw for output in result.tasks_output] == ["from strong", "from cheap"]


def test_agent_calls_a_tool_and_goes_on(make_router):
    """An agent's tool call is run by CrewAI and its result goes back to the model."""
    asks = ScriptedReply(tool_calls=(ToolCall("c1", "lookup", '{"q": "cats"}'),), finish_reason="tool_calls")
    model = ScriptedModel([asks, "Cats purr."])
    researcher = AgentFactory(make_router(a=model)).agent({**_RESEARCHER, "routing": {}}, tools=[lookup])

    result = Crew(agents=[researcher], tasks=[Task(description="Find.", expected_output="facts", agent=researcher)]).kickoff()

    assert result.raw == "Cats purr."
    assert model.calls == 2


def test_fault_of_one_model_does_not_reach_the_crew(make_router):
    """The chosen model fails for good in the middle of a run, and the crew ends as if nothing had happened."""
    dying = ScriptedModel("from dying", faults=[None, *[ScriptedFault(ErrorKind.OVERLOAD)] * 20], quality=0.9)
    other = ScriptedModel("from other", quality=0.8)
    router = make_router(dying=dying, other=other)
    routing = {"routing": {"force_model": "lab:dying"}}
    members = routed_crew(router, agents={"researcher": {**_RESEARCHER, **routing}, "writer": {**_WRITER, **routing}}, tasks=_TASKS)

    result = members.kickoff()

    assert [output.raw for output in result.tasks_output] == ["from dying", "from other"]


def test_failure_of_all_models_is_not_multiplied(make_router):
    """When nobody answers, the run ends after the attempts of one request; nothing outside the router repeats them."""
    models = {name: ScriptedModel(faults=ScriptedFault(ErrorKind.RATE_LIMIT, status_code=429)) for name in ("a", "b")}
    router = make_router(**models)
    researcher = AgentFactory(router).agent({**_RESEARCHER, "routing": {}})

    with pytest.raises(AllModelsFailedError):
        Crew(agents=[researcher], tasks=[Task(description="Find.", expected_output="facts", agent=researcher)]).kickoff()

    assert router.stats()["requests"] == 1


def test_task_routing_wins_while_the_agent_works_on_it(router):
    """A routing block of a task sends that task, and only that, to another model than the agent's."""
    definition = {**_RESEARCHER, "routing": {"force_model": "lab:cheap"}}
    tasks = {name: {**task, "agent": "researcher"} for name, task in _TASKS.items()}
    tasks["write"]["routing"] = {"force_model": "lab:strong"}

    result = routed_crew(router, agents={"researcher": definition}, tasks=tasks).kickoff()

    assert [output.raw for output in result.tasks_output] == ["from cheap", "from strong"]


def test_runs_over_a_list_count_each_for_itself(router):
    """kickoff_for_each copies the crew; every run counts its own calls and runs on the same router."""
    members = routed_crew(router, agents=_AGENTS, tasks=_TASKS)

    results = members.kickoff_for_each(inputs=[{"n": "1"}, {"n": "2"}])

    assert [result.token_usage.successful_requests for result in results] == [2, 2]


@pytest.fixture
def newsroom(router, tmp_path):
    """Return a CrewAI project as its documentation writes it; one line in each agent method routes it."""
    for name, definitions in (("agents", _AGENTS), ("tasks", _TASKS)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(definitions), encoding="utf-8")
    factory = AgentFactory(router)

    @CrewBase
    class Newsroom:
        agents_config = str(tmp_path / "agents.yaml")
        tasks_config = str(tmp_path / "tasks.yaml")

        @agent
        def researcher(self):
            return factory.agent(self.agents_config["researcher"])

        @agent
        def writer(self):
            return factory.agent(self.agents_config["writer"])

        @task
        def research(self):
            return Task(config=self.tasks_config["research"])

        @task
        def write(self):
            return Task(config=self.tasks_config["write"])

        @crew
        def crew(self):
            return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential)

    return Newsroom()


def test_factory_serves_a_crewbase_project(newsroom):
    """In a project of CrewAI with YAML files, each agent is answered by its own model."""
    result = newsroom.crew().kickoff()

    assert [output.raw for output in result.tasks_output] == ["from strong", "from cheap"]


def test_routed_agent_routes_by_its_declared_field(router):
    """An agent with a routing field needs no llm; a copy of it keeps both."""
    guide = RoutedAgent(role="Guide", goal="g", backstory="b", routing={"quality_requirement": 0.8}, router=router)

    copied = guide.copy()

    assert isinstance(guide.llm, RouterLLM)
    assert copied.routing == guide.routing == {"quality_requirement": 0.8}
    assert copied.llm.call("Hello?") == "from strong"


def test_routed_agent_reads_routing_from_config(router):
    """The field is read from CrewAI's config dictionary too; an llm that is named there wins."""
    mine = RouterLLM(router)

    routed = RoutedAgent(config=dict(_RESEARCHER), router=router)
    named = RoutedAgent(config={**_RESEARCHER, "llm": mine}, router=router)

    assert routed.llm.routing == {"quality_requirement": 0.8}
    assert named.llm is mine


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"agent": "nobody"}, "write.agent"), ({"agent": "writer", "context": ["later"]}, "write.context")],
)
def test_crew_names_what_is_not_defined(router, wrong, said):
    """A task that names an unknown agent or a task that is not defined before it is reported with its key."""
    tasks = {**_TASKS, "write": {**_TASKS["write"], **wrong}}

    with pytest.raises(ConfigurationError, match=said):
        routed_crew(router, agents=_AGENTS, tasks=tasks)


def test_nothing_leaves_the_machine(router, monkeypatch):
    """A run resolves no name of any host."""
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_args, **_kwargs: asked.append(host) or [])

    routed_crew(router, agents=_AGENTS, tasks=_TASKS).kickoff()

    assert asked == []
