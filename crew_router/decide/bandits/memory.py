"""Fading sums that processes can add to without reading: exponential discounting by forward decay.

A reward that is the n-th of its context is added with the growing weight ``2 ** ((n - landmark) / half_life)``; whoever reads
divides by the weight that the newest has. So fading needs no write, additions commute, and sums of several processes merge by
addition (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", ICDE 2009). A new landmark, with sums of its own, begins
every 50 half-lives, which keeps the weights below 2 ** 50; of older landmarks only the last one still counts.
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
    """Sums per context and arm in which a reward counts half as much for every ``half_life`` rewards that follow it.

    Args:
        name: Name of the sums; memories of another half-life need another one.
        half_life: Rewards in the same context.
    """

    name: str
    half_life: float

    def position(self, sums: Sums, context: str) -> float:
        """Return how many rewards the context has seen."""
        seen = sums.get(f"{self.name}:{context}", {}).get("n", ())
        return seen[0] if seen else 0.0

    def additions(self, context: str, arm: str, values: Sequence[float], *, at: float) -> tuple[Addition, ...]:
        """Return what a reward at a position adds."""
        return self.corrections(context, arm, values, at=at), (f"{self.name}:{context}{_COUNT}", (1.0,))

    def corrections(self, context: str, arm: str, values: Sequence[float], *, at: float) -> Addition:
        """Return what changes when a reward at a position is replaced; ``values`` are the differences."""
        landmark, weight = self._weighed(at)
        return f"{self.name}:{context}:{landmark}/{arm}", tuple(weight * value for value in values)

    def sums_of(self, sums: Sums, context: str, arms: Sequence[str], *, width: int) -> list[tuple[float, ...]]:
        """Return the faded sums of every arm, in order; zeros where nothing was seen."""
        at = self.position(sums, context)
        landmark, weight = self._weighed(at)
        now = sums.get(f"{self.name}:{context}:{landmark}", {})
        before = sums.get(f"{self.name}:{context}:{landmark - 1}", {})
        return [self._faded(now, before, arm, weight=weight, width=width) for arm in arms]

    def _weighed(self, at: float) -> tuple[int, float]:
        landmark = int(at // (_SPAN * self.half_life))
        return landmark, 2.0 ** (at / self.half_life - landmark * _SPAN)

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
