"""One request through the executor: fallbacks, prices, errors, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest
from execute_bench import QUICK, Bench

from crew_router.errors import AllModelsFailedError, DeadlineExceededError, ModelCallError, NoCandidateError
from crew_router.execute.executor import Options
from crew_router.execute.policy import ExecutionPolicy, StreamPolicy
from crew_router.testing import FrozenClock, RecordedModel, ScriptedFault, ScriptedModel, ScriptedReply, no_paid_calls
from crew_router.types import ErrorKind, RoutingRequest, ToolCall
from crew_router.types.transport import Payload

HELLO = Payload(("Say hello.",))
FALLS_BACK = [kind for kind in ErrorKind if kind not in {ErrorKind.INVALID_REQUEST, ErrorKind.CANCELLED, ErrorKind.TIMEOUT}]
STREAM_POLICIES = list(StreamPolicy)


def streamed(bench, **keywords):
    """Return the chunks of a synchronous stream."""
    return list(bench.executor.stream(bench.decision(), HELLO, **keywords))


async def streamed_async(bench, **keywords):
    """Return the chunks of an asynchronous stream."""
    return [chunk async for chunk in bench.executor.astream(bench.decision(), HELLO, **keywords)]


def test_answer_carries_model_text_usage_and_price():
    """A good call gives its text, its usage and its price to the nano-dollar."""
    bench = Bench({"a": ScriptedModel("Hello.", usage=(1000, 100), price=(3.0, 15.0))})

    response = bench.executor.run(bench.decision(), HELLO)

    assert (response.text, response.model, response.cost_usd) == ("Hello.", "lab:a", 0.0045)
    assert [attempt.cost_nano for attempt in bench.notebook.attempts] == [4_500_000]


@pytest.mark.parametrize("kind", FALLS_BACK)
def test_every_kind_of_fault_costs_one_call_when_a_fallback_is_healthy(kind):
    """A fault of any kind but the caller's moves on at once: one dead call, then the fallback's answer."""
    bench = Bench({"a": ScriptedModel("never", faults=kind.value), "b": ScriptedModel("Hello.")})

    response = bench.executor.run(bench.decision(), HELLO)

    assert response.text == "Hello."
    assert [(attempt.model, attempt.error) for attempt in response.attempts] == [("lab:a", kind), ("lab:b", None)]


@pytest.mark.parametrize("kind", FALLS_BACK)
async def test_every_kind_of_fault_costs_one_call_asynchronously_and_streamed(kind):
    """The asynchronous stream falls back as the plain call does."""
    bench = Bench({"a": ScriptedModel("never", faults=kind.value), "b": ScriptedModel("Hello there.")})

    chunks = await streamed_async(bench)

    assert "".join(chunk.text for chunk in chunks) == chunks[-1].response.text == "Hello there."
    assert [attempt.error for attempt in bench.notebook.attempts] == [kind, None]


async def test_a_call_that_hangs_is_cut_at_the_attempt_timeout():
    """A model that gives nothing is left at the attempt timeout, and its record says so."""
    policy = ExecutionPolicy(attempt_timeout_s=0.05)
    bench = Bench({"a": ScriptedModel("never", latency_s=60.0), "b": ScriptedModel("Hello.")}, policy=policy)

    response = await bench.executor.arun(bench.decision(), HELLO)

    assert [attempt.error for attempt in response.attempts] == [ErrorKind.TIMEOUT, None]


async def test_a_stream_that_stalls_is_cut_and_the_fallback_answers():
    """A stall inside the held part shows nothing of the dead model."""
    policy = ExecutionPolicy(stall_s=0.05)
    bench = Bench({"a": ScriptedModel("one two three", faults="timeout@2"), "b": ScriptedModel("Hello.")}, policy=policy)

    chunks = await streamed_async(bench)

    assert "".join(chunk.text for chunk in chunks) == "Hello."


def test_a_caller_mistake_is_raised_at_once():
    """An invalid request reaches no second model."""
    bench = Bench({"a": ScriptedModel(faults="invalid_request"), "b": ScriptedModel()})

    with pytest.raises(ModelCallError) as caught:
        bench.executor.run(bench.decision(), HELLO)

    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert (len(caught.value.attempts), bench.models["b"].calls) == (1, 0)


def test_all_models_failed_holds_each_cause_and_sounds_like_no_throttle():
    """The group holds a cause for every call, and its text names no status."""
    bench = Bench({"a": ScriptedModel(faults="rate_limit"), "b": ScriptedModel(faults="overload")})

    with pytest.raises(AllModelsFailedError) as caught:
        bench.executor.run(bench.decision(), HELLO)

    assert {error.kind for error in caught.value.exceptions} == {ErrorKind.RATE_LIMIT, ErrorKind.OVERLOAD}
    assert len(caught.value.attempts) == len(caught.value.exceptions) == 6
    assert "rate" not in str(caught.value).lower()


def test_the_last_model_is_called_again_after_its_retry_after():
    """With nothing else left the model is called again, not before the latest Retry-After."""
    clock = FrozenClock()
    model = ScriptedModel("Hello.", faults=["rate_limit"], clock=clock)
    fault = ScriptedModel("Hello.", faults=[_limited(retry_after_s=7.0)], clock=clock)
    bench = Bench({"a": fault}, clock=clock)

    response = bench.executor.run(bench.decision(), HELLO)

    assert (response.text, model.calls, clock.monotonic()) == ("Hello.", 0, 7.0)


def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    """A wait that ends after the deadline is not begun."""
    clock = FrozenClock()
    bench = Bench({"a": ScriptedModel(faults=_limited(retry_after_s=7.0), clock=clock)}, clock=clock)

    with pytest.raises(AllModelsFailedError):
        bench.executor.run(bench.decision(RoutingRequest(deadline_s=5.0)), HELLO)

    assert clock.monotonic() == 0.0


async def test_the_deadline_ends_the_request():
    """No answer within the deadline is one typed error that names what was tried."""
    bench = Bench({"a": ScriptedModel(latency_s=60.0)})

    with pytest.raises(DeadlineExceededError) as caught:
        await bench.executor.arun(bench.decision(RoutingRequest(deadline_s=0.05)), HELLO)

    assert [attempt.model for attempt in caught.value.attempts] == ["lab:a"]


def test_a_request_that_fits_no_model_says_why():
    """Candidates whose window is too small are never called, and the error lists them."""
    bench = Bench({"a": ScriptedModel(context_window=5)})

    with pytest.raises(NoCandidateError, match="do not fit into 5"):
        bench.executor.run(bench.decision(), HELLO)

    assert bench.models["a"].calls == 0


@pytest.mark.parametrize("policy", STREAM_POLICIES)
async def test_streams_of_both_kinds_give_the_same(policy):
    """Synchronous and asynchronous streams emit the same texts under every stream policy."""
    models = {"a": ScriptedModel("one two three four", faults="connection@2"), "b": ScriptedModel("one two three four", prefill=True)}
    first, second = Bench(dict(models)), Bench(dict(models))

    outcomes = [_collect(first, policy), await _collect_async(second, policy)]

    assert [(shown, str(error)) for shown, error in outcomes[:1]] == [(shown, str(error)) for shown, error in outcomes[1:]]


def test_buffer_shows_nothing_of_a_stream_that_breaks_in_the_held_part():
    """A fault in the held part is invisible."""
    bench = Bench({"a": ScriptedModel("one two three", faults="connection@2"), "b": ScriptedModel("Hello.")})

    chunks = streamed(bench)

    assert "".join(chunk.text for chunk in chunks) == "Hello."


def test_buffer_raises_with_the_text_after_the_held_part():
    """A fault after the held part raises, and the error carries what was shown."""
    words = " ".join(f"word{n}" for n in range(100))
    bench = Bench({"a": ScriptedModel(words, faults="connection@90"), "b": ScriptedModel("Hello.")})

    shown, error = _collect(bench, StreamPolicy.BUFFER)

    assert error.kind is ErrorKind.CONNECTION
    assert error.partial == shown == " ".join(f"word{n}" for n in range(90)) + " "
    assert bench.models["b"].calls == 0


def test_continue_goes_on_with_another_model_and_says_nothing_twice():
    """Another model goes on from the text shown, and what it restates is cut."""
    whole = "The quick brown fox jumps over the lazy dog."
    bench = Bench(
        {"a": ScriptedModel(whole, faults="connection@4"), "b": ScriptedModel("brown fox jumps over the lazy dog.", prefill=True)}
    )

    chunks = streamed(bench, options=Options(stream=StreamPolicy.CONTINUE))

    assert "".join(chunk.text for chunk in chunks) == whole
    assert (chunks[-1].response.text, chunks[-1].response.attempts[1].role) == (whole, "continue")


def test_a_continuation_is_asked_for_without_the_blank_behind_the_text():
    """Providers refuse a prefix that ends with a blank, so it is left out, and stands once in the joined text."""
    whole = "one two three four"
    bench = Bench({"a": ScriptedModel(whole, faults="connection@2"), "b": ScriptedModel(whole, prefill=True)})

    chunks = streamed(bench, options=Options(stream=StreamPolicy.CONTINUE))

    assert bench.models["b"].asked[0].prefix == "one two"
    assert "".join(chunk.text for chunk in chunks) == whole


def test_continue_needs_a_model_that_takes_a_prefix():
    """Without such a model the stream ends in its error."""
    bench = Bench({"a": ScriptedModel("one two three", faults="auth@2"), "b": ScriptedModel("Hello.")})

    shown, error = _collect(bench, StreamPolicy.CONTINUE)

    assert (shown, error.partial, bench.models["b"].calls) == ("one two ", "one two ", 0)


def test_restart_marks_the_reset_and_starts_over():
    """The consumer is told to forget, then gets the whole second answer."""
    bench = Bench({"a": ScriptedModel("one two three", faults="connection@2"), "b": ScriptedModel("Hello.")})

    chunks = streamed(bench, options=Options(stream=StreamPolicy.RESTART))

    assert [chunk.text for chunk in chunks if not chunk.reset] == ["one ", "two ", "Hello.", "", ""]
    assert [chunk.reset for chunk in chunks].count(True) == 1


def test_tool_calls_in_a_stream_are_shown_whole_or_not_at_all():
    """A stream that breaks inside a tool call shows nothing of it."""
    call = ToolCall("c1", "weather", '{"city": "Bonn"}')
    bench = Bench(
        {
            "a": ScriptedModel(ScriptedReply(tool_calls=(call,)), faults="connection@1"),
            "b": ScriptedModel(ScriptedReply(tool_calls=(call,), finish_reason="tool_calls")),
        }
    )

    chunks = streamed(bench, options=Options(stream=StreamPolicy.RAISE))

    assert chunks[-1].response.tool_calls == (call,)
    assert [chunk.model for chunk in chunks] == ["lab:b"] * 4


@pytest.mark.parametrize(
    ("policy", "shown", "calls"),
    [
        (StreamPolicy.BUFFER, "Sure.", 1),
        (StreamPolicy.CONTINUE, "Let me look. Sure.", 1),
        (StreamPolicy.RESTART, "Sure.", 1),
        (StreamPolicy.RAISE, "Let me look. ", 0),
    ],
)
def test_a_stream_that_breaks_in_a_tool_call_after_text_follows_the_policy(policy, shown, calls):
    """Nothing of the broken call is shown; who may go on from the text makes the call itself, whole."""
    call = ToolCall("c1", "weather", '{"city": "Bonn"}')
    broken = ScriptedModel(ScriptedReply("Let me look. ", tool_calls=(call,)), faults="connection@4")
    whole = ScriptedModel(ScriptedReply("Sure.", tool_calls=(call,), finish_reason="tool_calls"), prefill=True)
    bench = Bench({"a": broken, "b": whole})

    text, made = "", []
    with contextlib.suppress(ModelCallError):
        for chunk in bench.executor.stream(bench.decision(), HELLO, options=Options(stream=policy)):
            text = "" if chunk.reset else text + chunk.text
            made += () if chunk.response is None else chunk.response.tool_calls

    assert (text, made) == (shown, [call] * calls)


def test_invalid_tool_arguments_are_a_failure():
    """Arguments that are no JSON fall back instead of reaching the caller."""
    good, bad = ToolCall("c", "f", "{}"), ToolCall("c", "f", '{"a": ')
    bench = Bench({"a": ScriptedModel(ScriptedReply(tool_calls=(bad,))), "b": ScriptedModel(ScriptedReply(tool_calls=(good,)))})

    response = bench.executor.run(bench.decision(), HELLO)

    assert (response.tool_calls, response.attempts[0].error) == ((good,), ErrorKind.MALFORMED)


def test_the_callers_validator_is_a_failure():
    """An answer that the caller's own check refuses falls back."""
    bench = Bench({"a": ScriptedModel("no"), "b": ScriptedModel("yes")})
    options = Options(validate=lambda reply: None if reply.text == "yes" else "say yes")

    response = bench.executor.run(bench.decision(), HELLO, options=options)

    assert (response.text, response.attempts[0].message) == ("yes", "say yes")


def test_unknown_usage_is_none_and_never_zero():
    """A model that reports no usage leaves the price unknown."""
    bench = Bench({"a": ScriptedModel(usage=None)})

    response = bench.executor.run(bench.decision(), HELLO)

    assert (response.usage, response.cost_usd) == (None, None)


async def test_a_stream_left_early_leaves_no_task_and_is_settled():
    """Closing a stream ends its call at once and records what was received, as an estimate."""
    bench = Bench({"a": ScriptedModel("one two three four", latency_s=1.0)}, policy=ExecutionPolicy(stream=StreamPolicy.RAISE))
    before = asyncio.all_tasks()
    stream = bench.executor.astream(bench.decision(), HELLO)

    await anext(stream)
    await stream.aclose()

    assert asyncio.all_tasks() == before
    assert [(attempt.error, attempt.usage.estimated) for attempt in bench.notebook.attempts] == [(ErrorKind.CANCELLED, True)]


async def test_a_cancelled_request_ends_its_call():
    """Cancelling the caller's task cancels the call, and that is no failure of the model."""
    bench = Bench({"a": ScriptedModel(latency_s=60.0), "b": ScriptedModel()})
    task = asyncio.create_task(bench.executor.arun(bench.decision(), HELLO))
    await asyncio.sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ([attempt.error for attempt in bench.notebook.attempts], bench.models["b"].calls) == ([ErrorKind.CANCELLED], 0)


def test_no_thread_outlives_a_request():
    """A finished request leaves the threads as they were."""
    bench = Bench({"a": ScriptedModel()}, policy=QUICK)
    before = threading.active_count()

    bench.executor.run(bench.decision(), HELLO)

    assert threading.active_count() == before


def test_recorded_latency_passes_on_the_clock(tmp_path):
    """A recorded model answers its prompt with its recorded price, and its latency passes without sleeping."""
    clock = FrozenClock()
    file = tmp_path / "rows.jsonl"
    file.write_text(
        '{"id": "1", "prompt": "Say hello.", "outcomes": {"m": {"score": 1, "cost_usd": 0.002, "latency_s": 3.5, "answer": "Hi"}}}\n'
    )
    bench = Bench({"m": RecordedModel.from_file(file, "m", clock=clock)}, clock=clock)

    response = bench.executor.run(bench.decision(), HELLO)

    assert (response.text, response.cost_usd, response.attempts[0].latency_s) == ("Hi", 0.002, 3.5)


def test_no_paid_calls_lets_scripted_models_through():
    """Scripted models cost nothing, so the guard lets them through."""
    bench = Bench({"a": ScriptedModel("Hello.")})

    with no_paid_calls():
        response = bench.executor.run(bench.decision(), HELLO)

    assert response.text == "Hello."


def _limited(*, retry_after_s):
    return ScriptedFault(ErrorKind.RATE_LIMIT, retry_after_s=retry_after_s)


def _collect(bench, policy):
    shown, error = "", None
    try:
        for chunk in bench.executor.stream(bench.decision(), HELLO, options=Options(stream=policy)):
            shown = "" if chunk.reset else shown + chunk.text
    except ModelCallError as caught:
        error = caught
    return shown, error


async def _collect_async(bench, policy):
    shown, error = "", None
    try:
        async for chunk in bench.executor.astream(bench.decision(), HELLO, options=Options(stream=policy)):
            shown = "" if chunk.reset else shown + chunk.text
    except ModelCallError as caught:
        error = caught
    return shown, error
