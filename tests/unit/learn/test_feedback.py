"""Feedback that is late, repeated, contradicted or about a whole run, through the public API."""

import pytest

from crew_router import FeedbackData, Router, UnknownDecisionError
from crew_router.testing import ScriptedModel, runtime_of

MODELS = {"lab:a": {"quality": 0.8}, "lab:b": {"quality": 0.8}}


def opened(tmp_path=None, **config):
    """Return a router over two equal models; over files when a folder is given."""
    models = {ref: ScriptedModel("ok", price=(1.0, 1.0), **figures) for ref, figures in MODELS.items()}
    where = {"ledger_url": "sqlite://"}
    if tmp_path is not None:
        where = {"ledger_url": f"sqlite:///{tmp_path}/ledger.db", "state_url": f"sqlite:///{tmp_path}/state.db"}
    return Router({"registry": "none", **config}, models=models, project="test", seed=1, **where)


def learnt(router, model):
    """Return what the bandit of the default half-life keeps of a model: rewards and their sum."""
    groups = runtime_of(router).state.snapshot().sums
    found = [sums[model] for name, sums in groups.items() if name.startswith("bandit-500:") and model in sums]
    return tuple(round(value, 6) for value in found[0][:2]) if found else (0.0, 0.0)


def weight(router, model):
    """Return the learned weight of a model over all tasks."""
    return runtime_of(router).state.snapshot().weights.get((model, None))


BANDIT = {"strategy": {"name": "bandit"}}


def test_late_feedback_finds_its_decision_in_the_ledger(tmp_path):
    """Feedback that comes when another process serves is learnt for the model that answered then."""
    with opened(tmp_path, **BANDIT) as router:
        response = router.invoke("Write a sonnet")

    with opened(tmp_path, **BANDIT) as later:
        reward = later.record_feedback(FeedbackData(response.decision.id, outcome="failure"))
        seen = learnt(later, response.model), weight(later, response.model)

    assert reward == 0.0
    assert seen == ((1.0, 0.0), pytest.approx(0.45))


def test_the_same_feedback_twice_counts_once():
    """A webhook that is delivered twice changes nothing the second time."""
    with opened(**BANDIT) as router:
        response = router.invoke("Write a sonnet")
        said = FeedbackData(response.decision.id, outcome="success")

        rewards = [router.record_feedback(said), router.record_feedback(said)]

        assert rewards == [1.0, 1.0]
        assert learnt(router, response.model) == (1.0, 1.0)
        assert weight(router, response.model) == pytest.approx(0.55)


def test_the_same_feedback_twice_counts_once_over_processes(tmp_path):
    """What an earlier process learnt is not learnt again."""
    said = {"outcome": "success"}
    with opened(tmp_path, **BANDIT) as router:
        response = router.invoke("Write a sonnet")
        router.record_feedback(FeedbackData(response.decision.id, **said))

    with opened(tmp_path, **BANDIT) as later:
        later.record_feedback(FeedbackData(response.decision.id, **said))

        assert learnt(later, response.model) == (1.0, 1.0)


def test_of_two_contradicting_statements_the_newer_holds():
    """A success that turns out a failure is corrected where it was counted, not averaged with it."""
    with opened(**BANDIT) as router:
        response = router.invoke("Write a sonnet")
        router.record_feedback(FeedbackData(response.decision.id, outcome="success"))

        reward = router.record_feedback(FeedbackData(response.decision.id, outcome="failure"))

        assert reward == 0.0
        assert learnt(router, response.model) == (1.0, 0.0)


def test_feedback_that_comes_in_pieces_is_one_statement():
    """A merge reported a day after the review adds to it."""
    with opened(**BANDIT) as router:
        response = router.invoke("Write a sonnet")
        router.record_feedback(FeedbackData(response.decision.id, outcome="partial"))

        reward = router.record_feedback(FeedbackData(response.decision.id, pr_merged=True))

        assert reward == pytest.approx(0.7)
        assert learnt(router, response.model) == (1.0, pytest.approx(0.7))


def test_missing_feedback_is_no_failure():
    """Answers that nobody speaks of move no reward."""
    with opened(**BANDIT) as router:
        response = router.invoke("Write a sonnet")

        assert learnt(router, response.model) == (0.0, 0.0)
        assert weight(router, response.model) is None


def test_a_reported_outcome_is_a_reward_until_feedback_says_more():
    """A caller's quality counts once, and gives way to what a person says."""
    with opened(**BANDIT) as router:
        response = router.invoke("Write a sonnet")
        router.record_request_outcome(decision_id=response.decision.id, success=True, quality=0.4)
        first = learnt(router, response.model)

        router.record_feedback(FeedbackData(response.decision.id, quality_score=0.9))

        assert first == (1.0, 0.4)
        assert learnt(router, response.model) == (1.0, 0.9)


def test_feedback_on_an_unknown_decision_is_refused():
    """Without a model it could be about anything."""
    with opened() as router, pytest.raises(UnknownDecisionError):
        router.record_feedback(FeedbackData("d-nobody", outcome="success"))


def test_learning_switched_off_keeps_feedback_and_learns_nothing():
    """The ledger holds the row; weights and sums stay."""
    with opened(**BANDIT, learning={"enabled": False}) as router:
        response = router.invoke("Write a sonnet")

        router.record_feedback(FeedbackData(response.decision.id, outcome="failure"))

        assert [said.outcome for said in runtime_of(router).ledger.feedback(response.decision.id)] == ["failure"]
        assert learnt(router, response.model) == (0.0, 0.0)


def test_the_result_of_a_run_credits_its_steps_the_last_most():
    """Feedback for run:<id> reaches every step, each further from the end with a smaller share."""
    from crew_router import RoutingRequest

    request = RoutingRequest(task_type="code_generation", complexity=5, run_id="r1", force_model="lab:a")
    with opened(strategy={"name": "reinforcement"}) as router:
        for _ in range(3):
            router.invoke("step", request=request)

        reward = router.record_feedback(FeedbackData("run:r1", outcome="success"))
        sums = runtime_of(router).state.snapshot().sums["steps-500-0.9:code_generation:medium:0"]["lab:a"]

    assert reward == 1.0
    assert sums[0] == pytest.approx(1 + 0.9 + 0.81, rel=0.01)
    assert sums[1] == pytest.approx(sums[0])


def test_a_request_can_ask_for_a_learning_strategy_by_name():
    """Its rewards are learnt although the configuration names another strategy."""
    from crew_router import RoutingRequest

    with opened() as router:
        response = router.invoke("Hi", request=RoutingRequest(strategy="bandit"))

        router.record_feedback(FeedbackData(response.decision.id, outcome="success"))

        assert learnt(router, response.model) == (1.0, 1.0)
