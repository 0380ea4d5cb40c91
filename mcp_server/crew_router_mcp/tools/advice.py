"""Tools that only look: which model, compared with what, what if, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from crew_router.errors import InvalidRequestError, NoCandidateError
from crew_router_mcp.answers.decisions import Comparison, Explanation, Simulation, Suggestion, Variant, no_variant, variant_of
from crew_router_mcp.boundary import sentence
from crew_router_mcp.tools.parameters import (
    Change,
    DecisionId,
    HowMuch,
    Messages,
    Names,
    Routing,
    ShortRouting,
    Task,
    request_of,
    resolved_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from crew_router.router.router import Router
    from crew_router.types import RoutingDecision

Rules = Annotated[
    list[dict[str, object]] | None,
    Field(max_length=20, description="Further rules, as `policies:` of the configuration has them: name, order, when, then"),
]


class AdviceTools:
    """Advice; no model is called.

    Args:
        router: Decides.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def suggest_model(
        self,
        task: Task = None,
        *,
        messages: Messages = None,
        routing: Routing = None,
        detail: HowMuch = "short",
    ) -> Suggestion:
        """Suggest the language model for a task, its fallbacks, expected cost and latency, and say why. No model is called."""
        decision = self._router.select_model(request_of(task, messages, routing))
        return Suggestion.of(decision, callable_here=self._router.reaches(decision.selected_model), detail=detail)

    def compare_models(
        self,
        task: Task = None,
        *,
        messages: Messages = None,
        models: Names = None,
        routing: ShortRouting = None,
        limit: Annotated[int, Field(ge=1, le=100, description="Most rows of the table")] = 10,
    ) -> Comparison:
        """Compare models for a task by expected cost, latency and P(success), with the Pareto frontier. No model is called."""
        decision = self._router.select_model(request_of(task, messages, routing), record=False)
        only = frozenset(map(str, resolved_all(self._router, models))) if models else None
        return Comparison.of(decision, only=only, limit=limit)

    def simulate_route(
        self,
        task: Task = None,
        *,
        messages: Messages = None,
        routing: ShortRouting = None,
        change: Change = None,
        models: Annotated[Names, Field(description="Only these models would be there")] = None,
        without: Annotated[Names, Field(description="These models would not be there")] = None,
        policies: Rules = None,
        optimize: Annotated[Literal["cost", "quality"] | None, Field(description="What would be preferred instead")] = None,
    ) -> Simulation:
        """Tell what would be chosen with another budget, other models or other rules, beside today's choice. Nothing is recorded."""
        rules = [*(policies or ()), *self._pool_rules(models, without)]
        if not (change or rules or optimize):
            raise InvalidRequestError("change", None, expected="what would be different: change, models, without, policies or optimize")
        today = request_of(task, messages, routing)
        other = request_of(task, messages, {**(routing or {}), **(change or {})})
        now, then = (
            _variant(lambda: self._router.select_model(today, record=False)),
            _variant(lambda: self._router.what_if(other, policies=rules, optimize=optimize)),
        )
        costs = now.estimated_cost_usd, then.estimated_cost_usd
        difference = None if costs[0] is None or costs[1] is None else costs[1] - costs[0]
        return Simulation(changed=now.model != then.model, now=now, then=then, cost_difference_usd=difference)

    def explain_decision(self, decision_id: DecisionId, detail: HowMuch = "short") -> Explanation:
        """Say why a model was chosen for an earlier request, what would have changed it, and what calls came of it."""
        decision = self._router.explain(decision_id)
        return Explanation.of(decision, self._router.attempts(decision_id), detail=detail)

    def _pool_rules(self, models: list[str] | None, without: list[str] | None) -> list[dict[str, object]]:
        rule: dict[str, object] = {}
        if models:
            rule["allow_models"] = list(map(str, resolved_all(self._router, models)))
        if without:
            rule["deny_models"] = list(map(str, resolved_all(self._router, without)))
        return [{"name": "models of this simulation", "order": "safety", "when": {}, "then": rule}] if rule else []


def _variant(decide: Callable[[], RoutingDecision]) -> Variant:
    try:
        return variant_of(decide())
    except NoCandidateError as error:
        return no_variant(sentence(error))
