"""``cached_property`` without the lock of Python 3.11.

There :func:`functools.cached_property` holds one lock for all instances of a class while it makes a value. A process that is forked
at such a moment by another thread copies the lock as held, and the first value that is made in the child waits for ever.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property(functools.cached_property):  # noqa: N801 - takes its place
        """Makes a value once for each instance; of two threads that ask at once, both may make it."""

        def __get__(self, instance: object, owner: type | None = None) -> Any:
            """Return the value, made when it is asked for first."""
            if instance is None:
                return self
            cache, name = instance.__dict__, self.attrname
            value = cache.get(name, _MISSING)
            if value is _MISSING:
                value = cache[name] = self.func(instance)
            return value


_MISSING: Final = object()

__all__ = ["cached_property"]
