"""The interface of bandit policies: what they get, what they return, and how they are registered by name.

A policy is one file: a frozen dataclass with its parameters and the method :meth:`BanditPolicy.pull`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from crew_router.types.arrays import Floats


@dataclass(frozen=True, slots=True)
class Arms:
    """The candidates of one decision; every array has one entry per arm.

    Args:
        prior: Expected reward, 0..1, before any reward is known.
        strength: Number of rewards that the prior counts for.
        samples: Number of rewards; this and the following sums are discounted (see :mod:`crew_router.decide.bandits.memory`).
        rewards: Sum of rewards.
        squares: Sum of squared rewards.
        penalty: Cost of a call, in units of reward.
        features: Features of the request, the same for every arm; only for linear policies, as the next two.
        gram: Sums of the outer products of features, arms x features x features.
        moments: Sums of features times reward, arms x features.
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
        """Return the number of rewards, including those that the prior counts for."""
        total: Floats = self.samples + self.strength
        return total

    @property
    def mean(self) -> Floats:
        """Return the mean reward, including the prior."""
        weight = self.weight
        known = (self.rewards + self.strength * self.prior) / np.where(weight > 0, weight, 1.0)
        mean: Floats = np.where(weight > 0, known, self.prior)
        return mean


@dataclass(frozen=True, slots=True)
class Pull:
    """The exact probability of each arm to be pulled, and the values by which the other arms are ordered as fallbacks."""

    probabilities: Floats
    values: Floats


class BanditPolicy(Protocol):
    """Gives each arm a probability. Its fields are its parameters; ``linear`` tells whether it uses features of the request."""

    linear: ClassVar[bool]

    def pull(self, arms: Arms, generator: np.random.Generator) -> Pull:
        """Return the probabilities of the arms, of which there is at least one."""
        ...


P = TypeVar("P", bound=Callable[..., BanditPolicy])
_POLICIES: Final[dict[str, Callable[..., BanditPolicy]]] = {}


def bandit(name: str) -> Callable[[P], P]:
    """Register a policy under the name that configuration uses."""

    def register(kind: P) -> P:
        _POLICIES[name] = kind
        return kind

    return register


def bandit_names() -> tuple[str, ...]:
    """Return the names of all policies."""
    return tuple(sorted(_POLICIES))


def make_bandit(name: str, **parameters: object) -> BanditPolicy:
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
    """Return probabilities that are 0 but for the arms of the highest value, which share 1 evenly."""
    best = values == values.max()
    shared: Floats = best / best.sum()
    return shared


def frequencies(drawn: Floats) -> Floats:
    """Return the share of rows in which each arm is the best, in a table of draws from the posterior (draws x arms).

    Pulling the best arm of a random row has exactly these probabilities. As each table is itself drawn from the posterior,
    this is Thompson sampling, with a known propensity and without an integral.
    """
    best = np.bincount(drawn.argmax(axis=1), minlength=drawn.shape[1])
    share: Floats = best / len(drawn)
    return share


def at_least(name: str, value: float, low: float, *, high: float = float("inf")) -> None:
    """Check that a parameter lies in its range.

    Raises:
        ValueError: It does not.
    """
    if not low <= value <= high:
        msg = f"{name} {value} is not a number from {low} to {high}"
        raise ValueError(msg)
