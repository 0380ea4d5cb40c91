"""What the registry knows of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import date
from typing import Final, Literal

from crew_router.types.redaction import redacted
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
    cache_write: float | None = None
    cache_write_1h: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no provider charges."""
        _check_rates(self)


@dataclass(frozen=True, slots=True)
class PriceWindow:
    """Prices that apply daily between two UTC times, ``"HH:MM"`` (USD per million tokens)."""

    start_utc: str
    end_utc: str
    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no provider charges."""
        _check_rates(self)

    def holds(self, when: float) -> bool:
        """Tell whether the window covers a moment, seconds since the epoch; it may reach over midnight."""
        minute = int(when // 60) % _MINUTES_PER_DAY
        start, end = _minute(self.start_utc), _minute(self.end_utc)
        return start <= minute < end if start < end else minute >= start or minute < end


@dataclass(frozen=True, slots=True)
class Rates:
    """What holds for one call, in USD per million tokens."""

    input: float
    output: float
    cached_input: float
    cache_write: float
    cache_write_1h: float


@dataclass(frozen=True, slots=True)
class Price:
    """List price in USD per million tokens.

    ``cache_write`` and ``cache_write_1h`` are charged for input that is put into the provider's prompt cache for five minutes and for
    an hour; input is charged where a provider does not charge more for it.

    Raises:
        ValueError: A rate is negative or no number.

    Example:
        >>> Price(input=3.0, output=15.0).cost_nano(input_tokens=1000, output_tokens=100)
        4500000
    """

    input: float
    output: float
    cached_input: float | None = None
    _: KW_ONLY
    cache_write: float | None = None
    cache_write_1h: float | None = None
    tiers: tuple[PriceTier, ...] = ()
    windows: tuple[PriceWindow, ...] = ()
    as_of: date | None = None

    def __post_init__(self) -> None:
        """Refuse what no provider charges: a negative price would refund a budget."""
        _check_rates(self)

    def at(self, input_tokens: int, *, when: float | None = None) -> tuple[float, float, float]:
        """Return (input, output, cached input) rates that hold for this much input.

        Args:
            input_tokens: Tokens of the whole input; a tier applies to all of them.
            when: Seconds since the epoch, for prices that depend on the hour; the base price when not given.
        """
        rates = self._holding(input_tokens, when)
        return rates.input, rates.output, rates.input if rates.cached_input is None else rates.cached_input

    def rates(self, input_tokens: int, *, when: float | None = None) -> Rates:
        """Return all rates that hold for this much input; see :meth:`at`.

        Tiers and windows that name no rate for cache writes charge them as many times their input as the base price does.
        """
        held = self._holding(input_tokens, when)
        cached = held.input if held.cached_input is None else held.cached_input
        write = self._write_rate(held.cache_write, self.cache_write, held.input, default=held.input)
        return Rates(
            held.input, held.output, cached, write, self._write_rate(held.cache_write_1h, self.cache_write_1h, held.input, default=write)
        )

    def _holding(self, input_tokens: int, when: float | None) -> Price | PriceTier | PriceWindow:
        rates: Price | PriceTier | PriceWindow = self
        for tier in self.tiers:
            if input_tokens > tier.above_input_tokens:
                rates = tier
        if when is not None and self.windows:
            rates = next((window for window in self.windows if window.holds(when)), rates)
        return rates

    def _write_rate(self, own: float | None, base: float | None, rate_in: float, *, default: float) -> float:
        if own is not None:
            return own
        if base is None or self.input <= 0:
            return default if base is None else base
        return base * rate_in / self.input

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
        cache_write_tokens: float = 0,
        cache_write_1h_tokens: float = 0,
        when: float | None = None,
    ) -> float:
        """Return the price of one call in USD.

        Args:
            input_tokens: The whole input, what was read from and written to a cache included.
            output_tokens: The answer, with what was thought.
            cached_tokens: The part of the input that was read from the cache.
            cache_write_tokens: The part that was written to it for five minutes.
            cache_write_1h_tokens: The part that was written to it for an hour.
            when: As for :meth:`at`.
        """
        rates = self.rates(int(input_tokens), when=when)
        fresh = max(input_tokens - cached_tokens - cache_write_tokens - cache_write_1h_tokens, 0)
        parts = (
            fresh * rates.input, cached_tokens * rates.cached_input, output_tokens * rates.output,
            cache_write_tokens * rates.cache_write, cache_write_1h_tokens * rates.cache_write_1h,
        )  # fmt: skip
        return sum(parts) / TOKENS_PER_PRICE

    def cost_nano(
        self,
        *,
        input_tokens: int,
        output_tokens: int,
        cached_tokens: int = 0,
        cache_write_tokens: int = 0,
        cache_write_1h_tokens: int = 0,
        when: float | None = None,
    ) -> int:
        """Return the price of one call in nano-dollars, rounded up once (``CONTRACT.md`` rule 7)."""
        usd = self.cost_usd(
            input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached_tokens,
            cache_write_tokens=cache_write_tokens, cache_write_1h_tokens=cache_write_1h_tokens, when=when,
        )  # fmt: skip
        # Six decimals of a nano-dollar absorb binary rounding, so that $0.0045 does not become 4,500,001.
        return math.ceil(round(usd * NANO_PER_USD, 6))

    def dearest_nano(
        self, *, input_tokens: int, output_tokens: int, cached_tokens: int = 0, cache_write_tokens: int = 0, cache_write_1h_tokens: int = 0
    ) -> int:
        """Return the most that one call can cost at any hour, in nano-dollars."""
        starts = [None, *(_minute(window.start_utc) * 60.0 for window in self.windows)]
        return max(
            self.cost_nano(
                input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached_tokens,
                cache_write_tokens=cache_write_tokens, cache_write_1h_tokens=cache_write_1h_tokens, when=start,
            )
            for start in starts
        )  # fmt: skip


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

    def __repr__(self) -> str:
        """Return the entry without key and arguments, and with no password in its address."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.repr}
        if self.base_url is not None:
            values["base_url"] = redacted(self.base_url)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values.items())})"


def _check_rates(price: Price | PriceTier | PriceWindow) -> None:
    for name in ("input", "output", "cached_input", "cache_write", "cache_write_1h"):
        rate = getattr(price, name)
        if rate is not None and not 0 <= rate < math.inf:
            msg = f"{type(price).__name__}.{name}: {rate} is no price; give USD per million tokens, 0 or more."
            raise ValueError(msg)


def _minute(time_of_day: str) -> int:
    hours, _, minutes = time_of_day.partition(":")
    return int(hours) * 60 + int(minutes)
