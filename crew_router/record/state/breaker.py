"""Transitions of circuit breakers, as pure functions (requirement A14, rule 5).

closed --(failures in a row, or a bad window, or an auth error)--> open --(``retry_at`` passed, one probe)--> half-open
half-open --(success)--> closed; half-open --(failure)--> open, twice as long; half-open --(probe lost or cancelled)--> open

A record is stored under the model's reference, the provider's bare name, or ``credential/<digest>``. The state store keeps
the records and calls these functions; whoever executes only asks :func:`admission` and claims probes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final, Literal

from crew_router.types.outcome import BreakerPhase, CircuitBreakerState
from crew_router.types.vocabulary import ErrorKind

HARMLESS: Final = frozenset(
    {ErrorKind.INVALID_REQUEST, ErrorKind.REFUSED, ErrorKind.CONTEXT_OVERFLOW, ErrorKind.CONTENT_POLICY, ErrorKind.CANCELLED},
)
_SLOTS: Final = 6
_OPEN_MODELS: Final = 2


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When breakers open and for how long.

    Args:
        failures: Failures in a row that open it.
        window_s: Seconds over which the share of failures is watched.
        least: Calls in the window below which the share says nothing.
        share: The share of failures above which it opens.
        open_s: Seconds of the first opening; each further one without a success lasts twice as long.
        longest_s: Most seconds of one opening.
        jitter: Largest part of itself by which an opening is lengthened at random, so that processes do not return together.
    """

    failures: int = 5
    window_s: float = 60.0
    least: int = 10
    share: float = 0.5
    open_s: float = 60.0
    longest_s: float = 1800.0  # guess, not measured
    jitter: float = 0.1  # guess, not measured


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is stored of one breaker; ``window`` holds (slot, successes, failures); times are seconds since the epoch."""

    phase: BreakerPhase = "closed"
    _: KW_ONLY
    failures: int = 0
    openings: int = 0
    opened_at: float | None = None
    retry_at: float | None = None
    window: tuple[tuple[int, int, int], ...] = ()
    cause: str = ""

    def state(self, key: str) -> CircuitBreakerState:
        """Return what others see; while half-open ``retry_at`` is when the probe counts as lost."""
        return CircuitBreakerState(
            key,
            self.phase,
            failures=self.failures,
            openings=self.openings,
            opened_at=self.opened_at,
            retry_at=self.retry_at,
            cause=self.cause,
        )


DEFAULT_POLICY: Final = BreakerPolicy()
CLOSED: Final = Breaker()


def admission(state: CircuitBreakerState | None, *, at: float) -> Literal["call", "probe", "wait"]:
    """Tell what may be done at a time: call freely, claim the probe first, or wait until ``retry_at``."""
    if state is None or state.phase == "closed":
        return "call"
    return "probe" if state.retry_at is None or at >= state.retry_at else "wait"


def succeeded(breaker: Breaker, *, at: float, policy: BreakerPolicy = DEFAULT_POLICY) -> Breaker:
    """Take in a success: it closes a half-open breaker, and ends a row of failures.

    A success while open comes from a call begun before the opening, or from one made because nothing better was left;
    a model that opened for failing half of its calls would flap if that closed it.
    """
    window = _counted(breaker.window, at, ok=1, bad=0, policy=policy)
    if breaker.phase == "half_open":
        return CLOSED
    return replace(breaker, failures=0, window=window)


def failed(
    breaker: Breaker, *, at: float, policy: BreakerPolicy = DEFAULT_POLICY, fatal: bool = False, jitter: float = 0.0, cause: str = ""
) -> Breaker:
    """Take in a failure that counts against the model.

    Args:
        breaker: The record before.
        at: Seconds since the epoch.
        policy: When it opens.
        fatal: Whether one is enough, as for an auth error.
        jitter: A random number 0..1.
        cause: What happened, in the provider's words.
    """
    counted = replace(breaker, failures=breaker.failures + 1, window=_counted(breaker.window, at, ok=0, bad=1, policy=policy))
    if breaker.phase == "open":
        return counted
    if breaker.phase == "half_open" or fatal or counted.failures >= policy.failures or _mostly_bad(counted.window, policy):
        return opened(counted, at=at, policy=policy, jitter=jitter, cause=cause)
    return counted


def opened(breaker: Breaker, *, at: float, policy: BreakerPolicy = DEFAULT_POLICY, jitter: float = 0.0, cause: str = "") -> Breaker:
    """Open a breaker; a further opening without a success between lasts twice as long."""
    lasts_s = min(policy.open_s * 2.0 ** min(breaker.openings, 30), policy.longest_s) * (1 + policy.jitter * jitter)
    return replace(breaker, phase="open", openings=breaker.openings + 1, opened_at=at, retry_at=at + lasts_s, window=(), cause=cause)


def limited(breaker: Breaker, *, at: float, wait_s: float, policy: BreakerPolicy = DEFAULT_POLICY, cause: str = "") -> Breaker:
    """Keep calls away for as long as the provider asked for; a longer wait that holds already stays."""
    until = max(at + min(wait_s, policy.longest_s), breaker.retry_at or 0.0 if breaker.phase == "open" else 0.0)
    return replace(breaker, phase="open", openings=breaker.openings + 1, opened_at=at, retry_at=until, cause=cause)


def probing(breaker: Breaker, *, at: float, lease_s: float) -> Breaker | None:
    """Claim the one probe, or return ``None`` when there is nothing to probe or another probe runs.

    A probe that says nothing within ``lease_s`` seconds counts as lost, and the next one may be claimed.
    """
    if breaker.phase == "closed" or (breaker.retry_at is not None and at < breaker.retry_at):
        return None
    return replace(breaker, phase="half_open", retry_at=at + lease_s)


def abandoned(breaker: Breaker, *, at: float) -> Breaker:
    """Give a probe back that ended without telling anything about the model, so that the next one may start at once."""
    return replace(breaker, phase="open", retry_at=at) if breaker.phase == "half_open" else breaker


def provider_opens(models: Iterable[Breaker]) -> bool:
    """Tell whether a provider opens: two or more of its models are open."""
    return sum(breaker.phase == "open" for breaker in models) >= _OPEN_MODELS


def _counted(
    window: tuple[tuple[int, int, int], ...], at: float, *, ok: int, bad: int, policy: BreakerPolicy
) -> tuple[tuple[int, int, int], ...]:
    slot = int(at // (policy.window_s / _SLOTS))
    if window and window[-1][0] == slot and window[0][0] > slot - _SLOTS:
        return (*window[:-1], (slot, window[-1][1] + ok, window[-1][2] + bad))
    kept = {number: (good, ill) for number, good, ill in window if number > slot - _SLOTS}
    good, ill = kept.get(slot, (0, 0))
    kept[slot] = (good + ok, ill + bad)
    return tuple((number, *kept[number]) for number in sorted(kept))


def _mostly_bad(window: tuple[tuple[int, int, int], ...], policy: BreakerPolicy) -> bool:
    bad = sum(ill for _, _, ill in window)
    calls = bad + sum(good for _, good, _ in window)
    return calls >= policy.least and bad > policy.share * calls
