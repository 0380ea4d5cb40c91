"""Exponentially discounted sums that several processes can add to without reading, by forward decay.

The n-th reward of a context is added with the growing weight ``2 ** ((n - landmark) / half_life)``. On reading, sums are
divided by the weight of the newest reward. So discounting needs no writes, additions commute, and the sums of several processes
can be added (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", ICDE 2009). Every 50 half-lives a new landmark begins,
with sums of its own, which keeps the weights below 2 ** 50; only the current and the previous landmark are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crew_router.decide.bandits.updates import Addition, Sums

_SPAN: Final = 50.0  # half-lives between landmarks
_COUNT: Final = "/n"


@dataclass(frozen=True, slots=True)
class Memory:
    """Sums per context and arm in which the weight of a reward halves with every ``half_life`` rewards that follow it.

    A reward's position is the number of rewards that its context had before it.

    Args:
        name: Name of the sums in the shared state; memories with another half-life need another name.
        half_life: Number of rewards in the same context after which a reward counts half.
    """

    name: str
    half_life: float

    def position(self, sums: Sums, context: str) -> float:
        """Return the number of rewards that the context has had, which is the position of the next."""
        counted = sums.get(f"{self.name}:{context}", {}).get("n", ())
        return counted[0] if counted else 0.0

    def additions(self, context: str, arm: str, values: Sequence[float], *, position: float) -> tuple[Addition, ...]:
        """Return what to add to the sums for a new reward at a position."""
        return self.corrections(context, arm, values, position=position), (f"{self.name}:{context}{_COUNT}", (1.0,))

    def corrections(self, context: str, arm: str, values: Sequence[float], *, position: float) -> Addition:
        """Return what to add to the sums to correct the reward at a position; ``values`` are the differences."""
        landmark, weight = self._weighed(position)
        return f"{self.name}:{context}:{landmark}/{arm}", tuple(weight * value for value in values)

    def sums_of(self, sums: Sums, context: str, arms: Sequence[str], *, width: int) -> list[tuple[float, ...]]:
        """Return the discounted sums of every arm, in order; zeros for an arm without rewards.

        Args:
            sums: The shared sums.
            context: The context.
            arms: Names of the arms.
            width: Numbers per arm.
        """
        position = self.position(sums, context)
        landmark, weight = self._weighed(position)
        now = sums.get(f"{self.name}:{context}:{landmark}", {})
        before = sums.get(f"{self.name}:{context}:{landmark - 1}", {})
        return [self._faded(now, before, arm, weight=weight, width=width) for arm in arms]

    def _weighed(self, position: float) -> tuple[int, float]:
        """Return the number of the landmark that a position belongs to, and the weight of a reward there."""
        landmark = int(position // (_SPAN * self.half_life))
        return landmark, 2.0 ** (position / self.half_life - landmark * _SPAN)

    @staticmethod
    def _faded(
        now: Mapping[str, tuple[float, ...]], before: Mapping[str, tuple[float, ...]], arm: str, *, weight: float, width: int
    ) -> tuple[float, ...]:
        new, old = now.get(arm), before.get(arm)
        if new is None and old is None:
            return (0.0,) * width
        total = [value / weight for value in new] if new is not None else [0.0] * width
        if old is not None:
            total = [value + was / (weight * 2.0**_SPAN) for value, was in zip(total, old, strict=True)]
        return tuple(total)
