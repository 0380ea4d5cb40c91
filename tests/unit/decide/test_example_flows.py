"""The five example flows on the fifteen models of the example registry (requirement A15, rule 6).

What is asserted is what our rules choose. Where the document chose otherwise, or gave a price that its own prices do not give, the
divergence stands in the test with the arithmetic. No weight was tuned to a flow.
"""

from pathlib import Path

import pytest

from crew_router import Router, RoutingRequest, TaskType
from crew_router.types import Mode

REGISTRY = Path(__file__).parents[3] / "examples" / "registries" / "moe.yaml"
OPUS, O1, SONNET, GPT5 = "anthropic:claude-opus-4", "openai:o1", "anthropic:claude-sonnet-4", "openai:gpt-5"


def decided(triggers="explicit", **asked):
    """Return the decision of a router that has decided nothing before."""
    with Router(str(REGISTRY), ledger_url="sqlite://") as reading:
        models = {model.ref: model for model in reading.models}
        preferences = {
            task: {"preferred": list(each.preferred), "budget": list(each.budget)} for task, each in reading.config.task_types.items()
        }
    config = {"preset": "moe", "registry": "none", "parallel": {"triggers": triggers}, "task_types": preferences}
    with Router(config, models=models, ledger_url="sqlite://") as router:
        return router.select_model(RoutingRequest(**asked))


def row(decision, ref):
    """Return the row of a model."""
    return next(each for each in decision.table.candidates() if each.model == ref)


def test_flow_1_budget_code_generation():
    """The document takes claude-haiku-4 as the cheapest capable model; by its own figures two models are cheaper and better.

    200 tokens in and 300 out give its $0.000425: (200·0.25 + 300·1.25) / 10⁶. At these, gpt-4o-mini costs
    (200·0.15 + 300·0.6) / 10⁶ = $0.00021 at quality 0.82 against 0.80, so it outranks haiku in quality and in cost.
    """
    decision = decided(task_type=TaskType.CODE_GENERATION, cost_budget=0.001, context_tokens=200, expected_output_tokens=300)

    haiku = row(decision, "anthropic:claude-haiku-4")
    assert haiku.cost_usd == pytest.approx(0.000425)
    assert decision.selected_model == "openai:gpt-4o-mini"
    assert decision.estimated_cost == pytest.approx(0.00021)
    assert row(decision, "openai:gpt-4o-mini").quality > haiku.quality
    assert "anthropic:claude-haiku-4" in decision.fallbacks


def test_flow_2_high_quality_reasoning():
    """claude-opus-4 at $0.045: (500·15 + 500·75) / 10⁶."""
    asked = {"task_type": TaskType.REASONING, "quality_requirement": 0.95, "cost_budget": 0.15}

    decision = decided(**asked, context_tokens=500, expected_output_tokens=500)

    assert (decision.selected_model, decision.mode) == (OPUS, Mode.SINGLE)
    assert decision.estimated_cost == pytest.approx(0.045)


def test_flow_2_under_the_documents_own_triggers():
    """The document shows one model, but its triggers make reasoning critical, and 0.95 with $0.15 is a trigger of its own.

    With them the run is parallel, opus first: 0.045 + 0.0375 (o1) + 0.009 (sonnet) + 0.0125 (judge gpt-5) = $0.104, within $0.15.
    """
    asked = {"task_type": TaskType.REASONING, "quality_requirement": 0.95, "cost_budget": 0.15}

    decision = decided("moe", **asked, context_tokens=500, expected_output_tokens=500)

    assert (decision.mode, decision.models, decision.judge) == (Mode.PARALLEL, (OPUS, O1, SONNET), GPT5)
    assert decision.estimated_cost == pytest.approx(0.104)


def test_flow_3_parallel_security_audit():
    """The document's three models and its judge, who has 0.94 and is exempt from the floor of 0.95.

    Its $0.125 cannot be had from its prices with whole hundreds of tokens; 500 in and 500 out give $0.104 (flow 2). Sonnet comes
    first by our scores because it is cheaper at the same preference: the order of members has no meaning in a parallel run.
    """
    decision = decided(
        task_type=TaskType.SECURITY_AUDIT, quality_requirement=0.95, parallel=True, context_tokens=500, expected_output_tokens=500
    )

    assert (decision.mode, set(decision.models), decision.judge) == (Mode.PARALLEL, {OPUS, O1, SONNET}, GPT5)
    assert decision.estimated_cost == pytest.approx(0.104)


def test_flow_4_long_context():
    """The document takes gemini-pro-1.5 for $0.052; its own price for 150,000 tokens is 150,000·1.25 / 10⁶ = $0.1875 without an answer.

    Its free model has a window of a million tokens as well. Document A gives it no quality; the prior of its tier, 0.65, stands in:
    50·0.65 + 20 (free) + 3 (budget list) = 55.5 against 50·0.89 + 2.9 + 5 = 52.4 for gemini-pro-1.5. With a quality floor
    claude-sonnet-4 has 50·0.95 + 1.3 + 5 = 53.8 while its (assumed) window of 200,000 holds the text; beyond it, gemini-pro-1.5 is first.
    """
    asked = {"task_type": TaskType.LONG_CONTEXT, "context_tokens": 150_000, "expected_output_tokens": 1000}

    free, floored = decided(**asked), decided(**asked, quality_requirement=0.85)
    longer = decided(**{**asked, "context_tokens": 500_000}, quality_requirement=0.85)

    assert free.selected_model == "google_genai:gemini-2.0-flash-thinking"
    assert row(free, "google_genai:gemini-pro-1.5").cost_usd == pytest.approx(0.1925)
    assert (floored.selected_model, longer.selected_model) == (SONNET, "google_genai:gemini-pro-1.5")
    assert {why.filter for why in longer.rejected[SONNET]} == {"context_window"}


def test_flow_5_fast_multimodal():
    """claude-sonnet-4 for vision within 3 s at about $0.0034: (133·3 + 200·15) / 10⁶ = $0.0034."""
    decision = decided(
        task_type=TaskType.MULTIMODAL, requires_vision=True, max_latency_s=3.0, context_tokens=133, expected_output_tokens=200
    )

    assert decision.selected_model == SONNET
    assert decision.estimated_cost == pytest.approx(0.0034, abs=1e-5)
    assert {why.filter for why in decision.rejected["mistralai:mistral-large-2"]} == {"capability"}
