"""Execute kept prompts again with another strategy, within a budget (requirement D10)."""

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
    """One prompt that was executed again.

    Args:
        decision_id: The logged decision.
        before: The model that it chose.
        after: The model that answered this time; ``None`` on failure.
        cost_usd: What the call cost; ``None`` when that is not known.
        text: The new answer.
        error: First line of the error when there is no answer.
    """

    decision_id: str
    before: ModelRef
    after: ModelRef | None
    cost_usd: float | None
    text: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reruns:
    """The result of a replay queue.

    Args:
        done: The prompts that were executed again.
        spent_usd: What they cost together.
        left: Number of prompts not executed because the budget might not have covered them.
        without_text: Number of decisions whose prompt was not kept.
    """

    done: tuple[Rerun, ...]
    spent_usd: float
    left: int
    without_text: int


class Executing(Protocol):
    """The part of a router that a replay uses."""

    def select_model(self, request: RoutingRequest, *, record: bool = True) -> RoutingDecision:
        """Decide without executing."""
        ...

    def invoke(self, prompt: str | Sequence[object], *, request: RoutingRequest) -> RoutedResponse:
        """Decide, execute and record."""
        ...


def rerun(router: Executing, decisions: Iterable[RoutingDecision], *, strategy: str, budget_usd: float) -> Reruns:
    """Execute kept prompts again, oldest first; one whose highest possible cost exceeds what is left of the budget is skipped.

    Args:
        router: Executes and records them.
        decisions: The logged decisions; those without a kept text are counted and skipped.
        strategy: Name of the strategy that chooses.
        budget_usd: Most that all of them together may cost.
    """
    done: list[Rerun] = []
    spent_usd, left, without_text = 0.0, 0, 0
    for decision in decisions:
        prompt = decision.request.messages or ((decision.request.task_description,) if decision.request.task_description else ())
        if not prompt:
            without_text += 1
            continue
        request = dataclasses.replace(decision.request, strategy=strategy, force_model=None, willingness_to_pay=None, messages=())
        max_cost_usd = router.select_model(dataclasses.replace(request, messages=prompt), record=False).cost.max_usd
        if max_cost_usd is None or spent_usd + max_cost_usd > budget_usd:
            left += 1
            continue
        try:
            response = router.invoke(prompt, request=dataclasses.replace(request, cost_budget=budget_usd - spent_usd))
        except CrewRouterError as error:
            done.append(Rerun(decision.id, decision.selected_model, None, None, error=str(error).splitlines()[0]))
            continue
        spent_usd += max_cost_usd if response.cost_usd is None else response.cost_usd
        done.append(Rerun(decision.id, decision.selected_model, response.model, response.cost_usd, response.text))
    return Reruns(tuple(done), spent_usd, left, without_text)
