"""Whole answers kept for exactly the same question of the same user under the same policy (requirement A17); off by default."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import threading
from collections.abc import Mapping
from typing import cast

from cachetools import TTLCache

from crew_router.types.clock import Clock
from crew_router.types.decision import RoutingDecision
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.outcome import Usage
from crew_router.types.request import RoutingRequest
from crew_router.types.response import RoutedResponse
from crew_router.types.transport import Payload

_NOT_ASKED = frozenset({"messages", "task_description", "metadata", "tags", "session_id", "run_id", "urgency", "deadline_s"})


class ResponseCache:
    """Keeps the newest answers for a while. Safe to call from any thread.

    A question is the same when messages, tools, format and parameters are; a user's answers are given to that user only, and
    another policy, budget or constraint is another question. A payload that cannot be written as JSON is never kept.

    Args:
        clock: Time.
        ttl_s: Seconds that an answer is kept.
        max_entries: Answers that are kept at most; the least recently used goes first.
    """

    def __init__(self, clock: Clock, *, ttl_s: float = 3600.0, max_entries: int = 1000) -> None:
        self._kept: TTLCache[str, RoutedResponse] = TTLCache(max_entries, ttl_s, timer=clock.monotonic)
        self._lock = threading.Lock()
        free_in_child(self)

    def get(self, decision: RoutingDecision, payload: Payload) -> RoutedResponse | None:
        """Return the kept answer as one to this decision, without attempts and at no cost; ``None`` when there is none."""
        key = key_of(decision, payload)
        if key is None:
            return None
        with self._lock:
            response = self._kept.get(key)
        if response is None:
            return None
        message = copy.deepcopy(response.message)
        return dataclasses.replace(response, decision=decision, attempts=(), cost_usd=0.0, usage=Usage(0, 0), message=message)

    def put(self, decision: RoutingDecision, payload: Payload, response: RoutedResponse) -> RoutedResponse:
        """Keep an answer, and return it."""
        key = key_of(decision, payload)
        if key is not None:
            own = dataclasses.replace(response, message=copy.deepcopy(response.message))
            with self._lock:
                self._kept[key] = own
        return response


def key_of(decision: RoutingDecision, payload: Payload) -> str | None:
    """Return the key of a question, or ``None`` when it cannot be kept."""
    request = decision.request
    asked = {item.name: getattr(request, item.name) for item in dataclasses.fields(RoutingRequest) if item.name not in _NOT_ASKED}
    parts: dict[str, object] = {
        "policy": [decision.project, decision.policy_version, decision.strategy, decision.mode],
        "request": {name: _sorted(value) for name, value in asked.items()},
        "messages": [_plain(message) for message in payload.messages],
        "payload": [payload.tools, payload.tool_choice, payload.stop, payload.response_format, dict(payload.parameters)],
    }
    try:
        text = json.dumps(parts, sort_keys=True)
    except (TypeError, ValueError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def _sorted(value: object) -> object:
    return sorted(str(each) for each in cast("frozenset[object]", value)) if isinstance(value, frozenset) else value


def _plain(message: object) -> object:
    """Return a message as JSON data; what a client adds to tell messages apart does not count."""
    if isinstance(message, (str, Mapping, tuple, list)):
        return cast("object", message)
    dump = getattr(message, "model_dump", None)
    if dump is None:
        return message
    data = cast("dict[str, object]", dump())
    return {key: value for key, value in data.items() if key not in {"id", "response_metadata", "usage_metadata"}}
