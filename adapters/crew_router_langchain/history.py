"""Outcomes that a chat's history tells: the next request shows what became of the last answer.

The last answer carries the id of its decision. Tools that failed on its calls, a parser that rejected it, and a user who
asks the same again are outcomes of that decision. Nothing has to be installed for it, no callback handler is global.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from cachetools import FIFOCache
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from crew_router.errors import CrewRouterError
from crew_router.types.fork_hooks import free_in_child
from crew_router.types.redaction import logger
from crew_router_langchain.answers import KEY

if TYPE_CHECKING:
    from crew_router.router.router import Router

_log = logger(__name__)
_REMEMBERED: Final = 4096
Reason = Literal["tool_error", "parser_error", "asked_again"]
# What LangChain's own retry loops say to a model whose output could not be read.
_PARSER_WORDS: Final = re.compile(
    r"OUTPUT_PARSING_FAILURE|failed to parse|could not parse|invalid json|validation error|structured output", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What a history says of an earlier decision."""

    decision_id: str
    reason: Reason


def hindsight(messages: Sequence[BaseMessage]) -> Hindsight | None:
    """Return what the messages after the last answer say against it, or ``None``."""
    at = next((at for at in range(len(messages) - 1, -1, -1) if isinstance(messages[at], AIMessage)), None)
    if at is None:
        return None
    answer, later = messages[at], messages[at + 1 :]
    routing = answer.response_metadata.get(KEY)
    decision_id = routing.get("decision_id") if isinstance(routing, dict) else None
    if not isinstance(decision_id, str) or not later:
        return None
    reason = _reason(later, asked_before=_last_question(messages[:at]))
    return None if reason is None else Hindsight(decision_id, reason)


def _reason(later: Sequence[BaseMessage], *, asked_before: str | None) -> Reason | None:
    failed = [message for message in later if isinstance(message, ToolMessage) and message.status == "error"]
    if failed:
        return "parser_error" if all(_PARSER_WORDS.search(str(message.text)) for message in failed) else "tool_error"
    asked = _last_question(later)
    if asked is None:
        return None
    if _PARSER_WORDS.search(asked):
        return "parser_error"
    return "asked_again" if asked_before is not None and _plain(asked) == _plain(asked_before) else None


def _last_question(messages: Sequence[BaseMessage]) -> str | None:
    return next((str(message.text) for message in reversed(messages) if isinstance(message, HumanMessage)), None)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


class OutcomeCapture:
    """Reports what histories say to one router, each decision once, however often its history is sent."""

    def __init__(self) -> None:
        self._told: FIFOCache[str, None] = FIFOCache(_REMEMBERED)
        self._lock = threading.Lock()
        free_in_child(self)

    def learn(self, router: Router, messages: Sequence[BaseMessage]) -> Hindsight | None:
        """Report what the history says; return it when it is news."""
        seen = hindsight(messages)
        if seen is None or not self._first(seen.decision_id):
            return None
        try:
            router.record_request_outcome(decision_id=seen.decision_id, success=False)
        except CrewRouterError as error:  # of another ledger, for example: the answer does not depend on it
            _log.debug("outcome of %s not recorded: %s", seen.decision_id, error)
            return None
        return seen

    def _first(self, decision_id: str) -> bool:
        with self._lock:
            if decision_id in self._told:
                return False
            self._told[decision_id] = None
            return True


_captures: weakref.WeakKeyDictionary[object, OutcomeCapture] = weakref.WeakKeyDictionary()


def capture_for(router: object) -> OutcomeCapture:
    """Return the one capture of a router, whichever chat model over it asks."""
    capture = _captures.get(router)
    if capture is None:
        capture = _captures.setdefault(router, OutcomeCapture())
    return capture
