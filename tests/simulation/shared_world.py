"""Many requests that share breakers, places, rate windows, latency promises and a budget, and what must hold between them.

``python tests/simulation/shared_world.py SEED`` replays one seed, with ``real`` behind it over the budgets of a real ledger that two
processes spend.
"""

from __future__ import annotations

import dataclasses
import random
import sys
import tempfile
from dataclasses import dataclass, field

from execute_bench import Observer, decision_for

from crew_router.errors import BudgetExceededError
from crew_router.execute.admission.breaker import BreakerCheck
from crew_router.execute.admission.budget import BudgetCheck, cost_of
from crew_router.execute.admission.concurrency import ConcurrencyLimiter
from crew_router.execute.admission.sla import SlaCheck
from crew_router.execute.attempts import AttemptRunner, Services
from crew_router.execute.flow_context import FlowContext
from crew_router.execute.flows.fallback import fallback
from crew_router.execute.policy import BackOff, ExecutionPolicy
from crew_router.execute.protocol import Answer, Failure
from crew_router.record.ledger.budgets import Reservation, Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.state.opening import open_state
from crew_router.testing import Outcome, ScriptedModel, World
from crew_router.testing.script import Asked
from crew_router.testing.transport import TestingTransport
from crew_router.types import Limits, ModelDefinition, ModelRef, Reading, RoutingRequest, Urgency
from crew_router.types.transport import Payload

PROMPT = Payload(("Go on.",))
TRANSPORT = TestingTransport()
REPLAY = "PYTHONPATH=.:tests/support python tests/simulation/shared_world.py {seed}"
REPLAY_REAL = f"{REPLAY} real"
KINDS = ["overload", "rate_limit", "connection", "empty", "content_policy", "auth", "timeout"]
LIMITS = [60_000, 200_000, 10_000_000]


@dataclass
class OneBudget:
    """A budget in memory that watches itself: what is reserved and spent never exceeds the limit."""

    limit_nano: int
    reserved: dict[int, int] = field(default_factory=dict)
    spent_nano: int = 0
    numbers: int = 0

    def reserve(self, scopes, upper_nano, *, lasts_s=600.0, decision_id=""):  # noqa: ARG002 - the protocol's
        """Set money aside."""
        left = self.limit_nano - self.spent_nano - sum(self.reserved.values())
        if upper_nano > left:
            raise BudgetExceededError("day", limit_usd=self.limit_nano / 1e9, left_usd=left / 1e9, needed_usd=upper_nano / 1e9)
        self.numbers += 1
        self.reserved[self.numbers] = upper_nano
        return Reservation(scopes, upper_nano, number=self.numbers)

    def settle(self, reservation, spent_nano, *, decision_id="", estimated=False):  # noqa: ARG002 - the protocol's
        """Book money."""
        upper = self.reserved.pop(reservation.number)
        assert spent_nano <= upper, "a call cost more than its upper bound"
        self.spent_nano += spent_nano

    def release(self, reservation):
        """Give money back."""
        del self.reserved[reservation.number]

    def close(self):
        """Check that nothing is still set aside."""
        assert not self.reserved, "money is still reserved"


class RealBudget:
    """The budgets of one ledger file that two processes spend by slices."""

    def __init__(self, limit_nano, *, folder, clock):
        self.scope = Scope("day", limit_nano)
        self.books = [open_ledger(f"sqlite:///{folder}/ledger.db", project="simulation", clock=clock) for _ in range(2)]
        self.purses = [book.budgets() for book in self.books]
        self.spent_nano = 0

    def close(self):
        """Read what was spent from the rows, and check that the accounts agree with them and that nothing is held."""
        for book in self.books:
            book.flush()
        self.spent_nano = self.scope.limit_nano - self.purses[0].remaining_nano(self.scope)
        for purse in self.purses:
            purse.close()
        for balance in self.books[0].reconcile():
            assert balance.agrees, f"the account disagrees with its rows: {balance}"
            assert balance.leased_nano == 0, f"money is still held: {balance}"
        for book in self.books:
            book.close()


class WatchedModel(ScriptedModel):
    """A scripted model that knows how many of its calls run, and when they began."""

    def __init__(self, *args, limits: Limits, sla_p95_s: float | None, world: SharedWorld, **keywords) -> None:
        super().__init__(*args, **keywords)
        self.limits, self.sla_p95_s, self.world = limits, sla_p95_s, world
        self.began: list[float] = []

    def describe(self, ref: ModelRef) -> ModelDefinition:
        """Add limits and promise."""
        return dataclasses.replace(super().describe(ref), limits=self.limits, sla_p95_s=self.sla_p95_s)

    def steps(self, asked: Asked):
        """Note the beginning of a call."""
        self.began.append(self.world.world.clock.now())
        return super().steps(asked)


@dataclass
class SharedWorld:
    """Requests of several users over shared limits, everything drawn from a seed."""

    seed: int
    folder: str | None = None
    requests: list[tuple[AttemptRunner, Outcome]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the world."""
        self.rng = random.Random(self.seed)
        self.world = World(self.rng, jitter_s=0.01)
        self.clock = self.world.clock
        self.state = open_state("memory://", project="simulation", clock=self.clock, rng=self.rng)
        self.capacity = ConcurrencyLimiter(self.clock, self.state)
        limit_nano = self.rng.choice(LIMITS)
        self.scope = Scope("day", limit_nano)
        self.budget = OneBudget(limit_nano) if self.folder is None else RealBudget(limit_nano, folder=self.folder, clock=self.clock)
        self.purses = [self.budget] if isinstance(self.budget, OneBudget) else self.budget.purses
        self.promises = SlaCheck(self.rng)
        self.scripted = {ModelRef(f"p{n}:m"): self._model() for n in range(self.rng.randint(1, 3))}
        self.registry = {ref: model.describe(ref) for ref, model in self.scripted.items()}
        self.most_running = dict.fromkeys(self.registry, 0)
        for _ in range(self.rng.randint(3, 12)):
            self._spawn()

    def run(self) -> None:
        """Let everything happen, then check."""
        self.world.run()
        self.state.close()
        self.budget.close()
        assert self.budget.spent_nano <= self.scope.limit_nano, "the budget is overspent"
        for ref, model in self.registry.items():
            self._check_model(ref, model)
        booked = sum(attempt.cost_nano or 0 for runner, _ in self.requests for attempt in runner.attempts)
        assert booked == self.budget.spent_nano, f"the attempts cost {booked}, the budget booked {self.budget.spent_nano}"
        for _, outcome in self.requests:
            assert outcome.ended_at is not None, "a request never ended"
            assert outcome.result is None or isinstance(outcome.result, (Answer, Failure)), "no typed end"

    def _model(self) -> WatchedModel:
        rng = self.rng
        dead = rng.random() < 0.3
        faults = rng.choice(KINDS) if dead else [rng.choice([None, None, *KINDS]) for _ in range(8)]
        limits = Limits(concurrency=rng.choice([None, 1, 2]), rpm=rng.choice([None, None, 3]))
        latency_s, sla_p95_s = rng.choice([0.1, 2.0]), rng.choice([None, 0.5, 5.0])
        return WatchedModel(
            "one two three", usage=(10, 5), latency_s=latency_s, faults=faults, limits=limits, sla_p95_s=sla_p95_s, world=self
        )

    def _lookup(self, ref: ModelRef) -> ModelDefinition:
        self.most_running[ref] = max(self.most_running[ref], self.capacity.running(ref))
        return self.registry[ref]

    def _spawn(self) -> None:
        rng = self.rng
        services = Services(
            self._lookup,
            lambda _: TRANSPORT,
            self.clock,
            checks=(
                BreakerCheck(self.state, self.clock),
                self.promises,
                BudgetCheck(rng.choice(self.purses), lambda _decision, _model: (self.scope,)),
            ),
            capacity=self.capacity,
            recorder=Observer(self.state, self.registry, self.clock),
        )
        refs = list(self.registry)
        rng.shuffle(refs)
        request = RoutingRequest(deadline_s=rng.choice([None, 5.0]))
        decision = decision_for(refs[0], tuple(refs[1:]), request=request)
        profile = dataclasses.replace(decision.profile, urgency=Reading(rng.choice(list(Urgency)), 1.0, "caller"))
        runner = AttemptRunner(services, dataclasses.replace(decision, profile=profile), payload=PROMPT)
        start = rng.random() * rng.choice([0.1, 30.0])
        context = FlowContext(
            tuple(self.registry[ref] for ref in refs),
            ExecutionPolicy(attempt_timeout_s=3.0, back_off=BackOff(first_s=0.25)),
            clock=self.clock,
            rng=rng,
            deadline=None if request.deadline_s is None else start + request.deadline_s,
            live=rng.random() < 0.5,
        )
        kill_after = rng.randint(1, 8) if rng.random() < 0.1 else None
        outcome = self.world.spawn(lambda: (fallback(context), runner), at=start, kill_after=kill_after)
        self.requests.append((runner, outcome))

    def _check_model(self, ref: ModelRef, model: ModelDefinition) -> None:
        concurrency, rpm, share = model.limits.concurrency, model.limits.rpm, self.promises.share(ref)
        assert 0.1 <= share <= 1.0, f"a share of {share}"
        attempts = [attempt for runner, _ in self.requests for attempt in runner.attempts if attempt.model == ref]
        kept = model.sla_p95_s is None or all(attempt.latency_s <= model.sla_p95_s for attempt in attempts)
        assert share == 1.0 or not kept, "calls were held back from a model that keeps its promise"
        assert self.capacity.running(ref) == self.capacity.waiting(ref) == 0, "a place was never left"
        if concurrency is not None:
            assert self.most_running[ref] <= concurrency, "more calls at once than the limit"
        began = sorted(self.scripted[ref].began)
        if rpm is not None:
            # A sliding window counts the tail of the one before in proportion, so that twice the limit is the certain bound.
            assert all(sum(at <= each < at + 60.0 for each in began) <= 2 * rpm for at in began), "more calls a minute than the limit"
        bound = cost_of(model, self.scripted[ref].usage_bound)
        assert bound == 10 * 1000 + 5 * 2000, "the bound of a call changed"


def scenario(seed: int) -> None:
    """Run one world."""
    SharedWorld(seed).run()


def real_scenario(seed: int) -> None:
    """Run one world over the budgets of a real ledger."""
    with tempfile.TemporaryDirectory() as folder:
        SharedWorld(seed, folder).run()


if __name__ == "__main__":
    (real_scenario if "real" in sys.argv else scenario)(int(sys.argv[1]))
