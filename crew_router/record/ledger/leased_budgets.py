"""Budgets spent from slices: a process leases a part of what is left, and reserves from it in memory.

A slice is a thirty-second part of what is left, or what the call needs if that is more, so slices shrink as the budget does.
What a process leaves idle goes back after a while, and everything when it closes. When it dies, its lease ends by itself:
with ``durability: full`` all but a bound of what was in flight comes back, otherwise what it had not yet written is forfeited,
because it may have been spent.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crew_router.errors import StorageError
from crew_router.record.ledger import accounts
from crew_router.record.ledger.accounts import Grant, Want
from crew_router.record.ledger.budgets import Reservation, Scope
from crew_router.record.ledger.database import DatabaseError
from crew_router.record.ledger.leases import Held, Slice, Slices, exceeded
from crew_router.record.ledger.schema import MONEY, Cell, Row

if TYPE_CHECKING:
    from crew_router.record.ledger.database import Database
    from crew_router.record.ledger.limits import Limits
    from crew_router.record.ledger.writer import Writer
    from crew_router.types.clock import Clock

_IDLE_S: Final = 30.0
_KEEP_S: Final = 1.0
_EXPOSED_CALLS: Final = 2


class Purse:
    """Implements :class:`crew_router.record.ledger.budgets.Budgets` over a ledger's database.

    Args:
        database: Where accounts are.
        writer: Takes the rows of what was spent.
        project: Whose budgets they are.
        clock: Time.
        safe: Whether settlements are on disk when they return (``durability: full``).
        idle_s: Seconds after which an unused slice goes back.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        *,
        project: str,
        clock: Clock,
        safe: bool = False,
        idle_s: float = _IDLE_S,
    ) -> None:
        self._database, self._writer, self._project, self._clock = database, writer, project, clock
        self._safe, self._idle_s = safe, idle_s
        self.limits: Limits | None = None
        self._lock, self._asking = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        self._begin()

    def reserve(self, scopes: tuple[Scope, ...], upper_nano: int | None, *, lasts_s: float = 600.0, decision_id: str = "") -> Reservation:  # noqa: ARG002 - the protocol's; rows carry the id of the settlement
        """Set the upper bound of a call's cost aside in every scope, or in none.

        Raises:
            BudgetExceededError: A scope has too little left, or the model has no price.
            StorageError: The slices held here are used up and the database cannot be reached.
        """
        if not scopes:
            return Reservation()
        upper = self._priced(scopes, upper_nano)
        reservation = self._from_slices(scopes, upper, lasts_s=lasts_s)
        if reservation is None:
            with self._asking:
                reservation = self._from_slices(scopes, upper, lasts_s=lasts_s)
                while reservation is None:
                    self._refill(scopes, upper, lasts_s=lasts_s)
                    reservation = self._from_slices(scopes, upper, lasts_s=lasts_s)
        return reservation

    def at_hand(self, scopes: tuple[Scope, ...], upper_nano: int | None, *, lasts_s: float = 600.0) -> bool:
        """Tell whether :meth:`reserve` will answer without asking the database."""
        if upper_nano is None:
            return True
        with self._lock:
            return self._slices.covers(scopes, upper_nano, now=self._now(), lasts_s=lasts_s)

    def settle(self, reservation: Reservation, spent_nano: int, *, decision_id: str = "", estimated: bool = False) -> None:
        """Book what the call cost; with ``durability: full`` it is on disk before more is in flight. A second time does nothing."""
        held = self._slices.taken(reservation)
        if held is None:
            return
        now, ticket = self._now(), 0
        for part in held.slices:
            if not part.scope.local:
                cells = (part.scope.name, part.scope.period, part.lease, "spent", spent_nano, decision_id, int(estimated))
                ticket = self._writer.put(MONEY, _row, self._project, now, *cells, money=True)
        if ticket and self._writer.deferred(decision_id):
            self._writer.confirm(ticket, decision_id)
            self._writer.after(ticket, lambda: self._booked(held, spent_nano, now=now))
            return
        try:
            self._writer.confirm(ticket)
        finally:
            self._booked(held, spent_nano, now=now)

    def release(self, reservation: Reservation) -> None:
        """Give the whole reservation back; a second time does nothing."""
        held = self._slices.taken(reservation)
        if held is not None:
            self._booked(held, 0, now=self._now())

    def left_nano(self) -> Mapping[str, int]:
        """Return what this process knows to be left by scope name."""
        return self._slices.left_nano

    def remaining_nano(self, scope: Scope) -> int:
        """Read from the rows what is left of a scope.

        Raises:
            StorageError: The database cannot be reached.
        """
        if scope.local:
            known = self._slices.of(scope)
            return scope.limit_nano - (known.spent_nano if known else 0)
        self._writer.flush()
        with self._asked(), self._database.transaction(urgent=True) as cursor:
            return scope.limit_nano - accounts.spent_nano(cursor, self._project, scope)

    def close(self) -> None:
        """Give every slice back; what is in flight stays gone."""
        self._stop.set()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.join()
        with self._asking:
            self._give_back(idle_s=-1.0)

    def hold(self) -> None:
        """Hold still, around a fork."""
        self._asking.acquire()
        self._lock.acquire()

    def let_go(self, *, child: bool) -> None:
        """Go on; the child has no slices, those of the parent are the parent's."""
        self._lock.release()
        self._asking.release()
        if child:
            self._keeper, self._stop = None, threading.Event()
            self._begin()

    def _begin(self) -> None:
        self._holder = f"{os.uname().nodename if hasattr(os, 'uname') else 'here'}-{os.getpid():x}-{os.urandom(6).hex()}"
        self._numbers = itertools.count(1)
        self._slices = Slices(safe=self._safe)
        self._offset_s = 0.0

    def _now(self) -> float:
        return self._clock.now() + self._offset_s

    def _priced(self, scopes: tuple[Scope, ...], upper_nano: int | None) -> int:
        if upper_nano is None and not (self.limits and self.limits.unpriced):
            left = self._slices.left_nano.get(scopes[0].name, scopes[0].limit_nano)
            raise exceeded(scopes[0], left, math.inf)
        return upper_nano or 0

    def _from_slices(self, scopes: tuple[Scope, ...], upper: int, *, lasts_s: float) -> Reservation | None:
        with self._lock:
            return self._slices.reserve(scopes, upper, now=self._now(), lasts_s=lasts_s)

    def _refill(self, scopes: tuple[Scope, ...], upper: int, *, lasts_s: float) -> None:
        shared = [scope for scope in scopes if not scope.local]
        parts = [self._slices.of(scope) or self._new_slice(scope) for scope in shared]
        with self._asked(), self._database.transaction(urgent=True) as cursor:
            now = cursor.time_s()
            self._offset_s = 0.0 if now is None else now - self._clock.now()
            now = self._now()
            wants = [self._want(part, scope, upper, until=now + 2 * lasts_s) for part, scope in zip(parts, shared, strict=True)]
            grants = accounts.grant(cursor, self._project, wants, holder=self._holder, now=now)
        self._ensure_keeper()
        with self._lock:
            given = all(grant.added_nano is not None and not grant.lost for grant in grants)
            for part, want, grant in zip(parts, wants, grants, strict=True):
                self._take_in(part, want, grant, given=given, now=now)
            short = [(part, grant) for part, grant in zip(parts, grants, strict=True) if grant.added_nano is None and not grant.lost]
        for part, grant in short:
            raise exceeded(part.scope, grant.left_nano + part.free_nano, upper)

    def _new_slice(self, scope: Scope) -> Slice:
        return Slice(scope, f"{self._holder}-{next(self._numbers)}")

    def _want(self, part: Slice, scope: Scope, upper: int, *, until: float) -> Want:
        in_flight = part.reserved_nano + upper
        exposed = part.exposed_nano if in_flight <= part.exposed_nano else _EXPOSED_CALLS * in_flight
        until = max(until, part.until) if part.until < math.inf else until
        return Want(scope, part.lease, part.free_nano, upper, exposed, self._safe, until, part.fresh)

    def _take_in(self, part: Slice, want: Want, grant: Grant, *, given: bool, now: float) -> None:
        if grant.lost:
            self._slices.drop(part)
            return
        part.scope, part.left_behind_nano = want.scope, grant.left_nano
        if given:
            added = grant.added_nano or 0
            part.amount_nano += added
            part.left_behind_nano -= added
            part.exposed_nano, part.until, part.fresh = want.exposed_nano, want.until, False
            self._slices.put(part, now=now)
        else:
            self._slices.note(part, now=now)

    def _booked(self, held: Held, spent_nano: int, *, now: float) -> None:
        with self._lock:
            self._slices.book(held, spent_nano, now=now)

    def _ensure_keeper(self) -> None:
        if self._keeper is None and not self._stop.is_set():
            self._keeper = threading.Thread(target=self._keep, name="crew-router-budgets", daemon=True)
            self._keeper.start()

    def _keep(self) -> None:
        while not self._stop.wait(min(self._idle_s / 2, _KEEP_S)):
            with self._asking:
                self._give_back(idle_s=self._idle_s)
            with self._lock:
                now = self._now()
                self._slices.forget(lambda scope: self._holds(scope, at=now), before=now - self._idle_s)  # noqa: B023 - used at once

    def _holds(self, scope: Scope, *, at: float) -> bool:
        """Tell whether a budget is still limited so, in the period of this moment."""
        return self.limits is None or self.limits.scope(scope.name, at=at) == scope

    def _give_back(self, *, idle_s: float) -> None:
        now = self._now()
        with self._lock:
            idle = self._slices.take_idle(now=now, idle_s=idle_s)
        leased = [part for part in idle if part.lease]
        if not leased:
            return
        try:
            self._writer.flush()
            with self._database.transaction(urgent=True) as cursor:
                for part in sorted(leased, key=_order):
                    accounts.close_lease(cursor, self._project, part.lease, in_flight_nano=part.reserved_nano, now=now)
        except (DatabaseError, StorageError):
            # The leases end by themselves; until then nobody else can have the money, and it is not lost track of.
            with self._lock:
                self._slices.put_back(leased)

    def _asked(self) -> _Translated:
        return _Translated(self._database.url)


@dataclass(frozen=True, slots=True)
class _Translated:
    url: str

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Say what a database error means for a hard budget."""
        if isinstance(error, DatabaseError):
            problem = f"the part of the budget held here is used up, and no more can be had: {error.problem}"
            raise StorageError(self.url, problem, cure="bring the ledger's database back; spending goes on then") from error


def _row(*cells: Cell) -> Row:
    return cells


def _order(part: Slice) -> tuple[str, str]:
    return part.scope.name, part.scope.period
