"""Hard budgets as a router's user meets them: reserved before the call, settled after it."""

from __future__ import annotations

import asyncio

import pytest

from crew_router import Router, RoutingRequest
from crew_router.errors import BudgetExceededError, CrewRouterError, NoCandidateError
from crew_router.testing import ScriptedModel

USAGE = (1000, 1000)
PRICE_USD = 1000 * 1e-06 + 1000 * 2e-06


def router_of(models, budgets):
    """Return a router in memory with budgets."""
    return Router({"registry": "none", "budgets": budgets}, models=models, ledger_url="sqlite://")


def answered(router, times):
    """Return how many of some requests were answered before the budget ended it."""
    for done in range(times):
        try:
            router.invoke("Say hello.")
        except (BudgetExceededError, NoCandidateError):
            return done
    return times


def test_a_day_is_never_overspent():
    """Exactly as many calls are made as the budget pays for."""
    model = ScriptedModel("Hello.", usage=USAGE)
    with router_of({"one:a": model}, {"day": PRICE_USD * 5.5}) as router:
        done = answered(router, 20)

    assert (done, model.calls) == (5, 5)


async def test_many_at_once_never_overspend():
    """Reservations keep concurrent requests inside the budget."""
    model = ScriptedModel("Hello.", usage=USAGE, latency_s=0.01)
    async with router_of({"one:a": model}, {"day": PRICE_USD * 7.5}) as router:
        outcomes = await asyncio.gather(*(router.ainvoke("Say hello.") for _ in range(30)), return_exceptions=True)

    assert (sum(not isinstance(each, CrewRouterError) for each in outcomes), model.calls) == (7, 7)


def test_a_failed_call_gives_its_reservation_back():
    """A refused call costs nothing, so that the fallback's call still fits."""
    models = {
        "one:a": ScriptedModel(faults="overload", usage=USAGE, quality=0.95),
        "two:b": ScriptedModel("Hello.", usage=USAGE, quality=0.3),
    }
    with router_of(models, {"day": PRICE_USD * 1.5}) as router:
        response = router.invoke("Say hello.")

    assert response.text == "Hello."


def test_the_requests_own_budget_bounds_retries_and_fallbacks_together():
    """What a request may cost holds over all of its calls."""
    models = {"one:a": ScriptedModel(faults="empty", usage=USAGE, quality=0.95), "two:b": ScriptedModel("Hello.", usage=USAGE, quality=0.3)}
    with (
        Router(models=models, ledger_url="sqlite://") as router,
        pytest.raises(CrewRouterError),
    ):
        router.invoke("Say hello.", request=RoutingRequest(cost_budget=PRICE_USD * 1.4))

    assert models["two:b"].calls == 0
