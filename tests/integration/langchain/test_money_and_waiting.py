# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
"""Usage and money over the wire, waits that providers ask for, and time."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from langchain_pools import pool
from wire_errors import google, openai
from wire_server import Fault, WireServer
from wire_streams import chunk, completed, streamed, used, words

from crew_router import Router, RoutingRequest
from crew_router.types import ModelDefinition, ModelRef, Price, PriceTier
from crew_router_langchain import ChatCrewRouter
from crew_router_langchain.transport import LangChainTransport

FAST = ModelRef("lab:fast")


def attempt_of(config: dict[str, Any], **bound: Any) -> dict[str, Any]:
    """Return the record of the first call for one question."""
    with Router(config) as router:
        return ChatCrewRouter(router=router).bind(**bound).invoke("hello").response_metadata["crew_router"]["attempts"][0]


COUNTS = {
    "thinking outside, in the total": (used(10, 10, total=60, completion_tokens_details={"reasoning_tokens": 40}), (10, 50)),
    "thinking outside, not in the total": (used(10, 10, total=20, completion_tokens_details={"reasoning_tokens": 40}), (10, 50)),
    "thinking outside, without a detail": (used(10, 10, total=60), (10, 50)),
    "thinking inside": (used(10, 50, completion_tokens_details={"reasoning_tokens": 40}), (10, 50)),
    "flex": (used(10, 50, completion_tokens_details={"reasoning_tokens": 40}), (10, 50)),
}


@pytest.mark.parametrize(("usage", "tokens"), COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_thinking_is_counted_once(wire: WireServer, usage: Any, tokens: tuple[int, int], way: str) -> None:
    """What was thought is in the output, whoever counts it outside."""
    wire.break_model("fast", completed({"content": "x"}, usage=usage) if way == "invoke" else streamed(*words("x"), chunk({}, finish="stop"), chunk(usage=usage)))

    with Router(pool(wire, "fast")) as router:
        chat = ChatCrewRouter(router=router)
        answer = chat.invoke("hello") if way == "invoke" else sum(list(chat.stream("hello"))[1:], next(iter(chat.stream("hello"))))
        told = answer.response_metadata["crew_router"]["attempts"][0]

    assert (told["input_tokens"], told["output_tokens"]) == tokens


def test_xais_client_behind_a_gateway_that_counted_already(transport: LangChainTransport, wire: WireServer) -> None:
    """XAI's client adds what was thought; where the total shows that it was in already, it is taken out again."""
    model = ModelDefinition(ModelRef("xai:fast"), provider="xai", model="fast", base_url=wire.openai_url, api_key="k")
    wire.break_model("fast", completed({"content": "x"}, usage=used(10, 50, completion_tokens_details={"reasoning_tokens": 40})))
    inside = transport.fit(_hello(), model).complete()
    wire.break_model("fast", completed({"content": "x"}, usage=used(10, 10, total=60, completion_tokens_details={"reasoning_tokens": 40})))
    outside = transport.fit(_hello(), model).complete()

    assert [reply.usage.output_tokens for reply in (inside, outside) if reply.usage] == [50, 50]


def _hello() -> Any:
    from crew_router.types.transport import Payload

    return Payload(("hello",))


def test_cache_writes_have_their_own_price(wire: WireServer) -> None:
    """What is put into Anthropic's cache for minutes and for an hour costs what the provider charges, whole and streamed."""
    usage = {
        "input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
    }  # fmt: skip
    body = {
        "id": "m", "type": "message", "role": "assistant", "model": "fast", "content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    wire.break_model("fast", Fault(body=json.dumps(body)))
    config = pool(wire, "fast", provider="anthropic")
    config["models"]["lab:fast"]["price"] = {"input": 1.0, "output": 5.0, "cached_input": 0.1, "cache_write": 1.25, "cache_write_1h": 2.0}

    told = attempt_of(config)

    assert told["input_tokens"] == 4100
    assert told["cost_usd"] == pytest.approx((100 * 1.0 + 1000 * 0.1 + 1000 * 1.25 + 2000 * 2.0 + 10 * 5.0) / 1e6)


def test_cache_rates_follow_the_tier() -> None:
    """A tier without rates of its own for cache writes charges them as many times its input as the base price does."""
    price = Price(1.0, 5.0, 0.1, cache_write=1.25, cache_write_1h=2.0, tiers=(PriceTier(1000, 2.0, 10.0),))

    assert price.cost_nano(input_tokens=2000, output_tokens=0, cache_write_tokens=1000, cache_write_1h_tokens=1000) == 1000 * 2500 + 1000 * 4000


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused(rate: float) -> None:
    """A negative price would refund a budget."""
    with pytest.raises(ValueError, match="price"):
        Price(rate, 1.0)
    with pytest.raises(ValueError, match="price"):
        Price(1.0, 1.0, rate)


LIES = {
    "negative input": used(-5000, 5),
    "negative output": used(5, -100_000),
    "far too much": used(5, 10**12),
    "beyond the database": used(10**20, 5),
    "more input than the question": used(5_000_000, 5),
    "cache larger than the input": used(5, 5, prompt_tokens_details={"cached_tokens": 10**9}),
}


@pytest.mark.parametrize("usage", LIES.values(), ids=LIES)
def test_usage_that_lies_neither_refunds_nor_empties_a_budget(wire: WireServer, usage: Any, tmp_path: Path) -> None:
    """What cannot be is replaced by our own count, marked as an estimate, told in the record, and kept by the database."""
    wire.break_model("fast", completed({"content": "Hello"}, usage=usage))
    config = pool(wire, "fast") | {"ledger": {"url": f"sqlite:///{tmp_path}/ledger.db"}, "budgets": {"day": 0.5}}
    with Router(config) as router:
        before = router.budget_remaining("day")
        answer = ChatCrewRouter(router=router).invoke("hello")
        after = router.budget_remaining("day")
    told = answer.response_metadata["crew_router"]["attempts"][0]

    assert before is not None
    assert after is not None
    assert 0 < before - after < 0.001
    assert 0 < told["cost_usd"] < 0.001
    assert 0 <= told["input_tokens"] < 20_100


WAITS = {
    "seconds": Fault(status=429, headers={"retry-after": "30"}),
    "milliseconds": Fault(status=429, headers={"retry-after-ms": "30000"}),
    "a date": Fault(status=429, headers={"retry-after": "Tue, 01 Dec 2099 00:00:30 GMT", "date": "Tue, 01 Dec 2099 00:00:00 GMT"}),
    "openai's reset": Fault(status=429, headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30s"}),
    "a sentence": Fault(status=429, body=json.dumps(openai("Rate limit reached for x. Please try again in 30s.", "rate_limit_exceeded", "tokens"))),
    "an overload with a wait": Fault(status=503, headers={"retry-after": "30"}),
}


@pytest.mark.parametrize("fault", WAITS.values(), ids=WAITS)
def test_a_wait_that_was_asked_for_is_kept_for_later_requests(wire: WireServer, fault: Fault) -> None:
    """The limited model is called once; the three requests after it go elsewhere at once."""
    wire.break_model("fast", fault)
    with Router(pool(wire, "fast", "smart")) as router:
        chat = ChatCrewRouter(router=router)
        for _ in range(4):
            chat.invoke("hello")
        states = router.check_health()["models"]

    assert wire.models_called() == ["fast", "smart", "smart", "smart", "smart"]
    assert "limit/lab:fast" in states["lab:fast"]
    assert states["lab:smart"] == "ready"


def test_a_limited_model_is_called_again_once_the_wait_is_over(wire: WireServer) -> None:
    """After the seconds that it asked for, the better model answers again."""
    wire.break_model("fast", Fault(status=429, headers={"retry-after-ms": "400"}, times=1))
    with Router(pool(wire, "fast", "smart")) as router:
        chat = ChatCrewRouter(router=router)
        chat.invoke("hello")
        time.sleep(0.5)
        answers = [ChatCrewRouter(router=router, model="lab:fast").invoke("hello").text for _ in range(2)]

    assert all(text.startswith("Hello from fast") for text in answers)


def test_the_only_model_is_waited_for(wire: WireServer) -> None:
    """With nobody else there, a later request waits as long as the provider asked, and is not sent before."""
    wire.break_model("fast", Fault(status=429, headers={"retry-after-ms": "600"}, times=1))
    with Router(pool(wire, "fast") | {"attempts": {"retries": 0}}) as router:
        chat = ChatCrewRouter(router=router)
        with pytest.raises(Exception, match=r"."):
            chat.invoke("hello", max_retries=0)
        began = time.monotonic()
        answer = chat.invoke("hello")

    assert answer.text.startswith("Hello from fast")
    assert time.monotonic() - began > 0.4


def test_googles_retry_info_is_read(transport: LangChainTransport, wire: WireServer) -> None:
    """The wait stands in the body, and only there."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
    wire.break_model("fast", Fault(status=429, body=json.dumps(google(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", info))))
    model = ModelDefinition(ModelRef("google_genai:fast"), provider="google_genai", model="fast", base_url=wire.url, api_key="k")

    with pytest.raises(Exception, match=r".") as raised:
        transport.fit(_hello(), model).complete()

    assert transport.classify(raised.value).retry_after_s == 34.5


def test_a_wait_is_kept_across_processes(wire: WireServer, tmp_path: Path) -> None:
    """Another router over the same state does not call the limited model first."""
    wire.break_model("fast", Fault(status=429, headers={"retry-after": "30"}))
    shared = f"sqlite:///{tmp_path}/state.db"
    with Router(pool(wire, "fast", "smart"), state_url=shared) as first:
        ChatCrewRouter(router=first).invoke("hello")
    with Router(pool(wire, "fast", "smart"), state_url=shared) as second:
        ChatCrewRouter(router=second).invoke("hello")

    assert wire.models_called() == ["fast", "smart", "smart"]


@pytest.mark.parametrize(("provider", "left", "reset"), [
    ("openai", "x-ratelimit-remaining-requests", ("x-ratelimit-reset-requests", "20s")),
    ("anthropic", "anthropic-ratelimit-requests-remaining", ("anthropic-ratelimit-requests-reset", (datetime.now(UTC) + timedelta(hours=1)).isoformat())),
])  # fmt: skip
@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_a_window_that_an_answer_says_is_used_up_is_believed(wire: WireServer, provider: str, left: str, reset: tuple[str, str], way: str) -> None:
    """A good answer that leaves no request in the window sends the next one elsewhere, before it is refused."""
    wire.break_model("fast", Fault(headers={left: "0", reset[0]: reset[1]}))
    with Router(pool(wire, "fast", "smart", provider=provider)) as router:
        chat = ChatCrewRouter(router=router)
        for _ in range(2):
            chat.invoke("hello") if way == "invoke" else list(chat.stream("hello"))

    assert wire.models_called() == ["fast", "smart"]


def test_a_clients_own_timeout_is_obeyed(wire: WireServer) -> None:
    """The smaller of the client's seconds and ours holds."""
    wire.break_model("slow", Fault(delay_s=2.5))
    slow = ChatOpenAI(model="slow", base_url=wire.openai_url, api_key="k", timeout=0.3)
    well = ChatOpenAI(model="smart", base_url=wire.openai_url, api_key="k")
    models = {"one:slow": slow, "two:smart": well}
    began = time.monotonic()
    with Router({"registry": "none", "ledger": {"url": "sqlite://"}}, models=models) as router:
        answer = router.invoke("hello", request=RoutingRequest(force_model="one:slow"))

    assert answer.text.startswith("Hello from smart")
    assert time.monotonic() - began < 2.0


def test_a_proxy_named_by_the_environment_is_asked_for_usage(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_BASE_URL moves OpenAI's client to a server that sends a stream's usage only when it is asked to."""
    monkeypatch.setenv("OPENAI_BASE_URL", wire.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    entry = {"provider": "openai", "model": "fast", "price": {"input": 1.0, "output": 2.0}, "quality": 0.5}
    with Router({"registry": "none", "ledger": {"url": "sqlite://"}, "models": {"openai:fast": entry}}) as router:
        first, *rest = ChatCrewRouter(router=router).stream("hello")
    answer: Any = sum(rest, first)
    mine = ChatOpenAI(model="fast", base_url=wire.openai_url, api_key="k")
    with Router({"registry": "none", "ledger": {"url": "sqlite://"}}, models={"one:fast": mine}) as router:
        first, *rest = ChatCrewRouter(router=router).stream("hello")
    own: Any = sum(rest, first)

    assert answer.usage_metadata["output_tokens"] > 0
    assert own.usage_metadata["output_tokens"] > 0
