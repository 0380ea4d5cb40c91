"""Runs flows in virtual time, in an order drawn from a seed, and ends them at any step.

The same flows and the same desk as in real execution run here; only the engine differs. Many requests may share one world,
so that breakers, budgets and rate limits are seen under every interleaving.

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

from crew_router.execute.admission.concurrency import Queued
from crew_router.execute.attempts import Desk, Opened
from crew_router.execute.protocol import Cancel, Done, Emit, Event, Flow, Result, Start, Timer, Wait
from crew_router.testing.clock import FrozenClock
from crew_router.testing.script import Step
from crew_router.testing.transport import ScriptedCall


@dataclass(slots=True)
class Outcome:
    """What one simulated request came to.

    ``result`` is ``None`` when the request was killed; ``emitted`` is what its consumer saw, ``steps`` the commands that
    were carried out, ``ended_at`` virtual monotonic seconds.
    """

    result: Result | None = None
    emitted: list[Emit] = field(default_factory=list[Emit])
    steps: int = 0
    ended_at: float | None = None

    @property
    def text(self) -> str:
        """The text that the consumer has, after the last reset."""
        text = ""
        for emit in self.emitted:
            text = "" if emit.reset else text + emit.piece.text
        return text


class World:
    """Virtual time for any number of requests.

    Args:
        rng: Decides the order of what happens at the same moment, and small delays of every step.
        jitter_s: Most seconds that a step of a script is delayed at random.
    """

    def __init__(self, rng: random.Random, *, jitter_s: float = 0.0) -> None:
        self.clock = FrozenClock()
        self._rng, self._jitter_s = rng, jitter_s
        self._agenda: list[tuple[float, float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def spawn(self, flow: Callable[[], tuple[Flow, Desk]], *, at: float = 0.0, kill_after: int | None = None) -> Outcome:
        """Let a request begin at a time; ``kill_after`` ends it after so many commands, as a lost caller would."""
        outcome = Outcome()
        self.at(at, lambda: _Actor(self, *flow(), outcome=outcome, kill_after=kill_after).step(None))
        return outcome

    def run(self) -> None:
        """Let everything happen."""
        while self._agenda:
            at, _, _, act = heapq.heappop(self._agenda)
            passes = at - self.clock.monotonic()
            if passes > 0.0:
                self.clock.advance(passes)
            act()

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Let something happen at a time."""
        heapq.heappush(self._agenda, (time, self._rng.random(), next(self._numbers), act))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen after some seconds, and a random moment."""
        delay = self._rng.random() * self._jitter_s if self._jitter_s else 0.0
        self.at(self.clock.monotonic() + seconds + delay, act)


class _Actor:
    """One request: its flow, its running scripts, and what it waits for."""

    def __init__(self, world: World, flow: Flow, desk: Desk, *, outcome: Outcome, kill_after: int | None) -> None:
        self._world, self._flow, self._desk, self._outcome, self._kill_after = world, flow, desk, outcome, kill_after
        self._mail: list[Event] = []
        self._waiting: Wait | None = None
        self._running: dict[int, Iterator[Step]] = {}
        self._queued: set[int] = set()

    def step(self, event: Event | None) -> None:
        """Send an event to the flow and carry out its commands until it waits."""
        while True:
            if self._kill_after is not None and self._outcome.steps >= self._kill_after:
                self._end(None)
                return
            try:
                command = self._flow.send(event)
            except StopIteration as stop:
                self._end(stop.value)
                return
            self._outcome.steps += 1
            event = None
            if isinstance(command, Start):
                self._start(command)
            elif isinstance(command, Emit):
                self._outcome.emitted.append(command)
            elif isinstance(command, Cancel):
                self._forget(command.call)
                event = self._desk.cancelled(command.call, command.kind)
            elif self._mail:
                event = self._mail.pop(0)
            else:
                self._wait(command)
                return

    def _start(self, start: Start) -> None:
        self._opened(start, self._desk.open(start))

    def _opened(self, start: Start, opened: Opened | Queued | Done) -> None:
        if isinstance(opened, Done):
            self._deliver(opened)
            return
        if isinstance(opened, Queued):
            self._queued.add(start.call)
            opened.subscribe(lambda: self._world.later(0.0, lambda: self._granted(start)))
            return
        assert isinstance(opened.call, ScriptedCall), "only scripted models run in a simulation"
        self._running[start.call] = opened.call.steps()
        self._next(opened)

    def _granted(self, start: Start) -> None:
        if start.call in self._queued:
            self._queued.discard(start.call)
            self._opened(start, self._desk.resume(start.call))

    def _next(self, opened: Opened) -> None:
        """Put the next step of a script on the agenda."""
        call, steps = opened.start.call, self._running[opened.start.call]
        step = next(steps, None)
        if step is None:
            self._arrive(call, self._ended(opened))
            return
        self._world.later(step.after_s, lambda: self._played(opened, step, steps))

    def _played(self, opened: Opened, step: Step, steps: Iterator[Step]) -> None:
        call = opened.start.call
        if self._running.get(call) is not steps:
            return
        if step.error is not None:
            self._arrive(call, self._desk.failed(opened, step.error))
            return
        if step.piece is not None and opened.start.live:
            self._deliver(self._desk.piece(opened, step.piece))
        elif step.piece is not None:
            opened.pieces.append(step.piece)
        if self._running.get(call) is steps:
            self._next(opened)

    def _ended(self, opened: Opened) -> Done:
        if opened.start.live:
            return self._desk.streamed(opened)
        pieces, opened.pieces = tuple(opened.pieces), []
        try:
            reply = ScriptedCall.whole(pieces)
        except Exception as error:  # noqa: BLE001 - the attempt boundary, as in the engines
            return self._desk.failed(opened, error)
        return self._desk.replied(opened, reply)

    def _arrive(self, call: int, done: Done) -> None:
        self._running.pop(call, None)
        self._deliver(done)

    def _deliver(self, event: Event) -> None:
        if self._waiting is None:
            self._mail.append(event)
            return
        self._waiting = None
        self.step(event)

    def _wait(self, wait: Wait) -> None:
        self._waiting = wait
        assert self._running or self._queued or wait.until is not None, "a flow waits for ever without a running call"
        if wait.until is not None:
            self._world.at(max(wait.until, self._world.clock.monotonic()), lambda: self._ring(wait))

    def _ring(self, wait: Wait) -> None:
        if self._waiting is wait:
            self._deliver(Timer(self._world.clock.monotonic()))

    def _forget(self, call: int) -> None:
        self._running.pop(call, None)
        self._queued.discard(call)
        self._mail = [event for event in self._mail if isinstance(event, Timer) or event.call != call]

    def _end(self, result: Result | None) -> None:
        self._outcome.result, self._outcome.ended_at = result, self._world.clock.monotonic()
        self._running.clear()
        self._queued.clear()
        self._waiting = None
        self._flow.close()
        self._desk.close()


def check_seeds(scenario: Callable[[int], None], seeds: Iterable[int], *, replay: str) -> int:
    """Run a scenario over many seeds and return how many held.

    Args:
        scenario: Runs one world from a seed and asserts its invariants.
        seeds: The seeds.
        replay: The command that replays one seed, with ``{seed}`` in it.

    Raises:
        AssertionError: An invariant does not hold; the message names the seed and the command that replays it.
    """
    held = 0
    for seed in seeds:
        try:
            scenario(seed)
        except AssertionError as error:
            message = f"seed {seed} breaks an invariant: {error}\nreplay: {replay.format(seed=seed)}"
            raise AssertionError(message) from error
        held += 1
    return held
