"""One changed line routes an existing project; nothing of it goes on calling the models that it names itself."""

from __future__ import annotations

import pytest
import yaml
from crewai import LLM, Agent, Crew, Process, Task
from crewai.memory.unified_memory import Memory
from crewai.project import CrewBase, agent, crew, task
from wire_brain import Said
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router.errors import ConfigurationError
from crew_router.testing import ScriptedModel
from crew_router_crewai import AgentFactory, RoutedAgent, RouterLLM, routed_analyst, routed_coder, routed_crew, routed_researcher
from crew_router_crewai import routed_reviewer as reviewer

_AGENTS = {
    "researcher": {"role": "{topic} Researcher", "goal": "find facts on {topic}", "backstory": "careful", "llm": "openai/gpt-own"},
    "writer": {"role": "Writer", "goal": "write", "backstory": "brief", "routing": {"tags": ["prose"]}},
}
_TASKS = {
    "research": {"description": "Find facts about {topic}.", "expected_output": "facts", "agent": "researcher"},
    "write": {"description": "Write about it.", "expected_output": "text", "agent": "writer", "routing": {"deny_providers": ["lab"]}},
}


@pytest.fixture
def foreign(monkeypatch):
    """Return the server that CrewAI's own LLMs would call; they find it through the environment."""
    with WireServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        monkeypatch.setenv("OPENAI_API_BASE", server.openai_url)
        yield server


@pytest.fixture
def wire():
    """Return the server of the router's models."""
    with WireServer() as server:
        yield server


@pytest.fixture
def router(wire):
    """Return a router over three models, one of them the one that an agent names."""
    shared = {"provider": "openai", "base_url": wire.openai_url, "api_key": "none", "context_window": 64_000, "source": "unmeasured"}
    shared["capabilities"] = ["tools", "json", "streaming"]
    models = {
        "lab:cheap": {**shared, "model": "cheap", "quality": 0.8, "price": {"input": 0.01, "output": 0.01}},
        "house:other": {**shared, "model": "other", "quality": 0.8, "price": {"input": 0.02, "output": 0.02}},
        "openai:gpt-own": {**shared, "model": "gpt-own", "quality": 0.9, "price": {"input": 50.0, "output": 50.0}},
    }
    with Router(models=models, ledger_url="sqlite://") as made:
        yield made


@pytest.fixture
def project(tmp_path):
    """Return the class of a project as ``crewai create crew`` lays it out, not yet routed."""
    (tmp_path / "config").mkdir()
    for name, definitions in (("agents", _AGENTS), ("tasks", _TASKS)):
        (tmp_path / "config" / f"{name}.yaml").write_text(yaml.safe_dump(definitions), encoding="utf-8")

    class News:
        agents_config = str(tmp_path / "config" / "agents.yaml")
        tasks_config = str(tmp_path / "config" / "tasks.yaml")

        @agent
        def researcher(self) -> Agent:
            return Agent(config=self.agents_config["researcher"], verbose=False)

        @agent
        def writer(self) -> Agent:
            return Agent(config=self.agents_config["writer"], verbose=False)

        @task
        def research(self) -> Task:
            return Task(config=self.tasks_config["research"])

        @task
        def write(self) -> Task:
            return Task(config=self.tasks_config["write"], guardrail="Must be a text.")

        @crew
        def crew(self) -> Crew:
            return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential)

    return News


@pytest.mark.parametrize("above", [True, False], ids=["above @CrewBase", "below @CrewBase"])
def test_one_line_routes_a_project(project, router, wire, foreign, above):
    """@routed_crew on a project's class routes every agent and reads the blocks of both YAML files."""
    line = routed_crew(router=router)
    made = line(CrewBase(project)) if above else CrewBase(line(project))

    result = made().crew().kickoff(inputs={"topic": "cats"})

    assert [output.name for output in result.tasks_output] == ["research", "write"]
    assert foreign.seen == []
    assert wire.models_called() == ["cheap", "other", "other"]
    tags = [decision.request.tags for decision, _ in router.history.logged(since=0)]
    assert "prose" in tags[1]
    assert "task:research" in tags[0]


def test_finished_crew_is_routed_throughout(router, wire, foreign, tmp_path):
    """Agents, planner, text guardrail, manager, function calling and memory of a crew that stands already ask the router."""
    llm = LLM(model="openai/gpt-own")
    writer = Agent(role="Writer", goal="write", backstory="brief", llm=llm, function_calling_llm=llm)
    memory = Memory(llm=llm, embedder=lambda texts: [[1.0, 2.0, float(len(text) % 5)] for text in texts], storage=str(tmp_path / "m"))
    work = Task(description="Write it. " * 30, expected_output="text", guardrail="Must be a text.", agent=writer)
    made = Crew(agents=[writer], tasks=[work], planning=True, memory=memory)

    assert routed_crew(made, router=router) is made
    made.kickoff()

    asked = [str(seen.body["messages"]) for seen in wire.seen]
    assert foreign.seen == []
    assert any("Planner" in text for text in asked)
    assert any("Guardrail" in text for text in asked)
    assert any("memor" in text.lower() for text in asked)


def test_manager_of_a_finished_crew_is_routed(router, wire, foreign):
    """A hierarchical crew's manager is routed, given as a model or as an agent."""
    llm = LLM(model="openai/gpt-own")
    for manager in ({"manager_llm": llm}, {"manager_agent": Agent(role="Boss", goal="g", backstory="b", llm=llm, allow_delegation=True)}):
        writer = Agent(role="Writer", goal="write", backstory="brief", llm=llm)
        made = Crew(agents=[writer], tasks=[Task(description="x", expected_output="y")], process=Process.hierarchical, **manager)
        routed_crew(made, router=router).kickoff()

    assert foreign.seen == []
    assert len(wire.seen) >= 2


def _named(router, **options):
    writer = Agent(role="Writer", goal="write", backstory="brief", llm=LLM(model="openai/gpt-own", temperature=0.3))
    made = Crew(agents=[writer], tasks=[Task(description="x", expected_output="y", agent=writer)])
    return writer, routed_crew(made, router=router, **options)


@pytest.mark.parametrize(
    ("existing", "called", "baseline"),
    [
        ("baseline", "cheap", "openai:gpt-own"),
        ("first", "gpt-own", "openai:gpt-own"),
        ("pin", "gpt-own", "openai:gpt-own"),
        ("ignore", "cheap", None),
    ],
)
@pytest.mark.usefixtures("foreign")
def test_own_llm_of_an_agent_counts_as_asked(router, wire, *, existing, called, baseline):
    """What an agent names is the baseline of savings, tried first, the only one, or nothing."""
    writer, made = _named(router, existing_llm=existing)

    made.kickoff()

    assert wire.models_called() == [called]
    assert writer.llm.baseline == baseline
    assert wire.seen[0].body.get("temperature") == (0.3 if existing != "ignore" else None)


@pytest.mark.usefixtures("foreign")
def test_savings_are_counted_against_the_own_llm(router):
    """The baseline's price of the same tokens, less what was paid."""
    writer, made = _named(router)

    made.kickoff()

    usage = writer.llm.last_response.usage
    assert writer.llm.saved_usd == pytest.approx((usage.input_tokens + usage.output_tokens) * (50.0 - 0.01) / 1e6, rel=1e-3)


@pytest.mark.usefixtures("foreign")
def test_own_llm_that_is_tried_first_has_the_others_as_fallbacks(router, wire):
    """``first`` goes on with the router's models when the agent's own fails; ``pin`` does not."""
    wire.break_model("gpt-own", Fault(status=503))

    _named(router, existing_llm="first")[1].kickoff()
    with pytest.raises(Exception, match="gpt-own"):
        _named(router, existing_llm="pin")[1].kickoff()

    assert "cheap" in wire.models_called()


@pytest.mark.usefixtures("foreign")
def test_pinned_llm_that_nobody_knows_is_one_clear_error(router):
    """A model that has to be called and is not in the registry is named, with the agent and the cure."""
    writer = Agent(role="Writer", goal="write", backstory="brief", llm=LLM(model="openai/gpt-unknown"))
    made = Crew(agents=[writer], tasks=[Task(description="x", expected_output="y", agent=writer)])

    with pytest.raises(ConfigurationError, match=r"Writer.*gpt-unknown.*existing_llm"):
        routed_crew(made, router=router, existing_llm="pin")
    with pytest.raises(ConfigurationError, match="baseline, first, pin, ignore"):
        routed_crew(made, router=router, existing_llm="often")


@pytest.mark.usefixtures("foreign")
def test_unknown_key_of_a_block_is_named_with_its_place(router):
    """A misspelt key of an agent's or a task's block is an error that names who, which key, and the cure."""
    writer = Agent(config={"role": "Writer", "goal": "g", "backstory": "b", "routing": {"denied_providers": ["x"]}})
    made = Crew(agents=[writer], tasks=[Task(description="x", expected_output="y", agent=writer)])

    with pytest.raises(ConfigurationError, match=r"agent 'Writer': routing.denied_providers: .*deny_providers"):
        routed_crew(made, router=router)


def test_unknown_key_in_a_file_is_named_with_the_file(router, tmp_path):
    """The same for files, which are named."""
    file = tmp_path / "tasks.yaml"
    file.write_text("write: {description: d, expected_output: e, routing: {denyproviders: [x]}}\n", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"tasks\.yaml: write: routing\.denyproviders"):
        AgentFactory(router, agents={}, tasks=file)


@pytest.mark.usefixtures("foreign")
def test_runs_over_a_list_stay_routed(router, wire, foreign):
    """kickoff_for_each copies a routed crew; the copies are routed and count each for itself."""
    _, made = _named(router)

    results = made.kickoff_for_each(inputs=[{"n": "1"}, {"n": "2"}])

    assert foreign.seen == []
    assert wire.models_called() == ["cheap", "cheap"]
    assert [result.token_usage.successful_requests for result in results] == [1, 1]


def test_factory_takes_a_name_a_definition_or_fields(router, tmp_path):
    """An agent is made from any of the three, and a whole crew from the files."""
    for name, definitions in (("agents", {"writer": _AGENTS["writer"]}), ("tasks", {"write": {**_TASKS["write"], "agent": "writer"}})):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(definitions), encoding="utf-8")
    factory = AgentFactory.from_yaml(tmp_path / "agents.yaml", tmp_path / "tasks.yaml", router=router)

    assert factory.agent("writer").role == "Writer"
    assert factory.agent({"role": "A", "goal": "g", "backstory": "b"}).role == "A"
    made = factory.agent(role="B", goal="g", backstory="b", routing={"allow_providers": ["house"]})
    assert made.llm.chosen == "house:other"
    assert factory.crew().kickoff().raw
    with pytest.raises(ConfigurationError, match="nobody"):
        factory.agent("nobody")


def test_ready_agents_work():
    """Coder, reviewer, researcher and analyst are routed for their kind of task and take fields of their own."""
    with Router(models={"lab:a": ScriptedModel("done")}, ledger_url="sqlite://") as router:
        made = [make(router) for make in (routed_coder, reviewer, routed_researcher, routed_analyst)]
        for each in made:
            work = Task(description="Do it.", expected_output="it", agent=each)
            assert Crew(agents=[each], tasks=[work]).kickoff().raw == "done"

        assert routed_coder(router, goal="mine", routing={"cost_budget": 0.5}).llm.routing == {
            "task_type": "code_generation",
            "cost_budget": 0.5,
        }


@pytest.mark.filterwarnings("ignore:The 'reasoning' parameter is deprecated")
def test_reasoning_is_bounded(router):
    """An agent that reasons refines its plan a bounded number of times, as CrewAI's defaults do not."""
    plain = Agent(role="Writer", goal="g", backstory="b", llm=RouterLLM(router), reasoning=True)
    made = Crew(agents=[plain], tasks=[Task(description="x", expected_output="y", agent=plain)])
    routed_crew(made, router=router)

    assert plain.planning_config.max_attempts == 3
    assert RoutedAgent(role="W", goal="g", backstory="b", router=router, reasoning=True).planning_config.max_attempts == 3
    assert (
        RoutedAgent(role="W", goal="g", backstory="b", router=router, reasoning=True, max_reasoning_attempts=7).planning_config.max_attempts
        == 7
    )


def test_something_that_is_no_crew_is_refused(router):
    """A wrong target is one clear error."""
    with pytest.raises(ConfigurationError, match="no crew"):
        routed_crew(7, router=router)
    with pytest.raises(ConfigurationError, match="@crew"):
        routed_crew(type("Plain", (), {}), router=router)


def test_output_of_the_first_task_reaches_the_second(project, router, wire, foreign):
    """Context flows as before."""
    wire.break_model("cheap", Fault(answer=Said("cats purr at 25 Hz", (), 10, 5)))

    routed_crew(router=router)(CrewBase(project))().crew().kickoff(inputs={"topic": "cats"})

    assert "cats purr at 25 Hz" in str(wire.seen[1].body["messages"])
    assert foreign.seen == []
