"""Active checks by a real tiny call."""

from __future__ import annotations

import threading

import pytest

from crew_router import Router
from crew_router.testing import FrozenClock, ScriptedModel

PRICE = (10.0, 100.0)
PAID_USD = (10 * 10.0 + 5 * 100.0) / 1e6


@pytest.fixture
def clock():
    """Time that stands still."""
    return FrozenClock()


@pytest.fixture
def router_of(clock):
    """Return a function that makes a router in memory over scripted models."""
    made = []

    def make(models, **config):
        made.append(Router({"registry": "none", **config}, models=models, ledger_url="sqlite://", clock=clock))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def test_a_tiny_call_tells_whether_a_remote_model_answers(router_of):
    """Models without an address are called; the report says who answered, who failed how, and at what cost."""
    router = router_of({"one:a": ScriptedModel("OK", price=PRICE), "two:b": ScriptedModel(faults="auth")})

    report = await router.acheck_health(active=True)

    assert (report["ok"], report["models"]["one:a"]) == (True, "ready")
    assert report["models"]["two:b"].startswith("check failed: auth")
    assert report["checks"]["one:a"]["cost_usd"] == pytest.approx(PAID_USD)


def test_a_check_is_paid_for_and_moves_no_figures(router_of):
    """The call stands in ledger and budgets; latency and length of real answers are not learnt from it."""
    model = ScriptedModel("OK", price=PRICE)
    router = router_of({"one:a": model}, budgets={"day": 1.5 * PAID_USD}, health={"max_age_s": 0})

    states = [router.check_health(active=True)["models"]["one:a"] for _ in range(2)]

    assert (states[0], model.calls) == ("ready", 1)
    assert "budget" in states[1]
    assert router.history.totals()["cost_usd"] == pytest.approx(PAID_USD)
    assert (router.performance("one:a").success_rate, router.performance("one:a").output_tokens) == (1.0, None)


def test_results_are_kept_for_their_age(router_of, clock):
    """Nobody is asked twice within ``max_age_s``, and the age is told."""
    model = ScriptedModel("OK")
    router = router_of({"one:a": model}, health={"max_age_s": 60})

    router.check_health(active=True)
    clock.advance(59.0)
    kept = router.check_health("one:a", active=True)
    calls = model.calls
    clock.advance(2.0)
    router.check_health(active=True)

    assert (calls, model.calls, kept["checks"]["one:a"]["age_s"]) == (1, 2, 59.0)


def test_failed_checks_open_the_breaker_and_then_call_nobody(router_of):
    """Five failed checks are five failures; once the breaker is open a check makes no dead call."""
    dead = ScriptedModel(faults="overload")
    router = router_of({"one:a": dead, "two:b": ScriptedModel("Hello.")}, health={"max_age_s": 0})

    for _ in range(7):
        report = router.check_health("one:a", active=True)
    answer = router.invoke("Say hello.")

    assert dead.calls == 5
    assert "breaker of one:a is open" in report["models"]["one:a"]
    assert answer.model == "two:b"


def test_checks_at_once_are_bounded(router_of):
    """No more checks run at a time than the configuration says."""
    running, most, lock = [], [], threading.Lock()

    def reply(_prompt):
        with lock:
            running.append(1)
            most.append(len(running))
        threading.Event().wait(0.01)
        running.pop()
        return "OK"

    router = router_of({f"lab:m{n}": ScriptedModel(reply) for n in range(8)}, health={"at_once": 2})

    report = router.check_health(active=True)

    assert set(report["models"].values()) == {"ready"}
    assert max(most) == 2
