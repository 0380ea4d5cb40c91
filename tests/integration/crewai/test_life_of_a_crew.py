"""What CrewAI can do with a crew goes on as before when it is routed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, crew, task
from wire_server import Fault, WireServer

from crew_router import Router
from crew_router.testing import ScriptedModel
from crew_router_crewai import RouterLLM, routed_crew


def _reply(prompt):
    """Return an answer, or the JSON of a training evaluation or a grade where one is asked for."""
    text = str(prompt)
    if "quality" in text and "suggestions" in text:
        return '{"suggestions": ["shorter"], "quality": 8, "final_summary": "good"}'
    return '{"quality": 8}' if "quality" in text.lower() else "text"


@pytest.fixture
def router():
    """Return a router over one model."""
    with Router(models={"lab:a": ScriptedModel(_reply, usage=(10, 5), price=(1.0, 1.0))}, ledger_url="sqlite://") as made:
        yield made


def _crew(router, **fields):
    writer = Agent(role="Writer", goal="write", backstory="brief", llm=RouterLLM(router))
    human = fields.pop("human_input", False)
    work = Task(description="Do it.", expected_output="it", agent=writer, name="one", human_input=human)
    return routed_crew(Crew(agents=[writer], tasks=[work], **fields), router=router)


@pytest.mark.parametrize("fields", [{"max_rpm": 100}, {"checkpoint": True}, {"cache": True}, {"human_input": True}], ids=str)
def test_settings_of_a_crew_hold(router, monkeypatch, tmp_path, fields):
    """A limit of requests, checkpoints, a tool cache and a question to the person do not change what comes out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builtins.input", lambda *_: "")

    assert _crew(router, **fields).kickoff().raw == "text"


def test_crew_streams(router):
    """A streaming crew yields the pieces of the routed answer."""
    assert "".join(chunk.content for chunk in _crew(router, stream=True).kickoff()) == "text"


def test_crew_is_trained(router, monkeypatch, tmp_path):
    """Training asks for feedback, works it in and writes its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builtins.input", lambda *_: "make it shorter")

    _crew(router).train(n_iterations=1, filename="trained.pkl", inputs={})

    assert (tmp_path / "trained.pkl").exists()


def test_crew_is_tested(router, monkeypatch, tmp_path):
    """``crew.test`` grades with a routed LLM as with its own."""
    monkeypatch.chdir(tmp_path)

    _crew(router).test(n_iterations=1, eval_llm=RouterLLM(router))

    assert len(list(router.history.logged(since=0))) == 2


def test_project_runs_through_while_a_third_of_all_calls_fails():
    """The two-agent crew of CrewAI's quick start, routed by one line, gives its tasks whole and in order while 30 % of calls fail."""
    with WireServer() as wire:
        shared = {"provider": "openai", "base_url": wire.openai_url, "api_key": "none", "context_window": 64_000, "source": "unmeasured"}
        shared |= {"capabilities": ["tools", "json", "streaming"], "quality": 0.8, "price": {"input": 0.1, "output": 0.1}}
        wire.rule(lambda at, _seen: Fault(status=503) if at % 10 in {0, 4, 7} else None)
        models = {f"lab:{name}": {**shared, "model": name} for name in ("one", "two", "three")}
        with Router(models=models, ledger_url="sqlite://") as router:

            @routed_crew(router=router)
            @CrewBase
            class LatestAiDevelopment:
                agents_config = {  # noqa: RUF012 - as CrewAI's documentation writes it
                    "researcher": {
                        "role": "{topic} Senior Data Researcher",
                        "goal": "Uncover developments in {topic}",
                        "backstory": "Seasoned.",
                    },
                    "reporting_analyst": {"role": "{topic} Reporting Analyst", "goal": "Create reports", "backstory": "Meticulous."},
                }
                tasks_config = {  # noqa: RUF012 - as above
                    "research_task": {"description": "Research {topic}.", "expected_output": "10 points", "agent": "researcher"},
                    "reporting_task": {"description": "Expand each.", "expected_output": "a report", "agent": "reporting_analyst"},
                }

                @agent
                def researcher(self) -> Agent:
                    return Agent(role="R", goal="g", backstory="b", llm=RouterLLM(router))

                @agent
                def reporting_analyst(self) -> Agent:
                    return Agent(role="A", goal="g", backstory="b", llm=RouterLLM(router))

                @task
                def research_task(self) -> Task:
                    return Task(description="Research {topic}.", expected_output="10 points", agent=self.researcher())

                @task
                def reporting_task(self) -> Task:
                    return Task(description="Expand each.", expected_output="a report", agent=self.reporting_analyst())

                @crew
                def crew(self) -> Crew:
                    return Crew(agents=self.agents, tasks=self.tasks)

            project = LatestAiDevelopment()
            results = [project.crew().kickoff(inputs={"topic": f"topic {at}"}) for at in range(10)]

    assert [[output.name for output in result.tasks_output] for result in results] == [["research_task", "reporting_task"]] * 10
    assert all(output.raw for result in results for output in result.tasks_output)
    assert len(wire.seen) > len(wire.answers) > 15


def test_adapter_imports_nothing_heavy_beside_crewai():
    """The solver and ruamel.yaml come when a plan is made or written; LangChain when a model is called."""
    code = (
        "import crewai, crewai.memory.unified_memory, crewai.project, sys; before = set(sys.modules); import crew_router_crewai;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "heavy = {'scipy', 'ruamel', 'langchain', 'langchain_core', 'langchain_openai', 'fastmcp', 'redis', 'typer', 'matplotlib'};"
        "print(sorted(new & heavy))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)  # noqa: S603 - our own

    assert done.stdout.strip() == "[]"
