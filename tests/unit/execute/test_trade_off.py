"""What several calls brought against one."""

from __future__ import annotations

import pytest

from crew_router import ModelDefinition, ModelRef, Router, RoutingDecision, RoutingRequest
from crew_router.config.ability import ability_to_quality
from crew_router.errors import ConfigurationError
from crew_router.execute.plans import accuracies
from crew_router.testing import ScriptedModel
from crew_router.types import Ability, EffortLevel

VOTE = RoutingRequest(parallel=True)
DEAR_USD, CHEAP_USD = (10 * 10.0 + 5 * 20.0) / 1e6, (10 * 1.0 + 5 * 2.0) / 1e6


@pytest.fixture
def router():
    """Three vendors of whom the best is wrong, the cheap ones agree, and votes decide."""
    models = {
        "one:best": ScriptedModel("The answer is 8.", price=(10.0, 20.0), quality=0.9),
        "two:a": ScriptedModel("The answer is 7.", quality=0.8),
        "three:b": ScriptedModel("It comes to 7. Answer: 7", quality=0.8),
    }
    with Router({"registry": "none", "parallel": {"method": "voting"}}, models=models, ledger_url="sqlite://") as made:
        yield made


def test_a_parallel_run_says_what_each_member_brought(router):
    """Answers, agreement, cost and time of every member stand beside what the best one would have cost alone."""
    response = router.invoke("What is 3 + 4?", request=VOTE)
    report = response.decision.trade_off

    assert (response.model in {"two:a", "three:b"}, report.agreement) == (True, pytest.approx(2 / 3))
    assert {(member.model, member.answer, member.agrees) for member in report.members} == {
        ("one:best", "number 8", False),
        ("two:a", "number 7", True),
        ("three:b", "number 7", True),
    }
    assert (report.single, report.single_quality) == ("one:best", 0.9)
    assert (report.cost_usd, report.single_cost_usd) == pytest.approx((DEAR_USD + 2 * CHEAP_USD, DEAR_USD))
    assert report.quality == response.confidence
    assert RoutingDecision.from_dict(response.decision.to_dict()).trade_off == report


def test_the_story_tells_the_trade_off_now_and_later(router):
    """``explain`` shows members and the single call; the ledger's version lacks the answers only."""
    response = router.invoke("What is 3 + 4?", request=VOTE)

    now, later = response.decision.explain(), router.explain(response.decision.id).explain()

    assert "vote one:best: differs" in now
    assert "67% of the answers agree" in now
    assert "one:best alone: $0.000200" in now
    assert "one:best alone: $0.000200" in later
    assert "number 7" not in later


def test_a_single_call_has_no_trade_off(router):
    """Nothing is reported where one model was asked."""
    response = router.invoke("What is 3 + 4?", request=RoutingRequest(parallel=False))

    assert response.decision.trade_off is None
    assert router.explain(response.decision.id).trade_off is None


@pytest.mark.parametrize(
    ("section", "refused"),
    [({"parallel": {"method": "dice"}}, "method"), ({"escalation": {"samples": 0}}, "samples"), ({"hedge": {"sync": "yes"}}, "sync")],
)
def test_what_means_nothing_is_refused(section, refused):
    """The methods and figures of several calls are checked when the configuration is read."""
    with pytest.raises(ConfigurationError, match=refused):
        Router({"registry": "none", **section}, ledger_url="sqlite://")


def test_samples_ask_each_model_of_a_cascade_again():
    """With two samples the cheap model is asked twice before anything is said of its answer."""
    cheap, dear = ScriptedModel("Answer: 7", price=(0.1, 0.2), quality=0.7), ScriptedModel("7", price=(300.0, 600.0), quality=0.9)
    models = {"one:cheap": cheap, "two:dear": dear}
    config = {"registry": "none", "escalation": {"samples": 2, "threshold": 0.5}}
    with Router(config, models=models, ledger_url="sqlite://") as router:
        response = router.invoke("What is 3 + 4?", request=RoutingRequest(willingness_to_pay=0.05, complexity=4))

    assert response.decision.mode == "cascade"
    assert [member.model for member in response.decision.trade_off.members].count("one:cheap") == 2


def test_measured_models_are_weighed_by_their_ability_at_their_effort():
    """A model without a stated quality is as likely to be right as its ability says, at the effort it is asked for."""
    levels = tuple(EffortLevel(name, Ability(value, 0.1)) for name, value in (("low", -1.0), ("high", 1.0)))
    model = ModelDefinition(ModelRef("a:m#high"), provider="a", model="m", ability=Ability(-1.0, 0.1), efforts=levels, default_effort="low")
    with Router(models={"one:x": ScriptedModel("7")}, ledger_url="sqlite://") as router:
        decision = router.select_model(RoutingRequest(task_description="What is 3 + 4?"))

    assert accuracies(decision, (model,))["a:m#high"] == pytest.approx(ability_to_quality(1.0))
