"""Failures of local models in a row, those that are reported afterwards too."""

import pytest

from crew_router import FeedbackData, Router, RoutingRequest
from crew_router.testing import ScriptedModel

ASK = RoutingRequest(session_id="s", complexity=2)


@pytest.fixture
def router():
    """A router that starts on this machine."""
    models = {
        "ollama:small": ScriptedModel("local", quality=0.5),
        "anthropic:big": ScriptedModel("far", quality=0.9),
    }
    with Router({"preset": "local_first", "registry": "none"}, models=models, ledger_url="sqlite://") as made:
        yield made


def report(router, decision, *, good):
    """Report an outcome."""
    router.record_request_outcome(decision_id=decision.id, success=good)


def feedback(router, decision, *, good):
    """Give feedback."""
    router.record_feedback(FeedbackData(decision.id, outcome="success" if good else "failure"))


@pytest.mark.parametrize("say", [report, feedback])
def test_answers_reported_as_failures_escalate(router, say):
    """Two local answers that did not help in a row send the session to a strong model; calls that went through do not hide it."""
    for _ in range(2):
        response = router.invoke("Say hello.", request=ASK)
        assert response.model == "ollama:small"
        say(router, response.decision, good=False)

    assert router.invoke("Say hello.", request=ASK).model == "anthropic:big"


@pytest.mark.parametrize("say", [report, feedback])
def test_a_good_answer_in_between_starts_the_count_again(router, say):
    """Failure, success, failure is no two in a row."""
    for good in (False, True, False):
        say(router, router.invoke("Say hello.", request=ASK).decision, good=good)

    assert router.invoke("Say hello.", request=ASK).model == "ollama:small"
