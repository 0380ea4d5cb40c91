"""A research crew in two tasks, planned within five cents before it runs; offline unless a provider's key is set."""

import os

from crewai import Agent, Crew, Task
from crewai.tools import tool

from crew_router import Router
from crew_router.testing import ScriptedModel, ScriptedReply
from crew_router.types import ToolCall
from crew_router_crewai import RouterLLM, plan_crew, routed_crew

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")

SEARCH = ScriptedReply(tool_calls=(ToolCall("1", "search", '{"query": "cats"}'),), finish_reason="tool_calls")
OFFLINE = {
    "lab:small": ScriptedModel([SEARCH, "Cats sleep 13 hours a day.", "# Cats\n\nThey sleep a lot."], price=(0.1, 0.4), quality=0.7),
    "lab:large": ScriptedModel([SEARCH, "Cats sleep 13 hours.", "# Cats\n\nThey sleep."], price=(3.0, 15.0), quality=0.95),
}


@tool("search")
def search(query: str) -> str:
    """Search an encyclopaedia."""
    return f"{query}: small carnivores that sleep 12 to 16 hours a day"


def main() -> None:
    """Plan the crew, then run it."""
    has_key = any(os.environ.get(name) for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"))
    with Router(ledger_url="sqlite://") if has_key else Router(models=OFFLINE, ledger_url="sqlite://") as router:
        researcher = Agent(role="Researcher", goal="find facts", backstory="You name your sources.", tools=[search], llm=RouterLLM(router))
        writer = Agent(role="Writer", goal="write short reports", backstory="You are brief.", llm=RouterLLM(router))
        research = Task(description="Find three facts about cats.", expected_output="three facts", agent=researcher, name="research")
        report = Task(description="Write a report.", expected_output="a short report", agent=writer, name="report")
        crew = routed_crew(Crew(agents=[researcher, writer], tasks=[research, report]), router=router)

        plan = plan_crew(crew, budget_usd=0.05, router=router)
        for task in plan.tasks:
            print(f"{task.task}: {task.candidate}, ${task.cost_usd.min:.6f} to ${task.cost_usd.max:.6f}, P(success) {task.success:.2f}")
        result = crew.kickoff()
        print(result.raw)
        print(f"planned ${plan.cost_usd.expected:.6f}, took ${router.stats()['cost_usd']:.6f}")


if __name__ == "__main__":
    main()
