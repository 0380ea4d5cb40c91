"""A flow of two crews is one run with one budget; offline unless a provider's key is set."""

import os

from crewai import Crew, Task
from crewai.flow.flow import Flow, listen, start

from crew_router import FeedbackData, Router
from crew_router.testing import ScriptedModel
from crew_router_crewai import AgentFactory

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")

OFFLINE = {
    "lab:small": ScriptedModel(["Write about cats.", "Cats sleep."], price=(0.1, 0.4), quality=0.7),
    "lab:large": ScriptedModel(["Write about cats.", "Cats sleep."], price=(3.0, 15.0), quality=0.95),
}


def main() -> None:
    """Find a topic, write about it, and say how it went."""
    has_key = any(os.environ.get(name) for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"))
    with Router({"budgets": {"run": 0.10}}, models=None if has_key else OFFLINE, ledger_url="sqlite://") as router:
        agent = AgentFactory(router).agent(role="Editor", goal="publish", backstory="You are brief.")

        class Publish(Flow):  # type: ignore[type-arg]  # the state is a plain dictionary
            """Two steps, each a crew."""

            @start()
            def topic(self) -> str:
                """Find a topic."""
                task = Task(description="Name a topic.", expected_output="a topic", agent=agent, name="topic")
                return str(Crew(agents=[agent], tasks=[task]).kickoff().raw)

            @listen(topic)
            def text(self, topic: str) -> str:
                """Write about it."""
                task = Task(description=f"{topic} One sentence.", expected_output="a sentence", agent=agent, name="text")
                return str(Crew(agents=[agent], tasks=[task]).kickoff().raw)

        print(Publish().kickoff())
        runs = {str(decision.request.run_id) for decision, _ in router.history.logged(since=0)}
        for run in runs:
            router.record_feedback(FeedbackData(f"run:{run}", user_rating=5))
            print(f"run {run}: ${0.10 - (router.budget_remaining(f'run:{run}') or 0.0):.6f} of $0.10")


if __name__ == "__main__":
    main()
