"""Judging and rerunning what the ledger holds, through the public API."""

import json

import pytest
from typer.testing import CliRunner

from crew_router import FeedbackData, Router
from crew_router.cli.app import app
from crew_router.learn.replay import NoOverlapError
from crew_router.testing import ScriptedModel

WORTH = {"lab:a": 0.3, "lab:b": 0.9}


def opened(config):
    """Return a router over two models that differ in nothing the registry knows."""
    models = {ref: ScriptedModel("ok", quality=0.7, price=(1.0, 1.0), usage=(10, 10)) for ref in WORTH}
    return Router({"registry": "none", **config}, models=models, ledger_url="sqlite://", project="test", seed=1)


def asked(router, count):
    """Ask, and say of each answer what its model is worth."""
    for number in range(count):
        response = router.invoke(f"Question {number}")
        router.record_feedback(FeedbackData(response.decision.id, quality_score=WORTH[response.model]))


EXPLORING = {"strategy": {"name": "bandit", "parameters": {"policy": "epsilon_greedy", "parameters": {"epsilon": 0.6}}}}


def test_a_strategy_is_judged_on_the_log_of_another():
    """The estimates of always calling the worse model hold its known reward."""
    with opened(EXPLORING) as router:
        asked(router, 250)

        found = router.replay("fixed", {"model": "lab:a"})

    assert found.snips.value == pytest.approx(0.3)
    assert found.dr.low <= 0.3 <= found.dr.high
    assert found.decisions == 250
    assert found.logged.value > 0.5


def test_a_log_without_chance_is_refused():
    """A deterministic router's log cannot judge what it never did."""
    with opened({}) as router:
        asked(router, 60)
        other = next(ref for ref in WORTH if ref != router.invoke("Which?").model)

        with pytest.raises(NoOverlapError):
            router.replay("fixed", {"model": other})


def test_kept_prompts_run_again_within_the_budget():
    """The queue stops before the budget would be passed, and says what is left."""
    with opened({**EXPLORING, "ledger": {"keep_text": True}}) as router:
        asked(router, 5)
        most = router.predict_cost(router.explain(router.invoke("Question 9").decision.id).request)[0].max_usd

        some = router.rerun("best_quality", budget_usd=2.5 * most)
        none = router.rerun("best_quality", budget_usd=0.0)

    assert len(some.done) > 0
    assert some.left + len(some.done) == 6
    assert some.spent_usd <= 2.5 * most
    assert (none.done, none.spent_usd) == ((), 0.0)


def test_prompts_that_were_not_kept_are_not_run():
    """Only hashes stand in the ledger by default."""
    with opened(EXPLORING) as router:
        asked(router, 3)

        assert router.rerun("best_quality", budget_usd=1.0).without_text == 3


def test_the_command_says_in_one_line_why_there_is_no_estimate(tmp_path):
    """An empty log is no sample: exit 1, one line."""
    config = tmp_path / "crew_router.yaml"
    config.write_text(f"project: test\nledger: {{url: 'sqlite:///{tmp_path}/l.db'}}\nstate: {{url: 'memory://'}}", encoding="utf-8")

    result = CliRunner().invoke(app, ["replay", "weighted", "--config", str(config), "--json"])
    wrong = CliRunner().invoke(app, ["replay", "weighted", "--parameters", "[1]", "--config", str(config)])

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert wrong.exit_code == 2
    assert json.dumps(result.stdout) == '""'
