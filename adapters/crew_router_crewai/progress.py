"""How the work of one agent on one task goes: which answer was last, whether it was rejected, and who must answer better.

A guardrail that refuses, a person who asks for a change, an answer that CrewAI cannot parse and a task that is begun again all show in
the messages of the next call. The answer before it then counts as a failure, and a candidate with a higher P(success) goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from crewai.agents import constants
from crewai.utilities.i18n import I18N_DEFAULT

from crew_router.errors import CrewRouterError
from crew_router.types import FeedbackData, ModelRef, RoutedResponse

if TYPE_CHECKING:
    from crew_router.router.router import Router

_log: Final = logging.getLogger(__name__)
_KEEP: Final = 256
# What CrewAI writes before the reason for which an answer is asked for again.
_REFUSED: Final = tuple(
    text.partition("{")[0].strip() for text in (I18N_DEFAULT.errors("validation_error"), I18N_DEFAULT.slice("feedback_instructions"))
)
_UNPARSED: Final = tuple(
    text.strip()
    for text in (
        constants.MISSING_ACTION_AFTER_THOUGHT_ERROR_MESSAGE,
        constants.MISSING_ACTION_INPUT_AFTER_ACTION_ERROR_MESSAGE,
        constants.FINAL_ANSWER_AND_PARSABLE_ACTION_ERROR_MESSAGE,
    )
)

Key = tuple[str, str]


@dataclass(slots=True)
class Progress:
    """What is known of an agent's work on a task in one run.

    Args:
        last: The newest answer.
        began: Digest of the messages of the first call.
        length: How many they were.
        objection: The objection that was met last, so that each counts once.
        promoted: Who goes on after a failure.
        failed: How many answers were rejected.
    """

    last: RoutedResponse | None = None
    began: str = ""
    length: int = 0
    objection: str = ""
    promoted: ModelRef | None = None
    failed: int = 0


@dataclass(slots=True)
class ProgressBook:
    """The newest pieces of work of one LLM."""

    _known: OrderedDict[Key, Progress] = field(default_factory=OrderedDict[Key, Progress])

    def of(self, key: Key) -> Progress:
        """Return what is known of a piece of work."""
        found = self._known.setdefault(key, Progress())
        self._known.move_to_end(key)
        while len(self._known) > _KEEP:
            self._known.popitem(last=False)
        return found


def look(progress: Progress, messages: Sequence[Mapping[str, Any]], router: Router) -> None:
    """Take the messages of the next call.

    Where they reject the last answer, it is held against its model, and a stronger candidate is promoted.
    """
    began = _digest(messages)
    if not progress.began:
        progress.began, progress.length = began, len(messages)
    objection = _objection(messages)
    if progress.last is not None and (began == progress.began or (objection and len(messages) <= progress.length)):
        objection = f"begun again after {progress.last.decision.id}"
    if not objection or objection == progress.objection:
        return
    progress.objection = objection
    if progress.last is None:
        return
    progress.failed += 1
    progress.promoted = stronger(progress.last)
    _hold_against(progress.last, router)


def stronger(response: RoutedResponse) -> ModelRef:
    """Return the candidate of a decision that the router likes best among those more likely to succeed than who answered.

    Where nobody is, it is the one most likely to succeed, so that a retry never goes down.
    """
    rows = [row for row in response.decision.table.candidates() if row.p_success is not None]
    had = next((row.p_success for row in rows if row.model == response.model), None)
    able = [row for row in rows if not row.rejections]
    better = [row for row in able if had is None or (row.p_success or 0.0) > had]
    if better:
        return better[0].model  # the rows stand by falling rank
    return max(able, key=lambda row: row.p_success or 0.0).model if able and had is None else response.model


def _objection(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return why CrewAI asks again, if it does, in a form that differs from objection to objection."""
    asked = next((message for message in reversed(messages) if message.get("role") == "user"), None)
    text = "" if asked is None else str(asked.get("content") or "")
    if any(mark in text for mark in _REFUSED):
        return text
    last = str(messages[-1].get("content") or "").strip() if messages else ""
    return f"{len(messages)} {last}" if last.startswith(_UNPARSED) else ""


def _digest(messages: Sequence[Mapping[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(messages, default=str, sort_keys=True).encode()).hexdigest()


def _hold_against(response: RoutedResponse, router: Router) -> None:
    try:
        router.record_feedback(FeedbackData(response.decision.id, outcome="failure"))
    except CrewRouterError:
        _log.warning("the rejection of an answer could not be recorded", exc_info=True)
