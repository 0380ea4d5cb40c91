"""Breakers, limits and budgets by themselves, at a random pace; what they promise is kept beside them in the plainest way.

``python tests/simulation/gate_world.py SEED breaker|limits|budget`` replays one seed. How they work together under real flows is
``shared_world``'s matter.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import sys
from collections.abc import Callable

from execute_bench import decision_for
from simulation.shared_world import OneBudget

from crew_router.errors import BudgetExceededError
from crew_router.execute.admission.budget import BudgetCheck, BudgetPermit, cost_of
from crew_router.execute.admission.concurrency import ConcurrencyLimiter, Slot, Waiting
from crew_router.execute.admission.protocol import CallRequest
from crew_router.execute.protocol import Refusal
from crew_router.record.ledger.budgets import Scope
from crew_router.record.state.breaker import CLOSED, HARMLESS, Breaker, BreakerPolicy, abandoned, admission, probing
from crew_router.record.state.breakers import changes_of
from crew_router.record.state.observation import Observation
from crew_router.record.state.opening import open_state
from crew_router.testing import FrozenClock
from crew_router.types import (
    Attempt,
    ErrorKind,
    Limits,
    ModelDefinition,
    ModelRef,
    Price,
    Reading,
    RoutingDecision,
    RoutingRequest,
    Urgency,
    Usage,
)

KEYS = ("a:one", "a:two", "a", "key")
ERRORS = (ErrorKind.OVERLOAD, ErrorKind.OVERLOAD, ErrorKind.TIMEOUT, ErrorKind.AUTH, ErrorKind.INVALID_REQUEST, ErrorKind.CONTENT_POLICY)
STEPS = 8
RANK = (Urgency.INTERACTIVE, Urgency.NORMAL, Urgency.BATCH)
REPLAY = "PYTHONPATH=.:tests/support python tests/simulation/gate_world.py {{seed}} {kind}"


class BreakerWorld:
    """Two models of one provider behind one key, and calls that end well or badly."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        rng = self.rng
        self.policy = BreakerPolicy(
            failures=rng.choice([2, 3, 5]), least=rng.choice([4, 10]), open_s=60.0, longest_s=rng.choice([100.0, 1800.0])
        )
        self.records: dict[str, Breaker] = {}
        self.now = 1000.0
        self.row = dict.fromkeys(KEYS[:2], 0)
        self.probes: dict[str, float] = {}

    def run(self) -> None:
        """Let calls end, claim and lose probes, and let time pass."""
        for _ in range(STEPS):
            self.now += self.rng.choice([0.0, 0.1, 5.0, 59.0, 70.0])
            self.rng.choice([self.call, self.call, self.call, self.probe, self.lose])()

    def call(self) -> None:
        """End a call of a model, admitted or not: calls that began before an opening end after it."""
        model = self.rng.choice(KEYS[:2])
        error = None if self.rng.random() < 0.4 else self.rng.choice(ERRORS)
        before = dict(self.records)
        seen = Observation(ModelRef(model), "general", success=error is None, at=self.now, error=error, credential="key")
        self.records.update(changes_of(self.records, seen, policy=self.policy, jitter=self.rng.random()))
        self._check_call(model, error, before)

    def probe(self) -> None:
        """Claim a probe."""
        key = self.rng.choice(KEYS)
        was = self.records.get(key, CLOSED)
        claimed = probing(was, at=self.now, lease_s=30.0)
        may = admission(was.state(key), at=self.now)
        assert (claimed is not None) == (may == "probe"), f"admission says {may!r}"
        if claimed is not None:
            assert self.probes.get(key, 0.0) <= self.now, "two probes at once"
            assert self.now >= (was.retry_at or 0.0), "a probe before its time"
            self.records[key], self.probes[key] = claimed, self.now + 30.0
            assert probing(claimed, at=self.now, lease_s=30.0) is None, "a second probe"

    def lose(self) -> None:
        """Give back a probe whose call was not made."""
        key = self.rng.choice(KEYS)
        after = abandoned(self.records.get(key, CLOSED), at=self.now)
        if key in self.probes and after.phase == "open":
            del self.probes[key]
        if key in self.records:
            self.records[key] = after

    def _check_call(self, model: str, error: ErrorKind | None, before: dict[str, Breaker]) -> None:
        was, now = before.get(model, CLOSED), self.records.get(model, CLOSED)
        if error in HARMLESS or error is ErrorKind.AUTH:  # a refused key counts against its credential alone
            assert now.phase == ("open" if was.phase == "half_open" else was.phase), "a caller's mistake moved a breaker"
        elif error is None:
            self.row[model] = 0
            assert now.phase == ("closed" if was.phase == "half_open" else was.phase), f"a success led from {was.phase} to {now.phase}"
        else:
            self.row[model] += 1
            assert now.phase == "open" or self.row[model] < self.policy.failures, "a row of failures, and still called"
        if error is ErrorKind.AUTH:
            assert self.records["key"].phase == "open", "a refused key is still used"
        for key, record in self.records.items():
            self._check_record(key, before.get(key, CLOSED), record)
        if record_is_new(before, self.records, "a"):
            assert sum(self.records.get(each, CLOSED).phase == "open" for each in KEYS[:2]) == 2, "a provider opened for one model"

    def _check_record(self, key: str, was: Breaker, now: Breaker) -> None:
        if now.phase != "half_open":
            self.probes.pop(key, None)
        if now.phase == "closed":
            assert admission(now.state(key), at=self.now) == "call", "closed, and not called"
        if now.openings > was.openings:
            lasts_s = (now.retry_at or 0.0) - self.now
            least = min(self.policy.open_s * 2.0**was.openings, self.policy.longest_s)
            assert least <= lasts_s <= 1.1 * least + 1e-6, f"open for {lasts_s} s after {was.openings} openings"


def record_is_new(before: dict[str, Breaker], after: dict[str, Breaker], key: str) -> bool:
    """Tell whether a breaker opened for the first time in a row."""
    return before.get(key, CLOSED).phase == "closed" and after.get(key, CLOSED).phase == "open"


class LimitsWorld:
    """Calls that want a place at one model and its windows."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = FrozenClock()
        self.limit, self.rpm = self.rng.choice([1, 2, 3]), self.rng.choice([None, 2, 5])
        self.capacity = ConcurrencyLimiter(self.clock, open_state("memory://", project="s", clock=self.clock, rng=self.rng))
        limits = Limits(concurrency=self.limit, rpm=self.rpm, tpm=self.rng.choice([None, 60]))
        self.model = ModelDefinition(ModelRef("a:one"), provider="a", model="one", limits=limits)
        self.running: list[Slot] = []
        self.queue: list[tuple[tuple[int, float, int], Waiting]] = []
        self.served: list[Waiting] = []
        self.began: list[float] = []
        self.came = 0

    def run(self) -> None:
        """Let calls come, wait, give up, run and end."""
        for _ in range(STEPS):
            self.clock.advance(self.rng.choice([0.0, 0.0, 1.0, 20.0]))
            self.rng.choice([self.come, self.come, self.leave, self.give_up])()
            self._check()
        while self.running or self.queue:
            (self.leave if self.running else self.give_up)()
            self._check()
        ref = self.model.ref
        assert self.capacity.running(ref) == self.capacity.waiting(ref) == 0, "a place was never left"
        if self.rpm is not None:
            # A sliding window counts the tail of the one before in proportion, so that twice the limit is the certain bound.
            assert all(sum(at <= each < at + 60.0 for each in self.began) <= 2 * self.rpm for at in self.began), "more calls a minute"

    def come(self) -> None:
        """Ask for a place."""
        rank, deadline_s, last = self.rng.randrange(3), self.rng.choice([None, 5.0, 50.0]), self.rng.random() < 0.4
        ask = ask_of(self.model, rank, deadline_s)
        full = len(self.running) >= self.limit
        seat = self.capacity.enter(ask, last=last)
        if isinstance(seat, Slot):
            assert not full, "one call more than the limit"
            self._begin(seat, ask)
        elif isinstance(seat, Waiting):
            assert full, "a call waits before a free place"
            self.came += 1
            at = float("inf") if deadline_s is None else self.clock.monotonic() + deadline_s
            self.queue.append(((rank, at, self.came), seat))
            seat.subscribe(functools.partial(self.served.append, seat))
        else:
            assert isinstance(seat, Refusal)
            assert not last, "the last model refused a call that could wait"
            assert len(self.running) + len(self.queue) >= 1.25 * self.limit, "a call overflowed before there were many"

    def leave(self) -> None:
        """End a call; who is first in line takes its place."""
        if not self.running:
            return
        self.running.pop(self.rng.randrange(len(self.running))).settle(None, spent=None)
        if not self.queue:
            assert not self.served
            return
        first = min(self.queue, key=lambda each: each[0])
        assert self.served == [first[1]], "somebody else was served first"
        self.queue.remove(first)
        self.served.clear()
        self.running.append(first[1].slot)

    def give_up(self) -> None:
        """Wait no longer."""
        if self.queue:
            _, queued = self.queue.pop(self.rng.randrange(len(self.queue)))
            queued.give_up()

    def _begin(self, slot: Slot, ask: CallRequest) -> None:
        refused = self.capacity.window(ask)
        if refused is None:
            self.began.append(self.clock.now())
            self.running.append(slot)
            return
        assert (refused.retry_at or 0.0) > self.clock.monotonic(), "full, and no word until when"
        # Nobody waits while a place is free, so nobody is served by this one.
        slot.settle(None, spent=None)
        self.served.clear()

    def _check(self) -> None:
        assert self.capacity.running(self.model.ref) == len(self.running) <= self.limit, "places and calls disagree"
        assert self.capacity.waiting(self.model.ref) == len(self.queue), "the line is not as long as it should be"


class BudgetWorld:
    """Calls of two models at different prices that count against one budget."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        limit_nano = self.rng.choice([2_000_000, 9_000_000, 60_000_000])
        self.scope = Scope("day", limit_nano)
        self.budget = OneBudget(limit_nano)
        self.gate = BudgetCheck(self.budget, lambda _decision, _model: (self.scope,))
        self.models = [
            ModelDefinition(ModelRef(f"a:m{at}"), provider="a", model=f"m{at}", price=price, max_output_tokens=most)
            for at, (price, most) in enumerate([(Price(1.0, 2.0), None), (Price(3.0, 15.0), self.rng.choice([None, 50, 400]))])
        ]
        self.running: list[tuple[BudgetPermit, ModelDefinition]] = []
        self.booked = 0

    def run(self) -> None:
        """Let calls come and end."""
        for _ in range(STEPS):
            (self.come if self.rng.random() < 0.6 else self.end)()
            held = self.budget.spent_nano + sum(self.budget.reserved.values())
            assert held <= self.scope.limit_nano, "more is set aside and spent than there is"
        while self.running:
            self.end()
        self.budget.close()
        assert self.budget.spent_nano == self.booked, f"booked {self.booked}, spent {self.budget.spent_nano}"

    def come(self) -> None:
        """Set money aside for a call, or be told that there is too little."""
        model = self.rng.choice(self.models)
        own = self.rng.choice([None, 5, 900])
        ask = ask_of(model, 1, None, max_tokens=own)
        admission = self.gate.enter(ask)
        if isinstance(admission, Refusal):
            assert isinstance(admission.error, BudgetExceededError), "no word about what is left"
            return
        assert isinstance(admission, BudgetPermit)
        assert admission.max_tokens is not None
        assert admission.max_tokens <= min(own or 10**9, model.max_output_tokens or 10**9), "a longer answer than asked for"
        assert own is None or admission.max_tokens == min(own, model.max_output_tokens or own), "an answer cut against the caller's word"
        upper = self.budget.reserved[admission.reservation.number]
        assert upper >= (cost_of(model, Usage(ask.input_tokens, admission.max_tokens)) or 0), "less set aside than the call may cost"
        self.running.append((admission, model))

    def end(self) -> None:
        """End a call: not made, with its bill, or without."""
        if not self.running:
            return
        admission, model = self.running.pop(self.rng.randrange(len(self.running)))
        how = self.rng.randrange(4)
        usage = Usage(self.rng.randint(0, 10), self.rng.randint(0, admission.max_tokens or 0))
        cost = cost_of(model, usage) or 0
        if how == 0:
            admission.settle(None, spent=None)
            return
        attempt = Attempt(model.ref, number=1, started_at=0.0, latency_s=1.0, usage=usage, cost_nano=cost if how == 1 else None)
        if how == 2:
            admission.settle(dataclasses.replace(attempt, usage=None, cost_nano=0), spent=None)
            return
        admission.settle(attempt, spent=usage)
        self.booked += cost


@functools.lru_cache(maxsize=64)
def decision_of(rank: int, deadline_s: float | None) -> RoutingDecision:
    """Return a decision of some urgency."""
    made = decision_for(ModelRef("a:one"), request=RoutingRequest(deadline_s=deadline_s))
    return dataclasses.replace(made, profile=dataclasses.replace(made.profile, urgency=Reading(RANK[rank], 1.0, "caller")))


def ask_of(model: ModelDefinition, rank: int, deadline_s: float | None, *, max_tokens: int | None = None) -> CallRequest:
    """Return a call that asks to be let in."""
    return CallRequest(decision_of(rank, deadline_s), model, input_tokens=10, max_tokens=max_tokens, lease_s=600.0, force=False)


WORLDS: dict[str, Callable[[int], BreakerWorld | LimitsWorld | BudgetWorld]] = {
    "breaker": BreakerWorld,
    "limits": LimitsWorld,
    "budget": BudgetWorld,
}


def scenario(seed: int, kind: str) -> None:
    """Run one world."""
    WORLDS[kind](seed).run()


def replay(kind: str) -> str:
    """Return the command that replays a seed, with ``{seed}`` in it."""
    return REPLAY.format(kind=kind)


if __name__ == "__main__":
    scenario(int(sys.argv[1]), sys.argv[2])
