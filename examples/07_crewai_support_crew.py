"""A hierarchical support crew whose customer data stays on local models; offline unless a provider's key is set."""

import os

from crewai import Crew, Process, Task

from crew_router import Router
from crew_router.testing import ScriptedModel, ScriptedReply
from crew_router.types import ToolCall
from crew_router_crewai import AgentFactory, RouterLLM

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")

ARGUMENTS = '{"task": "Answer the customer", "context": "order 7 is late", "coworker": "Support Agent"}'
DELEGATE = ScriptedReply(tool_calls=(ToolCall("1", "delegate_work_to_coworker", ARGUMENTS),), finish_reason="tool_calls")
MODELS = {
    "cloud:large": ScriptedModel("never asked", price=(3.0, 15.0), quality=0.95),
    "local:small": ScriptedModel(
        [DELEGATE, "Sorry, it arrives tomorrow.", "Dear customer, it arrives tomorrow."], price=(0.0, 0.0), quality=0.7
    ),
}


def main() -> None:
    """Answer one customer; the block of the task holds for the manager, for delegated work and for every other call made for it."""
    with Router(models=MODELS, ledger_url="sqlite://") as router:
        factory = AgentFactory(router)
        support = factory.agent(role="Support Agent", goal="help customers", backstory="You are kind.")
        answer = Task(
            description="Answer the customer whose order 7 is late.",
            expected_output="a letter",
            name="answer",
            routing={"deny_providers": ["cloud"]},
        )
        crew = Crew(agents=[support], tasks=[answer], process=Process.hierarchical, manager_llm=RouterLLM(router))
        print(crew.kickoff().raw)
        print({attempt.model for decision, _ in router.history.logged(since=0) for attempt in router.attempts(decision.id)})


if __name__ == "__main__":
    main()
