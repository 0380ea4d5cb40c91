"""CPU time that routing adds to a LangChain call, beside what ``with_fallbacks`` adds, in one run on one machine.

Goal: the chat model adds at most what ``with_fallbacks`` adds plus our own ``select_model``. All cases call the same fake
model without I/O, in turns; the least CPU time of the rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from crew_router import Router, RoutingRequest
from crew_router_langchain import ChatCrewRouter

_PROMPT = "Write a function that merges two sorted lists."
_CHUNKS = 16


class Fake(BaseChatModel):
    """A chat model that answers at once."""

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:  # noqa: ARG002 - LangChain's signature
        return ChatResult(generations=[ChatGeneration(message=AIMessage("done"))])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages, stop, run_manager, **kwargs)

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[ChatGenerationChunk]:  # noqa: ARG002 - as above
        for number in range(_CHUNKS):
            last = {"finish_reason": "stop"} if number == _CHUNKS - 1 else None
            yield ChatGenerationChunk(message=AIMessageChunk(content="word "), generation_info=last)

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, stop, run_manager, **kwargs):
            yield chunk


@dataclass(frozen=True)
class Case:
    """One way to call: a name and a function that calls so many times."""

    name: str
    run: Callable[[int], None]


def main() -> None:
    """Print CPU microseconds a call for each case, what each adds to the bare model, and whether the goal holds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    bare, models = Fake(), {f"lab:m{number}": Fake() for number in range(4)}
    with Router(models=models, ledger_url="sqlite://") as router:
        chat = ChatCrewRouter(router=router)
        figures = measured(cases(bare, bare.with_fallbacks([Fake(), Fake(), Fake()]), chat), options)
        request = RoutingRequest(task_description=_PROMPT)
        core = [
            Case("select_model", lambda times: repeated(lambda: router.select_model(request), times)),
            Case("Router.invoke", lambda times: repeated(lambda: router.invoke(_PROMPT), times)),
        ]
        figures |= measured(core, options)
    report(figures)


def cases(bare: BaseChatModel, wrapped: Any, chat: ChatCrewRouter) -> list[Case]:
    """Return every model in every way to call."""
    made = []
    for name, model in (("bare", bare), ("with_fallbacks", wrapped), ("ChatCrewRouter", chat)):
        made.append(Case(f"{name} invoke", lambda times, model=model: repeated(lambda: model.invoke(_PROMPT), times)))
        made.append(Case(f"{name} ainvoke", lambda times, model=model: asyncio.run(awaited(model, times))))
        made.append(Case(f"{name} stream", lambda times, model=model: repeated(lambda: list(model.stream(_PROMPT)), times)))
        made.append(Case(f"{name} astream", lambda times, model=model: asyncio.run(streamed(model, times))))
    return made


def repeated(call: Callable[[], object], times: int) -> None:
    """Call so many times."""
    for _ in range(times):
        call()


async def awaited(model: Any, times: int) -> None:
    """Await so many answers."""
    for _ in range(times):
        await model.ainvoke(_PROMPT)


async def streamed(model: Any, times: int) -> None:
    """Read so many streams."""
    for _ in range(times):
        async for _chunk in model.astream(_PROMPT):
            pass


def measured(listed: list[Case], options: argparse.Namespace) -> dict[str, float]:
    """Return the least CPU microseconds a call of each case."""
    least_us = {case.name: float("inf") for case in listed}
    for case in listed:
        case.run(20)
    for _ in range(options.rounds):
        for case in listed:
            before = time.process_time()
            case.run(options.calls)
            least_us[case.name] = min(least_us[case.name], (time.process_time() - before) / options.calls * 1e6)
    return least_us


def report(figures: dict[str, float]) -> None:
    """Print the table and the goal."""
    for name, cpu_us in figures.items():
        print(f"{cpu_us:9.1f} us  {name}")
    for way in ("invoke", "ainvoke", "stream", "astream"):
        bare = figures[f"bare {way}"]
        ours, theirs = figures[f"ChatCrewRouter {way}"] - bare, figures[f"with_fallbacks {way}"] - bare
        allowed = theirs + figures["select_model"]
        verdict = "met" if ours <= allowed else "missed"
        print(f"{way:8} adds {ours:7.1f} us; with_fallbacks {theirs:7.1f} + select_model = {allowed:7.1f} us allowed: {verdict}")


if __name__ == "__main__":
    main()
