"""A CrewAI LLM whose calls are routed."""

from __future__ import annotations

import asyncio
import copy

import pytest
from crewai.llms.base_llm import call_stop_override
from pydantic import BaseModel

from crew_router.errors import AllModelsFailedError, InvalidRequestError, NoCandidateError
from crew_router.testing import ScriptedFault, ScriptedModel, ScriptedReply
from crew_router.types import ErrorKind, ToolCall
from crew_router_crewai import RouterLLM

_CHAT = [{"role": "system", "content": "You are a guide."}, {"role": "user", "content": "What is the capital of France?"}]
_TOOL = {"type": "function", "function": {"name": "lookup", "description": "Look up.", "parameters": {"type": "object", "properties": {}}}}


class City(BaseModel):
    """A structured answer."""

    name: str


@pytest.mark.parametrize("messages", ["What is the capital of France?", _CHAT])
def test_call_returns_the_text_of_the_routed_model(router, messages):
    """A text or a chat is answered by the model that the constraints leave."""
    llm = RouterLLM(router, routing={"quality_requirement": 0.8})

    assert llm.call(messages) == "from strong"
    assert llm.last_response.model == "lab:strong"


async def test_acall_returns_the_same(router):
    """The asynchronous call answers as the synchronous one does."""
    llm = RouterLLM(router, routing={"quality_requirement": 0.8})

    assert await llm.acall(_CHAT) == llm.call(_CHAT) == "from strong"


def test_tool_calls_come_back_as_openai_dictionaries(make_router):
    """What a model asks to run comes back in the form that CrewAI's executor runs."""
    reply = ScriptedReply(tool_calls=(ToolCall("c1", "lookup", '{"q": "x"}'),), finish_reason="tool_calls")
    llm = RouterLLM(make_router(a=ScriptedModel(reply)))

    answer = llm.call(_CHAT, tools=[_TOOL])

    assert answer == [{"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"q": "x"}'}}]


def test_functions_that_are_given_are_run(make_router):
    """A call that brings the functions themselves returns the result of the one that the model asked for."""
    reply = ScriptedReply(tool_calls=(ToolCall("c1", "lookup", '{"q": "x"}'),), finish_reason="tool_calls")
    llm = RouterLLM(make_router(a=ScriptedModel(reply)))

    assert llm.call(_CHAT, tools=[_TOOL], available_functions={"lookup": lambda q: f"found {q}"}) == "found x"


def test_response_model_is_parsed(make_router):
    """A response model gets an instance of it."""
    llm = RouterLLM(make_router(a=ScriptedModel('{"name": "Paris"}')))

    assert llm.call(_CHAT, response_model=City) == City(name="Paris")


def test_answer_that_does_not_fit_the_response_model_goes_to_the_next_model(make_router):
    """An answer that cannot be read as the response model is a failed attempt, not the end of the call."""
    chatty, exact = ScriptedModel("Paris, of course!", quality=0.9), ScriptedModel('{"name": "Paris"}', quality=0.5)
    llm = RouterLLM(make_router(a=chatty, b=exact), routing={"force_model": "lab:a"})

    assert llm.call(_CHAT, response_model=City) == City(name="Paris")
    assert [attempt.model for attempt in llm.last_response.attempts] == ["lab:a", "lab:b"]


def test_stop_words_of_a_call_end_the_answer(make_router):
    """Stop words that CrewAI sets for one call are sent and cut off what comes after."""
    model = ScriptedModel("Thought\nObservation: invented")
    llm = RouterLLM(make_router(a=model))

    with call_stop_override(llm, ["\nObservation:"]):
        answer = llm.call(_CHAT)

    assert answer == "Thought"


def test_usage_is_the_sum_over_attempts(make_router):
    """Tokens of a failed attempt that reported some are counted with those of the answer."""
    empty = ScriptedModel("never", usage=(100, 7), faults=[ScriptedFault(ErrorKind.EMPTY)], quality=0.9, price=(0.1, 0.1))
    good = ScriptedModel("fine", usage=(100, 10), quality=0.8, price=(1.0, 1.0))
    llm = RouterLLM(make_router(a=empty, b=good), routing={"force_model": "lab:a"})

    assert llm.call(_CHAT) == "fine"

    attempts = llm.last_response.attempts
    usage = llm.get_token_usage_summary()
    assert len(attempts) == 2
    assert usage.prompt_tokens == sum(attempt.usage.input_tokens for attempt in attempts)
    assert usage.completion_tokens == sum(attempt.usage.output_tokens for attempt in attempts)
    assert usage.successful_requests == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_count_for_themselves_over_the_same_router(router, copied):
    """A copy has counters of its own, the same constraints and the same router."""
    llm = RouterLLM(router, routing={"quality_requirement": 0.8})
    llm.call(_CHAT)

    other = copied(llm)
    other.call(_CHAT)

    assert other.routing == llm.routing
    assert other.get_token_usage_summary().successful_requests == 1
    assert llm.get_token_usage_summary().successful_requests == 1
    assert router.stats()["requests"] == 2


def test_one_call_emits_one_start_and_one_end(router, events):
    """CrewAI hears of a call once, with its usage, whatever the router tried."""
    RouterLLM(router).call(_CHAT)

    seen = events()
    assert [kind for kind, _ in seen] == ["llm_call_started", "llm_call_completed"]
    assert len({event.call_id for _, event in seen}) == 1
    assert seen[-1][1].usage["total_tokens"] == 110


def test_failure_emits_one_failed_event(make_router, events):
    """A call that nobody could answer ends with one failed event."""
    llm = RouterLLM(make_router(a=ScriptedModel(faults="overload")))

    with pytest.raises(AllModelsFailedError):
        llm.call(_CHAT)

    assert [kind for kind, _ in events()] == ["llm_call_started", "llm_call_failed"]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_throttled_models_are_not_asked_again_by_crewai(make_router, asynchronous):
    """When every model is throttled, CrewAI's own retry does not multiply the calls of the router."""
    models = {name: ScriptedModel(faults=ScriptedFault(ErrorKind.RATE_LIMIT, status_code=429)) for name in ("a", "b")}
    router = make_router(**models)
    llm = RouterLLM(router)

    with pytest.raises(AllModelsFailedError) as failure:
        await llm.acall(_CHAT) if asynchronous else llm.call(_CHAT)

    assert sum(model.calls for model in models.values()) == len(failure.value.attempts)
    assert router.stats()["requests"] == 1
    assert failure.value.__cause__ is failure.value.__context__ is None


def test_nobody_fits_is_said_with_what_removed_each_model(router):
    """Constraints that no model meets are an error that names every model."""
    with pytest.raises(NoCandidateError, match="lab:strong"):
        RouterLLM(router, routing={"quality_requirement": 0.99}).call(_CHAT)


@pytest.mark.parametrize("where", ["routing", "task_routing"])
def test_unknown_routing_key_is_an_error_when_made(router, where):
    """A key that means nothing is reported before anything runs."""
    wrong = {"cost_tier": "low"} if where == "routing" else {"research": {"cost_tier": "low"}}

    with pytest.raises(InvalidRequestError, match="cost_tier"):
        RouterLLM(router, **{where: wrong})


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_stream_is_shown_piece_by_piece(router, events, asynchronous):
    """With streaming on, the pieces arrive as events and the whole as the answer."""
    llm = RouterLLM(router, routing={"quality_requirement": 0.8}, stream=True)

    answer = await llm.acall(_CHAT) if asynchronous else llm.call(_CHAT)

    pieces = [event.chunk for kind, event in events() if kind == "llm_stream_chunk"]
    assert answer == "from strong"
    assert "".join(pieces) == "from strong"
    assert len(pieces) > 1 or llm.last_response.text == pieces[0]


def test_context_window_is_the_smallest_of_those_that_may_serve(make_router):
    """CrewAI shortens conversations so that any model of the pool could take over."""
    router = make_router(big=ScriptedModel(context_window=200_000, quality=0.9), small=ScriptedModel(context_window=10_000, quality=0.5))

    assert RouterLLM(router).get_context_window_size() == 8_500


def test_function_calling_needs_a_model_that_can(make_router):
    """An agent speaks of tools in text when no model of the pool can call them."""
    assert RouterLLM(make_router(a=ScriptedModel(capabilities=["tools"]))).supports_function_calling()
    assert not RouterLLM(make_router(a=ScriptedModel(capabilities=[]))).supports_function_calling()


def test_settings_are_sent(make_router):
    """Temperature and the like reach the model."""
    seen = []
    model = ScriptedModel("ok")
    steps = model.steps
    model.steps = lambda asked: (seen.append(asked.payload.parameters), steps(asked))[1]

    RouterLLM(make_router(a=model), temperature=0.2, max_tokens=50).call(_CHAT)

    assert seen[0]["temperature"] == 0.2
    assert seen[0]["max_tokens"] == 50


@pytest.fixture
def hooks():
    """Return CrewAI's hooks; all are taken away again."""
    from crewai.hooks import llm_hooks  # with the first test that needs them

    yield llm_hooks
    llm_hooks.clear_all_llm_call_hooks()


def test_hook_before_a_call_changes_what_is_sent(make_router, hooks):
    """A before hook of CrewAI may add a message to a direct call, and the model gets it."""
    llm = RouterLLM(make_router(a=ScriptedModel(lambda prompt: f"heard {prompt}")))
    hooks.register_before_llm_call_hook(lambda context: context.messages.append({"role": "user", "content": "the addition"}))

    assert llm.call(_CHAT) == "heard the addition"


def test_hook_before_a_call_forbids_it(make_router, hooks, events):
    """A before hook that says no ends the call with one failed event, and no model is called."""
    model = ScriptedModel("never")
    hooks.register_before_llm_call_hook(lambda _context: False)

    with pytest.raises(ValueError, match="blocked"):
        RouterLLM(make_router(a=model)).call(_CHAT)

    assert model.calls == 0
    assert [kind for kind, _ in events()] == ["llm_call_started", "llm_call_failed"]


def test_hook_after_a_call_changes_the_answer(router, hooks):
    """An after hook of CrewAI may rewrite the text of a direct call."""
    hooks.register_after_llm_call_hook(lambda context: context.response.upper())

    assert RouterLLM(router, routing={"quality_requirement": 0.8}).call(_CHAT) == "FROM STRONG"


async def test_cancelled_call_ends_with_an_event(make_router, events):
    """A call that is cancelled ends with one failed event, and the cancellation goes on."""
    call = asyncio.create_task(RouterLLM(make_router(a=ScriptedModel("slow", latency_s=30))).acall(_CHAT))
    await asyncio.sleep(0.1)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert [kind for kind, _ in events()] == ["llm_call_started", "llm_call_failed"]


def test_unknown_usage_counts_a_request_without_tokens(make_router):
    """A model that reports no tokens still answered one request."""
    llm = RouterLLM(make_router(a=ScriptedModel("ok", usage=None)))

    llm.call(_CHAT)

    usage = llm.get_token_usage_summary()
    assert (usage.successful_requests, usage.total_tokens) == (1, 0)
