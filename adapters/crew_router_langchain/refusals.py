# ruff: noqa: E501 - rows of data and sentences as providers write them stay on a line
"""Parameters that a model refuses: found in the provider's words, left out, and remembered for the calls that follow."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from crew_router_langchain.error_bodies import Told, told_by
from crew_router_langchain.parameter_rules import MEANING

if TYPE_CHECKING:
    from crew_router.types.vocabulary import ModelRef

_REFUSES: Final = re.compile(
    r"unsupported|not support|isn't supported|unrecognized|unknown|unexpected|not permitted|not allowed|deprecated|not available|unavailable|does not (accept|have)"
    r"|don't support|cannot (both )?be (used|specified|set)|can only be|invalid (parameter|argument|field)|extra (inputs|fields)|not (a )?(valid|recognized)|only the default|must (not be|be set to 1|be 1)"
    r"|is not compatible|incompatible|no longer|removed|not implemented|property '|additional propert|cannot find field|got an unexpected keyword|should not be|mutually exclusive"
)  # fmt: skip
# The name of a parameter on the wire, where it differs from the one that is given to the client.
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "max_tokens": ("max_completion_tokens", "max_output_tokens", "maxoutputtokens", "maxtokens"),
    "stop": ("stop_sequences", "stopsequences"),
    "stream_usage": ("stream_options", "include_usage"),
    "top_p": ("topp",),
    "top_k": ("topk",),
    "frequency_penalty": ("frequencypenalty",),
    "presence_penalty": ("presencepenalty",),
    "response_format": ("json_schema", "json_object", "responseformat", "response_mime_type", "structured output", "output_config.format", "output_format"),
    "tool_choice": ("toolchoice", "tool choice"),
    "tools": ("tool use", "tool calling", "function calling", "function call", "tools"),
    "parallel_tool_calls": ("parallel tool calls", "disable_parallel_tool_use"),
    "reasoning_effort": ("reasoning.effort", "output_config.effort", "effort"),
}  # fmt: skip
_NUMBERS: Final = re.compile(r"\d+")
_LONGEST: Final = re.compile(
    r"too (large|high|big|many)|at most|maximum|less than or equal|exceed|greater than|above|<=|supports? (only )?up to"
)
Asked = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of one model: parameters that it refuses, and the most output tokens that it takes."""

    refused: frozenset[str] = frozenset()
    max_tokens: int | None = None
    chat_only: bool = False

    def plus(self, refused: Iterable[str] = (), *, max_tokens: int | None = None, chat_only: bool = False) -> Learned:
        """Return what is known after another refusal."""
        return Learned(self.refused | frozenset(refused), max_tokens or self.max_tokens, chat_only or self.chat_only)


@dataclass(slots=True)
class Refusals:
    """What models were seen to refuse in this process. Safe to call from any thread."""

    known: dict[ModelRef, Learned] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, model: ModelRef) -> Learned:
        """Return what is known of a model."""
        return self.known.get(model, NOTHING_LEARNED)

    def learn(self, model: ModelRef, learned: Learned) -> None:
        """Remember what a model refuses."""
        with self.lock:
            self.known[model] = learned


NOTHING_LEARNED: Final = Learned()


def refused_in(error: Exception, sent: Asked, known: Learned) -> Learned | None:
    """Return what is known after a refusal of a parameter, ``None`` where the error is none or cannot be answered by leaving one out.

    Args:
        error: What the client raised.
        sent: The parameters that were sent.
        known: What was known before.
    """
    told = told_by(error)
    if not _is_refusal(told, error):
        return None
    if (
        sent.get("use_responses_api")
        and told.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
        and not _names_a_model(told)
    ):
        return None if known.chat_only else known.plus(chat_only=True)
    bound = _bound_in(told, sent)
    if bound is not None and bound != known.max_tokens:
        return known.plus(max_tokens=bound)
    if not _REFUSES.search(told.words):
        return None
    named = [name for name in _named(told, sent) if name not in known.refused]
    if not named or any(name in MEANING for name in named[:1]):
        return None
    if {"temperature", "top_p"} <= {*named} and re.search(r"both|mutually|not .{0,20}together", told.words):
        named = ["top_p"]
    return known.plus(named if _names_all(told, named) else named[:1])


def refuses_meaning(error: Exception, sent: Asked) -> str | None:
    """Return the part of a request that a model refuses and that cannot be left out (``tools``, ``response_format``), or ``None``."""
    told = told_by(error)
    if not _is_refusal(told, error) or not re.search(
        r"unsupported|not support|unavailable|not available|isn't supported|don't support", told.words
    ):
        return None
    named = _named(told, sent)
    return named[0] if named and named[0] in {"tools", "response_format"} else None


def _is_refusal(told: Told, error: Exception) -> bool:
    if told.status is None:
        return isinstance(error, (TypeError, ValueError))
    return told.status in {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.NOT_IMPLEMENTED,
        HTTPStatus.FORBIDDEN,
    }


def _names_a_model(told: Told) -> bool:
    return "model" in told.words


def _named(told: Told, sent: Asked) -> list[str]:
    """Return the parameters that were sent and that the provider names, the one that it calls the parameter first."""
    found: list[tuple[int, str]] = []
    for name in sent:
        places = [_place(spelled, told) for spelled in (name.lower(), *_ALIASES.get(name, ()))]
        known = [place for place in places if place >= 0]
        if known:
            found.append((min(known), name))
    return [name for _, name in sorted(found)]


def _place(spelled: str, told: Told) -> int:
    if told.parameter and (told.parameter.lower() == spelled or told.parameter.lower().split(".")[0].split("[")[0] == spelled):
        return 0
    match = re.search(rf"(?<![\w.]){re.escape(spelled)}(?!\w)", told.words.replace("\\", ""))
    return -1 if match is None else 1 + match.start()


def _names_all(told: Told, named: Collection[str]) -> bool:
    """Tell whether a list of parameters is refused at once (``extra inputs are not permitted`` of several fields)."""
    return len(named) > 1 and bool(re.search(r"parameters|arguments|fields|inputs|keys", told.words))


def _bound_in(told: Told, sent: Asked) -> int | None:
    """Return the most output tokens that a refusal of ``max_tokens`` names, where it was asked for more."""
    asked = sent.get("max_tokens")
    if (
        not isinstance(asked, int)
        or not _LONGEST.search(told.words)
        or not any(name in told.words for name in ("max_tokens", *_ALIASES["max_tokens"], "output tokens", "completion tokens"))
    ):
        return None
    if "context" in told.words:
        return None
    numbers = [int(number) for number in _NUMBERS.findall(told.words) if len(number) < 9]  # noqa: PLR2004 - no window is longer
    if asked not in numbers:
        return None
    smaller = [number for number in numbers if 16 <= number < asked and number not in {400, 422}]  # noqa: PLR2004 - statuses
    return max(smaller, default=None)
