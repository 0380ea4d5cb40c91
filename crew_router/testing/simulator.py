"""Run flows in virtual time, in a random order given by a seed, and abort them at any step.

Flows and attempt runner are those of real execution; only the engine differs. Many requests may share one world, so that
breakers, budgets and rate limits are tested under many interleavings.

Example:
    >>> import random
    >>> from crew_router.testing import World
    >>> world = World(random.Random(7))
    >>> world.clock.monotonic()
    0.0
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from crew_router.execute.admission.concurrency import Waiting
from crew_router.execute.attempts import AttemptRunner, OpenCall
from crew_router.execute.protocol import Cancel, Done, Emit, Event, Flow, Result, Start, Timer, Wait
from crew_router.testing.clock import FrozenClock
from crew_router.testing.script import Step
from crew_router.testing.transport import ScriptedCall


@dataclass(slots=True)
class Outcome:
    """The outcome of one simulated request.

    Args:
        result: The result of its flow; ``None`` when the request was aborted.
        emitted: What its consumer got.
        steps: Number of commands executed.
        ended_at: When it ended, in virtual monotonic seconds.
    """

    result: Result | None = None
    emitted: list[Emit] = field(default_factory=list[Emit])
    steps: int = 0
    ended_at: float | None = None

    @property
    def text(self) -> str:
        """The text that the consumer has got since the last reset."""
        text = ""
        for emit in self.emitted:
            text = "" if emit.reset else text + emit.piece.text
        return text


class World:
    """Virtual time for any number of requests.

    Args:
        rng: Decides the order of simultaneous events, and the random delays.
        jitter_s: Longest random delay of a script's step, in seconds.
    """

    def __init__(self, rng: random.Random, *, jitter_s: float = 0.0) -> None:
        self.clock = FrozenClock()
        self._rng, self._jitter_s = rng, jitter_s
        self._agenda: list[tuple[float, float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def spawn(self, flow: Callable[[], tuple[Flow, AttemptRunner]], *, at: float = 0.0, kill_after: int | None = None) -> Outcome:
        """Start a request at a virtual time; ``kill_after`` aborts it after that many commands, as when its caller is gone."""
        outcome = Outcome()
        self.at(at, lambda: _SimulatedRequest(self, *flow(), outcome=outcome, kill_after=kill_after).step(None))
        return outcome

    def run(self) -> None:
        """Run until nothing is left to do."""
        while self._agenda:
            time, _, _, act = heapq.heappop(self._agenda)
            seconds = time - self.clock.monotonic()
            if seconds > 0.0:
                self.clock.advance(seconds)
            act()

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Schedule a function at a virtual time, in monotonic seconds."""
        heapq.heappush(self._agenda, (time, self._rng.random(), next(self._numbers), act))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Schedule a function after some seconds and a random delay."""
        delay = self._rng.random() * self._jitter_s if self._jitter_s else 0.0
        self.at(self.clock.monotonic() + seconds + delay, act)


class _SimulatedRequest:
    """One request: its flow, its running scripts, events that the flow has not got yet, and the wait it is in."""

    def __init__(self, world: World, flow: Flow, runner: AttemptRunner, *, outcome: Outcome, kill_after: int | None) -> None:
        self._world, self._flow, self._runner, self._outcome, self._kill_after = world, flow, runner, outcome, kill_after
        self._undelivered: list[Event] = []
        self._waiting: Wait | None = None
        self._running: dict[int, Iterator[Step]] = {}
        self._queued: set[int] = set()

    def step(self, event: Event | None) -> None:
        """Send an event to the flow and execute its commands until it waits."""
        while True:
            if self._kill_after is not None and self._outcome.steps >= self._kill_after:
                self._finish(None)
                return
            try:
                command = self._flow.send(event)
            except StopIteration as stop:
                self._finish(stop.value)
                return
            self._outcome.steps += 1
            event = None
            if isinstance(command, Start):
                self._start(command)
            elif isinstance(command, Emit):
                self._outcome.emitted.append(command)
            elif isinstance(command, Cancel):
                self._drop_call(command.call)
                event = self._runner.cancelled(command.call, command.kind)
            elif self._undelivered:
                event = self._undelivered.pop(0)
            else:
                self._wait(command)
                return

    def _start(self, start: Start) -> None:
        self._on_open(start, self._runner.open(start))

    def _on_open(self, start: Start, opened: OpenCall | Waiting | Done) -> None:
        if isinstance(opened, Done):
            self._deliver(opened)
            return
        if isinstance(opened, Waiting):
            self._queued.add(start.call)
            opened.subscribe(lambda: self._world.later(0.0, lambda: self._on_slot(start)))
            return
        assert isinstance(opened.call, ScriptedCall), "only scripted models run in a simulation"
        self._running[start.call] = opened.call.steps()
        self._next(opened)

    def _on_slot(self, start: Start) -> None:
        if start.call in self._queued:
            self._queued.discard(start.call)
            self._on_open(start, self._runner.resume(start.call))

    def _next(self, opened: OpenCall) -> None:
        """Schedule the next step of a script."""
        call, steps = opened.start.call, self._running[opened.start.call]
        step = next(steps, None)
        if step is None:
            self._finish_call(call, self._ended(opened))
            return
        self._world.later(step.after_s, lambda: self._on_step(opened, step, steps))

    def _on_step(self, opened: OpenCall, step: Step, steps: Iterator[Step]) -> None:
        call = opened.start.call
        if self._running.get(call) is not steps:
            return
        if step.error is not None:
            self._finish_call(call, self._runner.failed(opened, step.error))
            return
        if step.piece is not None and opened.start.live:
            self._deliver(self._runner.on_chunk(opened, step.piece))
        elif step.piece is not None:
            opened.pieces.append(step.piece)
        if self._running.get(call) is steps:
            self._next(opened)

    def _ended(self, opened: OpenCall) -> Done:
        if opened.start.live:
            return self._runner.finish_stream(opened)
        pieces, opened.pieces = tuple(opened.pieces), []
        try:
            reply = ScriptedCall.reply_of(pieces)
        except Exception as error:  # noqa: BLE001 - the attempt boundary, as in the engines
            return self._runner.failed(opened, error)
        return self._runner.replied(opened, reply)

    def _finish_call(self, call: int, done: Done) -> None:
        self._running.pop(call, None)
        self._deliver(done)

    def _deliver(self, event: Event) -> None:
        if self._waiting is None:
            self._undelivered.append(event)
            return
        self._waiting = None
        self.step(event)

    def _wait(self, wait: Wait) -> None:
        self._waiting = wait
        assert self._running or self._queued or wait.until is not None, "a flow waits for ever without a running call"
        if wait.until is not None:
            self._world.at(max(wait.until, self._world.clock.monotonic()), lambda: self._timer_fired(wait))

    def _timer_fired(self, wait: Wait) -> None:
        if self._waiting is wait:
            self._deliver(Timer(self._world.clock.monotonic()))

    def _drop_call(self, call: int) -> None:
        self._running.pop(call, None)
        self._queued.discard(call)
        self._undelivered = [event for event in self._undelivered if isinstance(event, Timer) or event.call != call]

    def _finish(self, result: Result | None) -> None:
        self._outcome.result, self._outcome.ended_at = result, self._world.clock.monotonic()
        self._running.clear()
        self._queued.clear()
        self._waiting = None
        self._flow.close()
        self._runner.close()


def check_seeds(scenario: Callable[[int], None], seeds: Iterable[int], *, replay: str) -> int:
    """Run a scenario with many seeds and return how many runs passed.

    Args:
        scenario: Runs one world from a seed and asserts its invariants.
        seeds: The seeds.
        replay: The command that replays one seed, with ``{seed}`` in it.

    Raises:
        AssertionError: An invariant is violated; the message names the seed and the command that replays it.
    """
    passed = 0
    for seed in seeds:
        try:
            scenario(seed)
        except AssertionError as error:
            message = f"seed {seed} breaks an invariant: {error}\nreplay: {replay.format(seed=seed)}"
            raise AssertionError(message) from error
        passed += 1
    return passed
