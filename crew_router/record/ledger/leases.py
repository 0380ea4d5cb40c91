"""The parts of budgets that this process may spend, and what is known to be left beyond them; all of it in memory.

The owner holds a lock around every call.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from crew_router.errors import BudgetExceededError
from crew_router.record.ledger.budgets import Reservation, Scope
from crew_router.types.model import NANO_PER_USD

_LOCAL_SCOPES: Final = 10_000


@dataclass(slots=True)
class Slice:
    """A part of one budget that this process may spend; ``until`` is by the database's time."""

    scope: Scope
    lease: str
    amount_nano: int = 0
    spent_nano: int = 0
    reserved_nano: int = 0
    exposed_nano: int = 0
    until: float = math.inf
    used_at: float = 0.0
    left_behind_nano: int = 0
    fresh: bool = True

    @property
    def free_nano(self) -> int:
        """What can still be reserved."""
        return self.amount_nano - self.spent_nano - self.reserved_nano

    @property
    def key(self) -> tuple[str, str]:
        """Name and period of the budget."""
        return self.scope.name, self.scope.period


@dataclass(slots=True)
class Held:
    """What one reservation set aside."""

    slices: tuple[Slice, ...]
    upper_nano: int


class Slices:
    """The slices of one process.

    Args:
        safe: Whether no more may be in flight on a slice than the database knows of.
    """

    def __init__(self, *, safe: bool) -> None:
        self._safe = safe
        self._slices: dict[tuple[str, str], Slice] = {}
        self._held: dict[int, Held] = {}
        self._numbers = itertools.count(1)
        self._left: dict[str, int] = {}
        self._known: dict[str, tuple[Scope, float]] = {}
        self.left_nano: Mapping[str, int] = MappingProxyType(self._left)

    def covers(self, scopes: tuple[Scope, ...], upper: int, *, now: float, lasts_s: float) -> bool:
        """Tell whether nothing need be asked for to set an amount aside, or to refuse it."""
        shared = ((scope, self._slices.get((scope.name, scope.period))) for scope in scopes if not scope.local)
        return all(part is not None and self._has(part, scope, upper, until=now + lasts_s) for scope, part in shared)

    def reserve(self, scopes: tuple[Scope, ...], upper: int, *, now: float, lasts_s: float) -> Reservation | None:
        """Set an amount aside in every scope, or return ``None`` where more has to be asked for first.

        Raises:
            BudgetExceededError: A scope of this process alone has too little left.
        """
        parts = list[Slice]()
        for scope in scopes:
            part = self._slices.get((scope.name, scope.period))
            if part is None and scope.local:
                part = self._open_local(scope)
            if part is None or not self._has(part, scope, upper, until=now + lasts_s):
                if part is not None and scope.local:
                    raise exceeded(scope, part.free_nano, upper)
                return None
            parts.append(part)
        for part in parts:
            part.reserved_nano += upper
            part.used_at = now
            self._count(part)
        number = next(self._numbers)
        self._held[number] = Held(tuple(parts), upper)
        return Reservation(scopes, upper, number=number)

    def taken(self, reservation: Reservation) -> Held | None:
        """Return what a reservation set aside, the first time that it is asked for."""
        return self._held.pop(reservation.number, None)

    def book(self, held: Held, spent_nano: int, *, now: float) -> None:
        """Give back what was set aside, less what was spent."""
        for part in held.slices:
            part.reserved_nano -= held.upper_nano
            part.spent_nano += spent_nano
            part.used_at = now
            self._count(part)

    def of(self, scope: Scope) -> Slice | None:
        """Return the slice of a budget."""
        return self._slices.get((scope.name, scope.period))

    def put(self, part: Slice, *, now: float) -> None:
        """Take a slice in, with what was left of its budget beyond it."""
        self._slices[part.key] = part
        self.note(part, now=now)

    def note(self, part: Slice, *, now: float) -> None:
        """Remember what is left of a budget, of which there need be no slice."""
        self._known[part.scope.name] = part.scope, now
        self._count(part)

    def put_back(self, parts: list[Slice]) -> None:
        """Take slices in again that could not be given back."""
        for part in parts:
            self._slices.setdefault(part.key, part)

    def drop(self, part: Slice) -> None:
        """Forget a slice."""
        self._slices.pop(part.key, None)

    def take_idle(self, *, now: float, idle_s: float) -> list[Slice]:
        """Take slices out that were not used for so long; below zero all of them, with what is in flight."""
        idle = [part for part in self._slices.values() if now - part.used_at > idle_s and (not part.reserved_nano or idle_s < 0)]
        for part in idle:
            del self._slices[part.key]
            self._forget(part.scope.name)
        return idle

    def forget(self, holds: Callable[[Scope], bool], *, before: float) -> None:
        """Forget what was left of budgets whose period or limit is another by now, or that were asked for in vain before a time."""
        stale = [
            name
            for name, (scope, at) in self._known.items()
            if not holds(scope) or ((scope.name, scope.period) not in self._slices and at < before)
        ]
        for name in stale:
            self._forget(name)

    def _count(self, part: Slice) -> None:
        known = self._known.get(part.scope.name)
        if part.scope.local or (known is not None and known[0] is part.scope):
            self._left[part.scope.name] = part.left_behind_nano + part.free_nano

    def _forget(self, name: str) -> None:
        self._left.pop(name, None)
        self._known.pop(name, None)

    def _has(self, part: Slice, scope: Scope, upper: int, *, until: float) -> bool:
        """Tell whether a slice has enough for long enough, by the limit of today, and the database knows of so much in flight."""
        if part.free_nano < upper or part.until < until:
            return False
        risky = self._safe and part.reserved_nano + upper > part.exposed_nano
        return scope.local or not (risky or part.scope.limit_nano != scope.limit_nano)

    def _open_local(self, scope: Scope) -> Slice:
        if len(self._slices) > _LOCAL_SCOPES:
            for key in [key for key, part in self._slices.items() if part.scope.local and not part.reserved_nano][: _LOCAL_SCOPES // 2]:
                self._forget(self._slices.pop(key).scope.name)
        part = self._slices[scope.name, scope.period] = Slice(scope, "", scope.limit_nano)
        return part


def exceeded(scope: Scope, left_nano: int, upper_nano: float) -> BudgetExceededError:
    """Return the error of a budget that has too little left."""
    left_usd, needed_usd = max(left_nano, 0) / NANO_PER_USD, upper_nano / NANO_PER_USD
    return BudgetExceededError(scope.name, limit_usd=scope.limit_nano / NANO_PER_USD, left_usd=left_usd, needed_usd=needed_usd)
