"""What a process remembers of sessions and answers is bounded: the newest stay, those in use among them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from storage_samples import NOON, A, attempt, decision

from crew_router import RoutingRequest
from crew_router.config.settings import SessionSettings
from crew_router.learn.feedback import Answered, Recent
from crew_router.router.local_failures import ConsecutiveFailures
from crew_router.router.prompt_cache import PromptCacheTracker
from crew_router.types import ErrorKind, Usage

KEPT = 4096
BASE = decision(1)
FAILED = replace(attempt(), model=A, error=ErrorKind.OVERLOAD)
ANSWERED = replace(attempt(), model=A, error=None, usage=Usage(5_000, 10), started_at=NOON, latency_s=0.0)


def of_session(number):
    """Return a decision for a request of a session."""
    return replace(BASE, request=asked_in(number))


def asked_in(number):
    """Return a request of a session."""
    return RoutingRequest(session_id=f"s-{number}")


def test_failures_of_the_newest_sessions_are_counted():
    """Of one session more than are kept the oldest is forgotten, and one that failed again or was asked for is not the oldest."""
    failures = ConsecutiveFailures(is_local=lambda _: True)
    for number in range(KEPT):
        failures.attempted(of_session(number), FAILED)
    failures.attempted(of_session(0), FAILED)
    assert failures.count(asked_in(1)) == 1

    failures.attempted(of_session(KEPT), FAILED)

    assert [failures.count(asked_in(number)) for number in (0, 1, 2, 3, KEPT)] == [2, 1, 0, 1, 1]


def test_prompt_caches_of_the_newest_sessions_are_known():
    """Of one session more than are kept the oldest is forgotten."""
    tracker = PromptCacheTracker(SessionSettings())
    for number in range(KEPT + 1):
        tracker.attempted(of_session(number), ANSWERED)

    assert tracker.cached_prefixes(asked_in(0), now=NOON + 1) == ()
    assert [prefix.model for prefix in tracker.cached_prefixes(asked_in(KEPT), now=NOON + 1)] == [A]


@pytest.mark.parametrize("again", [False, True])
def test_the_newest_answers_are_remembered_for_feedback(again):
    """The oldest of three goes where two are kept; an answer that is noted again counts as new."""
    recent = Recent(keep=2)
    for name in ("d-1", "d-2", *(["d-1"] if again else []), "d-3"):
        recent.put(name, Answered(A, None))

    assert [recent.get(name) is not None for name in ("d-1", "d-2", "d-3")] == [again, not again, True]
