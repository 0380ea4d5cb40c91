"""Ids that are unique over processes and machines, from a counter and a process prefix."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator

_PREFIX_BYTES = 8


class IdSource:
    """Makes ids like ``d-9f2c61d0a3b44e17-1``; a forked child gets a prefix of its own.

    Example:
        >>> ids = IdSource("d")
        >>> ids.next().rpartition("-")[2], ids.next().rpartition("-")[2]
        ('1', '2')
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def next(self) -> str:
        """Return a new id."""
        return f"{self._prefix}{next(self._numbers)}"

    def _renew(self) -> None:
        self._prefix = f"{self._kind}-{secrets.token_hex(_PREFIX_BYTES)}-"
        self._numbers: Iterator[int] = itertools.count(1)
