"""What operators, policies and the environment order of a whole router."""

import json

import pytest

from crew_router import NoCandidateError, Router, RoutingRequest
from crew_router.config.load import load_config
from crew_router.errors import ApprovalRequiredError, ConfigurationError, InvalidRequestError, UnknownModelError
from crew_router.execute.executor import Options
from crew_router.testing import FrozenClock, ScriptedModel, runtime_of
from crew_router.types import ErrorKind

NOON = 1_800_000_000.0
ASK = RoutingRequest(task_description="Compare A and B.", context_tokens=1000, expected_output_tokens=500, complexity=7)


def entry(quality, price, tier="baseline"):
    """Return an entry of the registry that points nowhere."""
    return {
        "provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "quality": quality, "source": "a test", "tier": tier,
        "price": {"input": price, "output": price},
    }  # fmt: skip


LAB = {"lab:good": entry(0.9, 10.0, "premium"), "lab:cheap": entry(0.6, 0.1, "fast"), "far:mid": entry(0.8, 50.0)}


def open_router(tmp_path, config=None, clock=None):
    """Return a router over files, as one of several processes has it."""
    return Router(
        {"registry": "none", **(config or {})},
        models=LAB,
        ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}",
        state_url=f"sqlite:///{tmp_path / 'state.db'}",
        project="test",
        clock=clock or FrozenClock(NOON),
    )


def audit(router):
    """Return the events of the audit, oldest first."""
    return [event for (event,) in runtime_of(router).ledger.select("SELECT event FROM audit ORDER BY seq")]


def test_pin_holds_at_once_and_until_it_is_cleared(tmp_path):
    """A pinned model answers first from the next request on; clearing ends it; both stand in the audit."""
    with open_router(tmp_path) as router:
        before = router.select_model(ASK)
        router.override(pin="mid", by="jo")
        pinned = router.select_model(ASK)
        router.clear_override()
        after = router.select_model(ASK)

        assert (before.selected_model, pinned.selected_model, after.selected_model) == ("lab:good", "far:mid", "lab:good")
        assert any(item.source == "override" for item in pinned.evidence)
        assert audit(router) == ["override", "override cleared"]


def test_order_reaches_another_process_without_a_restart(tmp_path):
    """A second router over the same files obeys once its snapshot is refreshed, and a third that starts later at once."""
    clock = FrozenClock(NOON)
    with open_router(tmp_path, clock=clock) as one, open_router(tmp_path, clock=clock) as other:
        assert other.select_model(ASK).selected_model == "lab:good"

        one.override(cost_ceiling=0.001)
        runtime_of(one).state.close()
        clock.advance(2.0)
        reached = other.select_model(ASK)
        with open_router(tmp_path, clock=clock) as later:
            started = later.select_model(ASK)

    assert (reached.selected_model, started.selected_model) == ("lab:cheap", "lab:cheap")
    assert "left of the operator's cost ceiling" in str(reached.rejected["lab:good"][0])


def test_order_ends_by_itself(tmp_path):
    """After ``until`` the order is over."""
    clock = FrozenClock(NOON)
    with open_router(tmp_path, clock=clock) as router:
        router.override(pin="far:mid", until=NOON + 60)
        during = router.select_model(ASK)
        clock.advance(61)

        assert (during.selected_model, router.select_model(ASK).selected_model) == ("far:mid", "lab:good")


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({}, InvalidRequestError),
        ({"cost_ceiling": -1}, InvalidRequestError),
        ({"cost_ceiling": float("nan")}, InvalidRequestError),
        ({"pin": "lab:nobody"}, UnknownModelError),
        ({"pin": "lab:good", "until": NOON - 1}, InvalidRequestError),
    ],
)
def test_order_that_means_nothing_is_refused(tmp_path, order, error):
    """An order names a known model or a sum, and a time to come."""
    with open_router(tmp_path) as router, pytest.raises(error):
        router.override(**order)


def test_every_effect_of_a_safety_rule_leaves_an_audit_row(tmp_path):
    """A decision and a rejection leave one row for each safety effect; rules of other orders leave none."""
    policies = [
        {"name": "safe", "order": "safety", "then": {"deny_models": ["lab:good"], "deny_providers": ["nobody"]}},
        {"name": "thrift", "order": "budget", "then": {"cost_cap": 1.0}},
        {"name": "closed", "order": "safety", "when": {"tags": ["x"]}, "then": {"regions": ["mars"]}},
    ]
    with open_router(tmp_path, {"policies": policies}) as router:
        decision = router.select_model(ASK)
        with pytest.raises(NoCandidateError):
            router.select_model(RoutingRequest(task_description="Compare A and B.", tags=["x"]))

        rows = runtime_of(router).ledger.select("SELECT detail FROM audit ORDER BY seq")

    assert decision.selected_model != "lab:good"
    assert len(rows) == 2 + 3
    assert decision.id in rows[0][0]


def test_request_that_needs_a_person_waits_for_one():
    """Nothing is called before somebody agrees; who agreed stands in the audit."""
    config = {"registry": "none", "policies": [{"name": "ask", "order": "safety", "then": {"approval": "it is dear"}}]}
    with Router(config, models={"lab:a": ScriptedModel(replies=["Paris"])}, ledger_url="sqlite://") as router:
        with pytest.raises(ApprovalRequiredError, match="it is dear") as caught:
            router.invoke("Capital of France?")
        answer = router.invoke("Capital of France?", options=Options(approved_by="jo"))

        assert (caught.value.decision.selected_model, answer.text) == ("lab:a", "Paris")
        assert [event for event in audit(router) if event.startswith("approval")] == ["approval asked", "approval given"]


def test_two_local_failures_escalate_in_their_run_only():
    """After two failures of the local model the run goes to the other; another run still starts locally."""
    local = ScriptedModel(replies=["never"], faults=[ErrorKind.OVERLOAD] * 4, price=(0.0, 0.0))
    strong = ScriptedModel(replies=["yes"], price=(1.0, 1.0))
    config = {"registry": "none", "strategy": {"name": "local_first"}}
    easy = {"task_description": "Say yes.", "complexity": 2}
    with Router(config, models={"lmstudio:small": local, "lab:big": strong}, ledger_url="sqlite://", project="p") as router:
        firsts = []
        for run in ("one", "one", "one", "two"):
            decision = router.invoke("Say yes.", request=RoutingRequest(run_id=run, **easy)).decision
            firsts.append(decision.selected_model)

    assert firsts[2] == "lab:big"
    assert firsts[3] == firsts[0]


@pytest.mark.parametrize(
    ("variable", "value", "read", "expected"),
    [
        ("ROUTER_ESCALATION_THRESHOLD", "0.85", lambda config: config.escalation.threshold, 0.85),
        ("ROUTER_ENABLE_ESCALATION", "false", lambda config: config.escalation.enabled, False),
        ("ROUTER_ENABLE_ESCALATION", "1", lambda config: config.escalation.enabled, True),
        ("ROUTER_COST_OPTIMIZATION", "off", lambda config: config.optimize, "quality"),
        ("ROUTER_COST_OPTIMIZATION", "on", lambda config: config.optimize, "cost"),
        ("ROUTING_ANALYTICS_PATH", "seen.jsonl", lambda config: str(config.analytics.jsonl), "seen.jsonl"),
        ("ROUTING_AB_TEST_ENABLED", "no", lambda config: config.experiments_enabled, False),
        ("ENABLE_SMART_ROUTING", "FALSE", lambda config: config.smart_routing, False),
        ("ENABLE_SMART_ROUTING", "", lambda config: config.smart_routing, True),
    ],
)
def test_variables_of_the_environment_are_read(tmp_path, variable, value, read, expected):
    """Each variable of requirement E11 wins over the file; an empty one says nothing."""
    written = {"escalation": {"threshold": 0.2, "enabled": value != "1"}, "optimize": "cost" if value == "off" else "quality"}
    file = tmp_path / "crew_router.yaml"
    file.write_text(json.dumps(written), encoding="utf-8")

    assert read(load_config(file, {variable: value})) == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROUTER_ESCALATION_THRESHOLD", "1.5"),
        ("ROUTER_ESCALATION_THRESHOLD", "much"),
        ("ROUTER_ENABLE_ESCALATION", "perhaps"),
        ("ROUTER_COST_OPTIMIZATION", "2"),
        ("ROUTING_AB_TEST_ENABLED", "often"),
        ("ENABLE_SMART_ROUTING", "nope"),
    ],
)
def test_variable_that_means_nothing_is_refused_by_its_name(variable, value):
    """The error names the variable and the value."""
    with pytest.raises(ConfigurationError, match=variable) as caught:
        load_config({}, {variable: value})

    assert value in str(caught.value)


def test_escalation_follows_the_environment(monkeypatch):
    """Without escalation the best single model answers; with it the dial may ask a cheap one first."""
    models = {
        "lab:weak": ScriptedModel(replies=["hm"], quality=0.7, price=(0.1, 0.1), usage=(1000, 1000)),
        "lab:strong": ScriptedModel(replies=["yes"], quality=0.95, price=(50.0, 50.0), usage=(1000, 1000)),
    }
    asked = RoutingRequest(task_description="Compare A and B.", willingness_to_pay=0.3, complexity=6)
    modes = {}
    for enabled in ("true", "false"):
        monkeypatch.setenv("ROUTER_ENABLE_ESCALATION", enabled)
        with Router({"registry": "none"}, models=models, ledger_url="sqlite://") as router:
            modes[enabled] = str(router.select_model(asked).mode)

    assert modes == {"true": "cascade", "false": "single"}


@pytest.mark.parametrize(("threshold", "answered"), [("0.5", "lab:weak"), ("0.9", "lab:strong")])
def test_threshold_of_escalation_follows_the_environment(monkeypatch, threshold, answered):
    """How sure the cheap answer has to be before nobody else is asked is what the variable says."""
    monkeypatch.setenv("ROUTER_ESCALATION_THRESHOLD", threshold)
    models = {
        "lab:weak": ScriptedModel(replies=["4"], quality=0.7, price=(0.1, 0.1)),
        "lab:strong": ScriptedModel(replies=["5"], quality=0.95, price=(9.0, 9.0)),
    }
    ladder = {"name": "ladder", "order": "quality", "then": {"mode": "cascade"}}
    config = {"registry": "none", "policies": [ladder], "strategy": {"name": "cheapest_adequate", "parameters": {"margin": 1.0}}}
    with Router(config, models=models, ledger_url="sqlite://") as router:
        response = router.invoke("What is two and two?", request=RoutingRequest(task_type="reasoning"))

    assert response.model == answered
    assert len(response.attempts) == (1 if answered == "lab:weak" else 2)


def test_switching_smart_routing_off_sends_everything_to_the_baseline(monkeypatch):
    """With ENABLE_SMART_ROUTING=false the baseline answers whatever the request, the rules of task types and experiments say."""
    monkeypatch.setenv("ENABLE_SMART_ROUTING", "false")
    config = {"registry": "none", "task_types": {"analysis": {"strategy": {"name": "fastest"}}}, "parallel": {"triggers": "moe"}}

    with Router(config, models=LAB, ledger_url="sqlite://") as router:
        asked = [ASK, RoutingRequest(task_type="analysis"), RoutingRequest(strategy="fastest"), RoutingRequest(willingness_to_pay=0.0)]
        decisions = [router.select_model(each) for each in asked]
    with Router({**config, "baseline": "far:mid"}, models=LAB, ledger_url="sqlite://") as router:
        named = router.select_model(ASK)

    assert {each.selected_model for each in decisions} == {"lab:good"}
    assert {each.strategy for each in decisions} == {"fixed"}
    assert any("dearest premium model" in note.detail for note in decisions[0].table.notes())
    assert named.selected_model == "far:mid"


def test_optimising_quality_lets_a_tenfold_price_buy_less(monkeypatch):
    """ROUTER_COST_OPTIMIZATION=false pays ten times for a gain that the default does not pay for."""
    models = {"lab:a": entry(0.80, 1.0), "lab:b": entry(0.82, 10.0)}
    with Router({"registry": "none"}, models=models, ledger_url="sqlite://") as router:
        cheap = router.select_model(ASK)
    monkeypatch.setenv("ROUTER_COST_OPTIMIZATION", "false")
    with Router({"registry": "none"}, models=models, ledger_url="sqlite://") as router:
        good = router.select_model(ASK)

    assert (cheap.selected_model, good.selected_model) == ("lab:a", "lab:b")


def test_experiments_pause_by_the_environment(monkeypatch):
    """An experiment decides while ROUTING_AB_TEST_ENABLED is not false."""
    arms = [{"name": "a", "model": "lab:cheap"}, {"name": "b", "model": "lab:cheap"}]
    config = {"registry": "none", "experiments": [{"name": "e", "arms": arms}]}
    with Router(config, models=LAB, ledger_url="sqlite://") as router:
        tried = router.select_model(ASK)
    monkeypatch.setenv("ROUTING_AB_TEST_ENABLED", "false")
    with Router(config, models=LAB, ledger_url="sqlite://") as router:
        paused = router.select_model(ASK)

    assert (tried.draw.experiment, tried.selected_model) == ("e", "lab:cheap")
    assert (paused.draw.experiment, paused.strategy) == (None, "weighted")


@pytest.mark.parametrize(
    ("name", "strategy", "triggers"),
    [("moe", "weighted", "moe"), ("local_first", "local_first", "explicit"), ("smart_cost", "complexity_tiers", "explicit")],
)
def test_presets_are_settings_to_start_from(name, strategy, triggers):
    """A preset holds by its name or as a key, and everything else that is written wins over it."""
    with Router(f"preset:{name}", ledger_url="sqlite://") as named, Router({"preset": name}, ledger_url="sqlite://") as keyed:
        settings = [(router.config.strategy.name, router.config.parallel.triggers) for router in (named, keyed)]
    with Router({"preset": name, "strategy": {"name": "fastest"}}, ledger_url="sqlite://") as changed:
        other = changed.config.strategy

    assert settings == [(strategy, triggers)] * 2
    assert (other.name, dict(other.parameters)) == ("fastest", {})


def test_unknown_preset_is_refused_with_the_known_ones():
    """A preset that is not packaged is a configuration error that lists them."""
    with pytest.raises(ConfigurationError, match="local_first, moe, smart_cost"):
        Router("preset:magic", ledger_url="sqlite://")


def test_frontier_leaves_out_what_another_beats_in_everything():
    """A model that is dearer and worse than another is not on the frontier; the cheapest and the best are."""
    models = {**LAB, "lab:bad": entry(0.5, 60.0)}
    with Router({"registry": "none"}, models=models, ledger_url="sqlite://") as router:
        frontier = [row.model for row in router.pareto(ASK)]

    assert frontier == ["lab:cheap", "lab:good"]


def test_what_a_budget_has_left_is_a_hard_limit_of_the_next_decision():
    """Once a day's budget is nearly spent, models that cost more than what is left are out, and the reason names the budget."""
    config = {"registry": "none", "budgets": {"day": 0.0025}}
    dear = ScriptedModel(replies=["yes"] * 9, usage=(1000, 1000), price=(1.0, 1.0))
    with Router(config, models={"lab:dear": dear}, ledger_url="sqlite://", project="p", clock=FrozenClock(NOON)) as router:
        request = RoutingRequest(context_tokens=1000, expected_output_tokens=1000)
        first = router.invoke("Say yes.", request=request)
        with pytest.raises(NoCandidateError, match=r"left of budgets\.day"):
            router.invoke("Say yes.", request=request)

    assert first.cost_usd == pytest.approx(0.002)
