"""Reserves the upper bound of a call before it is made and settles it after (rule of execution E9)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from crew_router.config.effort import thinking_allowance
from crew_router.errors import BudgetExceededError, StorageError
from crew_router.execute.admission.protocol import CallRequest, Permit
from crew_router.execute.protocol import Refusal
from crew_router.record.ledger.budgets import Budgets, Reservation, Scope
from crew_router.record.ledger.limits import Limits
from crew_router.types.clock import Clock
from crew_router.types.decision import RoutingDecision
from crew_router.types.model import NANO_PER_USD, TOKENS_PER_PRICE, ModelDefinition
from crew_router.types.outcome import Attempt, Usage, usage_bound

_INPUT_MARGIN: Final = 1.25  # the input is counted by characters; guess, not measured
_INPUT_SLACK: Final = 16
_LEAST_OUTPUT: Final = 1024
_OUTPUT_MARGIN: Final = 4
_LEASE_SLACK_S: Final = 30.0


def scopes_of(limits: Limits, clock: Clock, decision: RoutingDecision, model: ModelDefinition) -> tuple[Scope, ...]:
    """Return every budget that a call counts against: the configured ones and the request's own ``cost_budget``."""
    found = limits.scopes(decision.request, decision_id=decision.id, provider=model.provider, at=clock.now())
    own_usd = decision.request.cost_budget
    if own_usd is None:
        return found
    own = Scope(f"request:{decision.id}", round(own_usd * NANO_PER_USD))
    others = [scope for scope in found if scope.name != own.name]
    configured = [scope.limit_nano for scope in found if scope.name == own.name]
    return (*others, Scope(own.name, min([own.limit_nano, *configured])))


class BudgetCheck:
    """Reserves money for every call that a budget covers.

    Args:
        budgets: Where money is reserved.
        scopes: The budgets that a call counts against; none means that the call is not limited.
    """

    def __init__(self, budgets: Budgets, scopes: Callable[[RoutingDecision, ModelDefinition], tuple[Scope, ...]]) -> None:
        self._budgets, self._scopes = budgets, scopes

    def enter(self, call_request: CallRequest) -> Permit | Refusal | None:
        """Reserve the upper bound; when it does not fit, the answer is bounded to what is left, if that is enough."""
        scopes = self._scopes(call_request.decision, call_request.model)
        if not scopes:
            return None
        bound = bound_of(call_request)
        try:
            return self._reserve(call_request, bound, scopes)
        except BudgetExceededError as error:
            smaller = _affordable(call_request, bound, left_usd=error.left_usd)
            if smaller is None:
                return Refusal(call_request.model.ref, "budget", str(error), error=error)
        except StorageError as error:
            return Refusal(call_request.model.ref, "budget", str(error), error=error)
        try:
            return self._reserve(call_request, smaller, scopes)
        except (BudgetExceededError, StorageError) as error:
            return Refusal(call_request.model.ref, "budget", str(error), error=error)

    def waits(self, call_request: CallRequest) -> bool:
        """Tell whether the ledger's database has to be asked for a slice of some budget."""
        scopes = self._scopes(call_request.decision, call_request.model)
        upper = cost_of(call_request.model, bound_of(call_request))
        return bool(scopes) and not self._budgets.at_hand(scopes, upper, lasts_s=call_request.lease_s + _LEASE_SLACK_S)

    def _reserve(self, call_request: CallRequest, bound: Usage, scopes: tuple[Scope, ...]) -> BudgetPermit:
        upper = cost_of(call_request.model, bound)
        lasts_s = call_request.lease_s + _LEASE_SLACK_S
        reservation = self._budgets.reserve(scopes, upper, lasts_s=lasts_s, decision_id=call_request.decision.id)
        return BudgetPermit(
            self._budgets, reservation, call_request.model, decision_id=call_request.decision.id, max_tokens=bound.output_tokens
        )


@dataclass(frozen=True, slots=True)
class BudgetPermit:
    """Money set aside for one call."""

    budgets: Budgets
    reservation: Reservation
    model: ModelDefinition
    decision_id: str
    max_tokens: int | None

    def settle(self, attempt: Attempt | None, *, spent: Usage | None) -> None:
        """Book what the call cost; a call that cost nothing gives the whole reservation back."""
        cost, estimated = _cost_of(attempt, spent, self.model)
        if cost == 0:
            self.budgets.release(self.reservation)
        else:
            self.budgets.settle(self.reservation, cost, decision_id=self.decision_id, estimated=estimated)


def bound_of(call_request: CallRequest) -> Usage:
    """Return the most tokens that a call can take; the output bound is sent as ``max_tokens``."""
    if (bound := usage_bound(call_request.model.instance)) is not None:
        return bound
    expected = call_request.decision.profile.expected_output_tokens.value
    thinking = thinking_allowance(call_request.model, expected)
    wanted = call_request.max_tokens or max(expected * _OUTPUT_MARGIN, _LEAST_OUTPUT) + thinking
    output = min(wanted, call_request.model.max_output_tokens or wanted)
    tokens_in = math.ceil(call_request.input_tokens * _INPUT_MARGIN) + _INPUT_SLACK
    # Whoever marks a prompt for the cache pays the dearer rate for all of it at most.
    written = (
        {"cache_write_1h_tokens": tokens_in}
        if call_request.cache_writes == "1h"
        else {"cache_write_tokens": tokens_in}
        if call_request.cache_writes
        else {}
    )
    return Usage(tokens_in, output, estimated=True, **written)


def cost_of(model: ModelDefinition, usage: Usage) -> int | None:
    """Return the price of a usage in nano-dollars, at the dearest hour; ``None`` for a model without a price."""
    if model.price is None:
        return None
    return model.price.dearest_nano(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens, cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )  # fmt: skip


def _affordable(call_request: CallRequest, bound: Usage, *, left_usd: float) -> Usage | None:
    """Return a bound that what is left pays for, if the expected answer fits into it."""
    if call_request.model.price is None or call_request.max_tokens is not None or hasattr(call_request.model.instance, "usage_bound"):
        return None
    _, rate_out = call_request.model.price.dearest(bound.input_tokens)
    left = left_usd - ((cost_of(call_request.model, replace(bound, output_tokens=0)) or 0) + 2) / NANO_PER_USD
    output = int(left * TOKENS_PER_PRICE / rate_out) if rate_out > 0 else 0
    expected = call_request.decision.profile.expected_output_tokens.value
    if output <= expected + thinking_allowance(call_request.model, expected) or output >= bound.output_tokens:
        return None
    return replace(bound, output_tokens=output)


def _cost_of(attempt: Attempt | None, spent: Usage | None, model: ModelDefinition) -> tuple[int, bool]:
    if attempt is None:
        return 0, False
    if attempt.cost_nano is not None:
        return attempt.cost_nano, attempt.usage is not None and attempt.usage.estimated
    return (0 if spent is None else cost_of(model, spent) or 0), True
