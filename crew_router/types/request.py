"""What a caller asks for, and what the caller says afterwards."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from enum import StrEnum
from typing import Final, Literal, Self, TypeVar, cast

from crew_router.errors import InvalidRequestError
from crew_router.types.vocabulary import EFFORT_ORDER, ModelCapability, ModelRef, Risk, TaskType, Tier, Urgency

_Enum = TypeVar("_Enum", bound=StrEnum)
FeedbackOutcome = Literal["success", "partial", "failure"]


@dataclass(frozen=True, slots=True)
class RoutingRequest:
    """Constraints and wishes for one request; everything is optional.

    The same keys, and no others, are read from every ``routing:`` block (YAML, LangChain, CrewAI, HTTP, MCP)
    by :meth:`from_mapping`.

    Args:
        task_type: What is wanted; classified from the text when not given.
        task_description: The text to classify when no prompt is passed to ``invoke``.
        messages: A chat to classify instead of ``task_description``.
        complexity: 1 (trivial) to 10 (research).
        context_tokens: Input tokens, when the caller knows better than the count of the text.
        expected_output_tokens: Tokens of the answer, when the caller knows.
        cost_budget: Most USD that this request may cost; hard.
        quality_requirement: Least quality 0..1; hard.
        max_latency_s: Most seconds an answer may be expected to take; hard.
        deadline_s: Seconds from now after which an answer is worthless.
        willingness_to_pay: USD that a certainly right answer is worth; turns on expected-utility selection.
        tier: Wanted band; soft (rule 10).
        vendor_preference: Provider that gets up to two points more; soft.
        allow_providers: Only these providers; hard.
        deny_providers: Never these; hard.
        force_model: Fixes the first attempt; safety, capability and hard budgets still hold.
        fallbacks: Whether other models may answer when the first fails.
        effort: The reasoning effort of models that have any; hard. Models without efforts are not concerned.
        max_effort: The highest reasoning effort; hard.

    Raises:
        InvalidRequestError: A value is out of range, NaN or of the wrong type.

    Example:
        >>> RoutingRequest(task_type=TaskType.REASONING, cost_budget=0.01).cost_budget
        0.01
    """

    task_type: TaskType | None = None
    task_description: str = ""
    _: KW_ONLY
    messages: tuple[object, ...] = ()
    complexity: int | None = None
    context_tokens: int | None = None
    expected_output_tokens: int | None = None
    cost_budget: float | None = None
    quality_requirement: float | None = None
    max_latency_s: float | None = None
    deadline_s: float | None = None
    willingness_to_pay: float | None = None
    requires_vision: bool = False
    requires_tools: bool = False
    requires_json: bool = False
    requires_streaming: bool = False
    required_capabilities: frozenset[ModelCapability] = frozenset()
    tier: Tier | None = None
    strategy: str | None = None
    vendor_preference: str | None = None
    allow_providers: frozenset[str] | None = None
    deny_providers: frozenset[str] = frozenset()
    force_model: str | None = None
    fallbacks: bool = True
    urgency: Urgency | None = None
    risk: frozenset[Risk] | None = None
    region: str | None = None
    tags: frozenset[str] = frozenset()
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    session_id: str | None = None
    user_id: str | None = None
    run_id: str | None = None
    project: str | None = None
    parallel: bool | None = None
    critical: bool = False
    effort: str | None = None
    max_effort: str | None = None

    def __post_init__(self) -> None:
        """Read lenient spellings and reject what cannot be meant."""
        put = object.__setattr__
        put(self, "task_type", _member(TaskType, "task_type", self.task_type))
        put(self, "tier", _member(Tier, "tier", self.tier))
        put(self, "urgency", _member(Urgency, "urgency", self.urgency))
        put(self, "required_capabilities", _members(ModelCapability, "required_capabilities", self.required_capabilities))
        put(self, "risk", None if self.risk is None else _members(Risk, "risk", self.risk))
        put(self, "allow_providers", None if self.allow_providers is None else _names("allow_providers", self.allow_providers))
        put(self, "deny_providers", _names("deny_providers", self.deny_providers))
        put(self, "tags", _names("tags", self.tags))
        put(self, "messages", tuple(self.messages))
        _check_text(self)
        _check_numbers(self)
        _check_flags(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """Read a ``routing:`` block.

        Raises:
            InvalidRequestError: A key is unknown or a value is out of range; the message names it.
        """
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise InvalidRequestError(key, values[key], expected=_instead_of(key, known))
        return cls(**values)  # type: ignore[arg-type]  # every value is checked by __post_init__

    def described(self, *, messages: tuple[object, ...], tools: bool, json: bool) -> Self:
        """Return the request with what its payload shows: its messages, and whether it needs tools or JSON.

        The other fields were checked when the request was made; they are copied as they are.
        """
        put, same = object.__setattr__, object.__new__(type(self))
        for name in _NAMES:
            put(same, name, getattr(self, name))
        put(same, "messages", messages)
        put(same, "requires_tools", self.requires_tools or tools)
        put(same, "requires_json", self.requires_json or json)
        return same

    def needs(self) -> frozenset[ModelCapability]:
        """Return every capability that the request demands."""
        flagged = _flagged(self.requires_vision, self.requires_tools, self.requires_json, self.requires_streaming)
        return flagged | self.required_capabilities if self.required_capabilities else flagged


# Names that similar projects and earlier notes use for what a request asks.
_ELSEWHERE: Final = {
    "latency_budget": "max_latency_s",
    "max_latency": "max_latency_s",
    "timeout": "deadline_s",
    "cost_tier": "tier",
    "budget": "cost_budget",
    "max_cost": "cost_budget",
    "min_quality": "quality_requirement",
    "model": "force_model",
}


def _instead_of(key: object, known: Collection[str]) -> str:
    from difflib import get_close_matches  # only a mistake needs it

    alike = get_close_matches(str(key), known, n=1)
    meant = _ELSEWHERE.get(str(key)) or (alike[0] if alike else None)
    return f"one of the keys {', '.join(sorted(known))}" if meant is None else f"the key {meant}"


_NAMES: Final = tuple(each.name for each in fields(RoutingRequest))


@functools.cache
def _flagged(vision: bool, tools: bool, json: bool, streaming: bool) -> frozenset[ModelCapability]:
    flags = {
        ModelCapability.VISION: vision,
        ModelCapability.TOOLS: tools,
        ModelCapability.JSON: json,
        ModelCapability.STREAMING: streaming,
    }
    return frozenset(capability for capability, wanted in flags.items() if wanted)


@dataclass(frozen=True, slots=True)
class FeedbackData:
    """What somebody said about an answer later (requirement A12).

    ``request_id`` is the id of the decision. The reward is computed by rule 4.

    Raises:
        InvalidRequestError: A value is out of range, or nothing at all was said.
    """

    request_id: str
    _: KW_ONLY
    model_id: str | None = None
    task_type: TaskType | None = None
    outcome: FeedbackOutcome | None = None
    quality_score: float | None = None
    pr_merged: bool | None = None
    pr_reverted: bool | None = None
    user_rating: float | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "task_type", _member(TaskType, "task_type", self.task_type))
        if self.model_id is not None:
            object.__setattr__(self, "model_id", ModelRef(self.model_id))
        if self.outcome not in (None, "success", "partial", "failure"):
            raise InvalidRequestError("outcome", self.outcome, expected="'success', 'partial' or 'failure'")
        _between("quality_score", self.quality_score, low=0, high=1)
        _between("user_rating", self.user_rating, low=1, high=5)
        said = (self.outcome, self.quality_score, self.pr_merged, self.pr_reverted, self.user_rating)
        if all(value is None for value in said):
            raise InvalidRequestError("outcome", None, expected="an outcome, a score, a rating or what became of the pull request")


_INF: Final = math.inf
_RANGES: Final = (
    ("complexity", 1, 10),
    ("context_tokens", 0, _INF),
    ("expected_output_tokens", 0, _INF),
    ("cost_budget", 0, _INF),
    ("quality_requirement", 0, 1),
    ("max_latency_s", 0, _INF),
    ("deadline_s", 0, _INF),
    ("willingness_to_pay", 0, _INF),
)
_FLAGS: Final = ("requires_vision", "requires_tools", "requires_json", "requires_streaming", "fallbacks", "critical")
_TEXTS: Final = ("strategy", "vendor_preference", "force_model", "region", "session_id", "user_id", "run_id", "project")
_WHOLE: Final = frozenset({"complexity", "context_tokens", "expected_output_tokens"})


def _check_numbers(request: RoutingRequest) -> None:
    for name, low, high in _RANGES:
        value = getattr(request, name)
        _between(name, value, low=low, high=high)
        if name in _WHOLE and value is not None and value != int(value):
            raise InvalidRequestError(name, value, expected="a whole number")


def _check_flags(request: RoutingRequest) -> None:
    for name in _FLAGS:
        if not isinstance(getattr(request, name), bool):
            raise InvalidRequestError(name, getattr(request, name), expected="true or false")
    if request.parallel is not None and not isinstance(request.parallel, bool):
        raise InvalidRequestError("parallel", request.parallel, expected="true, false or nothing")


def _check_text(request: RoutingRequest) -> None:
    if not isinstance(request.task_description, str):
        raise InvalidRequestError("task_description", request.task_description, expected="a text")
    for name in _TEXTS:
        value = getattr(request, name)
        if value is not None and not isinstance(value, str):
            raise InvalidRequestError(name, value, expected="a text")
    for name in ("effort", "max_effort"):
        value = getattr(request, name)
        if value is not None and value not in EFFORT_ORDER:
            raise InvalidRequestError(name, value, expected=f"one of {', '.join(EFFORT_ORDER)}")
    if not isinstance(request.metadata, Mapping):
        raise InvalidRequestError("metadata", request.metadata, expected="a mapping")


def _between(name: str, value: object, *, low: float, high: float) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high or value == _INF:
        expected = f"a number from {low} to {high}" if high < _INF else f"a finite number of at least {low}"
        raise InvalidRequestError(name, value, expected=expected)


def _member(kind: type[_Enum], name: str, value: object) -> _Enum | None:
    if value is None:
        return None
    try:
        return kind(value)  # type: ignore[arg-type]  # whatever is no member raises ValueError
    except ValueError:
        raise InvalidRequestError(name, value, expected=f"one of {', '.join(kind)}") from None


def _members(kind: type[_Enum], name: str, values: Iterable[object]) -> frozenset[_Enum]:
    try:
        return frozenset(kind(value) for value in _listed(name, values))  # type: ignore[arg-type]  # as above
    except ValueError:
        raise InvalidRequestError(name, values, expected=f"a list of {', '.join(kind)}") from None


def _names(name: str, values: Iterable[object]) -> frozenset[str]:
    listed = _listed(name, values)
    if not all(isinstance(value, str) for value in listed):
        raise InvalidRequestError(name, values, expected="a list of texts")
    return frozenset(str(value) for value in listed)


def _listed(name: str, values: object) -> tuple[object, ...]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InvalidRequestError(name, values, expected="a list")
    return tuple(cast("Iterable[object]", values))
