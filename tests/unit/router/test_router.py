"""The router through its public API, over scripted models."""

import threading

import pytest

from crew_router import (
    AllModelsFailedError,
    FeedbackData,
    InvalidRequestError,
    ModelDefinition,
    ModelRef,
    NoCandidateError,
    Router,
    RoutingRequest,
    TaskType,
    UnknownDecisionError,
    UnknownModelError,
)
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.types.transport import Payload


@pytest.fixture
def router():
    """A router over a good and a cheap model, all in memory."""
    models = {
        "lab:good": ScriptedModel("good answer", quality=0.9, price=(5.0, 25.0)),
        "lab:cheap": ScriptedModel("cheap answer", quality=0.6, price=(0.1, 0.4)),
    }
    with Router(models=models, ledger_url="sqlite://", project="test") as made:
        yield made


def failing(*faults, **figures):
    """Return a router whose better model fails as planned."""
    models = {"lab:bad": ScriptedModel("bad", quality=0.99, faults=list(faults), **figures), "lab:ok": ScriptedModel("ok", quality=0.5)}
    return Router(models=models, ledger_url="sqlite://", project="test")


def test_answer_carries_model_cost_and_decision(router):
    """An answer says who gave it, what it cost and why."""
    response = router.invoke("What is the capital of France?", request=RoutingRequest(quality_requirement=0.8))

    assert (response.text, response.model, response.cost_usd) == ("good answer", "lab:good", pytest.approx(0.000175))
    assert response.decision.selected_model == "lab:good"
    assert len(response.attempts) == 1


def test_failing_model_is_replaced_after_one_dead_call():
    """The next model answers, and the failed call stands in the record."""
    with failing("overload") as router:
        response = router.invoke("Hi")
        recorded = router.attempts(response.decision.id)

    assert (response.text, [attempt.model for attempt in response.attempts]) == ("ok", ["lab:bad", "lab:ok"])
    assert [attempt.error for attempt in recorded] == ["overload", None]


def test_all_models_failing_is_one_error_with_every_cause():
    """When nobody answers the error holds each cause, and the ledger the failure."""
    models = {"lab:a": ScriptedModel(faults="auth"), "lab:b": ScriptedModel(faults="not_found")}
    with Router(models=models, ledger_url="sqlite://", project="test") as router:
        with pytest.raises(AllModelsFailedError) as caught:
            router.invoke("Hi")
        totals = router.stats()

    assert {error.kind for error in caught.value.exceptions} == {"auth", "not_found"}
    assert (totals["requests"], totals["successes"]) == (1, 0)


async def test_async_answers_like_sync(router):
    """The asynchronous twins give the same answers."""
    sync, twin = router.invoke("Hi"), await router.ainvoke("Hi")
    pieces = [chunk.text for chunk in router.stream("Hi")]
    async_pieces = [chunk.text async for chunk in router.astream("Hi")]
    batch = await router.abatch(["Hi", "Ho"])

    assert (sync.text, sync.model) == (twin.text, twin.model)
    assert "".join(pieces) == "".join(async_pieces) == "cheap answer"
    assert [response.text for response in batch] == [response.text for response in router.batch(["Hi", "Ho"])]


def test_stream_ends_with_the_whole_response(router):
    """The last chunk carries the response, and the request is recorded once."""
    *_, last = router.stream("Hi")

    assert last.response.text == "cheap answer"
    assert router.stats()["requests"] == 1


def test_decision_can_be_explained_later_by_its_id(router):
    """A decision read back from the ledger tells the same story."""
    made = router.select_model(RoutingRequest(task_type=TaskType.ANALYSIS, cost_budget=0.5))

    again = router.explain(made.id)

    assert (again.selected_model, again.score, again.request.cost_budget) == (made.selected_model, made.score, 0.5)
    assert again.rationale == made.rationale


def test_unknown_decision_id_is_a_clear_error(router):
    """An id that the ledger does not hold is named."""
    with pytest.raises(UnknownDecisionError, match="d-nope"):
        router.explain("d-nope")


def test_reported_outcomes_move_the_next_decision():
    """Enough bad reports make another model the choice."""
    models = {"lab:a": ScriptedModel("a", quality=0.80), "lab:b": ScriptedModel("b", quality=0.78)}
    with Router(models=models, ledger_url="sqlite://", project="test") as router:
        first = router.select_model(RoutingRequest(task_type=TaskType.ANALYSIS)).selected_model
        for _ in range(40):
            router.record_request_outcome(model_id="lab:a", task_type=TaskType.ANALYSIS, success=False, quality=0.0)
            router.record_request_outcome(model_id="lab:b", task_type=TaskType.ANALYSIS, success=True, quality=1.0)
        then = router.select_model(RoutingRequest(task_type=TaskType.ANALYSIS)).selected_model

    assert (first, then) == ("lab:a", "lab:b")


def test_learning_can_be_switched_off():
    """Without learning, reports are kept but move nothing."""
    models = {"lab:a": ScriptedModel("a", quality=0.80), "lab:b": ScriptedModel("b", quality=0.78)}
    with Router(models=models, ledger_url="sqlite://", project="test", enable_learning=False) as router:
        for _ in range(40):
            router.record_request_outcome(model_id="lab:a", task_type=TaskType.ANALYSIS, success=False, quality=0.0)
        chosen = router.select_model(RoutingRequest(task_type=TaskType.ANALYSIS)).selected_model
        counted = router.stats()["requests"]

    assert (chosen, counted) == ("lab:a", 40)


def test_failed_calls_move_nothing_without_learning():
    """A model that fails stays the first choice; only its breaker counts."""
    models = {"lab:a": ScriptedModel("a", quality=0.80, faults="overload"), "lab:b": ScriptedModel("b", quality=0.78)}
    config = {"breaker": {"failures": 1000, "window_calls": 1000}}
    with Router(config, models=models, ledger_url="sqlite://", project="test", enable_learning=False) as router:
        first = [router.invoke("Hi").attempts[0].model for _ in range(30)]

    assert set(first) == {"lab:a"}


def test_feedback_finds_its_decision_and_moves_the_learned_weight(router):
    """Feedback by decision id raises the weight of the model that answered."""
    response = router.invoke("Hi")

    rewards = [router.record_feedback(FeedbackData(response.decision.id, user_rating=5)) for _ in range(30)]
    row = router.invoke("Hi").decision.table.candidates()[0]

    assert rewards[0] == 1.0
    assert row.points["learning"] > 5.0


@pytest.mark.parametrize(
    ("report", "error"),
    [
        ({"success": True}, InvalidRequestError),
        ({"success": True, "model_id": "lab:good", "quality": 1.5}, InvalidRequestError),
        ({"success": True, "model_id": "lab:good", "latency_ms": float("nan")}, InvalidRequestError),
        ({"success": True, "model_id": "nobody"}, UnknownModelError),
        ({"success": True, "decision_id": "d-nope"}, UnknownDecisionError),
    ],
)
def test_wrong_reports_are_refused(router, report, error):
    """A report that names nothing, nobody or an impossible figure is refused."""
    with pytest.raises(error):
        router.record_request_outcome(**report)


def test_short_name_of_a_forced_model_is_enough(router):
    """A bare name resolves when it is unique; an unknown one is an error with near names."""
    assert router.invoke("Hi", request=RoutingRequest(force_model="cheap")).model == "lab:cheap"
    with pytest.raises(UnknownModelError, match="lab:cheap"):
        router.invoke("Hi", request=RoutingRequest(force_model="chaep"))


def test_tools_in_the_payload_ask_for_a_model_with_tools():
    """A request with tools never goes to a model that cannot call them."""
    models = {"lab:plain": ScriptedModel("no", quality=0.99, capabilities=frozenset()), "lab:tools": ScriptedModel("yes", quality=0.5)}
    payload = Payload(("Hi",), tools=({"type": "function", "function": {"name": "f", "parameters": {}}},))
    with Router(models=models, ledger_url="sqlite://", project="test") as router:
        assert router.invoke(payload).model == "lab:tools"


def test_budget_of_the_request_is_hard(router):
    """A budget that only the cheap model fits goes to it; one that nobody fits is an error with the cure."""
    cheap = router.invoke("Hi", request=RoutingRequest(cost_budget=0.0001))

    assert cheap.model == "lab:cheap"
    with pytest.raises(NoCandidateError, match="raise cost_budget"):
        router.invoke("Hi", request=RoutingRequest(cost_budget=1e-9))


@pytest.mark.parametrize("prompt", ["", []])
def test_empty_prompt_is_refused(router, prompt):
    """There must be something to answer."""
    with pytest.raises(InvalidRequestError, match="prompt"):
        router.invoke(prompt)


def test_costs_are_predicted_for_every_model_cheapest_first(router):
    """The comparison across models is ordered by price."""
    costs = router.predict_cost(RoutingRequest(task_description="Compare A and B."))

    assert [cost.model for cost in costs] == ["lab:cheap", "lab:good"]
    assert all(0 < cost.min_usd <= cost.expected_usd <= cost.max_usd for cost in costs)


def test_same_seed_and_clock_give_the_same_decisions():
    """Two routers built alike decide alike."""

    def chosen():
        models = {"lab:a": ScriptedModel("a"), "lab:b": ScriptedModel("b")}
        with Router(models=models, ledger_url="sqlite://", project="test", clock=FrozenClock(), seed=3) as router:
            return [
                (d.selected_model, d.score, d.at)
                for d in (router.select_model(RoutingRequest(task_description=t)) for t in ("x", "y", "z"))
            ]

    assert chosen() == chosen()


def test_health_tells_which_models_can_be_called(router):
    """Every model has a word, and one that can be called makes the whole ok."""
    report = router.health()

    assert report["ok"] is True
    assert report["models"] == {"lab:good": "ready", "lab:cheap": "ready"}


def test_model_without_key_is_not_reachable(monkeypatch):
    """A provider whose key is missing is named with what is missing."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    entry = ModelDefinition(ModelRef("openai:gpt-x"), provider="openai", model="gpt-x", price=None)
    with Router(models={"openai:gpt-x": entry}, ledger_url="sqlite://", project="test") as router:
        report = router.health()

    assert report["ok"] is False
    assert "OPENAI_API_KEY" in report["models"]["openai:gpt-x"]


def test_two_urls_for_the_state_are_refused():
    """state_url and redis_url name the same thing; both at once is a mistake."""
    with pytest.raises(InvalidRequestError, match="redis_url"):
        Router(models={}, state_url="memory://", redis_url="redis://127.0.0.1:1")


def test_router_can_be_closed_twice(tmp_path):
    """Closing again does nothing: what was written is there once, and no thread is left or begun anew."""
    before = set(threading.enumerate())
    url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    router = Router(models={"lab:a": ScriptedModel("a")}, ledger_url=url, project="test")
    router.invoke("Hi")

    router.close()
    router.close()

    assert set(threading.enumerate()) <= before
    with Router(models={"lab:a": ScriptedModel("a")}, ledger_url=url, project="test") as again:
        assert again.stats()["requests"] == 1


def test_what_a_budget_has_left_is_read_from_its_rows():
    """Spend moves the budget it counts against; what is not limited has no figure."""
    models = {"lab:a": ScriptedModel("a", usage=(1000, 1000), price=(1.0, 1.0))}
    with Router({"budgets": {"day": 1.0, "user": 0.5}}, models=models, ledger_url="sqlite://", project="test") as router:
        router.invoke("Hi", request=RoutingRequest(user_id="jo"))
        left = [router.budget_remaining(name) for name in ("day", "user:jo", "user:al", "project")]

    assert left == [pytest.approx(0.998), pytest.approx(0.498), 0.5, None]


def test_history_is_exported_and_statistics_start_afresh(router, tmp_path):
    """An export has every row; a reset empties what decisions read and leaves the decisions explainable."""
    answer = router.invoke("Hi")

    written = router.export(tmp_path / "ledger.jsonl")
    router.reset()

    assert written == len((tmp_path / "ledger.jsonl").read_text().splitlines()) > 2
    assert router.performance(answer.model) is None
    assert router.stats()["requests"] == 0
    assert router.explain(answer.decision.id).selected_model == answer.model


def test_health_tells_of_rows_that_wait(router):
    """The state of the ledger's writer is part of health and of statistics."""
    assert router.health()["ledger"] == router.stats()["ledger"]
