"""Track which models' prompt caches hold the beginning of a conversation, because switching models loses that discount.

Providers cache the beginning of a prompt for some minutes and charge ``cached_input`` for it. For the sessions of this process
the calls are known by ``session_id``. On any machine they can be read from the chat itself: LangChain's answers carry, under
``response_metadata["crew_router"]``, the model that gave them, when, and the number of input tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from cachetools import LRUCache

from crew_router.decide.conditions import CachedPrefix
from crew_router.record.recorder import RecordObserver
from crew_router.types import ModelRef
from crew_router.types.error_policy import ERROR_POLICIES
from crew_router.types.fork_hooks import free_in_child

if TYPE_CHECKING:
    from crew_router.config.settings import SessionSettings
    from crew_router.types import Attempt, RoutingDecision, RoutingRequest

METADATA: Final = "crew_router"
_MAX_SESSIONS: Final = 4096
_LOOK_BACK: Final = 32  # messages searched for the last answer; tool results and a question may come after it
_HIT_STEP: Final = 0.3  # guess, not measured: weight of the newest call in the average share that a cache really held


@dataclass(frozen=True, slots=True)
class _CachedPrompt:
    """A prompt in a model's cache: its tokens, and when it was cached, in seconds since the epoch."""

    tokens: int
    at: float


class PromptCacheTracker(RecordObserver):
    """The cached prompts of the newest sessions of this process. Safe to call from any thread.

    Args:
        settings: How long a prompt stays cached, and how many tokens it must have to be cached.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._by_session: LRUCache[str, dict[ModelRef, _CachedPrompt]] = LRUCache(_MAX_SESSIONS)
        self._hit_shares: dict[ModelRef, float] = {}
        self._lock = threading.Lock()
        free_in_child(self)

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Note the end of a call: a good one caches its prompt; a model that is unhealthy is forgotten."""
        key = decision.request.session_id
        if key is None or not self._settings.affinity:
            return
        with self._lock:
            cached = self._by_session.setdefault(key, {})
            if attempt.error is not None:
                if ERROR_POLICIES[attempt.error].unhealthy:
                    cached.pop(attempt.model, None)
                return
            self._update_hit_share(cached.get(attempt.model), attempt)
            usage = attempt.usage
            tokens = decision.profile.input_tokens.value if usage is None else usage.input_tokens
            cached[attempt.model] = _CachedPrompt(tokens, attempt.started_at + attempt.latency_s)

    def cached_prefixes(self, request: RoutingRequest, *, now: float) -> tuple[CachedPrefix, ...]:
        """Return, for each model that probably has the beginning of the conversation cached, the number of cached tokens."""
        if not self._settings.affinity or (request.session_id is None and len(request.messages) < 2):  # noqa: PLR2004 - one message has no history
            return ()
        cached = _from_chat(request.messages)
        if request.session_id is not None:
            with self._lock:
                cached |= self._by_session.get(request.session_id, {})
        return tuple(
            CachedPrefix(ref, tokens=each.tokens, share=self._hit_shares.get(ref, 1.0))
            for ref, each in cached.items()
            if each.tokens >= self._settings.min_tokens and now - each.at <= self._settings.cache_s
        )

    def _update_hit_share(self, before: _CachedPrompt | None, attempt: Attempt) -> None:
        """Update the average share of an expected prefix that a model's cache really held, as the provider's usage reports it."""
        usage = attempt.usage
        if before is None or usage is None or usage.estimated or usage.input_tokens < before.tokens or not before.tokens:
            return
        if before.tokens < self._settings.min_tokens or attempt.started_at - before.at > self._settings.cache_s:
            return
        share = min(usage.cached_tokens / before.tokens, 1.0)
        average = self._hit_shares.get(attempt.model, share)
        self._hit_shares[attempt.model] = average + _HIT_STEP * (share - average)


def _from_chat(messages: tuple[object, ...]) -> dict[ModelRef, _CachedPrompt]:
    """Return the cached prompt that the metadata of the last answer in a chat tell of; empty without such metadata."""
    for message in reversed(messages[-_LOOK_BACK:]):
        metadata = getattr(message, "response_metadata", None)
        recorded = cast("Mapping[str, object]", metadata).get(METADATA) if isinstance(metadata, Mapping) else None
        if isinstance(recorded, Mapping):
            return _read(cast("Mapping[str, object]", recorded))
    return {}


def _read(recorded: Mapping[str, object]) -> dict[ModelRef, _CachedPrompt]:
    # The chat comes from the caller, so its metadata may hold anything.
    model, answered_at, tokens = recorded.get("model"), recorded.get("answered_at"), recorded.get("input_tokens")
    if not isinstance(model, str) or not isinstance(answered_at, (int, float)) or not isinstance(tokens, int):
        return {}
    return {ModelRef(model): _CachedPrompt(tokens, float(answered_at))} if ":" in model else {}
