"""What a surface may ask of one execution, through the router."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from execute_bench import QUICK, Bench

from crew_router import AllModelsFailedError, ModelCallError, Router, RoutingRequest
from crew_router.execute.executor import Options
from crew_router.execute.policy import StreamPolicy
from crew_router.testing import ScriptedModel
from crew_router.types.transport import Payload


@pytest.fixture
def router_over() -> Iterator[Callable[..., Router]]:
    """A function that makes a router over some models, everything in memory; the routers are closed in the end."""
    with contextlib.ExitStack() as stack:

        def make(*models: ScriptedModel) -> Router:
            entries = {f"lab:m{number}": model for number, model in enumerate(models)}
            return stack.enter_context(Router(models=entries, ledger_url="sqlite://"))

        yield make


def test_attempts_bound_the_calls_of_one_request(router_over: Callable[..., Router]) -> None:
    """One attempt means one call, although a fallback stands by."""
    models = [ScriptedModel("a", faults="overload"), ScriptedModel("b")]

    with pytest.raises(AllModelsFailedError) as raised:
        router_over(*models).invoke("hi", options=Options(attempts=1))

    assert len(raised.value.attempts) == 1
    assert sum(model.calls for model in models) == 1


def test_a_surface_without_resets_gets_no_restart() -> None:
    """Where a consumer cannot be told to forget, a broken stream raises with what was shown instead of starting over."""
    models = {"a": ScriptedModel("one two three", faults="connection@2"), "b": ScriptedModel("Hello.")}
    bench = Bench(models, policy=replace(QUICK, hold_chars=0))
    options = Options(stream=StreamPolicy.RESTART, resets=False)

    with pytest.raises(ModelCallError) as raised:
        list(bench.executor.stream(bench.decision(), Payload(("hi",)), options=options))

    assert raised.value.partial == "one two "
    assert models["b"].calls == 0


def test_a_decision_that_is_only_looked_at_leaves_no_history(router_over: Callable[..., Router]) -> None:
    """Looking at a choice does not count as a decision."""
    router = router_over(ScriptedModel("a"))

    looked_at = router.select_model(RoutingRequest(task_description="hi"), record=False)

    with pytest.raises(LookupError):
        router.explain(looked_at.id)


def test_the_policy_version_tells_two_pools_apart(router_over: Callable[..., Router]) -> None:
    """The same models give the same version, another pool another one."""
    one, same = router_over(ScriptedModel("a")), router_over(ScriptedModel("a"))
    other = router_over(ScriptedModel("a"), ScriptedModel("b"))

    assert one.policy_version == same.policy_version
    assert one.policy_version != other.policy_version
