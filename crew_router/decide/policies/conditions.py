"""Conditions of policies: one matcher for each key of ``when:``; a policy applies when all of them match.

A matcher is a small value, so that two policies can be compared: ``covers`` tells whether one matches whenever another does,
``excludes`` whether they can never match together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crew_router.decide.policies.yaml_values import as_list, as_mapping
from crew_router.types import Domain, ModelCapability, RequestProfile, Risk, RoutingRequest, TaskType, Tier, Urgency

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions are evaluated on; ``now`` is in seconds since the epoch."""

    request: RoutingRequest
    profile: RequestProfile
    now: float


class Matcher(Protocol):
    """One condition."""

    def matches(self, facts: Facts) -> bool:
        """Tell whether the condition holds."""
        ...

    def covers(self, other: Matcher) -> bool:
        """Tell whether the condition holds whenever the other does."""
        ...

    def excludes(self, other: Matcher) -> bool:
        """Tell whether the two can never hold together."""
        ...


Texts = Callable[[Facts], Iterable[str]]
Number = Callable[[Facts], float | None]
Flag = Callable[[Facts], bool]


@dataclass(frozen=True, slots=True)
class OneOf:
    """At least one of the request's values is listed.

    Args:
        read: Returns the request's values.
        values: The list.
        single: Whether a request has at most one value.
    """

    read: Texts
    values: frozenset[str]
    single: bool

    def matches(self, facts: Facts) -> bool:
        """Tell whether a value is listed."""
        return not self.values.isdisjoint(self.read(facts))

    def covers(self, other: Matcher) -> bool:
        """Tell whether every value of the other list is in this one."""
        return isinstance(other, OneOf) and other.values <= self.values

    def excludes(self, other: Matcher) -> bool:
        """Tell whether the lists have nothing in common and a request has at most one value."""
        return isinstance(other, OneOf) and self.single and self.values.isdisjoint(other.values)


@dataclass(frozen=True, slots=True)
class InRange:
    """A number lies in a range, ends included; an unknown number does not."""

    read: Number
    low: float
    high: float

    def matches(self, facts: Facts) -> bool:
        """Tell whether the number is known and lies in the range."""
        value = self.read(facts)
        return value is not None and self.low <= value <= self.high

    def covers(self, other: Matcher) -> bool:
        """Tell whether the other range lies in this one."""
        return isinstance(other, InRange) and self.low <= other.low and other.high <= self.high

    def excludes(self, other: Matcher) -> bool:
        """Tell whether the ranges have nothing in common."""
        return isinstance(other, InRange) and (other.high < self.low or self.high < other.low)


@dataclass(frozen=True, slots=True)
class FlagIs:
    """A flag has a certain value."""

    read: Flag
    value: bool

    def matches(self, facts: Facts) -> bool:
        """Tell whether the flag has the value."""
        return self.read(facts) is self.value

    def covers(self, other: Matcher) -> bool:
        """Tell whether the other wants the same value."""
        return isinstance(other, FlagIs) and other.value is self.value

    def excludes(self, other: Matcher) -> bool:
        """Tell whether the other wants the opposite value."""
        return isinstance(other, FlagIs) and other.value is not self.value


@dataclass(frozen=True, slots=True)
class HasMetadata:
    """The metadata contain every key, each with one of the listed values; without listed values any value will do."""

    entries: tuple[tuple[str, frozenset[str]], ...]

    def matches(self, facts: Facts) -> bool:
        """Tell whether the metadata contain every key with a listed value."""
        metadata = facts.request.metadata
        return all(key in metadata and (not values or _text(metadata[key]) in values) for key, values in self.entries)

    def covers(self, other: Matcher) -> bool:
        """Tell whether the other wants each of these keys, with no values but these."""
        if not isinstance(other, HasMetadata):
            return False
        others = dict(other.entries)
        return all(key in others and (not values or (others[key] and others[key] <= values)) for key, values in self.entries)

    def excludes(self, other: Matcher) -> bool:
        """Tell whether the two want different values of a key."""
        if not isinstance(other, HasMetadata):
            return False
        others = dict(other.entries)
        return any(values and others.get(key) and values.isdisjoint(others[key]) for key, values in self.entries)


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """The time of day lies in a span.

    Args:
        start: First minute of the span, from midnight.
        end: Minute after the last; smaller than ``start`` when the span goes over midnight.
        zone: The time zone.
    """

    start: int
    end: int
    zone: tzinfo

    def matches(self, facts: Facts) -> bool:
        """Tell whether the current time lies in the span."""
        now = datetime.fromtimestamp(facts.now, self.zone)
        return (now.hour * 60 + now.minute) in self.minutes()

    def covers(self, other: Matcher) -> bool:
        """Tell whether the other span of the same zone lies in this one."""
        return isinstance(other, TimeOfDay) and other.zone == self.zone and other.minutes() <= self.minutes()

    def excludes(self, other: Matcher) -> bool:
        """Tell whether the spans of one zone have nothing in common."""
        return isinstance(other, TimeOfDay) and other.zone == self.zone and self.minutes().isdisjoint(other.minutes())

    def minutes(self) -> frozenset[int]:
        """Return the minutes of the day that belong to the span."""
        if self.start <= self.end:
            return frozenset(range(self.start, self.end))
        return frozenset((*range(self.start, _MINUTES), *range(self.end)))


def matcher(key: str, value: object, *, zone: tzinfo = UTC) -> Matcher:
    """Read one entry of ``when:``.

    Args:
        key: Its key.
        value: What was written.
        zone: Time zone of ``time`` and ``weekday`` when they name none.

    Raises:
        ValueError: The key is not known or the value is not valid.
    """
    if key in _SETS:
        read, kind, single = _SETS[key]
        return OneOf(read, frozenset(_member(kind, text) for text in _texts(value)), single)
    if key in _NUMBERS:
        return _check_possible(key, _range(_NUMBERS[key], value))
    if key in _FLAGS:
        if not isinstance(value, bool):
            msg = f"{value!r} is neither true nor false"
            raise ValueError(msg)
        return FlagIs(_FLAGS[key], value)
    if key == "metadata":
        return _metadata(value)
    if key == "time":
        return _time_of_day(value, zone)
    if key == "weekday":
        return OneOf(_Weekday(zone), frozenset(_weekday(text) for text in _texts(value)), single=True)
    msg = f"{key!r} is not known; use one of {', '.join(CONDITIONS)}"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class _Weekday:
    zone: tzinfo

    def __call__(self, facts: Facts) -> tuple[str, ...]:
        return (WEEKDAYS[datetime.fromtimestamp(facts.now, self.zone).weekday()],)


_SETS: Final[Mapping[str, tuple[Texts, type[StrEnum] | None, bool]]] = {
    "task_type": (lambda facts: (facts.profile.task_type.value,), TaskType, True),
    "domain": (lambda facts: (facts.profile.domain.value,), Domain, True),
    "risk": (lambda facts: facts.profile.risk.value, Risk, False),
    "modality": (lambda facts: facts.profile.modality.value, ModelCapability, False),
    "language": (lambda facts: (facts.profile.language.value,), None, True),
    "urgency": (lambda facts: (facts.profile.urgency.value,), Urgency, True),
    "content_type": (lambda facts: (facts.profile.content_type.value,), None, True),
    "needs": (lambda facts: facts.request.needs(), ModelCapability, False),
    "tags": (lambda facts: facts.request.tags, None, False),
    "user": (lambda facts: _optional(facts.request.user_id), None, True),
    "session": (lambda facts: _optional(facts.request.session_id), None, True),
    "run": (lambda facts: _optional(facts.request.run_id), None, True),
    "project": (lambda facts: _optional(facts.request.project), None, True),
    "region": (lambda facts: _optional(facts.request.region), None, True),
    "tier": (lambda facts: _optional(facts.request.tier), Tier, True),
}
_NUMBERS: Final[Mapping[str, Number]] = {
    "complexity": lambda facts: facts.profile.complexity.value,
    "input_tokens": lambda facts: facts.profile.input_tokens.value,
    "expected_output_tokens": lambda facts: facts.profile.expected_output_tokens.value,
    "text_chars": lambda facts: facts.profile.text_chars,
    "task_confidence": lambda facts: facts.profile.task_type.confidence,
    "cost_budget": lambda facts: facts.request.cost_budget,
    "quality_requirement": lambda facts: facts.request.quality_requirement,
}
_LIMITS: Final[Mapping[str, tuple[float, float]]] = {"complexity": (1, 10), "task_confidence": (0, 1), "quality_requirement": (0, 1)}
_FLAGS: Final[Mapping[str, Flag]] = {
    "needs_retrieval": lambda facts: facts.profile.needs_retrieval.value,
    "critical": lambda facts: facts.request.critical,
    "parallel": lambda facts: bool(facts.request.parallel),
}
CONDITIONS: Final = (*_SETS, *_NUMBERS, *_FLAGS, "metadata", "time", "weekday")


def _optional(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(value: object) -> tuple[str, ...]:
    values = as_list(value)
    if not values or not all(isinstance(each, (str, int, float, bool)) for each in values):
        msg = f"{value!r} is no text or list of texts"
        raise ValueError(msg)
    return tuple(_text(each) for each in values)


def _member(kind: type[StrEnum] | None, text: str) -> str:
    if kind is None:
        return text
    try:
        return kind(text)
    except ValueError:
        msg = f"{text!r} is none of {', '.join(kind)}"
        raise ValueError(msg) from None


def _range(read: Number, value: object) -> InRange:
    """Read ``7``, ``{min: 3, max: 6}`` or one of the two."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return InRange(read, value, value)
    span = as_mapping(value)
    numbers = {key: bound for key, bound in span.items() if isinstance(bound, (int, float)) and not isinstance(bound, bool)}
    if not span or set(span) - {"min", "max"} or len(numbers) < len(span):
        msg = f"{value!r} is neither a number nor {{min: …, max: …}}"
        raise ValueError(msg)
    low, high = numbers.get("min", float("-inf")), numbers.get("max", float("inf"))
    if low > high:
        msg = f"min {low:g} is above max {high:g}"
        raise ValueError(msg)
    return InRange(read, low, high)


def _check_possible(key: str, span: InRange) -> InRange:
    """Return a range, or raise ``ValueError`` when no request can lie in it."""
    lowest, highest = _LIMITS.get(key, (0.0, float("inf")))
    if span.low > highest or span.high < lowest:
        msg = f"it never holds: {key} is {f'from {lowest:g} to {highest:g}' if highest < float('inf') else f'at least {lowest:g}'}"
        raise ValueError(msg)
    return span


def _metadata(value: object) -> HasMetadata:
    entries = as_mapping(value)
    if not entries:
        msg = f"{value!r} is no mapping of metadata keys to values"
        raise ValueError(msg)
    return HasMetadata(tuple((str(key), frozenset() if wanted is None else frozenset(_texts(wanted))) for key, wanted in entries.items()))


def _time_of_day(value: object, zone: tzinfo) -> TimeOfDay:
    span = as_mapping(value)
    if set(span) - {"timezone"} != {"from", "to"}:
        msg = f'{value!r} is not {{from: "22:00", to: "06:00"}}, with a timezone if you like'
        raise ValueError(msg)
    name = span.get("timezone")
    try:
        time_zone = zone if name is None else UTC if str(name).upper() == "UTC" else ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"timezone {name!r} is not known on this machine"
        raise ValueError(msg) from None
    return TimeOfDay(_minute(span["from"]), _minute(span["to"]), time_zone)


def _minute(text: object) -> int:
    hour, _, minute = str(text).partition(":")
    if not (hour.isdigit() and minute.isdigit() and len(minute) == 2 and int(hour) < 24 and int(minute) < 60):  # noqa: PLR2004 - a time of day
        msg = f'{text!r} is not a time of day; write "HH:MM" in quotes'
        raise ValueError(msg)
    return int(hour) * 60 + int(minute)


def _weekday(text: str) -> str:
    day = text.strip().lower()[:3]
    if day not in WEEKDAYS:
        msg = f"{text!r} is none of {', '.join(WEEKDAYS)}"
        raise ValueError(msg)
    return day
