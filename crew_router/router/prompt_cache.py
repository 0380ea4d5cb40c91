"""Which prompt caches hold the beginning of a conversation, so that a switch of models is charged for reading it again.

Providers keep the prefix of a prompt for some minutes and charge ``cached_input`` for it. What a session's calls left behind is
known in this process by ``session_id``, and on every machine from the chat itself: LangChain's answers carry under
``response_metadata["crew_router"]`` which model gave them, when, and for how many tokens.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from crew_router.decide.conditions import Warm
from crew_router.record.recorder import RecordObserver
from crew_router.types import ModelRef
from crew_router.types.error_policy import TREATMENTS

if TYPE_CHECKING:
    from crew_router.config.settings import SessionSettings
    from crew_router.types import Attempt, RoutingDecision, RoutingRequest

METADATA: Final = "crew_router"
_KEEP: Final = 4096
_LOOK_BACK: Final = 32  # messages after the last answer are tool results and a question
_HIT_STEP: Final = 0.3  # guess, not measured: weight of the newest call in the share that a cache really held


@dataclass(frozen=True, slots=True)
class _Left:
    """What one call left in its model's prompt cache: tokens, and when, in seconds since the epoch."""

    tokens: int
    at: float


class PromptCacheTracker(RecordObserver):
    """What the newest sessions of this process left in prompt caches. Safe to call from any thread.

    Args:
        settings: How long a cache lasts, and from how many tokens on there is one.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._left: OrderedDict[str, dict[ModelRef, _Left]] = OrderedDict()
        self._hits: dict[ModelRef, float] = {}
        self._lock = threading.Lock()

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Take the end of a call: a good one leaves its prompt in the cache, a failing model is left."""
        key = decision.request.session_id
        if key is None or not self._settings.affinity:
            return
        with self._lock:
            left = self._left.setdefault(key, {})
            self._left.move_to_end(key)
            if attempt.error is not None:
                if TREATMENTS[attempt.error].unhealthy:
                    left.pop(attempt.model, None)
                return
            self._learn(left.get(attempt.model), attempt)
            usage = attempt.usage
            tokens = decision.profile.input_tokens.value if usage is None else usage.input_tokens
            left[attempt.model] = _Left(tokens, attempt.started_at + attempt.latency_s)
            while len(self._left) > _KEEP:
                self._left.popitem(last=False)

    def warm(self, request: RoutingRequest, *, now: float) -> tuple[Warm, ...]:
        """Return the caches that hold the beginning of a request's conversation, with the tokens that are expected in each."""
        if not self._settings.affinity or (request.session_id is None and len(request.messages) < 2):  # noqa: PLR2004 - one message has no history
            return ()
        left = _told(request.messages)
        if request.session_id is not None:
            with self._lock:
                left |= self._left.get(request.session_id, {})
        return tuple(
            Warm(ref, tokens=each.tokens, share=self._hits.get(ref, 1.0))
            for ref, each in left.items()
            if each.tokens >= self._settings.min_tokens and now - each.at <= self._settings.cache_s
        )

    def _learn(self, before: _Left | None, attempt: Attempt) -> None:
        """Move the share of an expected prefix that the model's cache really held: the provider reports it with the usage."""
        usage = attempt.usage
        if before is None or usage is None or usage.estimated or usage.input_tokens < before.tokens or not before.tokens:
            return
        if before.tokens < self._settings.min_tokens or attempt.started_at - before.at > self._settings.cache_s:
            return
        share = min(usage.cached_tokens / before.tokens, 1.0)
        known = self._hits.get(attempt.model, share)
        self._hits[attempt.model] = known + _HIT_STEP * (share - known)


def _told(messages: tuple[object, ...]) -> dict[ModelRef, _Left]:
    """Return what the last answer in a chat says of where it came from; nothing for a chat that says nothing."""
    for message in reversed(messages[-_LOOK_BACK:]):
        metadata = getattr(message, "response_metadata", None)
        told = cast("Mapping[str, object]", metadata).get(METADATA) if isinstance(metadata, Mapping) else None
        if isinstance(told, Mapping):
            return _read(cast("Mapping[str, object]", told))
    return {}


def _read(told: Mapping[str, object]) -> dict[ModelRef, _Left]:
    # The chat comes from the caller and may say anything.
    model, at, tokens = told.get("model"), told.get("answered_at"), told.get("input_tokens")
    if not isinstance(model, str) or not isinstance(at, (int, float)) or not isinstance(tokens, int):
        return {}
    return {ModelRef(model): _Left(tokens, float(at))} if ":" in model else {}
