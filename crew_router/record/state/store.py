"""What a store of shared numbers must do; memory, SQLite and Redis do it behind :class:`crew_router.record.state.shared.SharedState`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from crew_router.record.state.statistics import LIVE_S, WEEK_S, Vector, merged
from crew_router.record.state.windows import Claim
from crew_router.types.redaction import redacted

Kind: TypeAlias = Literal["perf", "live", "weight", "sum"]
Key: TypeAlias = tuple[Kind, str]

SCHEMA: Final = 1
LAST_DECISIONS: Final = 100
START_WEIGHT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """What one process adds to the store; a store takes a batch in whole or not at all, and never twice.

    Args:
        id: Unique, so that a batch sent again after a lost answer is not counted again.
        epoch: The statistics epoch it was seen in; a store in another epoch does not take it.
        vectors: What to merge, by kind and name.
        providers: Providers decided for, oldest first, at most the last hundred.
    """

    id: str
    _: KW_ONLY
    epoch: int
    vectors: Mapping[Key, Vector]
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a version, changed by compare and swap; version 0 means there is none."""

    version: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """What changed in a store since a version; ``time_s`` is the store's own clock, where it has one."""

    epoch: int
    version: int
    _: KW_ONLY
    vectors: Mapping[Key, Vector] = field(default_factory=dict[Key, Vector])
    documents: Mapping[str, Document] = field(default_factory=dict[str, Document])
    providers: tuple[str, ...] = ()
    time_s: float | None = None


class Store(Protocol):
    """Numbers that may be lost. Safe to call from any thread; every method may raise :class:`StoreError`."""

    @property
    def exclusive(self) -> bool:
        """Tell whether nobody else can see the store, so that nothing need be sent or refreshed."""
        ...

    def load(self, *, since: int) -> Image:
        """Return what changed after version ``since``; everything for 0."""
        ...

    def merge(self, batch: Batch) -> tuple[Key, ...] | None:
        """Take a batch in, once. Return rows it could not add to because they were evicted, or ``None`` for one of another epoch."""
        ...

    def seed(self, image: Image) -> tuple[Key, ...]:
        """Put rows back that a restarted store has lost; return those it has, which stay as they are."""
        ...

    def document(self, name: str) -> Document:
        """Read a document."""
        ...

    def swap(self, name: str, text: str, *, expected: int) -> bool:
        """Write a document if its version still is ``expected``; tell whether it was."""
        ...

    def take(self, claims: Sequence[Claim], *, window_s: float, at: float) -> tuple[float, ...]:
        """Take amounts from sliding windows, all or none; return for each 0 if it fits, otherwise seconds until it may."""
        ...

    def acquire(self, name: str, token: str, *, limit: int, lease_s: float, at: float) -> bool:
        """Take one of ``limit`` places for at most ``lease_s`` seconds; false when all are taken."""
        ...

    def give_back(self, name: str, token: str) -> None:
        """Free a place."""
        ...

    def begin_epoch(self) -> int:
        """Forget all vectors and shares, and return the number of the new epoch."""
        ...

    def reopen(self) -> None:
        """Drop every connection without using it; the next call opens its own. For a forked child."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class StoreError(Exception):
    """The store did not answer, or refused; nothing was changed as far as is known."""

    def __init__(self, problem: str) -> None:
        super().__init__(redacted(problem))


def combined(kind: Kind, first: Vector, then: Vector) -> Vector:
    """Return two additions, in order, as one."""
    if kind == "perf":
        return merged(first, then, half_life_s=WEEK_S)
    if kind == "live":
        return merged(first, then, half_life_s=LIVE_S)
    if kind == "weight":
        return (first[0] * then[0], first[1] * then[0] + then[1], first[2] + then[2])
    return tuple(a + b for a, b in zip(first, then, strict=True))


def taken_in(kind: Kind, stored: Vector | None, added: Vector) -> Vector:
    """Return what a store holds after an addition; a weight (value, count) moves by an affine step (keep, add, count)."""
    if kind == "weight":
        value, count = stored or (START_WEIGHT, 0.0)
        return (value * added[0] + added[1], count + added[2])
    return added if stored is None else combined(kind, stored, added)
