"""Rules in the order safety, budget, quality, latency: when they hold and what they do."""

from dataclasses import replace

import pytest
from decision_pools import NOW, line, model, pool

from crew_router.config.settings import PolicySettings
from crew_router.decide.conditions import Override, RuntimeConditions
from crew_router.decide.policies import compile_policies
from crew_router.decide.strategies import make_strategy
from crew_router.errors import ConfigurationError, NoCandidateError
from crew_router.types import Latency, Mode, ModelRef, Price, RoutingRequest, Snapshot, TaskType, Tier

REQUEST = RoutingRequest(TaskType.ANALYSIS, "Compare A and B.", context_tokens=1000, expected_output_tokens=500, complexity=7)
EU = model("eu:safe", quality=0.7, moderated=True, regions=frozenset({"eu"}), tier=Tier.FAST)
US = model("us:best", quality=0.95, tier=Tier.PREMIUM, price=Price(3.0, 9.0))
MID = model("mid:good", quality=0.85)
MODELS = (EU, US, MID)


def rule(then, *, when=None, order="budget", name="rule", enabled=True):
    """Return a rule as the configuration has it."""
    return PolicySettings(name=name, order=order, when=when or {}, then=then, enabled=enabled)


def ruled(*rules, request=REQUEST, models=MODELS, now=NOW, override=None):
    """Return the decision under some rules."""
    compiled = compile_policies(rules, make_strategy=make_strategy)
    return line(rules={"policies": compiled}).decide(
        request,
        pool=pool(models),
        snapshot=Snapshot(),
        now=now,
        executing=False,
        conditions=RuntimeConditions(override or Override()),
    )


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ({"allow_models": ["mid:good"]}, "mid:good"),
        ({"deny_models": ["us:best"]}, "mid:good"),
        ({"allow_tiers": ["fast"]}, "eu:safe"),
        ({"deny_tiers": ["premium"]}, "mid:good"),
        ({"allow_providers": ["eu"]}, "eu:safe"),
        ({"deny_providers": ["us", "mid"]}, "eu:safe"),
        ({"regions": ["eu"]}, "eu:safe"),
        ({"require": "moderated"}, "eu:safe"),
        ({"cost_cap": 0.004}, "mid:good"),
        ({"pin": "eu:safe"}, "eu:safe"),
        ({"strategy": "cheapest_adequate"}, "us:best"),
        ({"strategy": {"name": "cheapest_adequate", "parameters": {"margin": 0.3}}}, "mid:good"),
    ],
)
def test_effect_holds_where_its_rule_does(then, expected):
    """Each effect changes the choice as it says; without the rule the best model is chosen."""
    assert ruled().selected_model == "us:best"
    assert ruled(rule(then)).selected_model == expected
    assert ruled(rule(then, enabled=False)).selected_model == "us:best"


def test_floor_and_latency_cap_remove_models_with_their_figures():
    """A quality floor and a latency cap are hard, and name the rule and the figure."""
    slow = model("slow:x", quality=0.99, latency=Latency(60.0, 100.0))

    floored = ruled(rule({"quality_floor": 0.9}, order="quality", name="strict"))
    capped = ruled(rule({"latency_cap_s": 10}, order="latency", name="fast"), models=(*MODELS, slow))

    assert set(floored.rejected) == {"eu:safe", "mid:good"}
    assert "0.700 < 0.900 of policy 'strict'" in floored.rejected["eu:safe"][0].reason
    assert "> 10.00 s of policy 'fast'" in capped.rejected["slow:x"][0].reason


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({"task_type": "analysis"}, True),
        ({"task_type": ["creative", "planning"]}, False),
        ({"complexity": {"min": 3}}, True),
        ({"complexity": {"min": 3, "max": 5}}, False),
        ({"complexity": 7}, True),
        ({"risk": ["pii"]}, True),
        ({"risk": ["secrets", "regulated"]}, False),
        ({"tags": "intern"}, True),
        ({"tags": ["boss"]}, False),
        ({"metadata": {"cost_centre": ["42", "43"]}}, True),
        ({"metadata": {"cost_centre": None}}, True),
        ({"metadata": {"absent": None}}, False),
        ({"user": "jo"}, True),
        ({"region": ["us"]}, False),
        ({"urgency": "batch"}, True),
        ({"input_tokens": {"max": 1000}}, True),
        ({"expected_output_tokens": {"max": 499}}, False),
        ({"critical": False}, True),
        ({"needs": ["tools"]}, True),
        ({"language": "en"}, True),
        ({"domain": ["law"]}, False),
        ({"time": {"from": "14:00", "to": "15:00"}}, True),
        ({"time": {"from": "22:00", "to": "06:00"}}, False),
        ({"time": {"from": "22:00", "to": "15:00"}}, True),
        ({"weekday": ["mon", "Tuesday"]}, True),
        ({"weekday": "sun"}, False),
        ({"tags": "intern", "user": "ann"}, False),
    ],
)
def test_conditions_look_at_profile_request_and_time(when, holds):
    """All conditions of a rule have to hold; lists mean any of them, spans include their ends."""
    request = replace(
        REQUEST, complexity=7, risk=frozenset({"pii"}), tags=frozenset({"intern"}), metadata={"cost_centre": 42}, user_id="jo",
        urgency="batch", requires_tools=True,
    )  # fmt: skip

    decision = ruled(rule({"pin": "eu:safe"}, when=when), request=request)

    assert (decision.selected_model == "eu:safe") is holds  # 2026-09-21 was a Monday, 14:13 UTC
    assert bool(decision.effects) is holds


def test_denial_wins_over_allowance():
    """What one rule allows and another denies is denied."""
    decision = ruled(rule({"allow_models": ["us:best", "mid:good"]}, name="a"), rule({"deny_models": ["us:best"]}, name="b"))

    assert decision.selected_model == "mid:good"


def test_the_tighter_of_two_caps_holds():
    """Of two caps the smaller holds, whatever their order."""
    loose, tight = rule({"cost_cap": 1.0}, name="loose"), rule({"cost_cap": 0.004}, name="tight")

    for rules in ((loose, tight), (tight, loose)):
        assert "policy 'tight'" in ruled(*rules).rejected["us:best"][0].reason


def test_the_first_pin_wins_in_the_order_of_the_rules():
    """Safety goes before budget however they are written, and the first of one order before the second."""
    later = rule({"pin": "mid:good"}, order="budget", name="later")
    first = rule({"pin": "eu:safe"}, order="safety", name="first")

    assert ruled(later, first).selected_model == "eu:safe"


def test_pins_outrank_one_another_as_stated():
    """A safety pin goes before an operator's, that before the caller's model, that before another policy's pin."""
    safety, plain = rule({"pin": "eu:safe"}, order="safety", name="s"), rule({"pin": "eu:safe"}, name="p")
    forced, operator = replace(REQUEST, force_model="us:best"), Override(pin=ModelRef("mid:good"))

    assert ruled(safety, request=forced, override=operator).selected_model == "eu:safe"
    assert ruled(plain, request=forced, override=operator).selected_model == "mid:good"
    assert ruled(plain, request=forced).selected_model == "us:best"


def test_pin_that_cannot_serve_gives_way_with_a_note():
    """A pinned model still has to satisfy hard constraints; another one answers then."""
    decision = ruled(rule({"pin": "eu:safe"}), request=replace(REQUEST, deny_providers={"eu"}))

    assert decision.selected_model == "us:best"
    assert any("cannot serve" in note.detail for note in decision.table.notes())


def test_rule_can_ask_for_a_mode_and_for_a_person():
    """Modes and the wish for a person's consent are part of the decision."""
    decision = ruled(rule({"mode": "parallel"}, name="m"), rule({"approval": "premium costs"}, name="a"))

    assert decision.mode is Mode.PARALLEL
    assert decision.approval == "policy 'a': premium costs"
    assert "waits for a person" in decision.explain()


def test_effects_are_returned_with_the_decision_and_with_the_error():
    """The line stays pure: it returns what rules did, also when nobody is left."""
    decision = ruled(rule({"regions": ["eu"]}, order="safety", name="residency"))

    with pytest.raises(NoCandidateError) as caught:
        ruled(rule({"regions": ["mars"]}, order="safety", name="residency"))

    assert [(each.policy, each.order, each.effect, each.value) for each in decision.effects] == [("residency", "safety", "regions", "eu")]
    assert caught.value.effects[0].value == "mars"
    assert "policy 'residency' allows only regions mars" in str(caught.value)


@pytest.mark.parametrize(
    ("when", "then", "said"),
    [
        ({"mood": "good"}, {"pin": "a:b"}, "'mood' is not known; use one of task_type"),
        ({"task_type": "poetry"}, {"pin": "a:b"}, "'poetry' is none of"),
        ({"complexity": {"from": 3}}, {"pin": "a:b"}, "neither a number nor"),
        ({"complexity": {"min": 11}}, {"pin": "a:b"}, "never holds: complexity is from 1 to 10"),
        ({"task_confidence": {"min": 1.5}}, {"pin": "a:b"}, "task_confidence is from 0 to 1"),
        ({"cost_budget": {"max": -1}}, {"pin": "a:b"}, "cost_budget is at least 0"),
        ({"complexity": {"min": 5, "max": 3}}, {"pin": "a:b"}, "min 5 is above max 3"),
        ({"time": {"from": "25:00", "to": "06:00"}}, {"pin": "a:b"}, "not a time of day"),
        ({"time": {"from": "22:00", "to": "06:00", "timezone": "Mars/Base"}}, {"pin": "a:b"}, "not known on this machine"),
        ({"weekday": "someday"}, {"pin": "a:b"}, "none of mon"),
        ({"critical": "yes"}, {"pin": "a:b"}, "neither true nor false"),
        ({}, {"explode": True}, "'explode' is not known; use one of allow_models"),
        ({}, {"cost_cap": -1}, "not a number of at least 0"),
        ({}, {"quality_floor": 2}, "at most 1"),
        ({}, {"pin": "nobody"}, "not a model reference"),
        ({}, {"require": "everything"}, "write moderated"),
        ({}, {"approval": False}, "neither true nor a reason"),
        ({}, {"allow_tiers": ["deluxe"]}, "deluxe"),
        ({}, {"strategy": "astrology"}, "astrology"),
        ({}, {"mode": "sideways"}, "sideways"),
        ({}, {"allow_models": []}, "no text or list of texts"),
    ],
)
def test_rule_that_means_nothing_is_refused_with_its_place(when, then, said):
    """An unknown key or a wrong value is an error when the rules are read, with name and key."""
    with pytest.raises(ConfigurationError, match=r"policies\.odd|strategy") as caught:
        ruled(rule(then, when=when, name="odd"))

    assert said in str(caught.value)
