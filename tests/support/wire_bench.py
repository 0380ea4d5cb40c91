"""Builds executors that call the fault server through real langchain-openai clients."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from execute_bench import Notebook, decision_for

from crew_router.errors import CrewRouterError
from crew_router.execute.attempts import Services
from crew_router.execute.executor import Executor, Options
from crew_router.execute.policy import BackOff, ExecutionPolicy
from crew_router.execute.transports import Transports
from crew_router.testing.fault_server import FaultServer
from crew_router.types import ModelDefinition, ModelRef, Price, Reading, RoutedResponse, RoutingDecision, RoutingRequest
from crew_router.types.clock import SystemClock
from crew_router.types.transport import Payload

IMPATIENT = ExecutionPolicy(attempt_timeout_s=2.0, stall_s=0.4, back_off=BackOff(first_s=0.01, longest_s=0.05))
PRICES = {"a": (1.0, 2.0), "b": (3.0, 15.0), "c": (0.1, 0.4)}


@dataclass
class WireBench:
    """An executor over models of a fault server; ``models`` are tried in their order."""

    server: FaultServer
    transports: Transports
    models: str = "ab"
    policy: ExecutionPolicy = IMPATIENT
    notebook: Notebook = field(default_factory=Notebook)

    def __post_init__(self) -> None:
        """Build the registry and the executor."""
        self.registry = {ModelRef(f"wire:{name}"): self.entry(name) for name in self.models}
        services = Services(self.registry.__getitem__, self.transports, SystemClock(), recorder=self.notebook)
        self.executor = Executor(services, policy=self.policy, rng=random.Random(1))

    def entry(self, name: str) -> ModelDefinition:
        """Return the registry entry of a model of the server."""
        return ModelDefinition(
            ModelRef(f"wire:{name}"),
            provider="openai",
            model=name,
            base_url=self.server.url,
            api_key="key",
            price=Price(*PRICES[name]),
            prefill=True,
        )

    def decision(self) -> RoutingDecision:
        """Return a decision for the models in their order."""
        first, *others = self.registry
        decision = decision_for(first, tuple(others), request=RoutingRequest())
        tokens = {"input_tokens": Reading(4, 1.0, "caller"), "expected_output_tokens": Reading(55, 1.0, "caller")}
        return dataclasses.replace(decision, profile=dataclasses.replace(decision.profile, **tokens))

    async def answer(self, way: str, payload: Payload, options: Options | None = None) -> tuple[str, RoutedResponse]:
        """Return the text that a caller saw and the response, in one of the four ways."""
        decision = self.decision()
        if way == "run":
            response = self.executor.run(decision, payload, options=options)
            return response.text, response
        if way == "arun":
            response = await self.executor.arun(decision, payload, options=options)
            return response.text, response
        if way == "stream":
            chunks = list(self.executor.stream(decision, payload, options=options))
        else:
            chunks = [chunk async for chunk in self.executor.astream(decision, payload, options=options)]
        response = chunks[-1].response
        assert response is not None
        return shown([(chunk.text, chunk.reset) for chunk in chunks]), response

    async def broken(self, payload: Payload, options: Options) -> tuple[str, CrewRouterError | None]:
        """Return what a consumer saw of a stream that ends in an error, and the error."""
        seen: list[tuple[str, bool]] = []
        try:
            async for chunk in self._stream(payload, options):
                seen.append(chunk)  # noqa: PERF401 - what came before an error counts
        except CrewRouterError as error:
            return shown(seen), error
        return shown(seen), None

    async def _stream(self, payload: Payload, options: Options) -> AsyncIterator[tuple[str, bool]]:
        async for chunk in self.executor.astream(self.decision(), payload, options=options):
            yield chunk.text, chunk.reset


def shown(seen: list[tuple[str, bool]]) -> str:
    """Return the text that a consumer has after all its chunks."""
    text = ""
    for piece, reset in seen:
        text = "" if reset else text + piece
    return text
