"""The tool that calls a model."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from fastmcp import Context  # noqa: TC002 - fastmcp reads annotations at run time
from fastmcp.exceptions import ToolError
from pydantic import Field

from crew_router.errors import ApprovalRequiredError
from crew_router.execute.executor import Options
from crew_router.types import RoutedResponse, RoutingDecision, Tier
from crew_router.types.explain import money
from crew_router_mcp.answers.decisions import called
from crew_router_mcp.answers.reports import Answered, Pending
from crew_router_mcp.approval import Approver, Question
from crew_router_mcp.tools.parameters import Messages, ShortRouting, Task, Token, request_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.router.router import Router
    from crew_router.types import RoutingRequest

_PROGRESS_EVERY_S: Final = 0.2
_ROUNDS: Final = 3


@dataclass(frozen=True)
class RunGate:
    """Says why a person has to agree before a decision is carried out.

    Args:
        router: Knows the models and the configuration.
    """

    router: Router

    def reason(self, decision: RoutingDecision) -> str:
        """Return why, empty when nobody has to."""
        rules = self.router.config.mcp.approval
        tiers = {model.ref: model.tier for model in self.router.models}
        called_models = [*decision.models, *([decision.judge] if decision.judge else [])]
        reasons = [decision.approval] if decision.approval else []
        premium = [str(model) for model in called_models if tiers.get(model.model) is Tier.PREMIUM]
        if rules.premium == "ask" and premium:
            reasons.append(f"{', '.join(premium)} is a premium model")
        risk = sorted(decision.profile.risk.value)
        if rules.risk == "ask" and risk:
            reasons.append(f"the prompt looks sensitive ({', '.join(risk)})")
        cost = decision.estimated_cost
        if rules.above_usd is not None and (cost is None or cost > rules.above_usd):
            reasons.append(f"the expected cost {money(cost)} is above {money(rules.above_usd)}")
        return "; ".join(reasons)


class RunTools:
    """Calls models.

    Args:
        router: Decides and runs.
        approver: Asks the person.
    """

    def __init__(self, router: Router, approver: Approver) -> None:
        self._router, self._approver, self._gate = router, approver, RunGate(router)

    async def ask(
        self,
        context: Context,
        *,
        task: Task = None,
        messages: Messages = None,
        routing: ShortRouting = None,
        deadline_s: Annotated[float | None, Field(gt=0, le=3600, description="Most seconds to wait for the answer")] = None,
        confirmation_token: Token = None,
    ) -> Answered:
        """Route a prompt to the model that serves it best, call it, fall back on others when it fails; return the answer. Costs money."""
        request = request_of(task, messages, routing)
        arguments = {"task": task, "messages": messages, "routing": routing}
        decision, token = self._router.select_model(request, record=False), confirmation_token
        for _ in range(_ROUNDS):
            by, agreed = "", ""
            if reason := self._gate.reason(decision):
                question = _question(arguments, decision, reason)
                consent = await self._approver.consent(context, question, token=token)
                token = None
                if not consent.given:
                    return _not_run(decision, consent.pending)
                by, agreed = consent.by, question.subject
            try:
                response = await self._run(context, request, by=by, agreed=agreed, deadline_s=deadline_s)
            except ApprovalRequiredError as error:
                # Chance or new numbers led to another choice than the one that was looked at: it is asked about as well.
                decision = _chosen(error)
                continue
            return _answered(response)
        raise ToolError("the choice changed while a person was asked; call the tool again, or name a model with routing.force_model.")

    async def _run(self, context: Context, request: RoutingRequest, *, by: str, agreed: str, deadline_s: float | None) -> RoutedResponse:
        """Call the models and report progress.

        Raises:
            ApprovalRequiredError: The choice is one that nobody has agreed to.
            ToolError: The deadline passed first.
        """

        def consent(decision: RoutingDecision) -> str:
            return "" if agreed and _subject(decision) == agreed else self._gate.reason(decision)

        prompt = list(request.messages) if request.messages else request.task_description
        options = Options(approved_by=by, consent=consent)
        most_s = deadline_s or request.deadline_s or self._router.config.mcp.deadline_s
        progress = Progress(context)
        try:
            async with asyncio.timeout(most_s):
                async with contextlib.aclosing(self._router.astream(prompt, request=request, options=options)) as chunks:
                    async for chunk in chunks:
                        if chunk.response is not None:
                            return chunk.response
                        await progress.heard(chunk.text, model=chunk.model, again=chunk.reset)
        except TimeoutError as error:
            if isinstance(error, ToolError):
                raise
            raise ToolError(f"no answer within {most_s:g} s; raise deadline_s, or set routing.max_latency_s.") from None
        raise ToolError("the stream ended without an answer; call the tool again.")


@dataclass
class Progress:
    """Tells the client how far an answer is, a few times a second; without a progress token the library drops it."""

    context: Context
    characters: int = 0
    next_at_s: float = 0.0

    async def heard(self, text: str, *, model: str | None, again: bool) -> None:
        """Take one piece of the answer."""
        self.characters = len(text) + (0 if again else self.characters)
        now_s = asyncio.get_running_loop().time()
        if now_s >= self.next_at_s:
            self.next_at_s = now_s + _PROGRESS_EVERY_S
            await self.context.report_progress(self.characters, None, f"{model or 'model'}: {self.characters} characters")


def _question(arguments: Mapping[str, object], decision: RoutingDecision, reason: str) -> Question:
    price = "an unknown price" if decision.estimated_cost is None else f"about {money(decision.estimated_cost)}"
    text = f"Call {_subject(decision)} for {price}? {reason}."
    return Question("ask", arguments, reason=reason, text=text, subject=_subject(decision))


def _subject(decision: RoutingDecision) -> str:
    return ", ".join(map(str, dict.fromkeys((*decision.models, *([decision.judge] if decision.judge else [])))))


def _chosen(error: ApprovalRequiredError) -> RoutingDecision:
    assert isinstance(error.decision, RoutingDecision)
    return error.decision


def _not_run(decision: RoutingDecision, pending: Pending | None) -> Answered:
    return Answered(
        status="declined" if pending is None else "needs_approval",
        text=None,
        model=decision.selected_model,
        decision_id=None,
        cost_usd=None,
        calls=[],
        pending=pending,
    )


def _answered(response: RoutedResponse) -> Answered:
    return Answered(
        status="done",
        text=response.text,
        model=response.model,
        decision_id=response.decision.id,
        cost_usd=response.cost_usd,
        calls=[called(attempt) for attempt in response.attempts],
        pending=None,
    )
