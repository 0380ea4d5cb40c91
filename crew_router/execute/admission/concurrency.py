"""How many calls a model takes at once and a minute; who waits, in which order, and who moves on (requirement D14).

A model with ``limits.concurrency`` c runs c calls at once. Up to ``factor`` · c may be there, running or waiting; what comes
then overflows to the next best model, and waits here only when no other is left. Waiting calls are served by urgency, then by
deadline, then in the order in which they came. Requests and tokens a minute are counted in windows of the shared state, which also
keeps the places over all processes: a call whose process has room while others hold every place tries again a little later.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crew_router.execute.admission.protocol import CallRequest
from crew_router.execute.protocol import Refusal
from crew_router.record.state.windows import Claim
from crew_router.types.clock import Clock
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.ids import IdSource
from crew_router.types.model import Limits, ModelDefinition
from crew_router.types.vocabulary import ModelRef, Urgency

if TYPE_CHECKING:
    from crew_router.record.state.protocol import State
    from crew_router.types.outcome import Attempt, Usage

FACTOR: Final = 1.25
_WINDOW_S: Final = 60.0
_SHARED_RETRY_S: Final = 0.25  # guess, not measured
_RANK: Final = {Urgency.INTERACTIVE: 0, Urgency.NORMAL: 1, Urgency.BATCH: 2}


class ConcurrencyLimiter:
    """The places of all models in this process; safe to call from any thread.

    Args:
        clock: Time.
        state: Windows and places that all processes share; this process alone when not given.
        factor: Calls that may be at a model, running or waiting, as a multiple of its concurrency.
    """

    def __init__(self, clock: Clock, state: State | None = None, *, factor: float = FACTOR) -> None:
        self._clock, self._state, self.factor = clock, state, factor
        self._rooms: dict[ModelRef, _ModelSlots] = {}
        self._full: dict[ModelRef, float] = {}
        self._lock = threading.Lock()
        self._numbers, self._tokens = itertools.count(), IdSource("place")
        self._claimed: set[str] = set()
        # A forked child makes none of the calls that the parent's threads make, and so holds none of their places.
        free_in_child(self)
        free_in_child(self, "_rooms", dict)
        free_in_child(self, "_claimed", set)

    def enter(self, call_request: CallRequest, *, last: bool) -> Slot | Waiting | Refusal | None:
        """Return a place, a wait for one, a refusal, or ``None`` for a model that takes any number at once.

        Args:
            call_request: The call.
            last: No other model is left, so that the call may wait however many wait before it.
        """
        limit = call_request.model.limits.concurrency
        if limit is None:
            return None
        seat = self._seat(call_request, limit, last=last)
        return self.claimed(call_request, seat) if isinstance(seat, Slot) else seat

    def claimed(self, call_request: CallRequest, slot: Slot) -> Slot | Refusal:
        """Take a place of this process over all processes too; when they hold all there are, it is left and the call refused."""
        limit = call_request.model.limits.concurrency
        if self._state is None or limit is None:
            return slot
        if self._state.acquire(_shared(call_request.model), slot.token, limit=limit, lease_s=call_request.lease_s):
            self._claimed.add(slot.token)
            return slot
        self._pass_on(call_request.model)
        retry_at = self._clock.monotonic() + _SHARED_RETRY_S
        return Refusal(call_request.model.ref, "capacity", f"all {limit} places are taken by other processes", retry_at=retry_at)

    def shares(self, model: ModelDefinition) -> bool:
        """Tell whether places or windows of a model are counted in a store."""
        return self._state is not None and self._state.asks and model.limits != Limits()

    def waits(self, call_request: CallRequest) -> bool:
        """Tell whether the store has to be asked about a call."""
        return self.shares(call_request.model)

    def running(self, ref: ModelRef) -> int:
        """Return how many calls of a model run in this process."""
        room = self._rooms.get(ref)
        return 0 if room is None else room.running

    def waiting(self, ref: ModelRef) -> int:
        """Return how many calls wait for a model in this process."""
        room = self._rooms.get(ref)
        return 0 if room is None else len(list(room.waiting()))

    def in_flight(self) -> dict[ModelRef, int]:
        """Return the calls at each model, running or waiting, where there are any."""
        with self._lock:
            return {ref: room.running + len(list(room.waiting())) for ref, room in self._rooms.items() if room.running}

    def busy_until(self) -> dict[ModelRef, float]:
        """Return when the full window of each model has room again, in seconds since the epoch."""
        now = self._clock.now()
        with self._lock:
            self._full = {ref: until for ref, until in self._full.items() if until > now}
            return dict(self._full)

    def _seat(self, call_request: CallRequest, limit: int, *, last: bool) -> Slot | Waiting | Refusal:
        with self._lock:
            room = self._rooms.setdefault(call_request.model.ref.model, _ModelSlots())
            if room.running < limit:
                room.running += 1
                return Slot(self, call_request.model, self._tokens.next())
            waiting = len(list(room.waiting()))
            if not last and room.running + waiting >= math.ceil(limit * self.factor):
                detail = f"{room.running} calls run and {waiting} wait"
                return Refusal(call_request.model.ref, "capacity", detail)
            queued = Waiting(Slot(self, call_request.model, self._tokens.next()))
            heapq.heappush(room.queue, (*self._order(call_request), next(self._numbers), queued))
            return queued

    def leave(self, slot: Slot) -> None:
        """Free a place, or hand it to the first who waits."""
        if slot.token in self._claimed and self._state is not None:
            self._claimed.discard(slot.token)
            self._give_back(self._state, slot)
        self._pass_on(slot.model)

    @staticmethod
    def _give_back(state: State, slot: Slot) -> None:
        """Free a place over all processes; on an event loop a thread does it."""
        try:
            loop = asyncio.get_running_loop() if state.asks else None
        except RuntimeError:
            loop = None
        if loop is None:
            state.give_back(_shared(slot.model), slot.token)
        else:
            loop.run_in_executor(None, state.give_back, _shared(slot.model), slot.token)

    def _pass_on(self, model: ModelDefinition) -> None:
        with self._lock:
            room = self._rooms[model.ref.model]
            following = next(room.served(), None)
            if following is None:
                room.running -= 1
        if following is not None:
            following.grant()

    def window(self, call_request: CallRequest) -> Refusal | None:
        """Count a call that nothing else stands against in the windows of its model; return a refusal when one is full."""
        limits, state = call_request.model.limits, self._state
        if state is None:
            return None
        tokens = call_request.input_tokens + (call_request.max_tokens or call_request.decision.profile.expected_output_tokens.value)
        wanted = (("rpm", 1, limits.rpm), ("tpm", tokens, limits.tpm))
        named = {
            name: Claim(f"{name}:{call_request.model.ref.model}", min(amount, limit), limit)
            for name, amount, limit in wanted
            if limit is not None
        }
        if not named:
            return None
        waits = state.take(tuple(named.values()), window_s=_WINDOW_S)
        wait_s = max(waits)
        if wait_s <= 0:
            return None
        with self._lock:
            self._full[call_request.model.ref.model] = self._clock.now() + wait_s
        full = " and ".join(f"{claim.limit} {name}" for (name, claim), wait in zip(named.items(), waits, strict=True) if wait > 0)
        return Refusal(call_request.model.ref, "capacity", f"{full} are used up", retry_at=self._clock.monotonic() + wait_s)

    def _order(self, call_request: CallRequest) -> tuple[int, float]:
        deadline_s = call_request.decision.request.deadline_s
        at = math.inf if deadline_s is None else self._clock.monotonic() + deadline_s
        return _RANK[call_request.decision.profile.urgency.value], at


def _shared(model: ModelDefinition) -> str:
    return f"places:{model.ref.model}"


@dataclass(slots=True)
class _ModelSlots:
    """The calls at one model."""

    running: int = 0
    queue: list[tuple[int, float, int, Waiting]] = field(default_factory=list[tuple[int, float, int, "Waiting"]])

    def waiting(self) -> Iterator[Waiting]:
        """Yield who still waits, in no order."""
        return (queued for *_, queued in self.queue if not queued.given_up)

    def served(self) -> Iterator[Waiting]:
        """Yield who waits, first who is served first, and take them off the queue."""
        while self.queue:
            *_, queued = heapq.heappop(self.queue)
            if not queued.given_up:
                yield queued


@dataclass(frozen=True, slots=True)
class Slot:
    """One running call of a model."""

    capacity: ConcurrencyLimiter
    model: ModelDefinition
    token: str

    @property
    def max_tokens(self) -> int | None:
        """A place bounds no answer."""
        return None

    def settle(self, attempt: Attempt | None, *, spent: Usage | None) -> None:  # noqa: ARG002 - the protocol's
        """Leave the place."""
        self.capacity.leave(self)


class Waiting:
    """A wait for a place. ``grant`` may come from any thread, before or after ``subscribe``."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.given_up = False
        self._granted = False
        self._callback: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have a function called once the place is there."""
        with self._lock:
            self._callback = callback
            granted = self._granted
        if granted:
            callback()

    def grant(self) -> None:
        """Hand the place over; when nobody wants it any more, it goes to the next."""
        with self._lock:
            self._granted = True
            callback, gone = self._callback, self.given_up
        if gone:
            self.slot.settle(None, spent=None)
        elif callback is not None:
            callback()

    def give_up(self) -> None:
        """Wait no longer; a place that was granted in the same moment goes to the next."""
        with self._lock:
            granted, self.given_up = self._granted, True
        if granted:
            self.slot.settle(None, spent=None)
