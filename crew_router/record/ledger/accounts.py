"""Balances of budgets in the database: granting leases, closing them, and deriving it all from the rows again.

Every function runs inside one transaction of the caller. An account is changed with its row locked, and accounts are taken
in the order of their names, so that two processes never wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crew_router.record.ledger.budgets import Scope
    from crew_router.record.ledger.database import Cursor
    from crew_router.record.ledger.schema import Row

_SHARE: Final = 32  # guess, measured by benchmarks/state.py: a slice is this part of what is left


@dataclass(frozen=True, slots=True)
class Want:
    """What a process asks of one account.

    Args:
        scope: The budget.
        lease: Its lease there, or a new name.
        free_nano: What it has left on that lease.
        need_nano: What the call needs.
        exposed_nano: Bound of what it will have in flight.
        safe: Whether its settlements are on disk when they return.
        until: When the lease ends, by the database's time.
        fresh: Whether the lease is new.
    """

    scope: Scope
    lease: str
    free_nano: int
    need_nano: int
    exposed_nano: int
    safe: bool
    until: float
    fresh: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """What an account gave: ``added_nano`` (less than nothing when a limit was lowered), or ``None`` if it has too little.

    ``lost`` says that the lease had been closed by others.
    """

    added_nano: int | None
    left_nano: int
    lost: bool = False


def grant(cursor: Cursor, project: str, wants: Sequence[Want], *, holder: str, now: float) -> list[Grant]:
    """Lease what is wanted from every account, or from none.

    Leases that ended are closed on the way, so that what a dead process held comes back without anybody's help.
    """
    answers = [_offer(cursor, project, want, now=now) for want in sorted(wants, key=_order)]
    if all(answer.added_nano is not None and not answer.lost for answer in answers):
        for want, answer in zip(sorted(wants, key=_order), answers, strict=True):
            _lease(cursor, project, want, answer.added_nano or 0, holder=holder, now=now)
    found = dict(zip((want.scope for want in sorted(wants, key=_order)), answers, strict=True))
    return [found[want.scope] for want in wants]


def close_lease(cursor: Cursor, project: str, lease: str, *, in_flight_nano: int, now: float) -> None:
    """Close a lease of one's own: what was spent stays spent, what is in flight is forfeited, the rest goes back."""
    rows = cursor.run("SELECT scope, period FROM leases WHERE id = ? AND closed = 0", (lease,))
    for scope, period in rows:
        _lock(cursor, project, str(scope), str(period))
        found = cursor.run("SELECT id, amount_nano FROM leases WHERE id = ? AND closed = 0", (lease,))
        for name, amount in found:
            _close(cursor, project, (str(scope), str(period), str(name)), int(amount or 0), in_flight_nano, now=now)


def spent_nano(cursor: Cursor, project: str, scope: Scope) -> int:
    """Return what was spent or forfeited of a budget, open leases included."""
    where = (project, scope.name, scope.period)
    closed = cursor.run("SELECT spent_nano FROM accounts WHERE project = ? AND scope = ? AND period = ?", where)
    held = cursor.run(
        "SELECT coalesce(sum(m.amount_nano), 0) FROM leases l JOIN money m ON m.lease = l.id AND m.kind = 'spent' "
        "WHERE l.project = ? AND l.scope = ? AND l.period = ? AND l.closed = 0",
        where,
    )
    return int(closed[0][0] or 0) + int(held[0][0] or 0) if closed else 0


@dataclass(frozen=True, slots=True)
class Balance:
    """One account as it stands, and as its rows say it should."""

    scope: str
    period: str
    limit_nano: int
    spent_nano: int
    leased_nano: int
    derived_spent_nano: int
    derived_leased_nano: int

    @property
    def agrees(self) -> bool:
        """Tell whether the account is what its rows add up to."""
        return (self.spent_nano, self.leased_nano) == (self.derived_spent_nano, self.derived_leased_nano)


def reconcile(cursor: Cursor, project: str, *, repair: bool = False) -> list[Balance]:
    """Derive every account from its rows; with ``repair`` put right what does not agree."""
    derived = {(scope, period): (spent, leased) for scope, period, spent, leased in cursor.run(_DERIVED, (project,))}
    accounts = cursor.run(
        "SELECT scope, period, limit_nano, spent_nano, leased_nano FROM accounts WHERE project = ? ORDER BY scope, period", (project,)
    )
    balances = [_balance(row, derived.get((row[0], row[1]), (0, 0))) for row in accounts]
    for balance in balances:
        if repair and not balance.agrees:
            cursor.run(
                "UPDATE accounts SET spent_nano = ?, leased_nano = ? WHERE project = ? AND scope = ? AND period = ?",
                (balance.derived_spent_nano, balance.derived_leased_nano, project, balance.scope, balance.period),
            )
    return balances


# A closed lease cost what was not returned of it, or what was spent on it if that is more (a settlement that came after the
# lease had been forfeited is part of what was forfeited).
_DERIVED: Final = """
SELECT scope, period,
    CAST(sum(CASE WHEN closed = 1 THEN CASE WHEN spent > granted - returned THEN spent ELSE granted - returned END ELSE 0 END) AS BIGINT),
    CAST(sum(CASE WHEN closed = 0 THEN granted ELSE 0 END) AS BIGINT)
FROM (SELECT scope, period, lease, max(CASE WHEN kind = 'returned' THEN 1 ELSE 0 END) AS closed,
        sum(CASE WHEN kind = 'granted' THEN amount_nano ELSE 0 END) AS granted,
        sum(CASE WHEN kind = 'returned' THEN amount_nano ELSE 0 END) AS returned,
        sum(CASE WHEN kind = 'spent' THEN amount_nano ELSE 0 END) AS spent
    FROM money WHERE project = ? GROUP BY scope, period, lease) AS by_lease
GROUP BY scope, period
"""


def _offer(cursor: Cursor, project: str, want: Want, *, now: float) -> Grant:
    cursor.run(
        "INSERT INTO accounts (project, scope, period, limit_nano, spent_nano, leased_nano) VALUES (?, ?, ?, ?, 0, 0) "
        "ON CONFLICT DO NOTHING",
        (project, want.scope.name, want.scope.period, want.scope.limit_nano),
    )
    _lock(cursor, project, want.scope.name, want.scope.period)
    _reap(cursor, project, want, now=now)
    ((spent, leased),) = cursor.run(
        "UPDATE accounts SET limit_nano = ? WHERE project = ? AND scope = ? AND period = ? RETURNING spent_nano, leased_nano",
        (want.scope.limit_nano, project, want.scope.name, want.scope.period),
    )
    left = want.scope.limit_nano - int(spent or 0) - int(leased or 0)
    if not want.fresh and not cursor.run("SELECT 1 FROM leases WHERE id = ? AND closed = 0", (want.lease,)):
        return Grant(None, left, lost=True)
    lacking = want.need_nano - want.free_nano
    if lacking > left:
        return Grant(None, left)
    if left < 0:  # the limit was lowered below what is leased: give back what is beyond it
        return Grant(left, left)
    return Grant(max(lacking, left // _SHARE) if lacking > 0 else 0, left)


def _lease(cursor: Cursor, project: str, want: Want, added_nano: int, *, holder: str, now: float) -> None:
    scope, period = want.scope.name, want.scope.period
    if want.fresh:
        cursor.run(
            "INSERT INTO leases (id, project, scope, period, holder, amount_nano, exposed_nano, safe, expires_at, closed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (want.lease, project, scope, period, holder, added_nano, want.exposed_nano, int(want.safe), want.until),
        )
    else:
        cursor.run(
            "UPDATE leases SET amount_nano = amount_nano + ?, exposed_nano = ?, expires_at = ? WHERE id = ?",
            (added_nano, want.exposed_nano, want.until, want.lease),
        )
    if added_nano or want.fresh:
        _account(cursor, project, (scope, period), spent=0, leased=added_nano)
        _note(cursor, project, (scope, period, want.lease), "granted", added_nano, now=now)


def _reap(cursor: Cursor, project: str, want: Want, *, now: float) -> None:
    dead = cursor.run(
        "SELECT id, amount_nano, exposed_nano, safe FROM leases "
        "WHERE project = ? AND scope = ? AND period = ? AND closed = 0 AND expires_at < ? AND id <> ?",
        (project, want.scope.name, want.scope.period, now, want.lease),
    )
    for lease, amount, exposed, safe in dead:
        risk = int(exposed or 0) if safe else int(amount or 0)
        _close(cursor, project, (want.scope.name, want.scope.period, str(lease)), int(amount or 0), risk, now=now)


def _close(cursor: Cursor, project: str, lease: tuple[str, str, str], amount: int, risk: int, *, now: float) -> None:
    ((spent,),) = cursor.run("SELECT coalesce(sum(amount_nano), 0) FROM money WHERE lease = ? AND kind = 'spent'", (lease[2],))
    used = int(spent or 0)
    forfeited = max(min(risk, amount - used), 0)
    returned = max(amount - used - forfeited, 0)
    cursor.run("UPDATE leases SET closed = 1 WHERE id = ?", (lease[2],))
    _account(cursor, project, lease[:2], spent=used + forfeited, leased=-amount)
    if forfeited:
        _note(cursor, project, lease, "forfeited", forfeited, now=now)
    _note(cursor, project, lease, "returned", returned, now=now)


def _lock(cursor: Cursor, project: str, scope: str, period: str) -> None:
    # An update that changes nothing takes the row lock in PostgreSQL; in SQLite the transaction has the file already.
    cursor.run("UPDATE accounts SET spent_nano = spent_nano WHERE project = ? AND scope = ? AND period = ?", (project, scope, period))


def _account(cursor: Cursor, project: str, key: tuple[str, str], *, spent: int, leased: int) -> None:
    cursor.run(
        "UPDATE accounts SET spent_nano = spent_nano + ?, leased_nano = leased_nano + ? WHERE project = ? AND scope = ? AND period = ?",
        (spent, leased, project, *key),
    )


def _note(cursor: Cursor, project: str, lease: tuple[str, str, str], kind: str, amount_nano: int, *, now: float) -> None:
    cursor.run(
        "INSERT INTO money (project, at, scope, period, lease, kind, amount_nano) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (project, now, *lease, kind, amount_nano),
    )


def _order(want: Want) -> tuple[str, str]:
    return want.scope.name, want.scope.period


def _balance(row: Row, derived: tuple[object, object]) -> Balance:
    scope, period, limit, spent, leased = row
    return Balance(str(scope), str(period), int(limit or 0), int(spent or 0), int(leased or 0), int(str(derived[0])), int(str(derived[1])))
