"""A kickoff is one run: its calls belong together, its budget holds, its result is credited, and what was rejected is answered better."""

from __future__ import annotations

import pytest
from crewai import Crew, Process, Task
from crewai.flow.flow import Flow, listen, start
from crewai.tools import tool

from crew_router import Router
from crew_router.errors import CrewRouterError
from crew_router.testing import ScriptedModel, ScriptedReply
from crew_router.types import FeedbackData, ToolCall
from crew_router_crewai import AgentFactory, RoutedAgent, RouterLLM

_WRITER = {"role": "Writer", "goal": "write", "backstory": "brief"}


def _models():
    return {
        "lab:weak": ScriptedModel("from weak", usage=(100, 10), price=(0.01, 0.01), quality=0.5),
        "lab:middle": ScriptedModel("from middle", usage=(100, 10), price=(1.0, 1.0), quality=0.75),
        "lab:best": ScriptedModel("from best", usage=(100, 10), price=(20.0, 20.0), quality=0.95),
    }


@pytest.fixture
def router():
    """Return a router over a weak, a better and the best model, the weak one first."""
    with Router(
        {"strategy": {"name": "cheapest_adequate", "parameters": {"margin": 1.0}}}, models=_models(), ledger_url="sqlite://"
    ) as made:
        yield made


def _decisions(router):
    return [decision for decision, _ in router.history.logged(since=0)]


def _crew(router, *tasks, **fields):
    writer = AgentFactory(router).agent(_WRITER)
    made = [Task(description=f"Do {name}.", expected_output="text", name=name, agent=writer, **more) for name, more in tasks]
    return Crew(agents=[writer], tasks=made, **fields)


def test_decisions_of_a_kickoff_carry_run_task_agent_and_step(router):
    """Everything that one kickoff asked is found under its run, with who asked for what, in order."""
    _crew(router, ("first", {}), ("second", {})).kickoff()

    first, second = _decisions(router)
    assert first.request.run_id == second.request.run_id
    assert first.request.run_id
    assert {"task:first", "agent:Writer", "step:1"} <= first.request.tags
    assert {"task:second", "agent:Writer", "step:2"} <= second.request.tags
    assert first.request.session_id != second.request.session_id


def test_two_kickoffs_are_two_runs(router):
    """A crew that is started again begins a new run."""
    crew = _crew(router, ("first", {}))

    crew.kickoff()
    crew.kickoff()

    assert len({decision.request.run_id for decision in _decisions(router)}) == 2


def test_calls_without_a_task_belong_to_the_run():
    """The text guardrail and the planner are part of it too."""
    plan = '{"list_of_plans_per_task": [{"task_number": 1, "task": "first", "plan": "write"}]}'
    verdict = '{"valid": true, "feedback": null}'
    planner = RouterLLM(Router(models={"lab:p": ScriptedModel(plan)}, ledger_url="sqlite://"))
    with Router(models={"lab:w": ScriptedModel(["text", verdict])}, ledger_url="sqlite://") as own:
        _crew(own, ("first", {"guardrail": "Must be a text."}), planning=True, planning_llm=planner).kickoff()

        assert planner.last_response is not None
        runs = {decision.request.run_id for decision in (*_decisions(own), planner.last_response.decision)}
        assert len(_decisions(own)) == 2
        assert len(runs) == 1


def test_crew_within_a_tool_and_a_flow_is_part_of_their_run(router):
    """Runs nest: what a tool's crew and a flow's crews ask stands under the outermost."""

    @tool("ask_crew")
    def ask_crew(q: str) -> str:
        """Ask another crew."""
        return str(_crew(router, (f"inner {q}", {})).kickoff().raw)

    asks = ScriptedReply(tool_calls=(ToolCall("c1", "ask_crew", '{"q": "cats"}'),), finish_reason="tool_calls")
    with Router(models={"lab:o": ScriptedModel([asks, "done"])}, ledger_url="sqlite://") as outer:

        class Work(Flow):
            @start()
            def one(self):
                agent = AgentFactory(outer).agent(_WRITER, tools=[ask_crew])
                return Crew(agents=[agent], tasks=[Task(description="x", expected_output="y", agent=agent)]).kickoff().raw

            @listen(one)
            def two(self):
                return _crew(router, ("last", {})).kickoff().raw

        Work().kickoff()

        runs = {decision.request.run_id for decision in (*_decisions(outer), *_decisions(router))}
        assert len(_decisions(outer)) == 2
        assert len(_decisions(router)) == 2
        assert len(runs) == 1


def test_agent_that_is_started_alone_is_a_run(router):
    """agent.kickoff outside of any crew carries a run as well."""
    agent = RoutedAgent(**_WRITER, router=router)

    agent.kickoff("Write.")

    assert _decisions(router)[0].request.run_id


def test_run_id_of_the_caller_stays(router):
    """Who numbers runs himself keeps his number."""
    writer = AgentFactory(router).agent({**_WRITER, "routing": {"run_id": "mine", "session_id": "chat-7"}})

    Crew(agents=[writer], tasks=[Task(description="x", expected_output="y", agent=writer)]).kickoff()

    assert _decisions(router)[0].request.run_id == "mine"
    assert _decisions(router)[0].request.session_id == "chat-7"


def test_budget_of_a_run_holds():
    """A run that would cost more than its budget is stopped; the next run has a budget of its own."""
    models = {"lab:a": ScriptedModel("text", usage=(1000, 100), price=(1.0, 1.0), quality=0.9)}
    with Router({"budgets": {"run": 0.0025}}, models=models, ledger_url="sqlite://") as router:
        with pytest.raises(CrewRouterError, match="run"):
            _crew(router, *((f"t{n}", {}) for n in range(4))).kickoff()
        _crew(router, ("again", {})).kickoff()

        runs = [decision.request.run_id for decision in _decisions(router)]
        assert len(set(runs)) == 2
        assert 1 <= runs.count(runs[0]) <= 2


@pytest.mark.parametrize("kind", ["guardrail", "guardrails"])
def test_guardrail_retry_goes_to_a_stronger_model(router, kind):
    """What a guardrail refuses is asked of a model more likely to succeed, and counts against the one that failed."""

    def only_best(output):
        return ("best" in output.raw, output.raw if "best" in output.raw else "not the best")

    result = _crew(router, ("first", {kind: only_best if kind == "guardrail" else [only_best]})).kickoff()

    decisions = _decisions(router)
    assert result.raw == "from best"
    assert [decision.selected_model for decision in decisions] == ["lab:weak", "lab:best"]
    said = [[each.outcome for each in router.history.feedback(decision.id)] for decision in decisions]
    assert said == [["failure"], []]


def test_retry_of_the_strongest_stays_with_it(router):
    """Nobody is stronger than the best, so the retry does not go down."""
    answers = iter([False, True])

    def second_time(output):
        return (next(answers), output.raw)

    writer = AgentFactory(router).agent({**_WRITER, "routing": {"quality_requirement": 0.9}})
    Crew(agents=[writer], tasks=[Task(description="x", expected_output="y", agent=writer, guardrail=second_time)]).kickoff()

    assert [decision.selected_model for decision in _decisions(router)] == ["lab:best", "lab:best"]


def test_escalation_keeps_the_restrictions_of_the_task(router):
    """A stronger model that the task may not use is not escalated to."""
    answers = iter([False, False, True])

    def third_time(output):
        return (next(answers), output.raw)

    routing = {"cost_budget": 0.001}
    _crew(router, ("first", {"guardrail": third_time})).kickoff()
    writer = AgentFactory(router, tasks={"cheap": {"routing": routing}}).agent(_WRITER)
    answers = iter([False, False, True])
    task = Task(description="x", expected_output="y", name="cheap", agent=writer, guardrail=third_time)
    Crew(agents=[writer], tasks=[task]).kickoff()

    assert [decision.selected_model for decision in _decisions(router)[3:]] == ["lab:weak", "lab:middle", "lab:middle"]


def test_answer_that_cannot_be_parsed_is_repeated_by_a_stronger_model():
    """A model that does not keep to the format of tools in the text is replaced."""
    bad, good = "Thought: hm\nAction Input: {}", "Thought: I know\nFinal Answer: Ulm"
    models = {
        "lab:weak": ScriptedModel(bad, price=(0.01, 0.01), quality=0.5, capabilities=frozenset()),
        "lab:best": ScriptedModel(good, price=(20.0, 20.0), quality=0.95, capabilities=frozenset()),
    }

    @tool("lookup")
    def lookup(q: str) -> str:
        """Look something up."""
        return q

    with Router(
        {"strategy": {"name": "cheapest_adequate", "parameters": {"margin": 1.0}}}, models=models, ledger_url="sqlite://"
    ) as router:
        writer = AgentFactory(router).agent(_WRITER, tools=[lookup])
        result = Crew(agents=[writer], tasks=[Task(description="x", expected_output="y", agent=writer)]).kickoff()

        assert result.raw == "Ulm"
        (decision,) = _decisions(router)
        assert [attempt.model for attempt in router.attempts(decision.id)] == ["lab:weak", "lab:best"]


def test_result_of_a_run_is_credited_to_its_steps(router):
    """A run that ends well says so of all its steps, without being asked."""
    _crew(router, ("first", {}), ("second", {})).kickoff()

    run = _decisions(router)[0].request.run_id
    assert [said.outcome for said in router.history.feedback(f"run:{run}")] == ["success"]


def test_run_that_fails_is_credited_as_a_failure(router):
    """A guardrail that nobody satisfies is a failure of the run."""
    with pytest.raises(Exception, match="guardrail"):
        _crew(router, ("first", {"guardrail": lambda _output: (False, "never"), "guardrail_max_retries": 1})).kickoff()

    run = _decisions(router)[0].request.run_id
    assert [said.outcome for said in router.history.feedback(f"run:{run}")] == ["failure"]


def test_feedback_on_a_run_reaches_all_its_steps():
    """The reinforcement strategy learns from one statement about the run of a crew."""
    with Router({"strategy": {"name": "reinforcement"}}, models=_models(), ledger_url="sqlite://") as router:
        _crew(router, ("first", {}), ("second", {})).kickoff()
        run = _decisions(router)[0].request.run_id

        reward = router.record_feedback(FeedbackData(f"run:{run}", user_rating=5))

        assert reward == 1.0


def test_hierarchical_run_is_one_run(router):
    """Manager and agents share it."""
    writer = AgentFactory(router).agent(_WRITER)
    task = Task(description="x", expected_output="y")
    Crew(agents=[writer], tasks=[task], process=Process.hierarchical, manager_llm=RouterLLM(router)).kickoff()

    assert {decision.request.run_id is not None for decision in _decisions(router)} == {True}
