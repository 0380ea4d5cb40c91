"""What lives through ``os.fork`` (gunicorn, celery): every object that holds connections, queues or threads asks to be told.

Before the fork their locks are taken, so that the child gets whole data; after it both sides let go, and the child opens its
own connections and starts its own threads when it first needs them.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol


class Forkable(Protocol):
    """Something that must know of a fork."""

    def before_fork(self) -> None:
        """Finish what is under way and hold still."""
        ...

    def after_fork(self, *, child: bool) -> None:
        """Go on; in the child nothing of the parent's work may be done a second time."""
        ...


_watched: weakref.WeakValueDictionary[int, Forkable] = weakref.WeakValueDictionary()
_held: list[Forkable] = []
_numbers = itertools.count()
importing = threading.RLock()
"""Held by whoever imports a package at run time: a child that is forked meanwhile could never import it."""


def watch(thing: Forkable) -> None:
    """Tell an object of every fork for as long as it lives; whoever takes another's lock inside its own is to be watched first."""
    _watched[id(thing)] = thing


_children: dict[int, tuple[weakref.ref[object], str, Callable[[], object]]] = {}


def free_in_child(owner: object, name: str = "_lock", make: Callable[[], object] = threading.Lock) -> None:
    """Give an object a new lock in a forked child, where the thread that held the old one at that moment does not exist.

    It is for locks around data that is whole after every single step. What belongs to the parent alone can be made anew likewise.
    """
    key = next(_numbers)
    _children[key] = weakref.ref(owner, lambda _: _children.pop(key, None)), name, make


def _before() -> None:
    importing.acquire()
    for thing in list(_watched.values()):
        thing.before_fork()
        _held.append(thing)


def _after_in_parent() -> None:
    while _held:
        _held.pop().after_fork(child=False)
    importing.release()


def _after_in_child() -> None:
    importing.release()
    for reference, name, make in list(_children.values()):
        owner = reference()
        if owner is not None:
            setattr(owner, name, make())
    while _held:
        _held.pop().after_fork(child=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
