"""How scores become a choice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from crew_router.errors import ConfigurationError
from crew_router.types import Draw, Evidence

if TYPE_CHECKING:
    from crew_router.columns import Flags, Floats
    from crew_router.scoring import Scores
    from crew_router.situation import Situation

ENTRY_POINTS: Final = "crew_router.strategies"


@dataclass(frozen=True, slots=True)
class Choice:
    """Places of the registry in the order they should be used, the first with its propensity.

    ``notes`` are added to the evidence of the decision.
    """

    order: tuple[int, ...]
    _: KW_ONLY
    propensity: float = 1.0
    draw: Draw = field(default_factory=Draw)
    notes: tuple[Evidence, ...] = ()


class Strategy(Protocol):
    """Orders the models that passed the filters; its fields are its validated parameters."""

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:
        """Return the order; every place in it must be eligible, and there is at least one.

        Args:
            situation: What is asked and known.
            scores: The table of factors.
            eligible: Which models passed every hard constraint.
            rng: The only source of chance.
        """
        ...


S = TypeVar("S", bound=Callable[..., Strategy])
_STRATEGIES: Final[dict[str, Callable[..., Strategy]]] = {}


def strategy(name: str) -> Callable[[S], S]:
    """Register a strategy under the name that configuration uses.

    Example:
        >>> from dataclasses import dataclass
        >>> @strategy("first_listed")
        ... @dataclass(frozen=True)
        ... class FirstListed:
        ...     def choose(self, situation, scores, *, eligible, rng):
        ...         return Choice(tuple(at for at, passed in enumerate(eligible) if passed))
        >>> _ = _STRATEGIES.pop("first_listed")
    """

    def register(kind: S) -> S:
        _STRATEGIES[name] = kind
        return kind

    return register


def strategy_names() -> tuple[str, ...]:
    """Return the names of all strategies, built in and installed."""
    return tuple(sorted({*_STRATEGIES, *(point.name for point in entry_points(group=ENTRY_POINTS))}))


def make_strategy(name: str, **parameters: object) -> Strategy:
    """Build a strategy from its name and parameters.

    Raises:
        ConfigurationError: The name or a parameter is unknown, or a parameter's value is refused.
    """
    kind = _STRATEGIES.get(name) or _installed(name)
    if kind is None:
        raise ConfigurationError("strategy", "name", f"{name!r} is not known", cure=f"use one of {', '.join(strategy_names())}")
    try:
        return kind(**parameters)
    except (TypeError, ValueError) as error:
        raise ConfigurationError("strategy", name, str(error), cure="see docs/strategies.md for its parameters") from error


def by_rank(values: Floats, situation: Situation, eligible: Flags) -> tuple[int, ...]:
    """Return the eligible places by falling value, equal values by name."""
    import numpy as np  # noqa: PLC0415 - comes when first needed

    order = np.lexsort((situation.columns.tie_break, -values))
    return tuple(int(at) for at in order if eligible[at])


def _installed(name: str) -> Callable[..., Strategy] | None:
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            kind: Callable[..., Strategy] = point.load()
            return kind
    return None
