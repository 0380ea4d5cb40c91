"""When several models answer, and which."""

from dataclasses import replace

import pytest
from decision_pools import NOW, decide, line, model, pool

from crew_router.types import Mode, Price, RoutingRequest, Snapshot, TaskType, Tier

REQUEST = RoutingRequest(TaskType.CODE_GENERATION, context_tokens=1000, expected_output_tokens=500)
FOUR = [model("a:best", quality=0.95), model("a:second", quality=0.94), model("b:third", quality=0.9), model("c:fourth", quality=0.85)]


def moe(request, models=FOUR):
    """Return a decision where the implicit triggers of requirement A11 hold."""
    return line(rules={"implicit_parallel": True}).decide(request, pool=pool(models), snapshot=Snapshot(), now=NOW, executing=False)


def test_parallel_takes_three_vendors_and_a_judge_from_outside():
    """The members are of different vendors where that can be; the judge is the best of the others."""
    decision = decide(FOUR, replace(REQUEST, parallel=True))

    assert (decision.mode, decision.models, decision.judge) == (Mode.PARALLEL, ("a:best", "b:third", "c:fourth"), "a:second")


def test_cost_of_a_parallel_run_is_that_of_all_its_calls():
    """Three members and a judge cost four times one of them."""
    single, parallel = (decide(FOUR, replace(REQUEST, parallel=wanted)) for wanted in (False, True))

    assert parallel.estimated_cost == pytest.approx(4 * single.estimated_cost)


def test_judge_is_exempt_from_the_quality_floor():
    """A model below the floor may judge, and may not answer."""
    decision = decide(FOUR, replace(REQUEST, parallel=True, quality_requirement=0.9))

    assert (set(decision.models), decision.judge) == ({"a:best", "a:second", "b:third"}, "c:fourth")


def test_parallel_run_stays_within_the_budget_of_the_request():
    """Members are left out until the run fits; below two it is a single call that says so."""
    two, one = (decide(FOUR, replace(REQUEST, parallel=True, cost_budget=usd)) for usd in (0.0095, 0.004))

    assert (len(two.models), two.mode) == (2, Mode.PARALLEL)
    assert one.mode is Mode.SINGLE
    assert any("pays for no two models" in note.detail for note in one.table.notes())


@pytest.mark.parametrize(
    "wish",
    [
        {"task_type": TaskType.SECURITY_AUDIT},
        {"quality_requirement": 0.9, "cost_budget": 0.05},
        {"metadata": {"critical": True}},
    ],
)
def test_implicit_triggers_hold_only_where_they_are_configured(wish):
    """Critical task types, paid high quality and a metadata flag run in parallel under the preset, and nowhere else."""
    request = replace(REQUEST, **wish)

    assert moe(request).mode is Mode.PARALLEL
    assert decide(FOUR, request).mode is Mode.SINGLE
    assert moe(replace(request, parallel=False)).mode is Mode.SINGLE


def test_critical_request_runs_in_parallel():
    """``critical`` is an explicit trigger."""
    assert decide(FOUR, replace(REQUEST, critical=True)).mode is Mode.PARALLEL


def test_cascade_is_chosen_where_it_is_worth_more_than_any_single_model():
    """A far cheaper model is asked first when its answer can be checked; without escalation it is not."""
    models = [model("a:cheap", quality=0.8, price=Price(0.1, 0.1)), model("b:good", quality=0.95, price=Price(30.0, 90.0))]
    request = replace(REQUEST, willingness_to_pay=0.5)
    settled = line("utility", rules={"escalation": False})

    cascade = decide(models, request)
    single = settled.decide(request, pool=pool(models), snapshot=Snapshot(), now=NOW, executing=False)

    assert (cascade.mode, cascade.models) == (Mode.CASCADE, ("a:cheap", "b:good"))
    assert single.mode is Mode.SINGLE


def test_tier_is_a_wish_that_gives_way_to_the_next_tier():
    """The wanted tier is used where it can serve, a model of unknown tier counts as one, and the next tier follows otherwise."""
    premium, fast, unknown = model("a:p", tier=Tier.PREMIUM), model("b:f", tier=Tier.FAST), model("c:u", tier=None, quality=0.1)

    assert decide([premium, fast], replace(REQUEST, tier=Tier.FAST)).selected_model == "b:f"
    assert decide([premium, fast], replace(REQUEST, tier=Tier.LOCAL)).selected_model == "b:f"
    assert decide([premium, unknown], replace(REQUEST, tier=Tier.FAST)).selected_model == "c:u"
    assert decide([premium, fast], replace(REQUEST, tier=Tier.FAST)).fallbacks == ("a:p",)
