"""A world of requests over faulty models, every flow under every stream policy, and what must hold in it.

``python tests/simulation/flow_world.py SEED FLOW`` replays one seed.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import sys
from dataclasses import dataclass, field

from execute_bench import Notebook, decision_for

from crew_router.execute.admission.protocol import CallRequest, Permit
from crew_router.execute.attempts import AttemptRunner, Services
from crew_router.execute.flow_context import FlowContext
from crew_router.execute.flows.cascade import CascadePlan, cascade
from crew_router.execute.flows.consensus import Panel, consensus
from crew_router.execute.flows.fallback import fallback
from crew_router.execute.hedge import HedgeBudget
from crew_router.execute.plans import SIGNALS
from crew_router.execute.policy import BackOff, ConsensusMethod, ExecutionPolicy, StreamPolicy
from crew_router.execute.protocol import Answer, Failure, Flow, Refusal
from crew_router.testing import Outcome, ScriptedFault, ScriptedModel, World
from crew_router.testing.transport import TestingTransport
from crew_router.types import Attempt, ErrorKind, Latency, ModelDefinition, ModelRef, RoutingDecision, RoutingRequest, Usage
from crew_router.types.transport import Payload

KINDS = [kind for kind in ErrorKind if kind is not ErrorKind.CANCELLED]
PROMPT = Payload(("Go on.",))
TRANSPORT = TestingTransport()
BACK_OFF = BackOff(first_s=0.25, patience_s=30.0)
FLOWS = ("fallback", "consensus", "cascade")
WORDS = 4  # pieces of an answer: a first, a last, and enough between them for a fault to come early or late


@dataclass
class CountingGate:
    """A gate that refuses at random, sets an upper bound aside, and counts what is inside."""

    rng: random.Random
    inside: int = 0
    admission: int = 0
    settled: int = 0

    def enter(self, ask: CallRequest) -> Permit | Refusal | None:
        """Let nine of ten calls in."""
        if self.rng.random() < 0.1:
            return Refusal(ask.model.ref, self.rng.choice(["breaker", "capacity", "budget"]), "by chance")
        self.inside += 1
        self.admission += 1
        return CountedPass(self)


@dataclass
class CountedPass:
    """One call inside the gate."""

    gate: CountingGate
    max_tokens: int | None = None
    done: bool = False

    def settle(self, attempt: Attempt | None, *, spent: Usage | None) -> None:  # noqa: ARG002 - the protocol's
        """Leave the gate, once."""
        assert not self.done, "a call was settled twice"
        self.done = True
        self.gate.inside -= 1
        self.gate.settled += 1


@dataclass
class FlowWorld:
    """Some requests over some models, everything drawn from a seed."""

    seed: int
    kind: str
    rng: random.Random = field(init=False)
    models: dict[ModelRef, ModelDefinition] = field(init=False)
    requests: list[tuple[FlowContext, AttemptRunner, Outcome]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the world."""
        self.rng = random.Random(self.seed)
        self.world = World(self.rng, jitter_s=0.01)
        self.gate = CountingGate(self.rng)
        self.same_text = self.rng.random() < 0.5
        self.models = {ref: self._model(ref, n) for n in range(self.rng.randint(self._fewest(), 4)) for ref in [ModelRef(f"lab:m{n}")]}
        self.composed: set[int] = set()
        self.killed = self.rng.random() < 0.2
        for _ in range(2 if self.rng.random() < 0.2 else 1):
            self._spawn()

    def _fewest(self) -> int:
        return 1 if self.kind == "fallback" else 2

    def run(self) -> None:
        """Let everything happen, then check."""
        self.world.run()
        assert self.gate.inside == 0, f"{self.gate.inside} calls were never settled"
        for context, runner, outcome in self.requests:
            self._check(context, runner, outcome)

    def text_of(self, ref: ModelRef) -> str:
        """Return the whole answer of a model; the same for all, or each its own."""
        mark = "" if self.same_text else ref.name
        return " ".join(f"{mark}w{n}" for n in range(WORDS))

    def _model(self, ref: ModelRef, number: int) -> ModelDefinition:
        rng = self.rng
        model = ScriptedModel(
            self.text_of(ref),
            usage=(10, 12) if rng.random() < 0.8 else None,
            latency_s=rng.choice([0.0, 0.5, 2.0]),
            faults=[self._fault() for _ in range(6)],
            prefill=number % 2 == 1,
        )
        return dataclasses.replace(entry_of(ref, prefill=number % 2 == 1, p95_s=rng.choice([None, 0.4, 3.0])), instance=model)

    def _fault(self) -> ScriptedFault | None:
        if self.rng.random() < 0.6:
            return None
        retry_after_s = self.rng.choice([None, 0.5, 5.0, 100.0])
        return ScriptedFault(self.rng.choice(KINDS), after=self.rng.choice([0, 0, 1, 2, WORDS - 1]), retry_after_s=retry_after_s)

    def _spawn(self) -> None:
        rng = self.rng
        policy = ExecutionPolicy(
            attempts=rng.randint(1, 8),
            attempt_timeout_s=rng.choice([1.0, 30.0]),
            stall_s=rng.choice([0.5, 30.0]),
            stream=rng.choice(list(StreamPolicy)),
            hold_chars=rng.choice([0, 10, 200]),
            back_off=BACK_OFF,
        )
        deadline_s, live = rng.choice([None, None, 1.0, 6.0]), rng.random() < 0.7
        start = rng.random()
        hedge = HedgeBudget(1.0) if self.kind == "fallback" and len(self.models) > 1 and rng.random() < 0.5 else None
        context = FlowContext(
            tuple(self.models.values()),
            policy,
            clock=self.world.clock,
            rng=rng,
            deadline=None if deadline_s is None else start + deadline_s,
            live=live,
            whole=live and rng.random() < 0.1,
            hedge=hedge,
        )
        flow = self._flow(context)
        services = Services(self.models.__getitem__, lambda _: TRANSPORT, self.world.clock, checks=(self.gate,), recorder=Notebook())
        first, *others = self.models
        runner = AttemptRunner(services, decision_of(first, tuple(others)), payload=PROMPT)
        kill_after = rng.randint(0, 20) if self.killed else None
        outcome = self.world.spawn(lambda: (flow, runner), at=start, kill_after=kill_after)
        self.requests.append((context, runner, outcome))

    def _flow(self, context: FlowContext) -> Flow:
        models, judge = context.candidates[:3], context.candidates[-1] if len(context.candidates) > 3 else None
        accuracy = {model.ref: self.rng.uniform(0.2, 0.95) for model in context.candidates}
        if self.kind == "fallback":
            return fallback(context)
        self.composed.add(id(context))
        if self.kind == "consensus":
            method, timeout_s = self.rng.choice(list(ConsensusMethod)), self.rng.choice([1.0, 60.0])
            return consensus(context, Panel(models, method, payload=PROMPT, judge=judge, accuracy=accuracy, timeout_s=timeout_s))
        value, samples = self.rng.choice([None, 0.01]), self.rng.choice([1, 1, 2])
        cost = dict.fromkeys(accuracy, 0.001)
        plan = CascadePlan(
            models,
            payload=PROMPT,
            threshold=0.7,
            value_usd=value,
            cost_usd=cost,
            accuracy=accuracy,
            signals=SIGNALS,
            samples=samples,
            judge=judge,
        )
        return cascade(context, plan)

    def _check(self, context: FlowContext, runner: AttemptRunner, outcome: Outcome) -> None:
        assert outcome.ended_at is not None, "the request never ended"
        if id(context) not in self.composed:
            assert len(runner.attempts) <= context.policy.attempts, "more calls than the attempt budget allows"
            self._check_order(context, runner)
            self._check_nobody_was_passed_over(context, runner, outcome)
        self._check_prices(runner)
        if context.deadline is not None:
            assert outcome.ended_at <= context.deadline + 0.011, "the deadline passed and the request went on"
        if isinstance(outcome.result, Answer):
            self._check_answer(context, outcome, outcome.result)
        elif isinstance(outcome.result, Failure):
            self._check_failure(context, outcome, outcome.result)

    def _check_order(self, context: FlowContext, runner: AttemptRunner) -> None:
        """No model is called twice while another one has not been called or refused."""
        if context.hedge is not None:
            return
        called = [attempt.model for attempt in runner.attempts]
        if context.policy.stream is StreamPolicy.CONTINUE and context.live:
            return
        firsts = list(dict.fromkeys(called))
        assert called[: len(firsts)] == firsts or self.gate.admission > len(called), f"a model was called again too early: {called}"

    def _check_nobody_was_passed_over(self, context: FlowContext, runner: AttemptRunner, outcome: Outcome) -> None:
        """A request fails only after every candidate had its chance, and nobody but a hedge's loser is cancelled."""
        if outcome.result is None:
            return
        hedges = [attempt for attempt in runner.attempts if attempt.role == "hedge"]
        cancelled = [attempt for attempt in runner.attempts if attempt.error is ErrorKind.CANCELLED]
        assert len(cancelled) <= len(hedges), "a call was cancelled that no hedge beat"
        result, spent = outcome.result, len(runner.attempts) >= context.policy.attempts
        if isinstance(result, Answer) or result.fatal is not None or result.deadline or spent:
            return
        tried = {attempt.model for attempt in runner.attempts} | {refusal.model for refusal in result.refusals}
        assert tried == set(self.models), f"only {tried} had a chance"

    def _check_prices(self, runner: AttemptRunner) -> None:
        for attempt in runner.attempts:
            if attempt.ok and attempt.usage is not None:
                assert attempt.cost_nano == 10 * 1000 + 12 * 2000, f"wrong price {attempt.cost_nano}"
            if not attempt.ok and attempt.usage is None:
                assert attempt.cost_nano in (0, None), "a price without usage"

    def _check_answer(self, context: FlowContext, outcome: Outcome, answer: Answer) -> None:
        whole = self.text_of(answer.model)
        assert not answer.shown or context.policy.stream is StreamPolicy.CONTINUE, "an answer of several calls"
        if not answer.shown:
            assert answer.reply.text == whole, f"{answer.reply.text!r} is not the whole answer"
        if not context.live:
            assert outcome.text == "", "a plain request emitted something"
        elif answer.shown and not answer.reply.text:
            # A model that adds nothing to a prefix says that the answer was whole; a faulty one says the same.
            assert whole.startswith(outcome.text) or not self.same_text, "glued"
        elif self.same_text or not answer.shown:
            assert outcome.text == whole, f"the consumer got {outcome.text!r}"

    def _check_failure(self, context: FlowContext, outcome: Outcome, failure: Failure) -> None:
        assert failure.errors or failure.refusals or failure.deadline, "a failure without a cause"
        if context.live and outcome.text:
            assert failure.fatal is not None or failure.deadline, "text was shown, and no error carries it"
            assert failure.fatal is None or failure.fatal.partial == outcome.text, "the error carries another text than was shown"
        marks = {word.split("w")[0] for word in outcome.text.split()}
        assert len(marks) < 2 or context.policy.stream is StreamPolicy.CONTINUE, f"glued: {outcome.text!r}"
        if self.same_text:
            assert self.text_of(context.candidates[0].ref).startswith(outcome.text), f"glued: {outcome.text!r}"


# What is the same in thousands of worlds is built once: half of a seed's time would go into it.
@functools.cache
def entry_of(ref: ModelRef, *, prefill: bool, p95_s: float | None) -> ModelDefinition:
    """Return the registry entry of a model, without the model."""
    return dataclasses.replace(ScriptedModel(usage=(10, 12), prefill=prefill).describe(ref), latency=Latency(p95_s=p95_s))


@functools.cache
def decision_of(first: ModelRef, others: tuple[ModelRef, ...]) -> RoutingDecision:
    """Return the decision for models in an order."""
    return decision_for(first, others, request=RoutingRequest())


def scenario(seed: int, kind: str) -> None:
    """Run one world of a flow."""
    FlowWorld(seed, kind).run()


def replay(kind: str) -> str:
    """Return the command that replays a seed of a flow, with ``{seed}`` in it."""
    return f"PYTHONPATH=.:tests/support python tests/simulation/flow_world.py {{seed}} {kind}"


if __name__ == "__main__":
    scenario(int(sys.argv[1]), sys.argv[2])
