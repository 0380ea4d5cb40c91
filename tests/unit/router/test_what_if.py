"""What would be decided under other rules, and consent that a surface asks for."""

from __future__ import annotations

import pytest

from crew_router import Options, Router, RoutingRequest
from crew_router.errors import ApprovalRequiredError, ConfigurationError, NoCandidateError
from crew_router.testing import ScriptedModel

ASKED = RoutingRequest(task_description="Add 2 and 3.")


@pytest.fixture
def router():
    """Return a router over a strong and a cheap model."""
    models = {
        "lab:strong": ScriptedModel("strong", price=(3.0, 15.0), quality=0.9),
        "lab:cheap": ScriptedModel("cheap", price=(0.1, 0.4), quality=0.5),
    }
    with Router({"optimize": "quality"}, models=models, ledger_url="sqlite://") as made:
        yield made


def test_further_rules_hold_beside_the_configured_ones(router):
    """A rule that denies the choice of today leads to the other model; today's choice and the ledger stay as they are."""
    rule = {"name": "no strong one", "order": "safety", "when": {}, "then": {"deny_models": ["lab:strong"]}}

    then = router.what_if(ASKED, policies=[rule])

    assert then.selected_model == "lab:cheap"
    assert router.select_model(ASKED, record=False).selected_model == "lab:strong"
    assert list(router.history.logged()) == []


def test_a_rule_that_leaves_nothing_is_the_usual_error(router):
    """Where no model would be left the error lists each with what removed it."""
    rule = {"name": "nothing", "order": "safety", "when": {}, "then": {"deny_providers": ["lab"]}}

    with pytest.raises(NoCandidateError) as left:
        router.what_if(ASKED, policies=[rule])

    assert set(left.value.rejected) == {"lab:strong", "lab:cheap"}


def test_a_rule_that_means_nothing_is_refused(router):
    """A rule is checked as one of the configuration is."""
    with pytest.raises(ConfigurationError, match="order"):
        router.what_if(ASKED, policies=[{"name": "x", "then": {"cost_cap": 1}}])


def test_consent_is_asked_for_the_very_decision_that_would_be_carried_out(router):
    """What the surface says about the decision stops it before any call, and stands in the audit."""
    seen = []

    def consent(decision):
        seen.append(decision.selected_model)
        return "somebody has to look"

    with pytest.raises(ApprovalRequiredError, match="somebody has to look"):
        router.invoke("Add 2 and 3.", options=Options(consent=consent, approved_by="jo"))

    assert seen == ["lab:strong"]
    assert router.history.totals()["requests"] == 0
    assert router.history.last_event(("approval asked",))[1]["because"] == "somebody has to look"


def test_without_a_reason_the_call_goes_on(router):
    """Consent that names no reason lets the call through."""
    assert router.invoke("Add 2 and 3.", options=Options(consent=lambda _decision: "")).text == "strong"


def test_a_surface_can_write_into_the_audit(router):
    """What a surface did in a person's name is an audit row."""
    router.audit("approval given", {"tool": "ask"})

    assert router.history.last_event(("approval given",)) == ("approval given", {"tool": "ask"})
