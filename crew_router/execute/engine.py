"""The engines: one asynchronous, one plain loop for flows that run a call at a time.

Both carry out the commands of a flow and yield what it emits; the last thing they yield is what the flow came to.
Nothing outlives the generator: closing it ends its calls, tasks and threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeGuard, TypeVar

from crew_router.execute.admission.concurrency import Waiting
from crew_router.execute.attempts import Admission, AttemptRunner, OpenCall
from crew_router.execute.protocol import Answer, Cancel, Chunk, Done, Emit, Event, Failure, Flow, Result, Start, Timer
from crew_router.types.clock import Clock
from crew_router.types.vocabulary import ErrorKind

T = TypeVar("T")
_QUEUED_EVENTS = 64


class PassingClock(Clock, Protocol):
    """A clock whose time passes when it is told to; waiting on it takes no time."""

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...


def passes(clock: Clock) -> TypeGuard[PassingClock]:
    """Tell whether a clock's time passes when it is told to."""
    return hasattr(clock, "advance")


def drive(flow: Flow, runner: AttemptRunner) -> Generator[Emit | Result, None, None]:
    """Run a flow that has at most one call at a time, without a loop and without a thread."""
    running: dict[int, Generator[Event, None, None]] = {}
    event: Event | None = None
    try:
        while True:
            try:
                command = flow.send(event)
            except StopIteration as stop:
                result: Result = stop.value
                yield result
                return
            event = None
            if isinstance(command, Start):
                runner.register(command)
                running[command.call] = _events(runner, command)
            elif isinstance(command, Emit):
                yield command
            elif isinstance(command, Cancel):
                _close(running.pop(command.call, None))
                event = runner.cancelled(command.call, command.kind)
            else:
                event = _next_event(running, runner, command.until) if running else _slept(runner.clock, command.until)
    finally:
        for each in running.values():
            each.close()
        flow.close()
        runner.close()


async def adrive(flow: Flow, runner: AttemptRunner) -> AsyncGenerator[Emit | Result, None]:
    """Run any flow; its calls are tasks that end with the generator."""
    engine = _Tasks(runner)
    event: Event | None = None
    try:
        while True:
            try:
                command = flow.send(event)
            except StopIteration as stop:
                result: Result = stop.value
                yield result
                return
            event = None
            if isinstance(command, Start):
                engine.start(command)
            elif isinstance(command, Emit):
                yield command
            elif isinstance(command, Cancel):
                await engine.cancel(command.call)
                event = runner.cancelled(command.call, command.kind)
            else:
                event = await engine.wait(command.until)
    finally:
        flow.close()
        await engine.close()
        runner.close()


def run(flow: Flow, runner: AttemptRunner) -> Result:
    """Return what a flow comes to; what it emits is dropped."""
    for item in drive(flow, runner):
        if not isinstance(item, Emit):
            return item
    message = "a flow ended without a result"
    raise AssertionError(message)


async def arun(flow: Flow, runner: AttemptRunner) -> Result:
    """Return what a flow comes to; what it emits is dropped."""
    async with contextlib.aclosing(adrive(flow, runner)) as items:
        async for item in items:
            if isinstance(item, (Answer, Failure)):
                return item
    message = "a flow ended without a result"
    raise AssertionError(message)


@dataclass(frozen=True, slots=True)
class _Crash:
    """Opening a call raised what no client can raise: a mistake of the configuration or of ours."""

    error: Exception


class _Tasks:
    """The running calls of one request as tasks, and the queue their events come through."""

    def __init__(self, runner: AttemptRunner) -> None:
        self._runner = runner
        self._events: asyncio.Queue[Event | _Crash] = asyncio.Queue(_QUEUED_EVENTS)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ended: set[int] = set()

    def start(self, start: Start) -> None:
        self._runner.register(start)
        self._tasks[start.call] = asyncio.get_running_loop().create_task(self._pump(start))

    async def wait(self, until: float | None) -> Event:
        while True:
            event = await self._next(until)
            if isinstance(event, _Crash):
                raise event.error
            if isinstance(event, Timer) or event.call not in self._ended:
                return event

    async def cancel(self, call: int) -> None:
        self._ended.add(call)
        task = self._tasks.pop(call, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        running = [task for task in self._tasks.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.gather(*running, return_exceptions=True)

    async def _next(self, until: float | None) -> Event | _Crash:
        if not self._events.empty():
            return self._events.get_nowait()
        clock = self._runner.clock
        if until is None:
            return await self._events.get()
        if passes(clock) and all(task.done() for task in self._tasks.values()):
            return _slept(clock, until)
        try:
            async with asyncio.timeout(max(until - clock.monotonic(), 0)):
                return await self._events.get()
        except TimeoutError:
            # What came in the same moment goes first: a flow that cancels on the timer would lose it.
            return Timer(clock.monotonic()) if self._events.empty() else self._events.get_nowait()

    async def _pump(self, start: Start) -> None:
        try:
            opened = await self._opened(start)
        except Exception as error:  # noqa: BLE001 - raised again by the engine, in the caller's own task
            await self._events.put(_Crash(error))
            return
        if isinstance(opened, Done):
            await self._events.put(opened)
            return
        try:
            await self._carry(opened)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # A client's own cancel scope leaked out of the call: that is its failure, not ours.
            await self._events.put(self._runner.failed(opened, error))
        except Exception as error:  # noqa: BLE001 - the attempt boundary: whatever a client raises is a failed attempt
            await self._events.put(self._runner.failed(opened, error))

    async def _opened(self, start: Start) -> OpenCall | Done:
        opened = self._runner.open(start, admission=await self._entered(start))
        while isinstance(opened, Waiting):
            granted = asyncio.Event()
            opened.subscribe(_waker(granted))
            await granted.wait()
            opened = self._runner.resume(start.call)
        return opened

    async def _entered(self, start: Start) -> Admission | None:
        """Go through the gates on a thread where one of them waits for a database, so that the loop goes on."""
        loop = asyncio.get_running_loop()
        if (warm := self._runner.warming(start.model)) is not None:
            await loop.run_in_executor(None, warm)
        enter = self._runner.admission_of(start)
        if enter is None:
            return None
        entering = loop.run_in_executor(None, enter)
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(lambda done: self._runner.release(done.result()))
            raise

    async def _carry(self, opened: OpenCall) -> None:
        if not opened.start.live:
            await self._events.put(self._runner.replied(opened, await opened.call.acomplete()))
            return
        async with _closing(opened.call.astream()) as pieces:
            async for piece in pieces:
                await self._events.put(self._runner.on_chunk(opened, piece))
        await self._events.put(self._runner.finish_stream(opened))


def _waker(granted: asyncio.Event) -> Callable[[], None]:
    loop = asyncio.get_running_loop()

    def wake() -> None:
        # The request may have ended, and its private loop with it; the place was given up then.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(granted.set)

    return wake


@contextlib.asynccontextmanager
async def _closing(pieces: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    try:
        yield pieces
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


def _opened(runner: AttemptRunner, start: Start) -> OpenCall | Done:
    opened = runner.open(start)
    while isinstance(opened, Waiting):
        granted = threading.Event()
        opened.subscribe(granted.set)
        if not granted.wait(start.timeout_s):
            return runner.cancelled(start.call, ErrorKind.CANCELLED)
        opened = runner.resume(start.call)
    return opened


def _events(runner: AttemptRunner, start: Start) -> Generator[Event, None, None]:
    opened = _opened(runner, start)
    if isinstance(opened, Done):
        yield opened
        return
    try:
        if not start.live:
            done = runner.replied(opened, opened.call.complete())
        else:
            yield from _chunks(runner, opened)
            done = runner.finish_stream(opened)
    except Exception as error:  # noqa: BLE001 - the attempt boundary: whatever a client raises is a failed attempt
        done = runner.failed(opened, error)
    yield done


def _chunks(runner: AttemptRunner, opened: OpenCall) -> Generator[Chunk, None, None]:
    pieces = opened.call.stream()
    try:
        for piece in pieces:
            yield runner.on_chunk(opened, piece)
    finally:
        if isinstance(pieces, Generator):
            pieces.close()


def _next_event(running: dict[int, Generator[Event, None, None]], runner: AttemptRunner, until: float | None) -> Event:
    ((call, events),) = running.items()
    # A blocking call ends by its client's own timeout; between two pieces of a stream, which keep that from coming, it can be left.
    if until is not None and runner.clock.monotonic() >= until and runner.streams(call):
        return Timer(runner.clock.monotonic())
    event = next(events)
    if isinstance(event, Done):
        del running[call]
        events.close()
    return event


def _close(events: Generator[Event, None, None] | None) -> None:
    if events is not None:
        events.close()


def _slept(clock: Clock, until: float | None) -> Timer:
    assert until is not None, "a flow waits for ever without a running call"
    seconds = max(until - clock.monotonic(), 0)
    if passes(clock):
        clock.advance(seconds)
    else:
        time.sleep(seconds)
    return Timer(clock.monotonic())


class PrivateLoop:
    """A loop for one request in sync code; on a thread of its own when the caller's thread already runs a loop."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(1, "crew-router-request") if _loop_is_running() else None

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine to its end."""
        if self._thread is None:
            return self._runner.run(coroutine)
        return self._thread.submit(self._runner.run, coroutine).result()

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield what an asynchronous generator yields, and close it with this one."""
        try:
            while True:
                try:
                    yield self.run(anext_of(items))
                except StopAsyncIteration:
                    return
        finally:
            self.run(items.aclose())

    def close(self) -> None:
        """End the loop and its thread."""
        if self._thread is None:
            self._runner.close()
            return
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()


async def anext_of(items: AsyncGenerator[T, None]) -> T:
    """Return the next item, as a coroutine that a runner takes."""
    return await anext(items)


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
