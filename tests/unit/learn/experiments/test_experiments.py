"""Experiments through the public API."""

import collections

import pytest
from experiment_bench import AB, ask, feed, opened

from crew_router import ConfigurationError, FeedbackData, InvalidRequestError
from crew_router.decide.strategies.assignment import arm_of
from crew_router.learn.experiments import Arm, Experiment
from crew_router.learn.experiments.sequences import mismatch


def test_the_same_user_always_gets_the_same_arm():
    """Arms stick to users, and both arms are used."""
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=AB))

        first = [ask(router, user).model for user in range(30)]
        again = [ask(router, user).model for user in range(30)]

        assert first == again
        assert set(first) == {"lab:a", "lab:b"}
        assert ["lab:a" if router.experiments.assign("e", f"u{user}") == "control" else "lab:b" for user in range(30)] == first


def test_a_change_of_weights_moves_only_who_has_to():
    """Of 4,000 users none moves to an arm that lost weight, and about as many move as the shares changed."""
    users = [f"user:{number}" for number in range(4000)]
    before = [arm_of("e", user, {"a": 0.9, "b": 0.1}) for user in users]

    after = [arm_of("e", user, {"a": 0.75, "b": 0.25}) for user in users]

    moves = collections.Counter((was, became) for was, became in zip(before, after, strict=True) if was != became)
    assert set(moves) == {("a", "b")}
    assert moves["a", "b"] / 4000 == pytest.approx(0.15, abs=0.02)
    assert before.count("b") / 4000 == pytest.approx(0.1, abs=0.015)


def test_a_request_that_forces_a_model_takes_part_in_nothing():
    """Its arm would not be what answered."""
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=AB))

        response = ask(router, 1, force_model="lab:b")

        assert (response.model, response.decision.draw.experiment) == ("lab:b", None)


def test_the_decision_tells_arm_share_and_propensity():
    """It stands in the evidence and in the draw; the propensity is the share of the arms that choose this model."""
    arms = (Arm(name="control", model="lab:a", weight=3), Arm(name="b", model="lab:b"), Arm(name="also_a", model="lab:a"))
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=arms))
        made = [ask(router, user).decision for user in range(40)]

    assert {(each.selected_model, round(each.propensity, 9)) for each in made} == {("lab:a", 0.8), ("lab:b", 0.2)}
    assert "e: arm" in made[0].explain()


def test_nothing_is_concluded_before_the_minimum_of_samples():
    """A difference as clear as can be waits."""
    rewards = {"lab:a": lambda _: 0.0, "lab:b": lambda _: 1.0}
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=AB, min_samples=100))

        feed(router, rewards, 60)

        assert router.experiments.analyze("e").experiment.status == "running"
        assert router.experiments.analyze("e").better == ""


def test_the_presets_are_ready():
    """The five arms of E5 and the roll-out from 10 % start by name."""
    with opened() as router:
        five = router.experiments.start("five_strategies")
        out = router.experiments.start("rollout", baseline="lab:a")

        assert [arm.name for arm in five.arms] == ["control", "cost_aggressive", "quality_first", "dynamic_adaptive", "task_optimised"]
        assert out.shares() == {"baseline": 0.9, "routed": 0.1}
        assert {ask(router, user).decision.draw.arm for user in range(60)} == {arm.name for arm in five.arms}


def test_a_shadow_arm_decides_and_is_not_executed():
    """What it would have called stands in the decision, and how often it agrees in the report."""
    arms = (Arm(name="control", model="lab:a"), Arm(name="ghost", model="lab:b", shadow=True))
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=arms))

        responses = [ask(router, user) for user in range(10)]

        assert {response.model for response in responses} == {"lab:a"}
        assert router.experiments.shadows(responses[0].decision) == {"ghost": "lab:b"}
        assert router.experiments.analyze("e").shadows == {"ghost": 0.0}


def test_a_skewed_sample_raises_an_alarm_and_concludes_nothing():
    """Evidence against the wanted shares grows with the skew and stays small without one."""
    assert mismatch([5000, 5000], [1, 1]) < 0
    assert mismatch([5300, 4700], [1, 1]) > 6.9
    assert mismatch([900, 100], [9, 1]) < 0


def test_experiments_are_seen_by_other_processes_and_after_a_restart(tmp_path):
    """A plan that one router starts is offered by another one over the same state, with its counts."""
    with opened(tmp_path=tmp_path) as router:
        router.experiments.start(Experiment(name="e", arms=AB))
        models = [ask(router, user).model for user in range(10)]

    with opened(tmp_path=tmp_path) as other:
        assert [each.name for each in other.experiments.all] == ["e"]
        assert [ask(other, user).model for user in range(10)] == models
        assert sum(count for arm in ("control", "b") for _, count in [other.experiments.analyze("e").means[arm]["success"]]) == 20


def test_experiments_of_the_configuration_start_by_themselves():
    """Every key of the section is read."""
    arms = [{"name": "x"}, {"name": "y", "strategy": {"name": "utility"}}]
    section = {"name": "c", "primary": "cost_usd", "guardrails": {"success": 0.1}, "unit": "session", "arms": arms}
    with opened({"experiments": [section]}) as router:
        (experiment,) = router.experiments.all

    assert (experiment.primary, experiment.unit, experiment.control) == ("cost_usd", "session", "x")


def test_switching_tests_off_pauses_everything(monkeypatch):
    """ROUTING_AB_TEST_ENABLED=false leaves the router's own strategy alone."""
    monkeypatch.setenv("ROUTING_AB_TEST_ENABLED", "false")
    with opened({"experiments": [{"name": "c", "arms": [{"name": "x"}, {"name": "y", "strategy": {"name": "utility"}}]}]}) as router:
        assert ask(router, 1).decision.draw.experiment is None


def test_stopping_ends_an_experiment_and_a_named_winner_gets_everything():
    """Without a winner the router's own strategy decides again."""
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=AB))
        router.experiments.stop("e", winner="b")
        won = {ask(router, user).model for user in range(10)}
        router.experiments.stop("e")

        assert won == {"lab:b"}
        assert ask(router, 1).decision.draw.experiment is None


def test_rewards_that_are_corrected_are_corrected_in_the_arm():
    """A success that turns out a failure leaves no trace of the success."""
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=AB))
        response = ask(router, 1)
        for outcome in ("success", "failure"):
            router.record_feedback(FeedbackData(response.decision.id, outcome=outcome))

        assert router.experiments.analyze("e").means[response.decision.draw.arm]["reward"] == (0.0, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"arms": AB[:1]},
        {"arms": (AB[0], AB[0])},
        {"control": "nobody"},
        {"primary": "fame"},
        {"alpha": 0.0},
        {"stages": (50.0, 10.0)},
        {"arms": (Arm(name="x", weight=-1.0), Arm(name="y"))},
        {"arms": (Arm(name="x", model="lab:a", strategy="utility"), Arm(name="y"))},
    ],
)
def test_plans_that_mean_nothing_are_refused(wrong):
    """The error names the field."""
    with pytest.raises(InvalidRequestError):
        Experiment(**{"name": "e", "arms": AB, **wrong})


def test_starting_twice_or_with_an_unknown_strategy_is_refused():
    """A running experiment keeps its name, and a strategy that is not known never runs."""
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=AB))

        with pytest.raises(InvalidRequestError):
            router.experiments.start(Experiment(name="e", arms=AB))
        with pytest.raises(ConfigurationError):
            router.experiments.start(Experiment(name="f", arms=(AB[0], Arm(name="x", strategy="nobody"))))
