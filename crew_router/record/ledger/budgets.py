"""Money that is reserved before a call and settled after it: the seam between execution and the ledger (A17, C5, D13).

All amounts are whole nano-dollars. A reservation covers every budget that a call touches, all or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Scope:
    """One budget that a call counts against.

    Args:
        name: What is limited: ``day``, ``project``, ``request:<id>``, ``run:<id>``, ``session:<id>``, ``user:<id>``,
            ``provider:<name>``.
        limit_nano: The limit in nano-dollars.
        period: The period it holds for, as ``2026-03-01`` in the configured time zone, or empty for all time.
    """

    name: str
    limit_nano: int
    period: str = ""

    @property
    def local(self) -> bool:
        """Tell whether one process alone spends it, as all calls of one request do."""
        return self.name.startswith("request:")


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside for one call; give it back by ``settle`` or ``release``, once."""

    scopes: tuple[Scope, ...] = ()
    upper_nano: int = 0
    _: KW_ONLY
    number: int = 0
    leases: tuple[str, ...] = field(default=(), repr=False)


class Budgets(Protocol):
    """Budgets as execution sees them. Safe to call from any thread."""

    def reserve(self, scopes: tuple[Scope, ...], upper_nano: int | None, *, lasts_s: float = 600.0, decision_id: str = "") -> Reservation:
        """Set the upper bound of a call's cost aside in every scope, or in none.

        Args:
            scopes: What the call counts against.
            upper_nano: Most that it may cost; ``None`` when the model has no price.
            lasts_s: Seconds until the call is over at the latest; the lease behind the reservation outlives it.
            decision_id: For the rows.

        Raises:
            BudgetExceededError: A scope has too little left, or the model has no price and unpriced models are refused.
            StorageError: The slices held here are used up and the ledger's database cannot be reached.
        """
        ...

    def at_hand(self, scopes: tuple[Scope, ...], upper_nano: int | None, *, lasts_s: float = 600.0) -> bool:
        """Tell whether :meth:`reserve` will answer at once, without I/O."""
        ...

    def settle(self, reservation: Reservation, spent_nano: int, *, decision_id: str = "", estimated: bool = False) -> None:
        """Book what the call cost, and give the rest of the reservation back."""
        ...

    def release(self, reservation: Reservation) -> None:
        """Give the whole reservation back: no byte was received, nothing was spent."""
        ...

    def left_nano(self) -> Mapping[str, int]:
        """Return what this process knows to be left by scope name, without I/O; scopes it has not met are absent."""
        ...

    def remaining_nano(self, scope: Scope) -> int:
        """Read from the rows what is left of a scope: its limit less what was spent or forfeited; what is only held counts as left."""
        ...


class NoBudgets:
    """Nothing is limited; what is used when no budget is configured."""

    def reserve(
        self,
        scopes: tuple[Scope, ...],
        upper_nano: int | None,
        *,
        lasts_s: float = 600.0,  # noqa: ARG002 - the protocol's
        decision_id: str = "",  # noqa: ARG002 - the protocol's
    ) -> Reservation:
        """Allow everything."""
        return Reservation(scopes, upper_nano or 0)

    def at_hand(self, scopes: tuple[Scope, ...], upper_nano: int | None, *, lasts_s: float = 600.0) -> bool:  # noqa: ARG002 - the protocol's
        """Say yes: nothing is asked for."""
        return True

    def settle(self, reservation: Reservation, spent_nano: int, *, decision_id: str = "", estimated: bool = False) -> None:
        """Forget it; the attempt itself stands in the ledger."""

    def release(self, reservation: Reservation) -> None:
        """Forget it."""

    def left_nano(self) -> Mapping[str, int]:
        """Return nothing: no scope is limited."""
        return {}

    def remaining_nano(self, scope: Scope) -> int:
        """Return the whole limit: nothing is counted."""
        return scope.limit_nano
