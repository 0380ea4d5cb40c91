"""What calls and requests came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

from crew_router.types.model import NANO_PER_USD
from crew_router.types.vocabulary import ErrorKind, Mode, ModelRef, TaskType

BreakerPhase = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the provider reported them; ``estimated`` when we had to count ourselves.

    ``input_tokens`` is the whole input: ``cached_tokens`` of it were read from the provider's cache, ``cache_write_tokens`` written to it
    for some minutes and ``cache_write_1h_tokens`` for an hour. ``output_tokens`` holds what was thought too.
    """

    input_tokens: int
    output_tokens: int
    _: KW_ONLY
    cached_tokens: int = 0
    estimated: bool = False
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return the sum; it is an estimate as soon as one part is."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            estimated=self.estimated or other.estimated,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
        )


def usage_bound(client: object) -> Usage | None:
    """Return the most tokens that one call of a client takes, its ``usage_bound`` (rule 7); ``None`` where it says none."""
    bound: Usage | None = getattr(client, "usage_bound", None)
    return bound


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a model asked for; ``arguments`` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to one model.

    Times are seconds: ``started_at`` since the epoch, ``latency_s`` for the whole call, ``ttft_s`` to the first piece.
    ``cost_nano`` is ``None`` when usage or price is unknown, never 0 for that reason. ``retry_after_s`` are the seconds after the
    call until which the provider takes no more; it is not kept in the ledger.
    """

    model: ModelRef
    _: KW_ONLY
    number: int
    started_at: float
    latency_s: float
    ttft_s: float | None = None
    usage: Usage | None = None
    cost_nano: int | None = None
    error: ErrorKind | None = None
    message: str = ""
    status_code: int | None = None
    finish_reason: str | None = None
    retry_after_s: float | None = None
    role: Literal["answer", "draft", "vote", "judge", "hedge", "continue"] = "answer"

    @property
    def ok(self) -> bool:
        """Tell whether the call gave an answer."""
        return self.error is None

    @property
    def cost_usd(self) -> float | None:
        """Return its price in USD, ``None`` when it is unknown."""
        return None if self.cost_nano is None else self.cost_nano / NANO_PER_USD


def total_nano(attempts: Iterable[Attempt]) -> int | None:
    """Return the price of all attempts together in nano-dollars, ``None`` when one of them is unknown."""
    total = 0
    for attempt in attempts:
        if attempt.cost_nano is None:
            return None
        total += attempt.cost_nano
    return total


def total_usd(attempts: Iterable[Attempt]) -> float | None:
    """Return the price of all attempts together in USD, ``None`` when one of them is unknown."""
    nano = total_nano(attempts)
    return None if nano is None else nano / NANO_PER_USD


@dataclass(frozen=True, slots=True)
class Member:
    """One call of a parallel run or cascade: what it answered, in the form in which answers are compared, and what it took.

    ``agrees`` says whether that is the answer that was taken, ``None`` where it gave none or nobody knows any more.
    """

    model: ModelRef
    _: KW_ONLY
    role: str
    cost_usd: float | None
    latency_s: float
    error: ErrorKind | None = None
    agrees: bool | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class TradeOff:
    """What several calls brought against what one would have (requirement A11).

    Args:
        mode: Parallel or cascade.
        members: Every call, the judge's too.
        agreement: Share 0..1 of the answers that equal the one taken.
        cost_usd: Price of all calls together, ``None`` when one is unknown.
        latency_s: Seconds from the first start to the last end.
        quality: Probability 0..1 that the answer taken is right.
        single: The member that would have been asked alone: the one most likely to be right.
        single_cost_usd: What its call cost.
        single_latency_s: Seconds that its call took.
        single_quality: Its chance of being right.
    """

    mode: Mode
    members: tuple[Member, ...]
    _: KW_ONLY
    agreement: float | None
    cost_usd: float | None
    latency_s: float
    quality: float | None
    single: ModelRef
    single_cost_usd: float | None
    single_latency_s: float
    single_quality: float | None


@dataclass(frozen=True, slots=True)
class PerformanceMetrics:
    """Decayed performance of a model on a task type (requirement A10); rates and quality 0..1.

    ``samples`` is the decayed count, ``confidence`` grows with sample size and falls with age. Seconds are those of
    successful calls: ``latency_s`` to the whole answer, ``p95_s`` its 95th percentile, ``ttft_s`` to the first piece.
    ``output_tokens`` is the mean length of answers, ``output_spread`` the standard deviation of its natural logarithm.
    ``quality_samples`` is the decayed count of reported qualities, ``expected_quality`` the P(success) that had been predicted of
    those requests, where it was noted.
    """

    model: ModelRef
    task_type: TaskType | None
    _: KW_ONLY
    samples: float
    success_rate: float | None
    latency_s: float | None
    cost_usd: float | None
    quality: float | None
    confidence: float
    updated_at: float
    ttft_s: float | None = None
    p95_s: float | None = None
    tokens_per_s: float | None = None
    output_tokens: float | None = None
    output_spread: float | None = None
    quality_samples: float | None = None
    expected_quality: float | None = None


@dataclass(frozen=True, slots=True)
class CircuitBreakerState:
    """State of the breaker of a model or a provider (requirement A14).

    ``retry_at`` is seconds since the epoch, ``cause`` what opened it, in the provider's words.
    """

    key: str
    phase: BreakerPhase = "closed"
    _: KW_ONLY
    failures: int = 0
    openings: int = 0
    opened_at: float | None = None
    retry_at: float | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The shared numbers as one process sees them while it decides; never changed, only replaced.

    ``weights`` are learned weights 0..1 (A12), ``multipliers`` the provider multipliers 0.5-2 (B1), ``provider_share`` each
    provider's share of the last 100 decisions, ``spend_left_nano`` what budgets have left by scope name, ``busy_until`` the
    seconds since the epoch until which a model's rate window is full, ``in_flight`` its calls under way. ``sums`` are the named
    sums that processes share, by the part of their name before the first ``/`` and by the rest.
    """

    version: int = 0
    _: KW_ONLY
    taken_at: float = 0.0
    performance: Mapping[tuple[ModelRef, TaskType | None], PerformanceMetrics] = field(
        default_factory=dict[tuple[ModelRef, TaskType | None], PerformanceMetrics]
    )
    weights: Mapping[tuple[ModelRef, TaskType | None], float] = field(default_factory=dict[tuple[ModelRef, TaskType | None], float])
    breakers: Mapping[str, CircuitBreakerState] = field(default_factory=dict[str, CircuitBreakerState])
    multipliers: Mapping[str, float] = field(default_factory=dict[str, float])
    provider_share: Mapping[str, float] = field(default_factory=dict[str, float])
    spend_left_nano: Mapping[str, int] = field(default_factory=dict[str, int])
    unreachable: frozenset[ModelRef] = frozenset()
    busy_until: Mapping[ModelRef, float] = field(default_factory=dict[ModelRef, float])
    in_flight: Mapping[ModelRef, int] = field(default_factory=dict[ModelRef, int])
    sums: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict[str, Mapping[str, tuple[float, ...]]])
