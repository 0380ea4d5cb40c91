"""Tools that plan and run the CrewAI projects of the configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastmcp import Context  # noqa: TC002 - fastmcp reads annotations at run time
from pydantic import Field

from crew_router.errors import InvalidRequestError
from crew_router.types import Tier
from crew_router.types.explain import money
from crew_router_mcp.answers.reports import CrewPlan, CrewRun, CrewTask, Status
from crew_router_mcp.approval import Approver, Question
from crew_router_mcp.crew_process import crew_command
from crew_router_mcp.tools.parameters import Token

if TYPE_CHECKING:
    from crew_router.config.settings import CrewSettings
    from crew_router.router.router import Router

CrewName = Annotated[str, Field(max_length=200, description="Name of a crew under crews: of the configuration")]
Inputs = Annotated[dict[str, object] | None, Field(description="Inputs of the crew by name; only those that the configuration lists")]
Budget = Annotated[float | None, Field(gt=0, description="Most USD that the run may be expected to cost; never above the configured limit")]

_PLAN_S = 120.0
_CONTEXT_INPUT = "crew_router_plan"


class CrewTools:
    """Crews, each in a process of its own.

    Args:
        router: Holds the configuration, which lists the crews.
        approver: Asks the person.
    """

    def __init__(self, router: Router, approver: Approver) -> None:
        self._router, self._approver = router, approver

    async def plan_crew(self, crew: CrewName, inputs: Inputs = None, *, budget_usd: Budget = None) -> CrewPlan:
        """Plan who does which task of a configured crew and what a run will cost; no model is called."""
        settings, given = self._allowed(crew, inputs)
        return _plan(crew, await self._planned(settings, given, budget_usd))

    async def execute_crew(
        self, context: Context, crew: CrewName, inputs: Inputs = None, *, budget_usd: Budget = None, confirmation_token: Token = None
    ) -> CrewRun:
        """Run a configured crew within its budget and report each task; costs money. The plan is among the crew's inputs."""
        settings, given = self._allowed(crew, inputs)
        plan = _plan(crew, await self._planned(settings, given, budget_usd))
        if reason := self._reason(plan):
            text = f"Run the crew {crew!r} for about {money(plan.cost_usd)}? {reason}."
            who = ", ".join(f"{task.task}: {task.who}" for task in plan.tasks)
            arguments = {"crew": crew, "inputs": given, "budget_usd": budget_usd}
            question = Question("execute_crew", arguments, reason=reason, text=text, subject=who)
            consent = await self._approver.consent(context, question, token=confirmation_token)
            if not consent.given:
                status: Status = "declined" if consent.pending is None else "needs_approval"
                return CrewRun(status=status, crew=crew, output=None, tasks=plan.tasks, cost_usd=plan.cost_usd, pending=consent.pending)
        ended = list[str]()

        async def heard(task: str) -> None:
            ended.append(task)
            await context.report_progress(len(ended), len(plan.tasks), task)

        chosen = json.dumps({task.task: task.who for task in plan.tasks}, ensure_ascii=False)
        words = ["run", *_budget(settings, budget_usd)]
        ran = await crew_command(settings, words, inputs={**given, _CONTEXT_INPUT: chosen}, deadline_s=settings.deadline_s, heard=heard)
        tasks = [CrewTask(task=str(each["task"]), who=str(each["candidate"]), cost_usd=each["cost_usd"]) for each in ran["actual"]]
        return CrewRun(status="done", crew=crew, output=str(ran["output"]), tasks=tasks, cost_usd=ran["cost_usd"], pending=None)

    async def _planned(self, settings: CrewSettings, inputs: dict[str, str], budget_usd: float | None) -> dict[str, Any]:
        words = ["plan", *_budget(settings, budget_usd)]
        return await crew_command(settings, words, inputs=inputs, deadline_s=min(_PLAN_S, settings.deadline_s))

    def _allowed(self, crew: str, inputs: dict[str, object] | None) -> tuple[CrewSettings, dict[str, str]]:
        """Return a crew that the configuration lists, with inputs that it lists.

        Raises:
            InvalidRequestError: One of them is not listed.
        """
        known = self._router.config.crews
        if crew not in known:
            raise InvalidRequestError("crew", crew, expected=f"one that the configuration lists: {', '.join(known) or 'there are none'}")
        settings = known[crew]
        for name in inputs or ():
            if name not in settings.inputs:
                raise InvalidRequestError("inputs", name, expected=f"inputs of this crew: {', '.join(settings.inputs) or 'it has none'}")
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (inputs or {}).items()}
        return settings, texts

    def _reason(self, plan: CrewPlan) -> str:
        rules = self._router.config.mcp.approval
        premium = {str(model.ref) for model in self._router.models if model.tier is Tier.PREMIUM}
        named = sorted({task.who for task in plan.tasks if task.who.rpartition("#")[0] in premium or task.who in premium})
        reasons = [f"{', '.join(named)} is a premium model"] if named and rules.premium == "ask" else []
        if rules.above_usd is not None and (plan.cost_usd is None or plan.cost_usd > rules.above_usd):
            reasons.append(f"the expected cost {money(plan.cost_usd)} is above {money(rules.above_usd)}")
        return "; ".join(reasons)


def _budget(settings: CrewSettings, budget_usd: float | None) -> list[str]:
    limits = [limit for limit in (settings.max_usd, budget_usd) if limit is not None]
    return ["--budget", f"{min(limits):.9g}"] if limits else []


def _plan(crew: str, made: dict[str, Any]) -> CrewPlan:
    tasks = [CrewTask(task=str(each["task"]), who=str(each["candidate"]), cost_usd=each["cost_usd"]["expected"]) for each in made["tasks"]]
    notes = [str(note) for note in made.get("advice", ())][:5]
    return CrewPlan(crew=crew, tasks=tasks, cost_usd=made["cost_usd"]["expected"], latency_s=made["latency_s"], notes=notes)
