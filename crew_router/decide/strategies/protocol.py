"""How scores become a choice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from crew_router.errors import ConfigurationError
from crew_router.types import Draw, Evidence, Mode

if TYPE_CHECKING:
    from crew_router.decide.context import Situation
    from crew_router.decide.score import Scores
    from crew_router.types.arrays import Flags, Floats

ENTRY_POINTS: Final = "crew_router.strategies"
_PACKAGE: Final = "crew_router.decide.strategies"
_SHARED: Final = frozenset({"protocol", "chance", "assignment"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Places of the registry in the order they should be used, the first with its propensity.

    ``mode`` is set by a strategy that asks for one (``CONTRACT.md`` rule 2); for a cascade ``ladder`` holds its places in order.
    ``chances`` tell how likely every place was, where the strategy knows.
    ``stops`` are the probabilities at which a learned cascade accepts an answer, ``expects`` its P(right) and cost in USD.
    ``notes`` are added to the evidence of the decision. ``steady`` tells that the order of two models never depends on which others
    are eligible; explanations are then found faster.
    """

    order: tuple[int, ...]
    _: KW_ONLY
    propensity: float = 1.0
    draw: Draw = field(default_factory=Draw)
    notes: tuple[Evidence, ...] = ()
    mode: Mode | None = None
    ladder: tuple[int, ...] = ()
    stops: tuple[float, ...] = ()
    expects: tuple[float, float] | None = None
    steady: bool = False
    chances: Mapping[int, float] | None = None

    def chance_of(self, place: int) -> float:
        """Return how likely a place was to come first; 0 for what the strategy does not know to be possible."""
        if self.chances is not None:
            return self.chances.get(place, 0.0)
        return self.propensity if self.order[0] == place else 0.0


class Strategy(Protocol):
    """Orders the models that passed the filters; its fields are its validated parameters.

    A strategy that learns reads what was learnt from ``situation.snapshot`` (``performance``, ``weights``) and draws from ``rng``
    alone, so that a seed replays it. It says how likely its first place was (``propensity``) and what it drew (``draw``), so that
    the logged decision can be used to judge another policy. A strategy that never draws has the propensity 1.
    """

    def choose(self, situation: Situation, scores: Scores, *, eligible: Flags, rng: random.Random) -> Choice:
        """Return the order; every place in it must be eligible, and there is at least one.

        Args:
            situation: What is asked and known.
            scores: The rank of every model.
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
    for module in iter_modules(import_module(_PACKAGE).__path__):
        if module.name not in _SHARED:
            import_module(f"{_PACKAGE}.{module.name}")
    return tuple(sorted({*_STRATEGIES, *(point.name for point in entry_points(group=ENTRY_POINTS))}))


def make_strategy(name: str, parameters: Mapping[str, object] | None = None) -> Strategy:
    """Build a strategy from its name and parameters.

    Raises:
        ConfigurationError: The name or a parameter is unknown, or a parameter's value is refused.
    """
    kind = _STRATEGIES.get(name) or _built_in(name) or _installed(name)
    if kind is None:
        raise ConfigurationError("strategy", "name", f"{name!r} is not known", cure=f"use one of {', '.join(strategy_names())}")
    try:
        return kind(**(parameters or {}))
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError("strategy", name, str(error), cure="see docs/strategies.md for its parameters") from error


class StrategyCache:
    """Makes strategies by name and parameters, each once, so that one that takes turns goes on where it was.

    A router has its own.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Strategy] = {}

    def get(self, name: str, parameters: Mapping[str, object] | None = None) -> Strategy:
        """Return the strategy of this name and these parameters.

        Raises:
            ConfigurationError: The name or a parameter is not known, or a parameter's value is refused.
        """
        key = name, repr(sorted((parameters or {}).items()))
        made = self._made.get(key)
        if made is None:
            made = self._made.setdefault(key, make_strategy(name, parameters))
        return made


def by_rank(values: Floats, situation: Situation, eligible: Flags) -> tuple[int, ...]:
    """Return the eligible places by falling value, equal values by name."""
    names = situation.columns.by_name
    kept = names[eligible[names]]
    order: tuple[int, ...] = tuple(kept[(-values[kept]).argsort(kind="stable")].tolist())
    return order


def then(first: Iterable[int], rest: Iterable[int]) -> tuple[int, ...]:
    """Return some places in front of others, each once.

    Example:
        >>> then([2, 0], [0, 1, 2])
        (2, 0, 1)
    """
    return tuple(dict.fromkeys((*first, *rest)))


def checked(name: str, value: float, *, low: float, high: float = float("inf")) -> None:
    """Check a parameter.

    Raises:
        ValueError: It is no number between the two.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        span = f"between {low:g} and {high:g}" if high < float("inf") else f"of at least {low:g}"
        msg = f"{name} {value!r} is not a number {span}"
        raise ValueError(msg)


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Check a parameter that names something.

    Raises:
        ValueError: It is none of those allowed.
    """
    known = tuple(allowed)
    if value not in known:
        msg = f"{name} {value!r} is none of {', '.join(known)}"
        raise ValueError(msg)


def _built_in(name: str) -> Callable[..., Strategy] | None:
    if not name.isidentifier() or name in _SHARED or find_spec(f"{_PACKAGE}.{name}") is None:
        return None
    import_module(f"{_PACKAGE}.{name}")
    return _STRATEGIES.get(name)


def _installed(name: str) -> Callable[..., Strategy] | None:
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            kind: Callable[..., Strategy] = point.load()
            return kind
    return None
