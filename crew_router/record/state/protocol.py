"""What the line needs of the shared numbers; all of them may be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from crew_router.record.state.breaker import BreakerPolicy
    from crew_router.record.state.observation import Observation
    from crew_router.record.state.store import Document
    from crew_router.record.state.windows import Claim
    from crew_router.types.outcome import CircuitBreakerState, PerformanceMetrics, Snapshot
    from crew_router.types.vocabulary import ModelRef, TaskType


class State(Protocol):
    """Shared numbers: performance, breakers, windows, learned weights. Safe to call from any thread."""

    @property
    def asks(self) -> bool:
        """Whether the numbers lie in a store that has to be asked for some of them."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether :meth:`snapshot` would not wait for a renewal."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the numbers to decide with: in-process, at most the configured age old, own outcomes included."""
        ...

    def observe(self, observation: Observation) -> None:
        """Take an outcome into the performance figures and breakers; a claimed probe ends with it."""
        ...

    def decided(self, model: ModelRef) -> None:
        """Count a decision for the provider shares (A5, diversity)."""
        ...

    def learn(self, model: ModelRef, task_type: TaskType | None, *, reward: float) -> None:
        """Move the learned weight of a model on a task type towards a reward 0..1 (A12)."""
        ...

    def begin_probe(self, key: str, *, lease_s: float) -> bool:
        """Claim the one half-open probe of a breaker (model or provider) over all processes; false if another has it."""
        ...

    def give_probe_back(self, key: str) -> None:
        """Give back a probe that was claimed for a call which was not made, so that the next call may claim it at once."""
        ...

    def breaker(self, key: str) -> CircuitBreakerState:
        """Return the state of a breaker as the store has it."""
        ...

    def take(self, claims: Sequence[Claim], *, window_s: float) -> tuple[float, ...]:
        """Take amounts from rate windows over all processes, from all of them or from none.

        Return for each 0 if it fits, otherwise seconds until it may.
        """
        ...

    def acquire(self, name: str, token: str, *, limit: int, lease_s: float) -> bool:
        """Take one of ``limit`` places over all processes for at most ``lease_s`` seconds; false when all are taken."""
        ...

    def give_back(self, name: str, token: str) -> None:
        """Free a place."""
        ...

    def count(self, name: str, values: tuple[float, ...]) -> None:
        """Add numbers to named sums that all processes share, as experiments count by arm."""
        ...

    def counts(self, name: str) -> tuple[float, ...]:
        """Return named sums as far as this process knows them; empty when nothing was added."""
        ...

    def document(self, name: str) -> Document:
        """Read a text that processes share, as the plans of experiments.

        Raises:
            StoreError: The store does not answer.
        """
        ...

    def swap(self, name: str, text: str, *, expected: int) -> bool:
        """Write such a text if nobody else did since it was read.

        Raises:
            StoreError: The store does not answer.
        """
        ...

    def mark_reachable(self, model: ModelRef, *, reachable: bool) -> None:
        """Note whether a model answered at its last check (rule 1)."""
        ...

    def performance(self, model: ModelRef, task_type: TaskType | None) -> PerformanceMetrics | None:
        """Return the decayed figures of a model, over all task types when ``task_type`` is ``None``."""
        ...

    def adjust(self, *, policy: BreakerPolicy, alpha: float) -> None:
        """Go on by other settings: when breakers open, and the weight 0..1 of the newest reward (A12)."""
        ...

    def reset(self) -> None:
        """Start a new statistics epoch (rule 8)."""
        ...

    def health(self) -> Mapping[str, object]:
        """Return url without credentials, reachability, snapshot age in seconds, unsent updates."""
        ...

    def close(self) -> None:
        """Write what is pending and release everything; further calls do nothing."""
        ...
