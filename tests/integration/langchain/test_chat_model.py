"""The chat model as LangChain users use it, over real clients and a fake provider on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from langchain_core.tracers.context import collect_runs
from langchain_openai import ChatOpenAI
from langchain_pools import Listening, entry, pool
from pydantic import BaseModel
from wire_brain import Said
from wire_server import Fault, WireServer

from crew_router import InvalidRequestError, Router, RoutingDecision
from crew_router_langchain import ChatCrewRouter, choice


@pytest.fixture
def router(wire: WireServer) -> Iterator[Router]:
    """A router over two models, the better one first."""
    with Router(pool(wire, "fast", "smart")) as router:
        yield router


@pytest.fixture
def chat(router: Router) -> ChatCrewRouter:
    """A chat model over the router."""
    return ChatCrewRouter(router=router)


@tool
def get_weather(city: str) -> str:
    """Return the weather of a city."""
    return f"sunny in {city}"


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


def routing(message: AIMessage) -> dict[str, Any]:
    """Return what a message says of its routing."""
    told: dict[str, Any] = message.response_metadata["crew_router"]
    return told


def test_a_request_is_one_run_and_its_usage_counts_once(chat: ChatCrewRouter) -> None:
    """Tracing sees one model run, and the usage callback sees the tokens of the answer under the real model's name."""
    with collect_runs() as runs, get_usage_metadata_callback() as usage:
        answer = chat.invoke("hello")

    assert answer.usage_metadata is not None
    assert len(runs.traced_runs) == 1
    assert runs.traced_runs[0].child_runs == []
    assert usage.usage_metadata["fast"]["total_tokens"] == answer.usage_metadata["total_tokens"]
    assert answer.response_metadata["model_name"] == "fast"


def test_the_answer_tells_its_routing(chat: ChatCrewRouter, wire: WireServer) -> None:
    """Decision, mode, every attempt with usage, the whole cost and a rationale stand in the metadata."""
    wire.break_model("fast", Fault(status=500))

    told = routing(chat.invoke("hello"))

    assert told["decision_id"]
    assert (told["model"], told["selected_model"], told["mode"]) == ("lab:smart", "lab:fast", "single")
    assert [(attempt["model"], attempt["error"]) for attempt in told["attempts"]] == [("lab:fast", "overload"), ("lab:smart", None)]
    assert told["cost_usd"] == pytest.approx(sum(attempt["cost_usd"] for attempt in told["attempts"]))
    assert told["rationale"]


async def test_streams_carry_the_routing_once_and_keep_one_id(chat: ChatCrewRouter, wire: WireServer) -> None:
    """All chunks have one id although a fallback answered, and joined they tell the routing and the usage once."""
    wire.break_model("fast", Fault(status=500))

    chunks = [chunk async for chunk in chat.astream("hello")]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk  # type: ignore[assignment]  # chunks of one message make one

    assert len({chunk.id for chunk in chunks}) == 1
    assert whole.response_metadata["model_name"] == "smart"
    assert whole.response_metadata["crew_router"]["model"] == "lab:smart"
    assert whole.usage_metadata is not None
    assert whole.text == "Hello from smart, and you asked: hello"


def test_a_call_may_name_its_model(chat: ChatCrewRouter) -> None:
    """``model=`` in a call pins the first attempt, ``"auto"`` unpins, and the constructor pins for all calls."""
    pinned = ChatCrewRouter(router=chat.router, model="lab:smart")

    assert chat.invoke("hello", model="smart").response_metadata["model_name"] == "smart"
    assert chat.bind(model="lab:smart").invoke("hello").response_metadata["model_name"] == "smart"
    assert pinned.invoke("hello").response_metadata["model_name"] == "smart"
    assert pinned.invoke("hello", model="auto").response_metadata["model_name"] == "fast"


def test_routing_comes_by_call_copy_and_configuration(chat: ChatCrewRouter) -> None:
    """The same keys work in a call, in a copy that leaves the original alone, and in a run's configuration."""
    configurable = chat.configurable_fields(routing=ConfigurableField(id="routing"))
    forced = {"force_model": "lab:smart"}

    by_call = chat.invoke("hello", routing=forced)
    by_copy = chat.with_routing(**forced).invoke("hello")
    by_configuration = configurable.invoke("hello", {"configurable": {"routing": forced}})

    assert {message.response_metadata["model_name"] for message in (by_call, by_copy, by_configuration)} == {"smart"}
    assert chat.invoke("hello").response_metadata["model_name"] == "fast"


def test_unknown_keys_of_routing_are_refused_where_they_are_written(chat: ChatCrewRouter) -> None:
    """A misspelt key is an error of the copy, not of a later call, and names what is known."""
    with pytest.raises(InvalidRequestError, match="cost_budget"):
        chat.with_routing(cost_buget=1)


async def test_policies_can_read_tags_and_metadata_of_the_run(wire: WireServer) -> None:
    """Tags and metadata of the run reach the request in every way to call, and a thread is a session."""
    listening = Listening()
    config: Any = {"tags": ["nightly"], "metadata": {"team": "blue", "thread_id": "t1"}}
    with Router(pool(wire, "fast"), classifier=listening) as router:
        chat = ChatCrewRouter(router=router)
        await asyncio.to_thread(chat.invoke, "hello", config)
        await chat.ainvoke("hello", config)
        await asyncio.to_thread(lambda: list(chat.stream("hello", config)))
        [_ async for _ in chat.astream("hello", config)]

    assert len(listening.requests) == 4
    for request in listening.requests:
        assert request.tags == {"nightly"}
        assert request.metadata["team"] == "blue"
        assert request.session_id == "t1"
        assert not any(key.startswith("ls_") for key in request.metadata)


def test_parameters_reach_whichever_model_answers(chat: ChatCrewRouter, wire: WireServer) -> None:
    """Temperature, token bound and stop words of the constructor go out, and those of a call win."""
    tuned = ChatCrewRouter(router=chat.router, temperature=0.5, max_tokens=50, stop=["asked"])

    standing = tuned.invoke("hello")
    tuned.invoke("hello", temperature=0.1, stop=["you"])

    first, second = (seen.body for seen in wire.seen)
    assert (first["temperature"], first["stop"]) == (0.5, ["asked"])
    assert 50 in {first.get("max_tokens"), first.get("max_completion_tokens")}
    assert (second["temperature"], second["stop"]) == (0.1, ["you"])
    assert standing.text == "Hello from fast, and you "


def test_max_retries_bounds_the_calls_of_a_request(chat: ChatCrewRouter, wire: WireServer) -> None:
    """``max_retries=0`` is one call and no fallback."""
    wire.break_model("fast", Fault(status=500))

    with pytest.raises(ExceptionGroup):
        chat.invoke("hello", max_retries=0)

    assert wire.models_called() == ["fast"]


def test_a_timeout_holds_for_the_whole_request(chat: ChatCrewRouter, wire: WireServer) -> None:
    """Two slow models do not take twice the time that the caller gave."""
    wire.break_model("fast", Fault(delay_s=3))
    wire.break_model("smart", Fault(delay_s=3))

    with pytest.raises(TimeoutError):
        chat.invoke("hello", timeout=0.5)


def test_tools_are_bound_anew_for_the_model_that_answers(chat: ChatCrewRouter, wire: WireServer) -> None:
    """The fallback gets the same tools as the model that failed."""
    wire.break_model("fast", Fault(status=500))

    answer = chat.bind_tools([get_weather], tool_choice="any", parallel_tool_calls=False).invoke("weather in Rome?")

    assert [call["name"] for call in answer.tool_calls] == ["get_weather"]
    assert wire.seen[0].body["tools"] == wire.seen[1].body["tools"]
    assert wire.seen[1].body["tool_choice"] == "required"


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize("include_raw", [False, True])
def test_structured_output_in_every_method(chat: ChatCrewRouter, method: str, *, include_raw: bool) -> None:
    """A schema comes back as an object, with the raw message beside it when asked."""
    runnable = chat.with_structured_output(Joke, method=method, include_raw=include_raw)  # type: ignore[arg-type]  # parametrised

    got = runnable.invoke("a joke")

    joke = got["parsed"] if include_raw else got
    assert isinstance(joke, Joke)
    assert not include_raw or (routing(got["raw"])["model"], got["parsing_error"]) == ("lab:fast", None)


def test_json_mode_needs_no_schema(chat: ChatCrewRouter, wire: WireServer) -> None:
    """JSON mode gives a dictionary and asks the provider for an object."""
    got = chat.with_structured_output(method="json_mode").invoke("a joke as JSON")

    assert got == {"setup": "why", "punchline": "because"}
    assert wire.seen[0].body["response_format"] == {"type": "json_object"}


def test_json_mode_passes_over_models_that_have_none(wire: WireServer) -> None:
    """Anthropic has no JSON mode, so the model behind it answers."""
    models = {"lab:claude": entry(wire, "claude", provider="anthropic", quality=0.95), "lab:smart": entry(wire, "smart")}
    with Router({"registry": "none", "models": models, "ledger": {"url": "sqlite://"}}) as router:
        got = ChatCrewRouter(router=router).with_structured_output(method="json_mode", include_raw=True).invoke("a joke as JSON")

    assert routing(got["raw"])["model"] == "lab:smart"


@pytest.mark.parametrize("arguments", [{"method": "guess"}, {"schema": None}, {"unheard_of": 1}])
def test_wrong_arguments_of_structured_output_are_refused(chat: ChatCrewRouter, arguments: dict[str, Any]) -> None:
    """A misspelt method, a missing schema and an unknown argument are errors at once."""
    with pytest.raises(ValueError, match=r"method|schema"):
        chat.with_structured_output(**{"schema": Joke, **arguments})


def test_cached_answers_do_not_leak_between_policies(chat: ChatCrewRouter, wire: WireServer) -> None:
    """The same question is answered from the cache by the same policy only; another pool or routing asks anew."""
    set_llm_cache(InMemoryCache())
    try:
        answers = [chat.invoke("cache me"), chat.invoke("cache me")]
        calls_of_one_policy = len(wire.seen)
        chat.with_routing(quality_requirement=0.1).invoke("cache me")
        with Router(pool(wire, "smart")) as other:
            ChatCrewRouter(router=other).invoke("cache me")
    finally:
        set_llm_cache(None)

    assert calls_of_one_policy == 1
    assert routing(answers[1])["decision_id"] == routing(answers[0])["decision_id"]
    assert len(wire.seen) == 3


async def test_batches_keep_to_their_concurrency(wire: WireServer) -> None:
    """``max_concurrency`` of a batch holds for the calls behind it, hedges apart."""
    for _ in range(500):
        if not wire.open_now:  # a call that an earlier test gave up may still be worked on
            break
        await asyncio.sleep(0.01)
    wire.heal()
    wire.break_model("fast", Fault(delay_s=0.05))
    with Router(pool(wire, "fast", "smart", hedge={"budget": 0.0})) as router:
        answers = await ChatCrewRouter(router=router).abatch(["hello"] * 8, {"max_concurrency": 2})

    assert len(answers) == 8
    assert wire.most_open <= 2


def test_with_fallbacks_and_with_retry_wrap_the_chat_model(chat: ChatCrewRouter, wire: WireServer) -> None:
    """LangChain's own wrappers go on working over the whole router."""
    wire.break_model("fast", Fault(status=401))
    wire.break_model("smart", Fault(status=401))
    last = ChatOpenAI(model="last", base_url=wire.openai_url, api_key="k")

    answer = chat.with_retry(stop_after_attempt=1).with_fallbacks([last]).invoke("hello")

    assert answer.response_metadata["model_name"] == "last"


async def test_events_of_both_versions_show_one_model_run(chat: ChatCrewRouter) -> None:
    """``astream_events`` shows one start, the chunks, and one end with the routing."""
    events = [event async for event in chat.astream_events("hello", version="v2")]

    names = [event["event"] for event in events]
    assert (names[0], names[-1]) == ("on_chat_model_start", "on_chat_model_end")
    assert names.count("on_chat_model_stream") == len(names) - 2
    assert events[-1]["data"]["output"].response_metadata["crew_router"]["model"] == "lab:fast"


@pytest.mark.filterwarnings("ignore:.*beta.*")
async def test_the_third_version_of_events_carries_text_and_routing(chat: ChatCrewRouter) -> None:
    """Version 3 of the events gives the text piece by piece and the whole message with its routing."""
    stream = await chat.astream_events("hello", version="v3")
    text = "".join([piece async for piece in stream.text])
    whole = await stream.output

    assert text == "Hello from fast, and you asked: hello"
    assert whole.response_metadata["crew_router"]["model"] == "lab:fast"


def test_langsmith_learns_provider_and_pinned_model(chat: ChatCrewRouter) -> None:
    """Traces name this router as the provider, and the pinned model where there is one."""
    with collect_runs() as runs:
        chat.invoke("hello", model="smart")

    metadata = runs.traced_runs[0].extra["metadata"]
    assert (metadata["ls_provider"], metadata["ls_model_name"], metadata["ls_model_type"]) == ("crew_router", "smart", "chat")


async def test_a_cancelled_call_asks_no_other_model(chat: ChatCrewRouter, wire: WireServer) -> None:
    """Cancelling ends the request: nothing falls back."""
    wire.break_model("fast", Fault(delay_s=3))
    task = asyncio.create_task(chat.ainvoke("hello"))
    async with asyncio.timeout(20):
        while not wire.seen:  # noqa: ASYNC110 - the server runs in a thread
            await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert wire.models_called() == ["fast"]


def test_a_stream_cut_in_its_first_words_is_answered_by_the_fallback(chat: ChatCrewRouter, wire: WireServer) -> None:
    """A server that stops after a few words is taken for what it is, and no word of it is shown."""
    wire.break_model("fast", Fault(cut_after=3))

    text = "".join(str(chunk.text) for chunk in chat.stream("hello"))

    assert text == "Hello from smart, and you asked: hello"


def test_an_empty_answer_is_answered_by_the_fallback(chat: ChatCrewRouter, wire: WireServer) -> None:
    """An empty success is a failure."""
    wire.break_model("fast", Fault(answer=Said("", (), 3, 0)))

    assert chat.invoke("hello").text == "Hello from smart, and you asked: hello"


def test_the_profile_is_what_every_model_can_do(wire: WireServer) -> None:
    """Abilities are joined by and, limits by the least."""
    config = pool(wire, "fast", "smart")
    config["models"]["lab:smart"] |= {"context_window": 5000, "capabilities": ["tools", "streaming"]}

    with Router(config) as router:
        profile = ChatCrewRouter(router=router).profile

    assert profile is not None
    assert (profile["max_input_tokens"], profile["tool_calling"], profile["structured_output"]) == (5000, True, False)


def test_the_choice_alone_is_a_runnable(chat: ChatCrewRouter, wire: WireServer) -> None:
    """``as_runnable`` of the chat model and ``choice`` of a router give a decision for chains of one's own and call nobody."""
    by_chat = chat.as_runnable().invoke([HumanMessage("Prove it.")])
    by_router = (choice(chat.router) | (lambda decision: decision.selected_model)).invoke({"messages": ["Prove it."]})

    by_text = choice(chat.router).invoke("Prove it.", {"configurable": {"routing": {"force_model": "smart"}}})

    assert isinstance(by_chat, RoutingDecision)
    assert by_chat.selected_model == by_router == "lab:fast"
    assert by_text.selected_model == "lab:smart"
    assert wire.seen == []


def test_models_may_be_given_as_instances_of_any_class(wire: WireServer) -> None:
    """Chat models in a row make a pool named by provider and name; two of a name are told apart."""
    first = ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k", max_retries=5)
    second = ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k", temperature=0.5)

    chat = ChatCrewRouter(models=[first, second])

    assert [model.ref for model in chat.router.models] == ["openai:fast", "openai:fast@2"]
    assert chat.invoke("hello").text == "Hello from fast, and you asked: hello"
    chat.router.close()


def test_models_may_be_given_by_name(wire: WireServer) -> None:
    """Names make a pool out of the registry's entries; a fallback outside the pool is left out of it."""
    config = pool(wire, "fast", "smart", "safe")
    config["models"]["lab:fast"] |= {"fallbacks": ["lab:safe"]}

    chat = ChatCrewRouter(models=["lab:fast", "smart"], config=config)

    assert [model.ref for model in chat.router.models] == ["lab:fast", "lab:smart"]
    assert chat.invoke("hello").text == "Hello from fast, and you asked: hello"
    chat.router.close()


def test_sessions_reach_the_decision(chat: ChatCrewRouter) -> None:
    """A session named in ``routing`` stands in the recorded decision."""
    answer = chat.invoke("hello", routing={"session_id": "s1", "cost_budget": 1.0})

    request = chat.router.explain(routing(answer)["decision_id"]).request
    assert (request.session_id, request.cost_budget) == ("s1", 1.0)


def test_chunks_are_messages_of_langchain(chat: ChatCrewRouter) -> None:
    """A stream ends with a chunk that says it is the last."""
    chunks = list(chat.stream("hello"))

    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert [chunk.chunk_position for chunk in chunks].index("last") == len(chunks) - 1


def test_tokens_are_counted_without_a_download(chat: ChatCrewRouter) -> None:
    """Counting needs no tokenizer from the internet."""
    assert 5 <= chat.get_num_tokens("four characters a token") <= 8
    assert chat.get_num_tokens_from_messages([HumanMessage("hello")]) > 0
