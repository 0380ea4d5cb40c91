"""Runs one way of falling back against the fault server; started by ``faults.py`` once a way, each in its own process.

Prints one JSON object a cell: what the caller got, and how long it took. Every setup has its library's defaults and a client
timeout of one second; each cell has models of its own, so that no setup is helped by what it learnt in another cell. Clients are
warm: both models of a cell have answered once before the fault.
"""



from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Ask = Callable[[bool], Awaitable[str]]
TIMEOUT_S = 1.0
PROMPT = "Name some words."


@dataclass(frozen=True)
class Cell:
    """A dead model with a healthy one behind it: ``ask`` in stream or plain form, ``warm`` both, ``close`` what was opened."""

    ask: Ask
    warm: Callable[[], Awaitable[object]]
    close: Callable[[], Awaitable[object]] | None = None


Setup = Callable[[str, str], Cell]


def crew_router(url: str) -> Setup:
    """Return crew-router with a router of its own for each cell."""
    from crew_router import Router, RoutingRequest

    def entry(model: str, quality: float) -> dict[str, Any]:
        price = {"input": 1.0, "output": 2.0}
        return {"provider": "openai", "model": model, "base_url": url, "api_key": "k", "price": price, "quality": quality, "kwargs": {"timeout": TIMEOUT_S}}

    def cell(dead: str, well: str) -> Cell:
        models = {"one:dead": entry(dead, 0.9), "two:well": entry(well, 0.5)}
        router = Router({"registry": "none", "models": models}, ledger_url="sqlite://")

        async def ask(stream: bool, model: str = "one:dead") -> str:
            request = RoutingRequest(force_model=model)
            if not stream:
                return (await router.ainvoke(PROMPT, request=request)).text
            return "".join([chunk.text async for chunk in router.astream(PROMPT, request=request)])

        async def warm() -> None:
            await ask(False)
            await ask(False, "two:well")

        return Cell(ask, warm, router.aclose)

    return cell


def _chat(url: str, model: str) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=model, base_url=url, api_key="k", timeout=TIMEOUT_S, stream_usage=True)


async def _each(*models: Any) -> None:
    for model in models:
        await model.ainvoke(PROMPT)


def with_fallbacks(url: str) -> Setup:
    """Return LangChain's ``with_fallbacks``."""

    def cell(dead: str, well: str) -> Cell:
        first, second = _chat(url, dead), _chat(url, well)
        chain = first.with_fallbacks([second])

        async def ask(stream: bool) -> str:
            if not stream:
                return str((await chain.ainvoke(PROMPT)).text)
            return "".join([str(chunk.text) async for chunk in chain.astream(PROMPT)])

        return Cell(ask, lambda: _each(first, second))

    return cell


def middleware(url: str) -> Setup:
    """Return LangChain's ``create_agent`` with ``ModelFallbackMiddleware``."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelFallbackMiddleware

    def cell(dead: str, well: str) -> Cell:
        first, second = _chat(url, dead), _chat(url, well)
        agent = create_agent(first, middleware=[ModelFallbackMiddleware(second)])
        asked: Any = {"messages": [{"role": "user", "content": PROMPT}]}

        async def ask(stream: bool) -> str:
            if not stream:
                return str((await agent.ainvoke(asked))["messages"][-1].text)
            return "".join([str(piece[0].text) async for piece in agent.astream(asked, stream_mode="messages")])

        return Cell(ask, lambda: _each(first, second))

    return cell


def litellm(url: str) -> Setup:
    """Return LiteLLM's Router with a fallback."""
    from litellm import Router

    def deployment(name: str, model: str) -> dict[str, Any]:
        return {"model_name": name, "litellm_params": {"model": f"openai/{model}", "api_base": url, "api_key": "k", "timeout": TIMEOUT_S}}

    def cell(dead: str, well: str) -> Cell:
        router = Router(model_list=[deployment("first", dead), deployment("second", well)], fallbacks=[{"first": ["second"]}])
        messages: Any = [{"role": "user", "content": PROMPT}]

        async def ask(stream: bool) -> str:
            answer: Any = await router.acompletion(model="first", messages=messages, stream=stream)
            if not stream:
                return answer.choices[0].message.content or "" if answer.choices else ""
            return "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])

        async def warm() -> None:
            for name in ("first", "second"):
                await router.acompletion(model=name, messages=messages)

        return Cell(ask, warm)

    return cell


def pydantic_ai(url: str) -> Setup:
    """Return pydantic-ai's ``FallbackModel``."""
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def model(name: str) -> Any:
        return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=AsyncOpenAI(base_url=url, api_key="k", timeout=TIMEOUT_S)))

    def cell(dead: str, well: str) -> Cell:
        first, second = model(dead), model(well)
        agent = Agent(FallbackModel(first, second))

        async def ask(stream: bool) -> str:
            if not stream:
                return (await agent.run(PROMPT)).output
            async with agent.run_stream(PROMPT) as result:
                return "".join([text async for text in result.stream_text(delta=True)])

        async def warm() -> None:
            for each in (first, second):
                await Agent(each).run(PROMPT)

        return Cell(ask, warm)

    return cell


SETUPS: dict[str, Callable[[str], Setup]] = {
    "crew-router": crew_router,
    "litellm": litellm,
    "with_fallbacks": with_fallbacks,
    "middleware": middleware,
    "pydantic-ai": pydantic_ai,
}


async def main(name: str, url: str, cells: list[tuple[str, bool]]) -> None:
    """Run every cell of one setup, after good calls that pay for the imports."""
    make = SETUPS[name](url)
    first = make(f"{name}--warm", f"{name}--well")
    await first.ask(False)
    await first.ask(True)
    if first.close is not None:
        await first.close()
    for fault, stream in cells:
        dead, well = cell_models(name, fault, stream=stream)
        cell = make(dead, well)
        await cell.warm()
        began = time.perf_counter()
        outcome: dict[str, Any] = {"fault": fault, "stream": stream}
        try:
            outcome["text"] = await cell.ask(stream)
        except Exception as error:  # noqa: BLE001 - whatever a library raises is its result
            outcome["error"] = type(error).__name__
        outcome["seconds"] = time.perf_counter() - began
        print(json.dumps(outcome), flush=True)
        if cell.close is not None:
            await cell.close()


def cell_models(setup: str, fault: str, *, stream: bool) -> tuple[str, str]:
    """Return the names of the dead and the healthy model of a cell."""
    cell = f"{setup}--{fault}--{'stream' if stream else 'plain'}"
    return f"{cell}--dead", f"{cell}--well"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [(fault, stream) for fault, stream in json.loads(sys.argv[3])]))
