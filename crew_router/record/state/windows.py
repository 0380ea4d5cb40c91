"""Sliding rate windows and concurrency leases, as plain values that any store can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_SLOTS: Final = 10


@dataclass(frozen=True, slots=True)
class Claim:
    """An amount that is wanted from the rate window of a name, which lets ``limit`` through."""

    name: str
    amount: int
    limit: int


def waiting_s(counts: dict[int, int], amount: int, *, limit: int, window_s: float, at: float) -> float:
    """Return 0 if ``amount`` more fits under ``limit`` in the window that ends at ``at``, otherwise seconds until it may.

    Args:
        counts: Amounts taken by slot, a tenth of the window each.
        amount: How much is wanted.
        limit: Most in one window.
        window_s: Length of the window in seconds.
        at: Seconds since the epoch.
    """
    slot_s = window_s / _SLOTS
    now = int(at // slot_s)
    live = sorted((slot, taken) for slot, taken in counts.items() if slot > now - _SLOTS)
    over = sum(taken for _, taken in live) + amount - limit
    if over <= 0:
        return 0.0
    for slot, taken in live:
        over -= taken
        if over <= 0:
            return max((slot + _SLOTS) * slot_s - at, slot_s / _SLOTS)
    return window_s


def waits_s(claims: Sequence[Claim], windows: Sequence[dict[int, int]], *, window_s: float, at: float) -> tuple[float, ...]:
    """Return what :func:`waiting_s` says of each claim and what was taken from its window."""
    pairs = zip(claims, windows, strict=True)
    return tuple(waiting_s(counts, claim.amount, limit=claim.limit, window_s=window_s, at=at) for claim, counts in pairs)


def slot_of(at: float, *, window_s: float) -> int:
    """Return the slot that a time falls into."""
    return int(at // (window_s / _SLOTS))


@dataclass(slots=True)
class Windows:
    """Rate windows and leases of one process or one file; not thread-safe by itself."""

    counts: dict[str, dict[int, int]] = field(default_factory=dict[str, dict[int, int]])
    leases: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])

    def take(self, claims: Sequence[Claim], *, window_s: float, at: float) -> tuple[float, ...]:
        """Take all amounts or none; return for each the seconds until it may be taken."""
        windows = [self.counts.setdefault(claim.name, {}) for claim in claims]
        waits = waits_s(claims, windows, window_s=window_s, at=at)
        if any(waits):
            return waits
        slot = slot_of(at, window_s=window_s)
        for claim, counts in zip(claims, windows, strict=True):
            for old in [number for number in counts if number <= slot - _SLOTS]:
                del counts[old]
            counts[slot] = counts.get(slot, 0) + claim.amount
        return waits

    def acquire(self, name: str, token: str, *, limit: int, lease_s: float, at: float) -> bool:
        """Take a place until ``at + lease_s``, unless ``limit`` others hold one."""
        places = {held: until for held, until in self.leases.get(name, {}).items() if until > at}
        granted = token in places or len(places) < limit
        if granted:
            places[token] = at + lease_s
        self.leases[name] = places
        return granted

    def give_back(self, name: str, token: str) -> None:
        """Free a place."""
        self.leases.get(name, {}).pop(token, None)
