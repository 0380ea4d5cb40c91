"""Kept prompts, executed again by another strategy within a budget (requirement D10)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from crew_router.errors import CrewRouterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crew_router.types import ModelRef, RoutedResponse, RoutingDecision, RoutingRequest


@dataclass(frozen=True, slots=True)
class Rerun:
    """One prompt that was executed again; ``error`` tells why there is no answer."""

    decision_id: str
    before: ModelRef
    after: ModelRef | None
    cost_usd: float | None
    text: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reruns:
    """What a replay queue came to; ``left`` prompts were not executed because the budget would not have lasted."""

    done: tuple[Rerun, ...]
    spent_usd: float
    left: int
    without_text: int


class Executing(Protocol):
    """What a replay needs of a router."""

    def select_model(self, request: RoutingRequest, *, record: bool = True) -> RoutingDecision:
        """Decide only."""
        ...

    def invoke(self, prompt: str | Sequence[object], *, request: RoutingRequest) -> RoutedResponse:
        """Decide, execute and record."""
        ...


def rerun(router: Executing, decisions: Iterable[RoutingDecision], *, strategy: str, budget_usd: float) -> Reruns:
    """Execute kept prompts again, oldest first, as long as the dearest that a call may cost fits the budget.

    Args:
        router: Where they are executed and recorded.
        decisions: What was logged; those without a kept text are skipped.
        strategy: Name of the strategy that chooses.
        budget_usd: Most that all of them together may cost.
    """
    done: list[Rerun] = []
    spent, left, mute = 0.0, 0, 0
    for decision in decisions:
        prompt = decision.request.messages or ((decision.request.task_description,) if decision.request.task_description else ())
        if not prompt:
            mute += 1
            continue
        request = dataclasses.replace(decision.request, strategy=strategy, force_model=None, willingness_to_pay=None, messages=())
        most = router.select_model(dataclasses.replace(request, messages=prompt), record=False).cost.max_usd
        if most is None or spent + most > budget_usd:
            left += 1
            continue
        try:
            response = router.invoke(prompt, request=dataclasses.replace(request, cost_budget=budget_usd - spent))
        except CrewRouterError as error:
            done.append(Rerun(decision.id, decision.selected_model, None, None, error=str(error).splitlines()[0]))
            continue
        spent += most if response.cost_usd is None else response.cost_usd
        done.append(Rerun(decision.id, decision.selected_model, response.model, response.cost_usd, response.text))
    return Reruns(tuple(done), spent, left, mute)
