"""What each model is expected to cost, take and achieve, and how history moves it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from decision_pools import NOW, decide, line, model, pool

from crew_router import Router
from crew_router.decide.predict.protocol import Prediction
from crew_router.errors import NoCandidateError
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types import Latency, Limits, ModelRef, PerformanceMetrics, Price, PriceWindow, RoutingRequest, Snapshot, TaskType

REQUEST = RoutingRequest(TaskType.ANALYSIS, "Compare A and B.", context_tokens=1000)
A = ModelRef("a:x")


def seen(samples=40.0, task=TaskType.ANALYSIS, **figures):
    """Return a snapshot with one history of model a:x."""
    plain = PerformanceMetrics(
        A, task, samples=samples, success_rate=None, latency_s=None, cost_usd=None, quality=None, confidence=0.5, updated_at=NOW
    )
    return Snapshot(performance={(A, task): replace(plain, **figures)})


def cost_of(snapshot, request=REQUEST):
    """Return the cost that is predicted for model a:x at $4 per million tokens of answer."""
    return decide([model("a:x")], request, snapshot=snapshot).cost


def test_interval_is_thirty_percent_around_a_length_that_the_caller_states():
    """Without history, and without a reading of the length, the cost may be 30 % lower or higher (A9)."""
    cost = cost_of(Snapshot(), replace(REQUEST, expected_output_tokens=500))

    assert (cost.min_usd, cost.max_usd) == pytest.approx((0.7 * cost.expected_usd, 1.3 * cost.expected_usd))


def test_learnt_length_moves_the_expected_tokens_by_its_weight():
    """Forty answers of 2,000 tokens weigh four fifths against a prior worth ten."""
    prior = cost_of(Snapshot()).output_tokens

    learnt = cost_of(seen(output_tokens=2000.0, output_spread=0.4))

    assert learnt.output_tokens == pytest.approx(0.2 * prior + 0.8 * 2000.0, abs=1)


def test_interval_follows_the_learnt_spread():
    """Nine of ten answers of a log-normal length lie within 1.645 deviations of its logarithm, around its median."""
    cost = cost_of(seen(output_tokens=2000.0, output_spread=0.4))

    tokens_usd, middle = cost.output_tokens * 4.0 / 1e6, math.exp(-0.08)
    assert cost.max_usd - cost.expected_usd == pytest.approx(tokens_usd * (middle * math.exp(1.645 * 0.4) - 1), rel=1e-3)
    assert cost.expected_usd - cost.min_usd == pytest.approx(tokens_usd * (1 - middle * math.exp(-1.645 * 0.4)), rel=1e-3)


def test_interval_holds_what_is_not_known_of_the_input():
    """Where the input was estimated its error is in the interval too; where the caller stated it, it is not."""
    text = "word " * 10_000
    stated, estimated = (
        decide([model("a:x", price=Price(1.0, 0.0))], replace(REQUEST, task_description=text, context_tokens=tokens)).cost
        for tokens in (10_000, None)
    )

    assert stated.min_usd == stated.expected_usd == stated.max_usd
    assert estimated.max_usd / estimated.expected_usd == pytest.approx(1.15)


class Trained:
    """A fake of what training knows: prices paid for prompts like this one, and how far they were off."""

    def predict(self, _request, _profile, *, model_table):
        """Know the first model only."""
        unknown = [math.nan] * (len(model_table.refs) - 1)
        figures = np.array([[0.5, *unknown], [100.0, *unknown], [0.002, *unknown]])
        band = np.array([[0.5, *unknown], [3.0, *unknown]])
        return Prediction(figures[0], figures[1], band, figures[2], band)


@pytest.mark.parametrize(("stated", "usd", "low", "high"), [(None, 0.002, 0.5, 3.0), (500, 0.003, 0.7, 1.3)])
def test_price_that_was_paid_for_such_prompts_wins_over_the_list(stated, usd, low, high):
    """What training saw has the length of answers and everything that the prompt does not show in it; the caller's word wins."""
    trained = line(rules={"predictor": Trained()})
    request = replace(REQUEST, expected_output_tokens=stated)

    decision = trained.decide(request, pool=pool([model("a:x"), model("b:x", quality=0.1)]), snapshot=Snapshot(), now=NOW, executing=False)

    assert decision.selected_model == "a:x"
    assert (decision.cost.expected_usd, decision.cost.min_usd, decision.cost.max_usd) == pytest.approx((usd, low * usd, high * usd))


def test_callers_word_on_the_length_wins_over_what_was_learnt():
    """Tokens that the caller states are taken as stated."""
    cost = cost_of(seen(output_tokens=2000.0), replace(REQUEST, expected_output_tokens=100))

    assert cost.output_tokens == 100
    assert cost.expected_usd == pytest.approx((1000 * 1.0 + 100 * 4.0) / 1e6)


def test_speed_that_was_observed_moves_the_latency():
    """Observed seconds to the first token and tokens a second count by their weight."""
    models, request = [model("a:x", latency=Latency(1.0, 100.0))], replace(REQUEST, expected_output_tokens=200)

    latency = decide(models, request, snapshot=seen(ttft_s=3.0, tokens_per_s=50.0)).latency

    assert latency.expected_s == pytest.approx((0.2 * 1.0 + 0.8 * 3.0) + 200 * (0.2 / 100 + 0.8 / 50))
    assert latency.source == "history"


def test_success_moves_with_evidence_and_more_of_it_moves_it_more():
    """A model with no history stands at its prior; reported quality moves it, on other task types less than on this one."""
    few, many = (decide([model("a:x")], REQUEST, snapshot=seen(samples, quality=0.1)).confidence for samples in (5, 500))
    elsewhere = decide([model("a:x")], REQUEST, snapshot=seen(50, task=None, quality=0.1)).confidence
    prior = decide([model("a:x")], REQUEST).confidence

    assert prior > few > many
    assert prior > elsewhere > decide([model("a:x")], REQUEST, snapshot=seen(50, quality=0.1)).confidence


def test_harder_prompts_are_less_likely_to_be_answered_rightly():
    """P(success) falls with complexity, and keeps the order of two models."""
    models = [model("a:x", quality=0.9), model("b:x", quality=0.7)]

    chances = [[row.p_success for row in decide(models, replace(REQUEST, complexity=level)).table.candidates()] for level in (1, 5, 10)]

    assert [pair[0] for pair in chances] == sorted((pair[0] for pair in chances), reverse=True)
    assert all(good > weak for good, weak in chances)
    assert chances[1] == pytest.approx([0.9, 0.7], abs=0.1)  # near the quality, which is read at a difficulty near the middle


def test_return_on_investment_is_right_answers_per_dollar():
    """Free models and unknown prices have none."""
    models = [model("a:x", quality=0.8), model("b:free", price=Price(0.0, 0.0)), model("c:unknown", price=None)]

    rows = {row.model: row for row in decide(models, replace(REQUEST, complexity=5)).table.candidates()}

    assert rows["a:x"].roi == pytest.approx(rows["a:x"].p_success / rows["a:x"].cost_usd)
    assert (rows["b:free"].roi, rows["c:unknown"].roi) == (None, None)


def test_full_window_and_full_model_are_passed_over_unless_all_are():
    """Rate windows and calls under way remove a model; where that would remove all, the call waits instead."""
    models = [model("a:x", quality=0.9, limits=Limits(concurrency=4)), model("b:x")]
    windows = Snapshot(busy_until={A: NOW + 5})
    calls = Snapshot(in_flight={A: 5})

    for snapshot, name in ((windows, "rate"), (calls, "concurrency")):
        decision = decide(models, REQUEST, snapshot=snapshot)
        assert (decision.selected_model, decision.rejected[A][0].filter) == ("b:x", name)
        assert decide(models[:1], REQUEST, snapshot=snapshot).selected_model == A
    assert decide(models, REQUEST, snapshot=Snapshot(in_flight={A: 4})).selected_model == A


def test_every_scope_of_budgets_is_a_hard_limit():
    """Run, user and provider budgets hold for those they name, by what is left of them; unpriced models are out."""
    models = [model("a:x", quality=0.9), model("b:x"), model("c:unknown", price=None)]
    rules = {"budgets_usd": {"run": 0.5, "user": 0.5, "provider:a": 0.5}}
    left = Snapshot(spend_left_nano={"run:r1": 0, "provider:a": 1000})

    def decided(request, **more):
        return line(rules={**rules, **more}).decide(request, pool=pool(models), snapshot=left, now=NOW, executing=False)

    assert decided(REQUEST).selected_model == "b:x"
    assert "budgets.provider.a" in decided(REQUEST).rejected[A][0].reason
    assert set(decided(replace(REQUEST, user_id="jo")).rejected) == {"a:x", "c:unknown"}
    assert set(decided(replace(REQUEST, user_id="jo"), unpriced_allowed=True).rejected) == {"a:x"}
    with pytest.raises(NoCandidateError, match=r"budgets\.run"):
        decided(replace(REQUEST, run_id="r1"))


SWITCH = 1_800_014_400.0  # noon in UTC
NOON_ON = Price(1.0, 4.0, windows=(PriceWindow("12:00", "18:00", 5.0, 20.0),))
ASK = replace(REQUEST, expected_output_tokens=1000)


EVENING = SWITCH + 6 * 3600


@pytest.mark.parametrize(("moment", "usd"), [(SWITCH - 1, 0.005), (SWITCH, 0.025), (EVENING - 1, 0.025), (EVENING, 0.005)])
def test_prices_of_the_hour_hold_from_its_first_second_to_its_last(moment, usd):
    """Prediction, comparison and interval take the price of the moment, and the choice changes with it."""
    clock = FrozenClock(moment)
    entry = {"quality": 0.8, "source": "a test", "provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    by_hour = {"input": 1.0, "output": 4.0, "windows": [{"start_utc": "12:00", "end_utc": "18:00", "input": 5.0, "output": 20.0}]}
    models = {"a:hourly": {**entry, "price": by_hour}, "b:steady": {**entry, "price": {"input": 2.0, "output": 8.0}}}
    with Router({"registry": "none"}, models=models, ledger_url="sqlite://", clock=clock) as router:
        decision = router.select_model(ASK)
        costs = {cost.model: cost.expected_usd for cost in router.predict_cost(ASK)}
        rejected = router.select_model(replace(ASK, cost_budget=0.02)).rejected

    assert costs == pytest.approx({"a:hourly": usd, "b:steady": 0.010})
    assert decision.selected_model == ("a:hourly" if usd < 0.010 else "b:steady")
    assert set(rejected) == ({"a:hourly"} if usd > 0.020 else set())


def test_interval_is_priced_at_the_rate_of_the_hour():
    """The bounds of the cost use the same price as its expectation, so they keep their distance from it in tokens."""
    before, after = (
        line().decide(REQUEST, pool=pool([model("a:x", price=NOON_ON)]), snapshot=Snapshot(), now=moment, executing=False).cost
        for moment in (SWITCH - 1, SWITCH)
    )

    assert after.max_usd == pytest.approx(5 * before.max_usd)
    assert after.min_usd == pytest.approx(5 * before.min_usd)


def test_scripted_model_costs_what_its_usage_does():
    """A fake is predicted at the tokens that its script states, so that budgets can be tested to the cent (rule 7)."""
    models = {"a:small": ScriptedModel(usage=(10, 5), price=(100.0, 100.0)), "b:big": ScriptedModel(usage=(10, 990), price=(100.0, 100.0))}
    with Router(models=models, ledger_url="sqlite://") as router:
        decision = router.select_model(RoutingRequest(TaskType.ANALYSIS, "Compare A and B.", cost_budget=0.0015))

    cost = decision.cost
    assert (cost.model, cost.min_usd, cost.expected_usd, cost.max_usd) == ("a:small", *3 * (pytest.approx(0.0015),))
    assert (cost.input_tokens, cost.output_tokens) == (10, 5)
    assert decision.rejected["b:big"][0].filter == "budget"
