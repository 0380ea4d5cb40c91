"""Experiments of some hundred requests, through the public API."""

import contextlib

from experiment_bench import AB, ask, feed, opened

from crew_router import CrewRouterError
from crew_router.execute.executor import Options
from crew_router.learn.experiments import Arm, Experiment

ONCE = Options(attempts=1)


def test_a_clear_winner_is_found_and_gets_everything():
    """After enough feedback the better arm wins, and users of the other one get it too."""
    rewards = {"lab:a": lambda user: 0.3 + 0.2 * (user % 2), "lab:b": lambda user: 0.7 + 0.2 * (user % 2)}
    with opened() as router:
        router.experiments.start(Experiment(name="e", arms=AB, min_samples=50))

        feed(router, rewards, 200)
        report = router.experiments.analyze("e")

        assert (report.experiment.status, report.experiment.winner) == ("won", "b")
        assert report.comparisons[0].interval.low > 0
        assert {ask(router, user).model for user in range(20)} == {"lab:b"}


def test_an_arm_that_does_harm_is_stopped():
    """An arm whose answers fail gets no more users, though the primary metric has not a single value."""
    with opened({"breaker": {"failures": 100000, "window_calls": 100000}}, faults_of_b="overload") as router:
        router.experiments.start(Experiment(name="e", arms=AB, min_samples=30))

        for user in range(150):
            with contextlib.suppress(CrewRouterError):
                ask(router, user, options=ONCE, fallbacks=False)

        experiment = router.experiments.analyze("e").experiment
        assert experiment.harmed == ("b",)
        assert {ask(router, user).model for user in range(20)} == {"lab:a"}


def test_a_rollout_ramps_while_guard_rails_hold():
    """Ten per cent first, then more, and all of it in the end."""
    plan = Experiment(name="r", arms=(Arm(name="baseline", model="lab:a"), Arm(name="routed", model="lab:b")), primary="success",
                      stages=(10.0, 50.0, 100.0), min_samples=20)  # fmt: skip
    with opened() as router:
        router.experiments.start(plan)
        first = [ask(router, user).model for user in range(100)].count("lab:b")
        for user in range(100, 700):
            ask(router, user)
        experiment = router.experiments.analyze("r").experiment

    assert 2 < first < 25
    assert (experiment.status, experiment.winner) == ("won", "routed")
