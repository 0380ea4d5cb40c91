"""Document C's router: local models for simple tasks, strong ones for hard ones, a table for the rest (requirement C1)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crew_router.decide.strategies.protocol import Choice, by_rank, checked, strategy, then
from crew_router.types import Evidence, TaskType, Tier

if TYPE_CHECKING:
    from crew_router.decide.context import RoutingContext
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags

_TIERS: Final = frozenset(Tier)


@strategy("local_first")
@dataclass(frozen=True, slots=True)
class LocalFirst:
    """Follow a decision tree: simple requests to a local model, hard ones to a strong model, the rest by a table (requirement C1).

    1. A forced model is used (by the line, before any strategy).
    2. After ``failures`` local failures in a row in the session or run, local models are passed over.
    3. Complexity up to ``simple``: the best local model.
    4. Complexity from ``hard`` on: the first of the ``strong`` that can serve.
    5. Otherwise the first of the task type's row that can serve, then the preferences of the task type, then by rank.

    Args:
        simple: Highest complexity that counts as simple.
        hard: Lowest complexity that counts as hard.
        failures: Local failures in a row that escalate.
        strong: Tiers, providers or models for hard tasks, the best first.
        table: Tiers, providers or models by task type, the best first.
    """

    simple: int = 3
    hard: int = 7
    failures: int = 2
    strong: Sequence[str] = ("premium", "baseline")
    table: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def __post_init__(self) -> None:
        """Check the bounds and the names of the table."""
        checked("simple", self.simple, low=0, high=10)
        checked("hard", self.hard, low=1, high=11)
        checked("failures", self.failures, low=1)
        if self.simple >= self.hard:
            msg = f"simple {self.simple} is not below hard {self.hard}"
            raise ValueError(msg)
        object.__setattr__(self, "strong", tuple(self.strong))
        object.__setattr__(self, "table", {TaskType(task): tuple(names) for task, names in self.table.items()})

    def choose(self, context: RoutingContext, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:  # noqa: ARG002 - no chance here
        """Walk down the tree."""
        ranked = by_rank(scores.rank, context, eligible)
        tree = tuple(self._branch(context, ranked))
        why, first = next(((why, places) for why, places in tree if places), ("no branch of the tree can serve", ()))
        escalated = context.conditions.local_failures >= self.failures
        order = then(first, ranked)
        if escalated:
            order = tuple(sorted(order, key=lambda at: _is_local(context, at)))
        return Choice(order, notes=(Evidence("strategy", f"local_first: {why}", 0.0, context.now),))

    def _branch(self, context: RoutingContext, ranked: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        complexity, task = context.profile.complexity.value, context.profile.task_type.value
        failed = context.conditions.local_failures
        if failed >= self.failures:
            ranked = tuple(at for at in ranked if not _is_local(context, at))
            yield f"{failed} local failures in a row", _listed(context, ranked, self._row(context, task)) or ranked
        if complexity <= self.simple:
            yield f"complexity {complexity} is simple", tuple(at for at in ranked if _is_local(context, at))
        if complexity >= self.hard:
            yield f"complexity {complexity} is hard", _listed(context, ranked, self.strong)
        yield f"first preferred of {task}", _listed(context, ranked, self._row(context, task))
        yield "by rank", ranked

    def _row(self, context: RoutingContext, task: TaskType) -> tuple[str, ...]:
        listed = context.preferences.get(task)
        own = tuple(self.table.get(task, ()))
        return own if listed is None else (*own, *listed.preferred)


def _listed(context: RoutingContext, ranked: tuple[int, ...], names: Sequence[str]) -> tuple[int, ...]:
    """Return the places that names stand for, in their order; several of one tier or provider by rank."""
    return then((), (at for name in names for at in ranked if _is_named(context, at, name)))


def _is_named(context: RoutingContext, at: int, name: str) -> bool:
    ref, candidate = context.model_table.refs[at], context.model_table.candidates[at]
    return context.model_table.tiers[at] == name if name in _TIERS else name in (ref, ref.provider, candidate)


def _is_local(context: RoutingContext, at: int) -> bool:
    return context.model_table.tiers[at] == Tier.LOCAL
