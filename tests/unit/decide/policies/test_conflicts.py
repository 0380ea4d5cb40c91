"""Rules that never count and rules that contradict one another."""

import pytest
from decision_pools import model

from crew_router.config.settings import PolicySettings
from crew_router.decide.policies import compile_policies
from crew_router.decide.policies.conflicts import findings
from crew_router.decide.strategies import make_strategy
from crew_router.types import Tier

MODELS = (model("a:x", tier=Tier.PREMIUM, quality=0.9), model("b:y", tier=Tier.FAST, quality=0.6, regions=frozenset({"eu"})))


def found(*rules):
    """Return kind, rule and other rule of everything that is wrong."""
    settings = [PolicySettings(name=name, order=order, when=when, then=then) for name, order, when, then in rules]
    compiled = compile_policies(settings, make_strategy=make_strategy)
    return [(each.kind, each.policy, each.other) for each in findings(compiled, MODELS)]


@pytest.mark.parametrize(
    "rules",
    [
        [("wide", "budget", {}, {"cost_cap": 0.01}), ("narrow", "budget", {"tags": "x"}, {"cost_cap": 0.05})],
        [("wide", "safety", {}, {"pin": "a:x"}), ("narrow", "budget", {"tags": "x"}, {"pin": "a:x"})],
        [
            ("wide", "quality", {"complexity": {"min": 1}}, {"quality_floor": 0.8}),
            ("narrow", "quality", {"complexity": 7}, {"quality_floor": 0.5}),
        ],
        [
            ("wide", "safety", {"risk": ["pii", "secrets"]}, {"require": "moderated"}),
            ("narrow", "safety", {"risk": "pii"}, {"require": "moderated"}),
        ],
        [("wide", "safety", {}, {"deny_models": ["a:x", "b:y"]}), ("narrow", "budget", {}, {"deny_models": ["a:x"]})],
        [("wide", "safety", {}, {"strategy": "fastest"}), ("narrow", "budget", {}, {"strategy": "utility"})],
    ],
    ids=["cap", "pin", "floor", "moderated", "denial", "strategy"],
)
def test_rule_that_another_always_outdoes_is_reported(rules):
    """An effect that a wider rule makes meaningless never counts."""
    assert ("shadowed", "narrow", "wide") in found(*rules)


@pytest.mark.parametrize(
    "rules",
    [
        [("wide", "budget", {}, {"cost_cap": 0.05}), ("narrow", "budget", {"tags": "x"}, {"cost_cap": 0.01})],
        [("one", "budget", {"user": "jo"}, {"cost_cap": 0.01}), ("other", "budget", {"user": "ann"}, {"cost_cap": 0.05})],
        [("one", "budget", {"region": "eu"}, {"pin": "b:y"}), ("other", "budget", {"region": "us"}, {"deny_models": ["b:y"]})],
        [("night", "budget", {"time": {"from": "22:00", "to": "06:00"}}, {"pin": "a:x"}),
         ("day", "budget", {"time": {"from": "06:00", "to": "22:00"}}, {"deny_tiers": ["premium"]})],
    ],
    ids=["tighter cap", "other user", "other region", "other hours"],
)  # fmt: skip
def test_rules_that_do_not_meet_or_do_not_clash_are_left_alone(rules):
    """A narrower, tighter rule counts; rules that can never hold together do not clash."""
    assert found(*rules) == []


@pytest.mark.parametrize(
    "rules",
    [
        [("one", "safety", {}, {"pin": "a:x"}), ("other", "budget", {"tags": "x"}, {"deny_tiers": ["premium"]})],
        [("one", "safety", {}, {"allow_providers": ["a"]}), ("other", "budget", {}, {"allow_providers": ["b"]})],
        [("one", "safety", {"risk": "pii"}, {"regions": ["eu"]}), ("other", "quality", {}, {"allow_tiers": ["premium"]})],
        [("one", "safety", {}, {"pin": "a:x"}), ("other", "budget", {"tags": "x"}, {"pin": "b:y"})],
    ],
    ids=["pinned and denied", "allowances apart", "nobody in both", "two pins"],
)
def test_rules_that_cannot_be_obeyed_together_are_reported(rules):
    """Rules that may hold for one request and leave no model over, or pin two, contradict one another."""
    assert ("contradiction", "one", "other") in found(*rules)


def test_rule_that_no_model_satisfies_is_reported():
    """A rule that the registry cannot obey is named."""
    assert found(("eu premium", "safety", {}, {"regions": ["eu"], "allow_tiers": ["premium"]})) == [("nobody", "eu premium", "")]
