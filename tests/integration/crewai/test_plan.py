"""A plan before the start, from the files of a project or from a crew, and a run held against it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from crewai import Crew, Task
from crewai.tools import tool
from typer.testing import CliRunner

from crew_router import Router
from crew_router.cli.app import app
from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router.testing import ScriptedModel
from crew_router_crewai import AgentFactory, plan_crew
from crew_router_crewai.plan.from_crew import read_crew
from crew_router_crewai.plan.history import PastRun
from crew_router_crewai.plan.live import load_crew, run_crew
from crew_router_crewai.plan.predict import uses
from crew_router_crewai.plan.project import read_project
from crew_router_crewai.plan.shape import TaskShape, waits


@tool("lookup")
def lookup(q: str) -> str:
    """Look something up."""
    return q


_AGENTS = """\
# The people of this crew.
researcher:
  role: >
    {topic} Researcher
  goal: find facts about {topic}
  backstory: You are careful.
writer:
  role: Writer
  goal: write
  backstory: You are brief.
  routing: {deny_providers: [secret]}
"""
_TASKS = """\
# What they do, in this order.
research:
  description: "Find facts about {topic}."   # keep the quotes
  expected_output: >
    A list of ten facts.
  agent: researcher

write:
  description: Write a report.
  expected_output: A report of five paragraphs.
  agent: writer
  guardrail: Must be a report.   # checked by a model
"""
_CODE = """\
from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, crew, task
from crewai.tools import tool

@tool("lookup")
def lookup(q: str) -> str:
    \"\"\"Look something up.\"\"\"
    return q

@CrewBase
class News:
    agents_config = "config/agents.yaml"
    tasks_config = "config/tasks.yaml"

    @agent
    def researcher(self) -> Agent:
        return Agent(config=self.agents_config["researcher"], tools=[lookup])

    @agent
    def writer(self) -> Agent:
        return Agent(config=self.agents_config["writer"])

    @task
    def research(self) -> Task:
        return Task(config=self.tasks_config["research"])

    @task
    def write(self) -> Task:
        return Task(config=self.tasks_config["write"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)
"""


@pytest.fixture
def project(tmp_path):
    """Return the folder of a project as ``crewai create crew`` lays it out."""
    source = tmp_path / "src" / "news"
    (source / "config").mkdir(parents=True)
    (source / "config" / "agents.yaml").write_text(_AGENTS, encoding="utf-8")
    (source / "config" / "tasks.yaml").write_text(_TASKS, encoding="utf-8")
    (source / "crew.py").write_text(_CODE, encoding="utf-8")
    (source / "__init__.py").write_text("", encoding="utf-8")
    return tmp_path


def _models():
    verdict = '{"valid": true, "feedback": null}'
    replies = ["a fact", "the report", verdict]
    return {
        "lab:cheap": ScriptedModel(replies, usage=(200, 100), price=(0.1, 0.4), quality=0.6),
        "lab:good": ScriptedModel(replies, usage=(200, 100), price=(2.0, 8.0), quality=0.85),
        "lab:best": ScriptedModel(replies, usage=(200, 100), price=(15.0, 75.0), quality=0.95),
        "secret:x": ScriptedModel(replies, usage=(200, 100), price=(0.0, 0.0), quality=0.97),
    }


@pytest.fixture
def router():
    """Return a router over models of three prices, and a free one that the writer may not use."""
    with Router(models=_models(), ledger_url="sqlite://") as made:
        yield made


def test_project_is_read_without_running_its_code(project):
    """Order, context, tools, guardrail and blocks come from the files; the code is only looked at."""
    (project / "src" / "news" / "crew.py").write_text(_CODE + "\nraise SystemExit\n", encoding="utf-8")

    shape = read_project(project, {"topic": "cats"})

    research, write = shape.tasks
    assert (research.tools, research.guardrail, research.context) == (1, "none", ())
    assert (write.tools, write.guardrail, write.context, write.waits_for) == (0, "text", ("research",), ("research",))
    assert write.routing == {"deny_providers": ["secret"]}
    assert research.messages[0]["content"].startswith("You are cats Researcher.")
    assert shape.placeholders == ()
    assert read_project(project).placeholders == ("topic",)


@pytest.mark.parametrize("tools", [[], [lookup]], ids=["without tools", "with tools"])
def test_rendered_prompt_is_the_one_that_crewai_sends(router, events, tools):
    """What is counted is what a kickoff sends, to the character."""
    writer = AgentFactory(router).agent({"role": "Writer", "goal": "write", "backstory": "You are brief."}, tools=tools)
    crew = Crew(agents=[writer], tasks=[Task(description="Say {x}.", expected_output="a text", agent=writer, name="t")])
    planned = read_crew(crew, {"x": "hello"}).tasks[0].messages

    crew.kickoff(inputs={"x": "hello"})

    sent = next(event.messages for kind, event in events() if kind == "llm_call_started")
    assert [message["content"] for message in sent] == [message["content"] for message in planned]


def test_json_project_is_read(tmp_path):
    """Comments and trailing commas of CrewAI's JSON crews are understood, and its inputs count."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "guide.jsonc").write_text(
        '{"role": "Guide", /* who */ "goal": "g // no comment", "backstory": "b",}', encoding="utf-8"
    )
    task = '{"name": "lead", "description": "Lead to {place}.", "expected_output": "a way", "agent": "guide", "output_pydantic": "x.Y"}'
    crew = f'{{ // a crew\n "name": "tour", "agents": ["guide"], "tasks": [{task}], "planning": true, "inputs": {{"place": "Ulm"}}, }}'
    (tmp_path / "crew.jsonc").write_text(crew, encoding="utf-8")

    shape = read_project(tmp_path)

    assert (shape.name, shape.planner, shape.tasks_file) == ("tour", True, None)
    assert shape.tasks[0].schema
    assert "Lead to Ulm." in shape.tasks[0].messages[1]["content"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("tasks.yaml", "write: {description: d, expected_output: e, agent: nobody}\n", "write.agent"),
        ("tasks.yaml", "write: {description: d, expected_output: e, agent: writer, routing: {budget: 1}}\n", "routing.budget"),
        ("tasks.yaml", "- a\n", "no mapping"),
    ],
)
def test_faults_of_a_project_are_named_with_file_and_key(project, file, text, said):
    """What is wrong in a file is one clear error."""
    (project / "src" / "news" / "config" / file).write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=rf"tasks\.yaml.*{said}"):
        read_project(project)


def test_folder_without_a_project_is_refused(tmp_path):
    """A wrong path says what is looked for."""
    with pytest.raises(ConfigurationError, match=r"tasks\.yaml or crew\.jsonc"):
        read_project(tmp_path)


def test_larger_budget_buys_more_success(project, router):
    """Between the cheapest and the dearest assignment success grows with the budget, and no plan exceeds it."""
    plans = [plan_crew(project, budget_usd=budget, router=router, inputs={"topic": "cats"}) for budget in (0.001, 0.01, 0.2)]

    assert [each.cost_usd.expected <= each.budget_usd for each in plans] == [True] * 3
    assert plans[0].success < plans[1].success < plans[2].success
    assert all(each.gap <= 1e-3 for each in plans)
    assert all(a.success < b.success for a, b in zip(plans[2].frontier, plans[2].frontier[1:], strict=False))


def test_block_of_an_agent_holds_in_the_plan(project, router):
    """The free model that the writer denies is planned for the researcher only."""
    made = plan_crew(project, budget_usd=0.2, router=router, inputs={"topic": "cats"})

    assert made.candidate("research") == "secret:x"
    assert made.candidate("write") != "secret:x"


def test_budget_that_is_too_small_says_what_suffices(project):
    """Nothing is planned beyond the budget."""
    models = {name: model for name, model in _models().items() if name != "secret:x"}
    with Router(models=models, ledger_url="sqlite://") as router, pytest.raises(InvalidRequestError, match="at least 0"):
        plan_crew(project, budget_usd=0.000001, router=router)


def test_plan_says_bounds_and_what_would_narrow_them(project, router):
    """An upper bound stands beside the interval, with what lowers it."""
    made = plan_crew(project, router=router)

    research = made.tasks[0]
    assert research.most_calls == 26 * 3
    assert research.most_usd is not None
    assert research.cost_usd.max <= research.most_usd
    assert any("max_iter" in each for each in made.advice)
    assert any("topic" in each for each in made.advice)
    assert made.critical_path == ("research", "write")


def test_earlier_runs_of_a_task_narrow_its_interval(router):
    """What the ledger holds of a task counts more than the rules."""
    writer = AgentFactory(router).agent({"role": "Writer", "goal": "write", "backstory": "brief"})
    crew = Crew(agents=[writer], tasks=[Task(description="Say it.", expected_output="text", agent=writer, name="say")])
    before = plan_crew(crew, router=router).tasks[0]

    for _ in range(4):
        crew.kickoff()
    after = plan_crew(crew, router=router).tasks[0]

    assert before.source == "rules"
    assert after.source == "4 earlier runs"
    assert after.output_tokens.expected == pytest.approx(100, rel=0.3)
    spans = [each.output_tokens.max / each.output_tokens.min for each in (before, after)]
    assert spans[1] < spans[0] / 3


def test_tasks_beside_each_other_take_the_time_of_the_longest():
    """Asynchronous tasks run beside each other until the next that is not."""
    assert waits(("a", "b", "c", "d"), (False, True, True, False)) == ((), ("a",), ("a",), ("a", "b", "c"))


def _world(rng):
    """Return tasks of a simulated crew, whose lengths and steps the planner is not told."""
    for number in range(3):
        tools = int(rng.integers(0, 3))
        context = tuple(f"t{other}" for other in range(number))
        shape = TaskShape(f"t{number}", "a", messages=({"role": "user", "content": "x"},), tools=tools, context=context)
        yield shape, rng.uniform(150, 800), np.exp(rng.normal(5.5, 0.8)), rng.uniform(0.15, 0.4), rng.uniform(0.3, 3) if tools else 0.0


def _simulated(world, rng):
    past, context = [], 0.0
    for _shape, first, answer, spread, steps in world:
        made = min(int(rng.poisson(steps)), 10)
        outputs = [*(31 * np.exp(rng.normal(0, 0.3, made))), answer * np.exp(rng.normal(0, spread))]
        inputs = sum(first + context + 130 * at * np.exp(rng.normal(0, 0.2)) for at in range(made + 1))
        past.append(PastRun(made + 1, int(inputs), int(sum(outputs))))
        context += 14 + outputs[-1]
    return past


@pytest.mark.parametrize("earlier", [0, 2, 8, 25])
def test_interval_covers_nine_of_ten_simulated_runs(earlier):
    """Over 30 crews of a simulator, 200 runs each: covered between 85 and 96 %, at most three times as wide as the runs spread."""
    covered, widths = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        world = list(_world(rng))
        runs = [_simulated(world, rng) for _ in range(earlier)]
        found = uses(
            [shape for shape, *_ in world],
            prompts={shape.name: int(first) for shape, first, *_ in world},
            answers={shape.name: 250 for shape, *_ in world},
            past={f"t{at}": [run[at] for run in runs] for at in range(3)},
            memory=False,
        )
        low, high = np.quantile(sum(use.input_tokens + 4 * use.output_tokens for use in found.values()), (0.05, 0.95))
        real = np.array([sum(one.input_tokens + 4 * one.output_tokens for one in _simulated(world, rng)) for _ in range(200)])
        covered.append(float(((real >= low) & (real <= high)).mean()))
        near, far = np.quantile(real, (0.05, 0.95))
        widths.append((high - low) / (far - near))

    assert 0.85 <= np.mean(covered) <= 0.96
    assert np.median(widths) <= 3


def test_run_is_held_against_its_plan(router):
    """Each task begins with the model that was planned for it, and what it took is read from the ledger."""
    factory = AgentFactory(router)
    writer = factory.agent({"role": "Writer", "goal": "write", "backstory": "brief"})
    tasks = [Task(description=f"Do {name}.", expected_output="text", agent=writer, name=name) for name in ("one", "two")]
    seen = []

    run = run_crew(Crew(agents=[writer], tasks=tasks), router, budget_usd=0.005, shown=lambda state: seen.append(state.cost_usd))

    assert [each.task for each in run.done] == ["one", "two"]
    assert run.done[0].who == run.plan.candidate("one")
    assert run.cost_usd == pytest.approx(router.stats()["cost_usd"])
    assert len(seen) == 2
    assert run.left_usd == pytest.approx(0.005 - run.cost_usd)


@pytest.fixture
def config(tmp_path):
    """Return a configuration for the command line: models that nobody calls."""
    entry = {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9", "api_key": "none", "context_window": 64_000}
    entry |= {"capabilities": ["tools", "json"], "source": "unmeasured"}
    models = {
        "lab:cheap": {**entry, "quality": 0.6, "price": {"input": 0.1, "output": 0.4}},
        "lab:best": {**entry, "quality": 0.95, "price": {"input": 15.0, "output": 75.0}},
    }
    file = tmp_path / "router.yaml"
    file.write_text(json.dumps({"registry": "none", "models": models, "ledger": {"url": "sqlite://"}}), encoding="utf-8")
    return str(file)


def _command(*arguments, **options):
    return CliRunner().invoke(app, ["crew", *arguments], **options)


def test_command_prints_a_plan(project, config):
    """The table, the critical path and the frontier; as JSON the same with names."""
    shown = _command("plan", str(project), "--budget", "0.05", "--inputs", "topic=cats", "--plot", "--config", config)
    told = json.loads(_command("plan", str(project), "--budget", "0.05", "--config", config, "--json").stdout)

    assert shown.exit_code == 0
    assert "Critical path: research → write" in shown.stdout
    assert "P(success) of the run by budget" in shown.stdout
    assert {"task", "agent", "candidate", "calls", "cost_usd", "success"} <= set(told["tasks"][0])
    assert set(told["tasks"][0]["cost_usd"]) == {"min", "expected", "max"}
    assert _command("plan", str(project), "--budget", "0.0000001", "--config", config).exit_code == 2


def test_applied_plan_keeps_comments_and_can_be_taken_back(project, config):
    """Blocks are written into tasks.yaml after the difference was shown and agreed to; --undo brings the file back to the byte."""
    pytest.importorskip("ruamel.yaml")
    file = project / "src" / "news" / "config" / "tasks.yaml"
    options = ("--budget", "0.05", "--apply", "--config", config)

    declined = _command("plan", str(project), *options, input="n\n")
    assert declined.exit_code == 1
    assert file.read_text(encoding="utf-8") == _TASKS

    agreed = _command("plan", str(project), *options, "--yes")
    text = file.read_text(encoding="utf-8")
    assert agreed.exit_code == 0, agreed.output
    assert "+  routing:" in agreed.stdout
    assert [line for line in text.splitlines() if "routing" not in line and "force_model" not in line] == _TASKS.splitlines()
    assert read_project(project).tasks[0].routing["force_model"].startswith("lab:")

    assert _command("plan", str(project), "--undo").exit_code == 0
    assert file.read_text(encoding="utf-8") == _TASKS
    assert _command("plan", str(project), "--undo").exit_code == 2


def test_changed_file_is_not_undone(project, config):
    """What somebody wrote since is not thrown away."""
    pytest.importorskip("ruamel.yaml")
    file = project / "src" / "news" / "config" / "tasks.yaml"
    _command("plan", str(project), "--budget", "0.05", "--apply", "--yes", "--config", config)
    file.write_text(file.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")

    refused = _command("plan", str(project), "--undo")

    assert refused.exit_code == 2
    assert "changed since" in refused.output


def test_project_is_loaded_and_run(project, router, monkeypatch):
    """The crew of a project's files runs under its plan."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    crew, _ = load_crew(project)
    try:
        run = run_crew(crew, router, budget_usd=0.1, inputs={"topic": "cats"})
    finally:
        sys.modules.pop("news.crew", None)
        sys.modules.pop("news", None)

    assert [each.task for each in run.done] == ["research", "write"]
    assert run.output.raw


def test_json_project_is_loaded_and_run(tmp_path, router, monkeypatch):
    """A crew in JSON with a RoutedAgent keeps its block and its inputs."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    (tmp_path / "agents").mkdir()
    (tmp_path / "my_agents.py").write_text("from crew_router_crewai import RoutedAgent\n", encoding="utf-8")
    agent = {"role": "Guide", "goal": "g", "backstory": "b", "type": {"python": "my_agents.RoutedAgent"}, "routing": {"tags": ["json"]}}
    task = {"name": "lead", "description": "Lead to {place}.", "expected_output": "a way", "agent": "guide"}
    crew = {"name": "tour", "agents": ["guide"], "tasks": [task], "inputs": {"place": "Ulm"}}
    (tmp_path / "agents" / "guide.jsonc").write_text(json.dumps({**agent, "llm": "openai/gpt-own"}), encoding="utf-8")
    (tmp_path / "crew.jsonc").write_text(json.dumps(crew), encoding="utf-8")

    made, inputs = load_crew(tmp_path)
    run = run_crew(made, router, budget_usd=0.1, inputs=inputs)

    (decision,) = [each for each, _ in router.history.logged(since=0)]
    assert run.output.raw == "a fact"
    assert {"json", "task:lead", "crew:tour"} <= decision.request.tags
    assert made.tasks[0].description == "Lead to Ulm."
