"""Hedging, consensus and cascades through the executor."""

from __future__ import annotations

import asyncio
import dataclasses
import threading

import pytest
from execute_bench import Bench

from crew_router import Router
from crew_router.errors import AllModelsFailedError, ConfigurationError
from crew_router.execute.executor import Options
from crew_router.execute.policy import CascadePolicy, ConsensusMethod, ConsensusPolicy, ExecutionPolicy
from crew_router.testing import ScriptedModel
from crew_router.types import ErrorKind, Latency, Mode, ModelRef, RoutingRequest
from crew_router.types.transport import Payload

ASKED = Payload(("What is 6 * 7?",))
HEDGES = ExecutionPolicy(hedge=1.0, hedge_sync=True)


def voting(method=ConsensusMethod.VOTING):
    """Return a policy for parallel runs."""
    return ExecutionPolicy(consensus=ConsensusPolicy(method=method, timeout_s=1.0))


def by_speed(text, latency_s, **keywords):
    """Return a model whose 95th percentile is shorter than the call that follows."""
    return ScriptedModel(text, latency_s=latency_s, **keywords)


async def test_a_slow_call_is_joined_by_the_next_model_and_the_loser_ends():
    """The second model's answer wins, and the first is cancelled and recorded."""
    bench = Bench({"slow": _SlowModel("late", latency_s=5.0), "quick": ScriptedModel("Hello.")}, policy=HEDGES)
    before = asyncio.all_tasks()

    response = await bench.executor.arun(bench.decision(), ASKED)

    assert (response.text, response.model) == ("Hello.", "lab:quick")
    assert [(attempt.role, attempt.error) for attempt in response.attempts] == [("answer", ErrorKind.CANCELLED), ("hedge", None)]
    assert asyncio.all_tasks() == before


def test_hedging_in_sync_code_leaves_no_thread():
    """A hedged synchronous call runs on a private loop that ends with it."""
    bench = Bench({"slow": _SlowModel("late", latency_s=5.0), "quick": ScriptedModel("Hello.")}, policy=HEDGES)
    before = threading.active_count()

    response = bench.executor.run(bench.decision(), ASKED)

    assert (response.text, threading.active_count()) == ("Hello.", before)


async def test_hedging_in_sync_code_works_under_a_running_loop():
    """Synchronous calls made inside a coroutine run on a thread that ends with them."""
    bench = Bench({"slow": _SlowModel("late", latency_s=5.0), "quick": ScriptedModel("Hello.")}, policy=HEDGES)
    before = threading.active_count()

    response = bench.executor.run(bench.decision(), ASKED)

    assert (response.text, threading.active_count()) == ("Hello.", before)


async def test_hedges_stay_within_their_budget():
    """A hundredth of the requests may be hedged, so the first ones are not."""
    bench = Bench({"slow": _SlowModel("late", latency_s=0.05), "quick": ScriptedModel("Hello.")}, policy=ExecutionPolicy(hedge=0.01))

    response = await bench.executor.arun(bench.decision(), ASKED)

    assert (response.text, bench.models["quick"].calls) == ("late", 0)


async def test_a_hedged_stream_shows_one_model_only():
    """The first model that gives a piece is shown alone."""
    bench = Bench({"slow": _SlowModel("late late", latency_s=5.0), "quick": ScriptedModel("Hello there.")}, policy=HEDGES)

    chunks = [chunk async for chunk in bench.executor.astream(bench.decision(), ASKED)]

    assert "".join(chunk.text for chunk in chunks) == "Hello there."


def test_voting_takes_the_answer_most_models_give():
    """Two models that agree outvote a third, however they word it."""
    models = {"a": ScriptedModel("The answer is 42."), "b": ScriptedModel("41"), "c": ScriptedModel("6 * 7 = 42")}
    bench = Bench(models, policy=voting())

    response = bench.executor.run(bench.decision(mode=Mode.PARALLEL), ASKED)

    assert "42" in response.text
    assert {attempt.role for attempt in response.attempts} == {"vote"}
    assert response.confidence > 0.8


async def test_voting_cancels_the_rest_once_it_is_decided():
    """A third vote that cannot change the outcome is not waited for."""
    models = {"a": ScriptedModel("42"), "b": ScriptedModel("42"), "c": ScriptedModel("41", latency_s=30.0)}
    bench = Bench(models, policy=voting())

    response = await bench.executor.arun(bench.decision(mode=Mode.PARALLEL), ASKED)

    assert [attempt.error for attempt in response.attempts] == [None, None, ErrorKind.CANCELLED]


def test_quality_weighs_more_than_numbers():
    """Two weak models do not outweigh a strong one."""
    models = {"a": ScriptedModel("41", quality=0.3), "b": ScriptedModel("41", quality=0.3), "c": ScriptedModel("42", quality=0.95)}
    bench = Bench(models, policy=voting(ConsensusMethod.WEIGHTED))

    response = bench.executor.run(bench.decision(mode=Mode.PARALLEL), ASKED)

    assert response.text == "42"


async def test_first_success_cancels_the_others():
    """The first sound answer wins; an empty one is none."""
    models = {"a": ScriptedModel(faults="empty"), "b": ScriptedModel("yes", latency_s=0.02), "c": ScriptedModel("no", latency_s=30.0)}
    bench = Bench(models, policy=voting(ConsensusMethod.FIRST_SUCCESS))

    response = await bench.executor.arun(bench.decision(mode=Mode.PARALLEL), ASKED)

    assert response.text == "yes"
    assert [attempt.error for attempt in response.attempts] == [ErrorKind.EMPTY, None, ErrorKind.CANCELLED]


def test_the_judge_sees_neither_names_nor_order():
    """The judge gets lettered answers in random order, and its choice is found again."""
    seen = []
    models = {"a": ScriptedModel("It is 41."), "b": ScriptedModel("It is 42."), "j": ScriptedModel(lambda prompt: _choose_42(prompt, seen))}
    bench = Bench(models, policy=voting(ConsensusMethod.JUDGE))

    response = bench.executor.run(bench.decision(mode=Mode.PARALLEL, judge="lab:j"), ASKED)

    assert (response.text, response.model) == ("It is 42.", "lab:b")
    assert "lab:" not in seen[0]
    assert response.attempts[-1].role == "judge"


def test_a_judge_is_not_asked_when_all_agree():
    """Agreement needs no judge."""
    models = {"a": ScriptedModel("It is 42."), "b": ScriptedModel("42"), "j": ScriptedModel("Best: A")}
    bench = Bench(models, policy=voting(ConsensusMethod.JUDGE))

    bench.executor.run(bench.decision(mode=Mode.PARALLEL, judge="lab:j"), ASKED)

    assert models["j"].calls == 0


def test_a_judge_that_fails_is_replaced_by_the_weights():
    """Without a verdict the quality-weighted answer is taken."""
    models = {"a": ScriptedModel("41", quality=0.9), "b": ScriptedModel("42", quality=0.5), "j": ScriptedModel(faults="overload")}
    bench = Bench(models, policy=voting(ConsensusMethod.JUDGE))

    response = bench.executor.run(bench.decision(mode=Mode.PARALLEL, judge="lab:j"), ASKED)

    assert response.text == "41"


def test_a_parallel_run_without_an_answer_fails_with_every_cause():
    """All members failing is one typed error."""
    bench = Bench({"a": ScriptedModel(faults="auth"), "b": ScriptedModel(faults="not_found")}, policy=voting())

    with pytest.raises(AllModelsFailedError) as caught:
        bench.executor.run(bench.decision(mode=Mode.PARALLEL), ASKED)

    assert {error.kind for error in caught.value.exceptions} == {ErrorKind.AUTH, ErrorKind.NOT_FOUND}


def test_a_parallel_stream_starts_after_the_verdict_and_shows_one_answer():
    """Only the chosen answer is shown."""
    bench = Bench(
        {"a": ScriptedModel("It is 41.", quality=0.2), "b": ScriptedModel("It is 42.", quality=0.9)},
        policy=voting(ConsensusMethod.WEIGHTED),
    )

    chunks = list(bench.executor.stream(bench.decision(mode=Mode.PARALLEL), ASKED))

    assert "".join(chunk.text for chunk in chunks) == "It is 42."


def test_a_cascade_stops_at_an_answer_that_is_sure_enough():
    """A cheap model above the threshold is enough."""
    bench = Bench({"cheap": ScriptedModel("42", quality=0.9), "dear": ScriptedModel("42")})

    response = bench.executor.run(bench.decision(mode=Mode.CASCADE), ASKED)

    assert (response.model, bench.models["dear"].calls) == ("lab:cheap", 0)


def test_a_cascade_goes_on_below_the_threshold_and_prices_the_draft():
    """An unsure draft is followed by the next model, and both are in the price."""
    bench = Bench({"cheap": ScriptedModel("I'm not sure, maybe 41.", quality=0.5), "dear": ScriptedModel("42", quality=0.95)})

    response = bench.executor.run(bench.decision(mode=Mode.CASCADE), ASKED)

    assert (response.model, response.cost_usd) == ("lab:dear", 4e-05)


def test_agreement_of_two_weak_models_spares_the_third():
    """Two cheap models that agree are surer than either, so the dear one is not asked."""
    models = {
        "a": ScriptedModel("42", quality=0.6),
        "b": ScriptedModel("It is 42.", quality=0.65),
        "dear": ScriptedModel("42", quality=0.95),
    }
    bench = Bench(models)

    response = bench.executor.run(bench.decision(mode=Mode.CASCADE), ASKED)

    assert (models["dear"].calls, response.text) == (0, "It is 42.")
    assert response.confidence > 0.8


@pytest.mark.parametrize(("value_usd", "calls"), [(1e-06, 0), (1.0, 1)])
def test_willingness_to_pay_decides_whether_the_next_model_is_worth_it(value_usd, calls):
    """The next model is asked when a right answer is worth more than it costs."""
    bench = Bench({"cheap": ScriptedModel("41", quality=0.6), "dear": ScriptedModel("42", quality=0.95)})
    request = RoutingRequest(willingness_to_pay=value_usd)

    bench.executor.run(bench.decision(request, mode=Mode.CASCADE), ASKED)

    assert bench.models["dear"].calls == calls


def test_a_cascade_survives_a_dead_step():
    """A model that fails is passed over."""
    bench = Bench({"cheap": ScriptedModel(faults="overload"), "dear": ScriptedModel("42")})

    response = bench.executor.run(bench.decision(mode=Mode.CASCADE), ASKED)

    assert response.model == "lab:dear"


def test_samples_that_disagree_with_each_other_lead_on():
    """A model that contradicts itself is not believed."""
    policy = ExecutionPolicy(cascade=CascadePolicy(samples=3))
    bench = Bench({"cheap": ScriptedModel(["41", "42", "43"], quality=0.75), "dear": ScriptedModel("42", quality=0.95)}, policy=policy)

    response = bench.executor.run(bench.decision(mode=Mode.CASCADE), ASKED)

    assert response.model == "lab:dear"


class _SlowModel(ScriptedModel):
    """A model that states a 95th percentile far below what it takes."""

    def describe(self, ref):
        return dataclasses.replace(super().describe(ref), latency=Latency(p95_s=0.02))


def _choose_42(prompt, seen):
    seen.append(prompt)
    letter = prompt.split("It is 42.")[0].rsplit("<answer ", 1)[1][0]
    return f"Best: {letter}"


@pytest.mark.parametrize("mode", [Mode.PARALLEL, Mode.CASCADE])
def test_code_agrees_when_it_does_the_same(mode):
    """With a runner two different programs of one output agree against a third, and each is run once."""
    ran = []

    def runner(code):
        ran.append(code)
        return "even" if "%" in code or "&" in code else "odd"

    texts = ("```python\nn % 2 == 0\n```", "```python\nnot n & 1\n```", "```python\nn == 1\n```")
    models = {name: ScriptedModel(text, quality=0.6) for name, text in zip("abc", texts, strict=True)}
    bench = Bench(models, policy=dataclasses.replace(voting(), cascade=CascadePolicy(0.99)))

    response = bench.executor.run(bench.decision(mode=mode), ASKED, options=Options(code_runner=runner))

    assert response.text in texts[:2]
    assert sorted(member.agrees for member in response.decision.trade_off.members) == [False, True, True]
    assert len(ran) == len(set(ran)) == 3


def test_a_judge_grades_answers_that_are_close_to_acceptance():
    """A cascade asks the configured judge, whose good grade spares the next model, as a call of its own role."""
    models = {
        "cheap": ScriptedModel("It is 42.", quality=0.6),
        "dear": ScriptedModel("It is 42.", quality=0.95),
        "judge": ScriptedModel("Right.\n95"),
    }
    bench = Bench(models, policy=ExecutionPolicy(cascade=CascadePolicy(judge=ModelRef("lab:judge"))))
    decision = dataclasses.replace(bench.decision(mode=Mode.CASCADE), models=(ModelRef("lab:cheap"), ModelRef("lab:dear")))

    response = bench.executor.run(decision, ASKED)

    assert [attempt.role for attempt in response.attempts] == ["draft", "judge"]
    assert models["dear"].calls == 0


def test_a_judge_that_the_registry_does_not_know_is_refused():
    """The configured judge is a model of the registry."""
    with pytest.raises(ConfigurationError, match=r"escalation\.judge"):
        Router({"registry": "none", "escalation": {"judge": "lab:none"}}, ledger_url="sqlite://")


async def test_a_call_is_hedged_by_the_percentile_that_was_observed():
    """What history says of the chosen model goes before the registry's figure."""
    models = {"a": ScriptedModel("slow", latency_s=5.0), "b": ScriptedModel("quick")}
    bench = Bench(models, policy=ExecutionPolicy(hedge=1.0))
    decision = bench.decision()
    seen = dataclasses.replace(decision.latency, p95_s=0.02, source="history")

    response = await bench.executor.arun(dataclasses.replace(decision, latency=seen), ASKED)

    assert response.text == "quick"
