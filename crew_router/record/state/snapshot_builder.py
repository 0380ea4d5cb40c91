"""The numbers as one process sees them: what the store had, and its own outcomes on top.

Every change replaces the frozen snapshot, so that a decision reads one attribute and never waits for a lock.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from crew_router.record.state.breaker import CLOSED, Breaker
from crew_router.record.state.observation import Observation
from crew_router.record.state.statistics import Vector, figures_of, metrics_of, multipliers_of
from crew_router.record.state.store import LAST_DECISIONS, Image, Key, combined, taken_in
from crew_router.types.outcome import PerformanceMetrics, Snapshot
from crew_router.types.vocabulary import ModelRef, TaskType

_ALL = "all"


@functools.cache
def name_of(model: ModelRef, task_type: TaskType | None) -> str:
    """Return the name of a model's figures on a task type; model ids are percent-encoded (``CONTRACT.md`` rule 11)."""
    return f"{quote(model, safe='')}:{task_type or _ALL}"


@functools.cache
def parts_of(name: str) -> tuple[ModelRef, TaskType | None]:
    """Read what :func:`name_of` wrote."""
    model, _, task = name.rpartition(":")
    return ModelRef(unquote(model)), None if task == _ALL else TaskType(task)


@dataclass(slots=True)
class Pending:
    """What this process saw and has not sent; one entry a key, so that it stays small however long the store is away."""

    vectors: dict[Key, Vector] = field(default_factory=dict[Key, Vector])
    providers: deque[str] = field(default_factory=lambda: deque[str](maxlen=LAST_DECISIONS))

    def add(self, key: Key, added: Vector) -> None:
        """Take one addition in."""
        was = self.vectors.get(key)
        self.vectors[key] = added if was is None else combined(key[0], was, added)

    def after(self, vectors: Mapping[Key, Vector], providers: Iterable[str]) -> Pending:
        """Return this with what came before it."""
        whole = Pending(dict(vectors), deque((*providers, *self.providers), maxlen=LAST_DECISIONS))
        for key, added in self.vectors.items():
            whole.add(key, added)
        return whole

    def __bool__(self) -> bool:
        """Tell whether anything waits."""
        return bool(self.vectors or self.providers)

    def __len__(self) -> int:
        """Count what waits."""
        return len(self.vectors) + len(self.providers)


class View:
    """The numbers of one process; its owner holds the lock."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.vectors: dict[Key, Vector] = {}
        self.breakers: dict[str, Breaker] = {}
        self.providers: deque[str] = deque(maxlen=LAST_DECISIONS)
        self._live: dict[str, Vector] = {}

    def observe(self, seen: Observation) -> list[tuple[Key, Vector]]:
        """Take an outcome in and return what it adds to the store."""
        added, performance = figures_of(seen), dict(self.snapshot.performance)
        additions: list[tuple[Key, Vector]] = [(("live", _quoted(seen.model.provider)), added)]
        self._live[seen.model.provider] = self._grown(additions[0][0], added)
        for task_type in {seen.task_type, None}:
            key: Key = ("perf", name_of(seen.model, task_type))
            additions.append((key, added))
            performance[seen.model, task_type] = metrics_of(self._grown(key, added), seen.model, task_type, now=seen.at)
        self.replace(performance=performance, multipliers=self._multipliers(now=seen.at))
        return additions

    def learn(self, model: ModelRef, task_type: TaskType | None, *, step: Vector) -> list[tuple[Key, Vector]]:
        """Move the learned weights of a model, on the task type and over all, and return what that adds to the store."""
        weights, additions = dict(self.snapshot.weights), list[tuple[Key, Vector]]()
        for task in {task_type, None}:
            key: Key = ("weight", name_of(model, task))
            additions.append((key, step))
            weights[model, task] = self._grown(key, step)[0]
        self.replace(weights=weights)
        return additions

    def count(self, name: str, values: Vector) -> tuple[Key, Vector]:
        """Add to named sums."""
        key: Key = ("sum", name)
        self.replace(sums=summed(self.snapshot.sums, {name: self._grown(key, values)}))
        return key, values

    def decided(self, provider: str) -> None:
        """Count a decision for the shares of the last hundred."""
        self.providers.append(provider)
        shares = shares_of(self.providers)
        if shares != self.snapshot.provider_share:
            self.replace(provider_share=shares)

    def set_breaker(self, key: str, breaker: Breaker) -> None:
        """Put a breaker's record in place."""
        was = self.breakers.get(key, CLOSED)
        self.breakers[key] = breaker
        if (was.phase, was.retry_at, was.failures) != (breaker.phase, breaker.retry_at, breaker.failures):
            self.replace(breakers={**self.snapshot.breakers, key: breaker.state(key)})

    def take_over(self, image: Image, own: Pending, *, fresh: bool, now: float) -> None:
        """Put what a store holds in place, with what it has not been told on top.

        Args:
            image: What changed in the store.
            own: What this process has not sent.
            fresh: Whether everything known so far is to be forgotten.
            now: Seconds since the epoch.
        """
        if fresh:
            self.vectors.clear()
            self._live.clear()
            self.replace(performance={}, weights={}, multipliers={}, sums={})
        for key, vector in image.vectors.items():
            mine = own.vectors.get(key)
            self.vectors[key] = vector if mine is None else taken_in(key[0], vector, mine)
        for key, mine in own.vectors.items() if fresh else ():
            self.vectors.setdefault(key, taken_in(key[0], None, mine))
        self.providers = deque((*image.providers, *own.providers), maxlen=LAST_DECISIONS)
        self.replace(taken_at=now, provider_share=shares_of(self.providers))
        self._recount(list(self.vectors) if fresh else list(image.vectors), now=now)

    def performance(self, model: ModelRef, task_type: TaskType | None, *, now: float) -> PerformanceMetrics | None:
        """Return the figures of a model, decayed to a time."""
        vector = self.vectors.get(("perf", name_of(model, task_type)))
        return None if vector is None else metrics_of(vector, model, task_type, now=now)

    def replace(self, **changes: object) -> None:
        """Put a new snapshot in place of the last."""
        self.snapshot = dataclasses.replace(self.snapshot, version=self.snapshot.version + 1, **changes)  # type: ignore[arg-type]  # fields of Snapshot, by name

    def _multipliers(self, *, now: float) -> Mapping[str, float]:
        """Return the multipliers; the very same object as before when nothing changed, since decisions keep what they make of it."""
        fresh, last = multipliers_of(self._live, now=now), self.snapshot.multipliers
        return last if fresh == last else fresh

    def _grown(self, key: Key, added: Vector) -> Vector:
        grown = self.vectors[key] = taken_in(key[0], self.vectors.get(key), added)
        return grown

    def _recount(self, keys: Iterable[Key], *, now: float) -> None:
        performance, weights = dict(self.snapshot.performance), dict(self.snapshot.weights)
        sums: dict[str, Vector] = {}
        for kind, name in keys:
            vector = self.vectors[kind, name]
            if kind == "perf":
                model, task_type = parts_of(name)
                performance[model, task_type] = metrics_of(vector, model, task_type, now=now)
            elif kind == "weight":
                weights[parts_of(name)] = vector[0]
            elif kind == "live":
                self._live[unquote(name)] = vector
            else:
                sums[name] = vector
        self.replace(
            performance=performance,
            weights=weights,
            multipliers=self._multipliers(now=now),
            sums=summed(self.snapshot.sums, sums),
        )


@functools.cache
def _quoted(provider: str) -> str:
    return quote(provider, safe="")


def shares_of(providers: Iterable[str]) -> Mapping[str, float]:
    """Return each provider's share of the decisions."""
    counts = Counter(providers)
    total = counts.total()
    return {provider: count / total for provider, count in counts.items()}


def summed(sums: Mapping[str, Mapping[str, Vector]], changed: Mapping[str, Vector]) -> Mapping[str, Mapping[str, Vector]]:
    """Return named sums with some of them replaced; only the groups that change are copied."""
    if not changed:
        return sums
    grown, fresh = dict(sums), dict[str, dict[str, Vector]]()
    for name, vector in changed.items():
        group, _, rest = name.partition("/")
        if group not in fresh:
            fresh[group] = dict(sums.get(group, {}))
        fresh[group][rest] = vector
    grown.update(fresh)
    return grown
