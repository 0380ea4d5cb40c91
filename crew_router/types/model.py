"""What the registry knows of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from typing import Final, Literal

from crew_router.types.vocabulary import ModelCapability, ModelRef, TaskType, Tier

TOKENS_PER_PRICE: Final = 1_000_000
NANO_PER_USD: Final = 1_000_000_000
_MINUTES_PER_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices that apply when a request has more than ``above_input_tokens`` of input (USD per million tokens)."""

    above_input_tokens: int
    input: float
    output: float
    cached_input: float | None = None
    cached_write: float | None = None


@dataclass(frozen=True, slots=True)
class PriceWindow:
    """Prices that apply daily between two UTC times, ``"HH:MM"`` (USD per million tokens)."""

    start_utc: str
    end_utc: str
    input: float
    output: float
    cached_input: float | None = None
    cached_write: float | None = None

    def holds(self, when: float) -> bool:
        """Tell whether the window covers a moment, seconds since the epoch; it may reach over midnight."""
        minute = int(when // 60) % _MINUTES_PER_DAY
        start, end = _minute(self.start_utc), _minute(self.end_utc)
        return start <= minute < end if start < end else minute >= start or minute < end


@dataclass(frozen=True, slots=True)
class Price:
    """List price in USD per million tokens.

    ``cached_write`` is what input costs that the provider keeps for later calls, where that is dearer than other input.

    Example:
        >>> Price(input=3.0, output=15.0).cost_nano(input_tokens=1000, output_tokens=100)
        4500000
    """

    input: float
    output: float
    cached_input: float | None = None
    _: KW_ONLY
    cached_write: float | None = None
    tiers: tuple[PriceTier, ...] = ()
    windows: tuple[PriceWindow, ...] = ()
    as_of: date | None = None

    def at(self, input_tokens: int, *, when: float | None = None) -> tuple[float, float, float]:
        """Return (input, output, cached input) rates that hold for this much input.

        Args:
            input_tokens: Tokens of the whole input; a tier applies to all of them.
            when: Seconds since the epoch, for prices that depend on the hour; the base price when not given.
        """
        rates = self._rates(input_tokens, when)
        return rates.input, rates.output, rates.input if rates.cached_input is None else rates.cached_input

    def write_rate(self, input_tokens: int, *, when: float | None = None) -> float:
        """Return the rate of input that the provider keeps for later calls; that of other input where none is listed."""
        rates = self._rates(input_tokens, when)
        return rates.input if rates.cached_write is None else rates.cached_write

    def _rates(self, input_tokens: int, when: float | None) -> Price | PriceTier | PriceWindow:
        rates: Price | PriceTier | PriceWindow = self
        for tier in self.tiers:
            if input_tokens > tier.above_input_tokens:
                rates = tier
        if when is not None and self.windows:
            rates = next((window for window in self.windows if window.holds(when)), rates)
        return rates

    def dearest(self, input_tokens: int) -> tuple[float, float]:
        """Return the highest (input, output) rates of any hour, for an upper bound of a call that may begin later."""
        rate_in, rate_out, _ = self.at(input_tokens)
        return max([rate_in, *(w.input for w in self.windows)]), max([rate_out, *(w.output for w in self.windows)])

    def cost_usd(
        self,
        *,
        input_tokens: float,
        output_tokens: float,
        cached_tokens: float = 0,
        written_tokens: float = 0,
        when: float | None = None,
    ) -> float:
        """Return the price of one call in USD.

        Args:
            input_tokens: Tokens of the whole input.
            output_tokens: Tokens of the answer, reasoning included.
            cached_tokens: The part of the input that was read from the provider's cache.
            written_tokens: The part of the input that the provider put into its cache.
            when: As for :meth:`at`.
        """
        rate_in, rate_out, rate_cached = self.at(int(input_tokens), when=when)
        fresh = max(input_tokens - cached_tokens - written_tokens, 0)
        usd = fresh * rate_in + cached_tokens * rate_cached + output_tokens * rate_out
        if written_tokens:
            usd += written_tokens * self.write_rate(int(input_tokens), when=when)
        return usd / TOKENS_PER_PRICE

    def cost_nano(self, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0, when: float | None = None) -> int:
        """Return the price of one call in nano-dollars, rounded up once (rule 7)."""
        usd = self.cost_usd(input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached_tokens, when=when)
        # Six decimals of a nano-dollar absorb binary rounding, so that $0.0045 does not become 4,500,001.
        return math.ceil(round(usd * NANO_PER_USD, 6))

    def dearest_nano(self, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> int:
        """Return the most that one call can cost at any hour, in nano-dollars."""
        starts = [None, *(_minute(window.start_utc) * 60.0 for window in self.windows)]
        return max(
            self.cost_nano(input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached_tokens, when=start)
            for start in starts
        )


@dataclass(frozen=True, slots=True)
class Latency:
    """Latency prior: seconds to the first token, tokens per second after it, and the 95th percentile in seconds.

    ``source`` says who measured them.
    """

    ttft_s: float | None = None
    tokens_per_s: float | None = None
    p95_s: float | None = None
    source: str | None = None


AbilityKind = Literal["measured", "estimated", "user"]
"""``measured`` comes from published figures, ``estimated`` from release date, price and the like, ``user`` was written by the user."""


@dataclass(frozen=True, slots=True)
class Ability:
    """How able a model is at one effort, on one logit scale for all models: P(success) = logistic(ability - difficulty).

    Args:
        value: Logits; ``crew_router.config.ability`` says where the scale has its zero.
        error: One standard error of ``value``, logits.
        figures: Number of published figures behind it.
        sources: Who published them.
        as_of: Day of the newest of them, ``"YYYY-MM-DD"``.
        kind: Where the value comes from.
    """

    value: float
    error: float
    figures: int = 0
    sources: tuple[str, ...] = ()
    as_of: str | None = None
    kind: AbilityKind = "measured"


@dataclass(frozen=True, slots=True)
class EffortLevel:
    """One reasoning effort that a provider offers for a model.

    ``relative_output_tokens`` compares the tokens of the same work, reasoning included, with those at the default effort (with
    those at the lowest effort of the table where no default is documented). ``ttft_s`` are the seconds to the first token of
    the answer, reasoning included. ``None`` is unknown.
    """

    name: str
    ability: Ability | None = None
    relative_output_tokens: float | None = None
    ttft_s: float | None = None


@dataclass(frozen=True, slots=True)
class Retirement:
    """The day on which the provider stops a model, and the model that it names in its place."""

    on: date
    successor: ModelRef | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider allows: requests and tokens a minute, calls at once."""

    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    """One entry of the registry (requirement A1).

    ``quality`` is 0..1 or ``None`` when unknown; ``source`` says where it was measured, or ``unmeasured``. ``ability`` is that at
    the default effort; ``efforts`` are the reasoning efforts the provider offers, the least first, and empty where it offers none.
    ``default_effort`` is what the provider uses when none is named, ``None`` where no one documents it. ``verbosity`` are the output
    tokens, reasoning included, that it takes for the same work at its default effort, 1 being the middle of the packaged models.
    ``instance`` is a ready client given in code, in which case the transport is found by its type.
    """

    ref: ModelRef
    _: KW_ONLY
    provider: str
    model: str
    price: Price | None = None
    quality: float | None = None
    task_quality: Mapping[TaskType, float] = field(default_factory=dict[TaskType, float])
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[ModelCapability] = frozenset()
    tier: Tier | None = None
    strengths: frozenset[str] = frozenset()
    latency: Latency = Latency()
    limits: Limits = Limits()
    sla_p95_s: float | None = None
    regions: frozenset[str] = frozenset()
    moderated: bool | None = None
    prefill: bool = False
    data_retention: str | None = None
    fallbacks: tuple[ModelRef, ...] = ()
    enabled: bool = True
    source: str = "unmeasured"
    ability: Ability | None = None
    efforts: tuple[EffortLevel, ...] = ()
    default_effort: str | None = None
    verbosity: float | None = None
    released: date | None = None
    retirement: Retirement | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    kwargs: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    instance: object | None = field(default=None, repr=False, compare=False)

    def effort(self, name: str | None) -> EffortLevel | None:
        """Return one of the efforts by its name, the default one for ``None``; ``None`` where there is no such effort."""
        wanted = self.default_effort if name is None else name
        return next((level for level in self.efforts if level.name == wanted), None)


def _minute(time_of_day: str) -> int:
    hours, _, minutes = time_of_day.partition(":")
    return int(hours) * 60 + int(minutes)
