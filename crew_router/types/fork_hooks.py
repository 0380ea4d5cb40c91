"""What lives through ``os.fork`` (gunicorn, celery): every object that holds connections, queues or threads asks to be told.

Before the fork their locks are taken, so that the child gets whole data; after it both sides let go, and the child opens its
own connections and starts its own threads when it first needs them.
"""

from __future__ import annotations

import os
import weakref
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


def watch(thing: Forkable) -> None:
    """Tell an object of every fork for as long as it lives; whoever takes another's lock inside its own is to be watched first."""
    _watched[id(thing)] = thing


def _before() -> None:
    for thing in list(_watched.values()):
        thing.before_fork()
        _held.append(thing)


def _after_in_parent() -> None:
    while _held:
        _held.pop().after_fork(child=False)


def _after_in_child() -> None:
    while _held:
        _held.pop().after_fork(child=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
