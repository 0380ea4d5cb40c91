"""Calls that are given up before they were made: refused in the same moment, or still waiting for the database of a budget."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from dataclasses import dataclass, field

import pytest
from execute_bench import Bench

from crew_router.execute.policy import ConsensusMethod, ConsensusPolicy, ExecutionPolicy
from crew_router.execute.protocol import Refusal
from crew_router.testing import ScriptedModel
from crew_router.types import Latency, Mode
from crew_router.types.transport import Payload

HELLO = Payload(("Say hello.",))
FIRST = ExecutionPolicy(consensus=ConsensusPolicy(ConsensusMethod.FIRST_SUCCESS))
HEDGED = ExecutionPolicy(hedge=1.0, hedge_sync=True)
WAYS = ("run", "arun", "stream", "astream")


class Closed:
    """A gate that lets nobody to the model ``b``."""

    def enter(self, ask):
        """Refuse the model."""
        return Refusal(ask.model.ref, "breaker", "it is open") if ask.model.ref.name == "b" else None


@dataclass
class Database:
    """A gate that waits for its database before a call of any model but the first, until it is told to answer."""

    answers: threading.Event = field(default_factory=threading.Event)
    inside: int = 0
    max_tokens: None = None

    def waits(self, ask):
        """Tell whether the model is another than the first."""
        return ask.model.ref.name != "a"

    def enter(self, ask):
        """Wait, and let the call in."""
        if self.waits(ask):
            assert self.answers.wait(10)
        self.inside += 1
        return self

    def settle(self, attempt, *, spent):  # noqa: ARG002 - the protocol's
        """Let the call out; the first that ends lets the database answer."""
        self.inside -= 1
        self.answers.set()


class Slow(ScriptedModel):
    """A model that is slower than its percentile."""

    def describe(self, ref):
        """State a percentile that the latency exceeds."""
        return dataclasses.replace(super().describe(ref), latency=Latency(p95_s=0.01))


@pytest.mark.parametrize("way", WAYS)
async def test_the_first_success_ends_a_run_in_which_a_member_is_refused(way):
    """A member that a gate refuses in the moment of the verdict does not break the request."""
    bench = Bench({"a": ScriptedModel("one"), "b": ScriptedModel("two"), "c": ScriptedModel("three")}, gates=(Closed(),), policy=FIRST)

    response = await _response(bench, way, mode=Mode.PARALLEL)

    assert (response.text, bench.models["b"].calls) == ("one", 0)


@pytest.mark.parametrize("way", WAYS)
async def test_a_loser_that_still_waits_for_its_budget_is_given_up(way):
    """The winner's answer arrives, the loser is not called, and what is set aside for it comes back."""
    database = Database()
    bench = Bench({"a": ScriptedModel("one", latency_s=0.05), "b": ScriptedModel("two")}, slow=database, policy=FIRST)

    response = await _response(bench, way, mode=Mode.PARALLEL)

    assert ([attempt.model for attempt in response.attempts], bench.models["b"].calls) == (["lab:a"], 0)
    assert await _settled(database)


@pytest.mark.parametrize("way", WAYS)
async def test_a_hedge_that_still_waits_for_its_budget_is_given_up(way):
    """A slow call that answers after all wins against a hedge that was not made yet."""
    database = Database()
    bench = Bench({"a": Slow("one", latency_s=0.1), "b": ScriptedModel("two")}, slow=database, policy=HEDGED)

    response = await _response(bench, way, mode=Mode.SINGLE)

    assert ([attempt.model for attempt in response.attempts], bench.models["b"].calls) == (["lab:a"], 0)
    assert await _settled(database)


async def _settled(database):
    for _ in range(200):
        if database.answers.is_set() and database.inside == 0:
            return True
        await asyncio.sleep(0.01)
    return False


async def _response(bench, way, *, mode):
    decision = bench.decision(mode=mode)
    if way == "run":
        return bench.executor.run(decision, HELLO)
    if way == "arun":
        return await bench.executor.arun(decision, HELLO)
    if way == "stream":
        return [*bench.executor.stream(decision, HELLO)][-1].response
    return [chunk async for chunk in bench.executor.astream(decision, HELLO)][-1].response
