"""What policies and operators demand of one request, as values that filters read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal, TypeAlias

from crew_router.types import Mode, ModelRef, PolicyEffect

Subject: TypeAlias = Literal["models", "tiers", "providers", "regions"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure and who demands it."""

    who: str
    value: float


@dataclass(frozen=True, slots=True)
class EffortLimit:
    """The highest reasoning effort and who demands it."""

    who: str
    value: str


@dataclass(frozen=True, slots=True)
class Admission:
    """Models that a rule admits (``allow``) or refuses, by reference, tier, provider or region."""

    who: str
    subject: Subject
    allow: bool
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pin:
    """A model that has to answer first; ``outranks`` tells that it goes before a model that the caller forces."""

    who: str
    model: ModelRef
    outranks: bool


@dataclass(frozen=True, slots=True)
class NamedStrategy:
    """A strategy by its name and parameters; the pipeline makes it."""

    name: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """Everything that rules say about one request; the tighter of two bounds is in it.

    Args:
        admissions: Every allowance and refusal; a model has to pass all.
        moderated: Who wants moderated models only, empty for nobody.
        cost_cap: Most USD.
        quality_floor: Least quality.
        latency_cap: Most expected seconds.
        max_effort: The highest reasoning effort.
        pin: The first pin.
        strategy: The strategy to choose by.
        mode: How the request is to be carried out.
        approval: Why a person has to agree, empty when nobody has to.
        effects: What each rule did.
    """

    _: KW_ONLY
    admissions: tuple[Admission, ...] = ()
    moderated: str = ""
    cost_cap: Bound | None = None
    quality_floor: Bound | None = None
    latency_cap: Bound | None = None
    max_effort: EffortLimit | None = None
    pin: Pin | None = None
    strategy: NamedStrategy | None = None
    mode: Mode | None = None
    approval: str = ""
    effects: tuple[PolicyEffect, ...] = ()


NO_POLICY: Final = PolicyResult()


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator ordered at run time (requirement D13).

    Args:
        pin: A model that has to answer first wherever it can.
        cost_ceiling_usd: Most USD that any request may be expected to cost.
        until: Seconds since the epoch at which the order ends; ``None`` until it is taken back.
    """

    pin: ModelRef | None = None
    cost_ceiling_usd: float | None = None
    until: float | None = None

    def holds(self, now: float) -> bool:
        """Tell whether the order is in force."""
        return (self.pin is not None or self.cost_ceiling_usd is not None) and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """A prompt cache that holds the beginning of this request's conversation.

    Args:
        model: Whose cache it is.
        tokens: Input tokens that it was given.
        share: Share 0..1 of them that this model's cache was seen to hold.
    """

    model: ModelRef
    tokens: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class RuntimeConditions:
    """What is true of this moment and not of the registry, the configuration or the shared numbers.

    Args:
        override: What an operator ordered.
        local_failures: Calls to local models that failed in a row in this request's session or run (requirement C1).
        warm: Prompt caches that hold the beginning of the conversation.
    """

    override: Override = Override()
    local_failures: int = 0
    warm: tuple[CachedPrefix, ...] = ()


ORDINARY: Final = RuntimeConditions()
