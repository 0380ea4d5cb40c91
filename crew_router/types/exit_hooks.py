"""The end of a process, and of an object that nobody closed: what is pending is written, threads and files are released.

Three ends lead here. The interpreter runs ``atexit`` functions when a program ends, by an exception or ``sys.exit`` too. A
child of ``multiprocessing`` leaves by ``os._exit``, before which it runs the finalizers that it registered itself. And such a
child is ended by SIGTERM when its pool is terminated, as leaving ``with Pool()`` does; it then writes what is pending and
dies of the signal. In all other processes signals are the program's own business.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import queue
import signal
import threading
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from crew_router.types.redaction import logger

_log = logger(__name__)
_WRITE_FIRST: Final = 100  # a finalizer's priority: before those of queues and pools
_MOST_S: Final = 10.0  # that a terminated child may take to write


class Ending(Protocol):
    """Something that has to do work before the process ends."""

    def at_exit(self) -> None:
        """Write what is pending; called at most once a process, while other threads may still run."""
        ...


_watched: dict[int, weakref.ref[Ending]] = {}
_releases: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
_releasing = threading.Lock()
_thread_of_releases: threading.Thread | None = None
_child_pid: int | None = None
_pipe: tuple[int, int] | None = None


def watch(thing: Ending) -> None:
    """Call ``thing.at_exit()`` before the process ends, unless nobody holds the thing any more by then; what came last goes first."""
    key = id(thing)
    _watched[key] = weakref.ref(thing, lambda _: _watched.pop(key, None))
    _prepare()


def release_with(owner: object, release: Callable[[], None]) -> None:
    """Call a function once nobody holds an object any more; it must not hold the object itself.

    It is called on a thread of its own: an object can become garbage anywhere, also inside a lock that the function needs.
    """
    finalizer = weakref.finalize(owner, _hand_over, release)
    finalizer.atexit = False  # what is alive at the end of the process is for :func:`watch`
    _prepare()
    _start_releasing()


def end() -> None:
    """Do what is due before the process ends; what fails is logged and keeps nothing else from being done."""
    with _releasing:
        while not _releases.empty():
            _attempt(_releases.get())
    for reference in reversed(list(_watched.values())):  # what came last uses what was there before
        thing = reference()
        if thing is not None:
            _attempt(thing.at_exit)


def _attempt(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:  # noqa: BLE001 - the rest has to be done in any case, and nobody is left to catch it
        _log.exception("not everything could be written or released before the end")


# Objects that nobody holds any more ----------------------------------------------------------------------------------


def _hand_over(release: Callable[[], None]) -> None:
    # A simple queue may be put to from anywhere, also by the collector in the middle of another put.
    _releases.put(release)


def _start_releasing() -> None:
    global _thread_of_releases  # noqa: PLW0603 - one thread a process
    if _thread_of_releases is None:
        _thread_of_releases = threading.Thread(target=_release, args=(_releases,), name="crew-router-release", daemon=True)
        _thread_of_releases.start()


def _release(releases: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        call = releases.get()
        with _releasing:
            _attempt(call)
        del call


# Ends of a process ---------------------------------------------------------------------------------------------------


def _prepare() -> None:
    """Be ready for the end of this process, whatever it is."""
    import multiprocessing.process
    import multiprocessing.util

    if _here not in _marks:
        _marks.add(_here)
        multiprocessing.util.register_after_fork(_here, _Mark.forked)
    if multiprocessing.process.parent_process() is not None:
        _prepare_child()


class _Mark:
    """Stands for this module where ``multiprocessing`` wants an object."""

    def forked(self) -> None:
        """Be ready for the end of a child that was just forked."""
        _prepare_child()


_here: Final = _Mark()
_marks: set[_Mark] = set()


def _prepare_child() -> None:
    from multiprocessing.util import Finalize

    global _child_pid  # noqa: PLW0603 - one for each child
    if _child_pid == os.getpid():
        return
    _child_pid = os.getpid()
    Finalize(None, end, exitpriority=_WRITE_FIRST)
    if hasattr(faulthandler, "register") and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        _listen()


def _listen() -> None:
    """Let a thread learn of SIGTERM from a pipe.

    A handler in Python runs on the main thread alone, and not before that returns from C: a child that waits for its next task
    would never die, and its pool wait for it for ever. The handler of ``faulthandler`` is C; what it writes is a traceback that
    nobody reads. A program that sets a handler of its own replaces it.
    """
    global _pipe  # noqa: PLW0603 - as above
    _pipe = os.pipe()
    os.set_blocking(_pipe[1], False)
    faulthandler.register(signal.SIGTERM, file=_pipe[1], all_threads=False)
    threading.Thread(target=_await_signal, args=(_pipe[0],), name="crew-router-sigterm", daemon=True).start()


def _await_signal(told: int) -> None:
    if os.read(told, 1):
        ending = threading.Thread(target=end, name="crew-router-end", daemon=True)
        ending.start()
        ending.join(_MOST_S)
        faulthandler.unregister(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)


def _after_fork_in_child() -> None:
    """Leave the parent's objects to the parent's threads; those of the child are released by one of its own."""
    global _releases, _releasing, _thread_of_releases, _pipe  # noqa: PLW0603 - as above
    if _pipe is not None:  # of a child that forks in its turn
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            faulthandler.unregister(signal.SIGTERM)
        for file in _pipe:
            os.close(file)
        _pipe = None
    _releases = queue.SimpleQueue[Callable[[], None]]()
    _releasing = threading.Lock()
    if _thread_of_releases is not None:
        _thread_of_releases = None
        _start_releasing()


atexit.register(end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
