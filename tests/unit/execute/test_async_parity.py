"""Every public method that executes has a twin, with the same arguments, the same answers and the same errors."""

from __future__ import annotations

import inspect

import pytest
from execute_bench import Bench

from crew_router import Router
from crew_router.errors import AllModelsFailedError, CrewRouterError, ModelCallError, NoCandidateError
from crew_router.execute.executor import Executor, Options
from crew_router.testing import ScriptedModel
from crew_router.types import ErrorKind, Mode, RoutingRequest
from crew_router.types.transport import Payload

HELLO = Payload(("Say hello.",))
TWINS = [
    *((Router, name) for name in ("invoke", "stream", "batch", "select_model", "check_health", "close")),
    *((Executor, name) for name in ("run", "stream")),
]
FAULTS = [None, "overload", "invalid_request", "empty", "auth", "content_policy"]
MODES = list(Mode)


@pytest.mark.parametrize(("owner", "name"), TWINS, ids=lambda each: getattr(each, "__name__", each))
def test_twins_take_the_same_arguments(owner, name):
    """A method and its asynchronous twin have the same parameters, and each is documented."""
    one, other = getattr(owner, name), getattr(owner, f"a{name}")

    assert inspect.signature(one).parameters == inspect.signature(other).parameters
    assert one.__doc__
    assert other.__doc__


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_all_four_ways_give_the_same(mode, fault):
    """Plain, asynchronous and streamed requests end in the same text, or in the same error, after the same calls."""
    outcomes = [await _outcome(way, mode, fault) for way in ("run", "arun", "stream", "astream")]

    assert outcomes == [outcomes[0]] * 4


@pytest.mark.parametrize("way", ["run", "arun", "stream", "astream"])
async def test_all_four_ways_leave_a_call_that_goes_on_past_its_time(way):
    """A model whose answer keeps trickling in is left within the deadline, and the next one answers."""
    slow = ScriptedModel(" ".join("trickle" for _ in range(20)), latency_s=1.5)
    bench = Bench({"a": slow, "b": ScriptedModel("42")})
    decision = bench.decision(RoutingRequest(deadline_s=1.3))

    text = await _text(bench.executor, way, decision)

    assert (text, bench.notebook.attempts[0].error) == ("42", ErrorKind.TIMEOUT)


@pytest.mark.parametrize("fault", ["overload", "invalid_request"])
async def test_router_methods_give_the_same(fault):
    """The router's own methods raise the same error asynchronously and not."""
    errors = []
    with Router(models={"one:a": ScriptedModel(faults=fault)}, ledger_url="sqlite://") as router:
        for ask in (router.invoke, router.ainvoke):
            try:
                answer = ask("Say hello.", options=Options(attempts=1))
                await answer
            except CrewRouterError as error:
                errors.append(type(error))

    assert errors[0] == errors[1]


async def _outcome(way, mode, fault):
    models = {
        "a": ScriptedModel("It is 42.", faults=fault or (), quality=0.9),
        "b": ScriptedModel("42", quality=0.8),
        "c": ScriptedModel("43", quality=0.3),
    }
    bench = Bench(models)
    decision = bench.decision(mode=mode)
    try:
        text = await _text(bench.executor, way, decision)
    except (AllModelsFailedError, ModelCallError, NoCandidateError) as error:
        return type(error), str(error)
    return text, sorted((attempt.model, attempt.error or ErrorKind.UNKNOWN, attempt.role) for attempt in bench.notebook.attempts)


async def _text(executor, way, decision):
    if way == "run":
        return executor.run(decision, HELLO).text
    if way == "arun":
        return (await executor.arun(decision, HELLO)).text
    if way == "stream":
        return "".join(chunk.text for chunk in executor.stream(decision, HELLO))
    return "".join([chunk.text async for chunk in executor.astream(decision, HELLO)])
