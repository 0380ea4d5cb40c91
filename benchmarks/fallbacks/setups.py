"""Runs one way of falling back against the fault server; started by ``faults.py`` once a way, each in its own process.

Prints one JSON object a cell: what the caller got, and how long it took. Every setup has its library's defaults and a client
timeout of one second; each cell has models of its own, so that no setup is helped by what it learnt in another cell.
"""

# ruff: noqa: PLC0415 - each setup imports its own library only

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

Ask = Callable[[str, str, bool], Awaitable[str]]
TIMEOUT_S = 1.0
PROMPT = "Name some words."


def crew_router(url: str) -> Ask:
    """Return crew-router with a router of its own for each cell."""
    from crew_router import Router, RoutingRequest

    def entry(model: str, quality: float) -> dict[str, Any]:
        price = {"input": 1.0, "output": 2.0}
        return {"provider": "openai", "model": model, "base_url": url, "api_key": "k", "price": price, "quality": quality}

    async def ask(dead: str, well: str, stream: bool) -> str:
        models = {"one:dead": entry(dead, 0.9), "two:well": entry(well, 0.5)}
        attempts = {"timeout_s": TIMEOUT_S, "stall_s": TIMEOUT_S}
        router = Router({"registry": "none", "models": models, "attempts": attempts}, ledger_url="sqlite://")
        request = RoutingRequest(force_model="one:dead")
        try:
            if not stream:
                return (await router.ainvoke(PROMPT, request=request)).text
            return "".join([chunk.text async for chunk in router.astream(PROMPT, request=request)])
        finally:
            await router.aclose()

    return ask


def _chat(url: str, model: str) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=model, base_url=url, api_key="k", timeout=TIMEOUT_S, stream_usage=True)


def with_fallbacks(url: str) -> Ask:
    """Return LangChain's ``with_fallbacks``."""

    async def ask(dead: str, well: str, stream: bool) -> str:
        chain = _chat(url, dead).with_fallbacks([_chat(url, well)])
        if not stream:
            return str((await chain.ainvoke(PROMPT)).text)
        return "".join([str(chunk.text) async for chunk in chain.astream(PROMPT)])

    return ask


def middleware(url: str) -> Ask:
    """Return LangChain's ``create_agent`` with ``ModelFallbackMiddleware``."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelFallbackMiddleware

    async def ask(dead: str, well: str, stream: bool) -> str:
        agent = create_agent(_chat(url, dead), middleware=[ModelFallbackMiddleware(_chat(url, well))])
        asked: Any = {"messages": [{"role": "user", "content": PROMPT}]}
        if not stream:
            return str((await agent.ainvoke(asked))["messages"][-1].text)
        return "".join([str(piece[0].text) async for piece in agent.astream(asked, stream_mode="messages")])

    return ask


def litellm(url: str) -> Ask:
    """Return LiteLLM's Router with a fallback."""
    from litellm import Router

    def deployment(name: str, model: str) -> dict[str, Any]:
        return {"model_name": name, "litellm_params": {"model": f"openai/{model}", "api_base": url, "api_key": "k", "timeout": TIMEOUT_S}}

    async def ask(dead: str, well: str, stream: bool) -> str:
        router = Router(model_list=[deployment("first", dead), deployment("second", well)], fallbacks=[{"first": ["second"]}])
        messages: Any = [{"role": "user", "content": PROMPT}]
        answer: Any = await router.acompletion(model="first", messages=messages, stream=stream)
        if not stream:
            return answer.choices[0].message.content or "" if answer.choices else ""
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])

    return ask


def pydantic_ai(url: str) -> Ask:
    """Return pydantic-ai's ``FallbackModel``."""
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def model(name: str) -> Any:
        return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=AsyncOpenAI(base_url=url, api_key="k", timeout=TIMEOUT_S)))

    async def ask(dead: str, well: str, stream: bool) -> str:
        agent = Agent(FallbackModel(model(dead), model(well)))
        if not stream:
            return (await agent.run(PROMPT)).output
        async with agent.run_stream(PROMPT) as result:
            return "".join([text async for text in result.stream_text(delta=True)])

    return ask


SETUPS: dict[str, Callable[[str], Ask]] = {
    "crew-router": crew_router,
    "litellm": litellm,
    "with_fallbacks": with_fallbacks,
    "middleware": middleware,
    "pydantic-ai": pydantic_ai,
}


async def main(name: str, url: str, cells: list[tuple[str, bool]]) -> None:
    """Run every cell of one setup, after one good call that pays for the imports."""
    ask = SETUPS[name](url)
    await ask(f"{name}--warm", f"{name}--well", False)
    await ask(f"{name}--warm", f"{name}--well", True)
    for fault, stream in cells:
        dead, well = cell_models(name, fault, stream=stream)
        began = time.perf_counter()
        outcome: dict[str, Any] = {"fault": fault, "stream": stream}
        try:
            outcome["text"] = await ask(dead, well, stream)
        except Exception as error:  # noqa: BLE001 - whatever a library raises is its result
            outcome["error"] = type(error).__name__
        outcome["seconds"] = time.perf_counter() - began
        print(json.dumps(outcome), flush=True)


def cell_models(setup: str, fault: str, *, stream: bool) -> tuple[str, str]:
    """Return the names of the dead and the healthy model of a cell."""
    cell = f"{setup}--{fault}--{'stream' if stream else 'plain'}"
    return f"{cell}--dead", f"{cell}--well"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], [(fault, stream) for fault, stream in json.loads(sys.argv[3])]))
