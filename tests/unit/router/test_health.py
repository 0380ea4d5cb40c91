"""Breakers, limits and promises as a router's user meets them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import threading

import pytest
from execute_bench import Bench, decision_for

from crew_router import Router, RoutingRequest
from crew_router.errors import AllModelsFailedError, NoCandidateError
from crew_router.execute.admission.concurrency import ConcurrencyLimiter
from crew_router.execute.admission.protocol import CallRequest
from crew_router.execute.admission.sla import SlaCheck
from crew_router.execute.policy import BackOff, ExecutionPolicy
from crew_router.execute.protocol import Refusal
from crew_router.record.state.opening import open_state
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types import Attempt, Limits, ModelDefinition, ModelRef, Reading, Urgency
from crew_router.types.clock import SystemClock
from crew_router.types.transport import Payload

A = ModelRef("one:a")
HELLO = Payload(("Say hello.",))


def router_of(models, **keywords):
    """Return a router in memory over scripted models."""
    return Router(models=models, ledger_url="sqlite://", **keywords)


@pytest.fixture
def clock():
    """Time that stands still."""
    return FrozenClock()


@pytest.fixture
def state(clock):
    """Shared numbers of one process."""
    with contextlib.closing(open_state("memory://", project="test", clock=clock)) as state:
        yield state


def test_no_dead_call_once_the_breaker_is_open(state, clock):
    """Five failures in a row open the breaker; from then on the dead model is not called."""
    bench = Bench({"a": ScriptedModel(faults="overload"), "b": ScriptedModel("Hello.")}, state=state, clock=clock)

    answers = [bench.executor.run(bench.decision(), HELLO).text for _ in range(12)]

    assert (set(answers), bench.models["a"].calls, bench.models["b"].calls) == ({"Hello."}, 5, 12)


def test_a_probe_whose_call_was_not_made_is_given_back(state, clock):
    """A half-open model that a later gate refuses is probed by the next request, not after the probe's lease."""
    budget = _Closed()
    models = {"a": ScriptedModel("Hello.", faults=["overload"] * 5), "b": ScriptedModel("Hi.")}
    bench = Bench(models, state=state, clock=clock, checks=(budget,))
    for _ in range(5):
        bench.executor.run(bench.decision(), HELLO)
    clock.advance(70.0)

    budget.closed = True
    refused = bench.executor.run(bench.decision(), HELLO)
    budget.closed = False
    probed = bench.executor.run(bench.decision(), HELLO)

    assert (refused.text, probed.text, state.breaker("lab:a").phase) == ("Hi.", "Hello.", "closed")


class _Closed:
    """A gate after the breakers that refuses the model ``a`` while it is closed."""

    closed = False

    def enter(self, ask):
        """Refuse the model, or say nothing."""
        return Refusal(ask.model.ref, "budget", "it is spent") if self.closed and ask.model.ref.name == "a" else None


def test_others_answer_while_the_breaker_of_a_forced_model_is_open():
    """The forced model is called until its breaker opens, then nobody calls it; without fallbacks that is an error."""
    dead, good = ScriptedModel(faults="overload"), ScriptedModel("Hello.")
    with router_of({"one:a": dead, "two:b": good}) as router:
        forced = RoutingRequest(force_model="one:a")

        answers = {router.invoke("Say hello.", request=forced).text for _ in range(8)}
        chosen = router.select_model(forced)
        with pytest.raises(NoCandidateError, match="breaker of one:a is open"):
            router.invoke("Say hello.", request=dataclasses.replace(forced, fallbacks=False))

    assert (answers, dead.calls, good.calls) == ({"Hello."}, 5, 8)
    assert chosen.selected_model == "two:b"
    assert any("one:a cannot be called now" in note.detail for note in chosen.evidence)


def test_an_auth_error_opens_the_credential_at_once(state, clock):
    """One refused key is enough."""
    bench = Bench({"a": ScriptedModel(faults="auth"), "b": ScriptedModel("Hello.")}, state=state, clock=clock)

    for _ in range(4):
        bench.executor.run(bench.decision(), HELLO)

    assert bench.models["a"].calls == 1


def test_a_breaker_lets_one_probe_through_and_closes_on_success(state, clock):
    """After its time the model gets one call, and the traffic back when that succeeds."""
    models = {"a": ScriptedModel("I am back.", faults=["overload"] * 5), "b": ScriptedModel("Hello.")}
    bench = Bench(models, state=state, clock=clock)
    for _ in range(6):
        bench.executor.run(bench.decision(), HELLO)
    clock.advance(120.0)

    answers = [bench.executor.run(bench.decision(), HELLO).text for _ in range(3)]

    assert answers == ["I am back."] * 3


async def test_only_one_probe_runs_at_a_time(state, clock):
    """While a half-open breaker is probed, other requests go elsewhere."""
    models = {"a": ScriptedModel("I am back.", faults=["overload"] * 5, latency_s=0.02), "b": ScriptedModel("Hello.")}
    bench = Bench(models, state=state, clock=clock)
    for _ in range(6):
        bench.executor.run(bench.decision(), HELLO)
    clock.advance(120.0)

    responses = await asyncio.gather(*(bench.executor.arun(bench.decision(), HELLO) for _ in range(8)))

    assert sorted(response.text for response in responses) == ["Hello."] * 7 + ["I am back."]


def test_all_open_is_no_outage():
    """With every breaker open the least bad model is still called."""
    only = ScriptedModel("I am back.", faults=["auth"])
    with router_of({"one:a": only}) as router:
        with pytest.raises(AllModelsFailedError):
            router.invoke("Say hello.")

        answer = router.invoke("Say hello.").text

    assert answer == "I am back."


def test_a_refusal_by_content_policy_opens_no_breaker(state, clock):
    """Content-policy refusals do not count against the model."""
    bench = Bench({"a": ScriptedModel(faults="content_policy"), "b": ScriptedModel("Hello.")}, state=state, clock=clock)

    for _ in range(8):
        bench.executor.run(bench.decision(), HELLO)

    assert bench.models["a"].calls == 8


async def test_a_full_model_overflows_to_the_next_best():
    """What exceeds the places and the waiting room of a model goes to the next one."""
    bench = _limited_bench(concurrency=2)

    responses = await asyncio.gather(*(bench.executor.arun(bench.decision(), HELLO) for _ in range(6)))

    assert sorted(response.model for response in responses) == ["lab:a"] * 3 + ["lab:b"] * 3
    assert bench.most_at_once == 2


async def test_with_nobody_else_calls_wait_for_a_place():
    """A lone model serves all, never more at once than its limit."""
    bench = _limited_bench(concurrency=2, alone=True)

    responses = await asyncio.gather(*(bench.executor.arun(bench.decision(), HELLO) for _ in range(6)))

    assert ([response.model for response in responses], bench.most_at_once) == (["lab:a"] * 6, 2)


async def test_places_are_counted_over_all_processes(tmp_path):
    """Two processes that share their state never have more calls at a model together than its limit, and both get their turn."""
    clock, running, most = SystemClock(), [], []

    def reply(_prompt):
        running.append(1)
        most.append(len(running))
        threading.Event().wait(0.02)
        running.pop()
        return "Hello."

    model = _LimitedModel(reply, limits=Limits(concurrency=1))
    with contextlib.ExitStack() as opened:
        made = [open_state(f"sqlite:///{tmp_path}/s.db", project="t", clock=clock) for _ in "ab"]
        states = [opened.enter_context(contextlib.closing(state)) for state in made]
        benches = [Bench({"a": model}, clock=clock, capacity=ConcurrencyLimiter(clock, state)) for state in states]
        calls = [asyncio.to_thread(bench.executor.run, bench.decision(), HELLO) for bench in benches for _ in range(3)]
        responses = await asyncio.gather(*calls)

    assert [response.text for response in responses] == ["Hello."] * 6
    assert max(most) == 1


async def test_a_request_that_gives_up_waiting_leaves_its_place_to_others():
    """A cancelled wait blocks nobody."""
    bench = _limited_bench(concurrency=1, alone=True)
    tasks = [asyncio.create_task(bench.executor.arun(bench.decision(), HELLO)) for _ in range(3)]
    await asyncio.sleep(0.01)

    tasks[1].cancel()
    responses = await asyncio.gather(*tasks, return_exceptions=True)

    assert [getattr(response, "text", "cancelled") for response in responses] == ["Hello.", "cancelled", "Hello."]
    assert bench.capacity.running(ModelRef("lab:a")) == 0


def test_threads_wait_for_a_place_too():
    """Synchronous callers queue without a loop."""
    bench = _limited_bench(concurrency=1, alone=True)
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(bench.executor.run(bench.decision(), HELLO).text)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (texts, bench.most_at_once) == (["Hello."] * 4, 1)


def test_waiting_calls_are_served_by_urgency_then_deadline():
    """Interactive calls go first, then the earlier deadline, then who came first."""
    capacity = ConcurrencyLimiter(FrozenClock())
    model = _model(limits=Limits(concurrency=1))
    first = capacity.enter(_ask(model), last=True)
    waits = {
        "batch": capacity.enter(_ask(model, urgency=Urgency.BATCH), last=True),
        "late": capacity.enter(_ask(model, deadline_s=50.0), last=True),
        "soon": capacity.enter(_ask(model, deadline_s=5.0), last=True),
        "person": capacity.enter(_ask(model, urgency=Urgency.INTERACTIVE), last=True),
    }
    served = []
    for name, queued in waits.items():
        queued.subscribe(lambda name=name: served.append(name))

    first.settle(None, spent=None)
    for name in ("person", "soon", "late"):
        waits[name].slot.settle(None, spent=None)

    assert served == ["person", "soon", "late", "batch"]


def test_requests_a_minute_are_counted_and_waited_for():
    """The third call in a window of two waits for the next window."""
    clock = FrozenClock()
    entry = {"one:a": _LimitedModel("Hello.", limits=Limits(rpm=2), clock=clock)}
    with router_of(entry, clock=clock) as router:
        texts = [router.invoke("Say hello.").text for _ in range(2)]
        with pytest.raises(NoCandidateError, match="rpm"):
            router.invoke("Say hello.")
        clock.advance(61.0)
        texts.append(router.invoke("Say hello.").text)

    assert texts == ["Hello."] * 3


async def test_calls_that_overflow_use_nothing_up_of_a_window():
    """Requests that find no place and go elsewhere leave the requests a minute to those that are made."""
    model = _LimitedModel("Hello.", limits=Limits(rpm=10, concurrency=1), latency_s=0.05)
    with contextlib.closing(open_state("memory://", project="test")) as state:
        bench = Bench({"a": model, "b": ScriptedModel("Hi.")}, capacity=ConcurrencyLimiter(SystemClock(), state))
        await asyncio.gather(*(bench.executor.arun(bench.decision(), HELLO) for _ in range(12)))
        crowd = model.calls

        texts = [(await bench.executor.arun(bench.decision(), HELLO)).text for _ in range(11)]

    assert texts == ["Hello."] * (10 - crowd) + ["Hi."] * (1 + crowd)


def test_a_call_that_finds_no_tokens_left_uses_up_no_request():
    """A call that is too long for this minute's tokens leaves the requests to the shorter ones, and says what was full."""
    entry = {"one:a": _LimitedModel("Hello.", limits=Limits(rpm=2, tpm=1000), clock=(clock := FrozenClock()))}
    sizes = (900, 900, 900, 50)
    with router_of(entry, clock=clock) as router:
        outcomes = [_text_or_refusal(router, RoutingRequest(expected_output_tokens=size)) for size in sizes]

    assert outcomes[0] == outcomes[3] == "Hello."
    assert all("1000 tpm are used up" in refused for refused in outcomes[1:3])


def test_a_model_over_its_promise_gets_a_falling_share_until_it_recovers():
    """Slow calls lower the share step by step, quick ones raise it to the whole again."""
    gate = SlaCheck(random.Random(3))
    model = _model(sla_p95_s=1.0)

    shares = [_watch(gate, model, latency_s=5.0, calls=60), _watch(gate, model, latency_s=0.1, calls=400)]

    assert shares[0] < 0.5
    assert shares[1] == 1.0


def _watch(gate, model, *, latency_s, calls):
    for _ in range(calls):
        admission = gate.enter(_ask(model))
        if not isinstance(admission, Refusal):
            admission.settle(Attempt(A, number=1, started_at=0.0, latency_s=latency_s), spent=None)
    return gate.share(A)


def _model(**fields):
    return ModelDefinition(A, provider="one", model="a", **fields)


def _ask(model, *, urgency=Urgency.NORMAL, deadline_s=None):
    decision = decision_for(model.ref, request=RoutingRequest(deadline_s=deadline_s))
    profile = dataclasses.replace(decision.profile, urgency=Reading(urgency, 1.0, "caller"))
    return CallRequest(dataclasses.replace(decision, profile=profile), model, input_tokens=10, max_tokens=None, lease_s=60.0)


def _text_or_refusal(router, request):
    try:
        return router.invoke("Say hello.", request=request).text
    except NoCandidateError as refused:
        return str(refused)


class _LimitedModel(ScriptedModel):
    """A scripted model with limits, which counts how many of its calls run at once."""

    def __init__(self, *args, limits, **keywords):
        super().__init__(*args, **keywords)
        self.limits = limits

    def describe(self, ref):
        return dataclasses.replace(super().describe(ref), limits=self.limits)


def _limited_bench(*, concurrency, alone=False):
    model = _LimitedModel("Hello.", latency_s=0.03, limits=Limits(concurrency=concurrency))
    models = {"a": model} if alone else {"a": model, "b": ScriptedModel("Hello.")}
    return _LimitedBench(models, policy=ExecutionPolicy(back_off=BackOff(first_s=0.01)))


class _LimitedBench(Bench):
    """A bench with places, which notes the most calls of model a at once."""

    most_at_once = 0

    def __post_init__(self):
        self.capacity = ConcurrencyLimiter(self.clock)
        super().__post_init__()

    def lookup(self, ref):
        self.most_at_once = max(self.most_at_once, self.capacity.running(ModelRef("lab:a")))
        return super().lookup(ref)
