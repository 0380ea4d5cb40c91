"""What a bandit policy sees and returns. A policy is one file: a frozen value object with one method, registered by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats


@dataclass(frozen=True, slots=True)
class Arms:
    """The candidates that are available now, one place each.

    Args:
        prior: Reward 0..1 that is believed before anything was seen.
        strength: How many rewards the prior is worth.
        samples: Faded number of rewards.
        rewards: Faded sum of rewards.
        squares: Faded sum of squared rewards.
        penalty: What a call costs, in units of reward.
        features: Features of the request, the same for every arm.
        gram: Faded sums of the outer products of features, by arm.
        moments: Faded sums of features times reward, by arm.
    """

    prior: Floats
    _: KW_ONLY
    strength: float
    samples: Floats
    rewards: Floats
    squares: Floats
    penalty: Floats
    features: Floats | None = None
    gram: Floats | None = None
    moments: Floats | None = None

    @property
    def weight(self) -> Floats:
        """Return rewards seen, those of the prior with them."""
        total: Floats = self.samples + self.strength
        return total

    @property
    def mean(self) -> Floats:
        """Return the mean reward, the prior with its strength in it."""
        weight = self.weight
        known = (self.rewards + self.strength * self.prior) / np.where(weight > 0, weight, 1.0)
        mean: Floats = np.where(weight > 0, known, self.prior)
        return mean


@dataclass(frozen=True, slots=True)
class Pull:
    """How likely each arm is to be pulled, exactly, and the values by which the others are ordered behind it."""

    probabilities: Floats
    values: Floats


class Policy(Protocol):
    """Says how likely each arm is to be pulled; its fields are its validated parameters, ``linear`` that it looks at features."""

    linear: ClassVar[bool]

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:
        """Return the probabilities; at least one arm is given."""
        ...


P = TypeVar("P", bound=Callable[..., Policy])
_POLICIES: Final[dict[str, Callable[..., Policy]]] = {}


def bandit(name: str) -> Callable[[P], P]:
    """Register a policy under the name that configuration uses."""

    def register(kind: P) -> P:
        _POLICIES[name] = kind
        return kind

    return register


def bandit_names() -> tuple[str, ...]:
    """Return the names of all policies."""
    return tuple(sorted(_POLICIES))


def make_bandit(name: str, **parameters: object) -> Policy:
    """Build a policy from its name and parameters.

    Raises:
        ValueError: The name is not known or a parameter is refused.
        TypeError: A parameter is not known.
    """
    if name not in _POLICIES:
        msg = f"bandit policy {name!r} is not known; use one of {', '.join(bandit_names())}"
        raise ValueError(msg)
    return _POLICIES[name](**parameters)


def greedy(values: Floats) -> Floats:
    """Return probabilities that are shared by the arms of the highest value."""
    best = values == values.max()
    shared: Floats = best / best.sum()
    return shared


def frequencies(drawn: Floats) -> Floats:
    """Return how often each arm is the best in the rows of a table of draws.

    Pulling the best arm of one row, picked at random, has these probabilities exactly. Over tables it is a draw of the
    posterior, so that Thompson sampling with a known propensity costs one table and no integral.
    """
    best = np.bincount(drawn.argmax(axis=1), minlength=drawn.shape[1])
    share: Floats = best / len(drawn)
    return share


def at_least(name: str, value: float, low: float, *, high: float = float("inf")) -> None:
    """Refuse a parameter outside its range.

    Raises:
        ValueError: It is.
    """
    if not low <= value <= high:
        msg = f"{name} {value} is not a number from {low} to {high}"
        raise ValueError(msg)
