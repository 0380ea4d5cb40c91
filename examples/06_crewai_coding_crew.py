"""A coder and a reviewer: what the guardrail refuses is written again by a stronger model; offline unless a provider's key is set."""

import os
from typing import Any

from crewai import Crew, Task

from crew_router import Router
from crew_router.testing import ScriptedModel
from crew_router_crewai import routed_coder, routed_reviewer

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")

STRATEGY = {"name": "cheapest_adequate", "parameters": {"margin": 1.0}}  # the cheapest first, so that there is something to escalate to
OFFLINE = {
    "lab:small": ScriptedModel("def add(a, b):\n    return a - b", price=(0.1, 0.4), quality=0.7),
    "lab:large": ScriptedModel(["def add(a, b):\n    return a + b", "Nothing to mend."], price=(3.0, 15.0), quality=0.95),
}


def adds(output: Any) -> tuple[bool, str]:
    """Run the code that was written, as a guardrail; only do this with code that you would run anyway."""
    code = output.raw.replace("```python", "").replace("```", "")
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - the example's own code
    return (True, output.raw) if space["add"](2, 3) == 5 else (False, "add(2, 3) is not 5")  # noqa: PLR2004 - it is the test


def main() -> None:
    """Write and review a function."""
    has_key = any(os.environ.get(name) for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"))
    with Router({"strategy": STRATEGY}, models=None if has_key else OFFLINE, ledger_url="sqlite://") as router:
        coder, reviewer = routed_coder(router), routed_reviewer(router, routing={"quality_requirement": 0.9})
        wanted = "Write a Python function add(a, b) that returns the sum. Answer with the code alone."
        write = Task(description=wanted, expected_output="code", agent=coder, guardrail=adds, name="write")
        review = Task(description="Review the function.", expected_output="findings", agent=reviewer, name="review")
        result = Crew(agents=[coder, reviewer], tasks=[write, review]).kickoff()

        print(write.output.raw)
        print(result.raw)
        for decision, _ in router.history.logged(since=0):
            print(sorted(tag for tag in decision.request.tags if tag.startswith("task:")), decision.selected_model)


if __name__ == "__main__":
    main()
