"""Which flow carries a decision out: its mode chooses, and a registered one goes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from crew_router.config.ability import ability_of, ability_to_quality
from crew_router.execute.flow_context import FlowContext
from crew_router.execute.flows.cascade import CascadePlan, Weigh, cascade
from crew_router.execute.flows.consensus import Panel, consensus
from crew_router.execute.flows.fallback import fallback
from crew_router.execute.protocol import Flow
from crew_router.execute.signals.arguments import tool_arguments
from crew_router.execute.signals.logprobs import token_logprobs
from crew_router.execute.signals.reading import reading
from crew_router.types.canonical_answer import CodeRunner
from crew_router.types.decision import RoutingDecision
from crew_router.types.model import ModelDefinition
from crew_router.types.transport import Payload
from crew_router.types.vocabulary import Mode, ModelRef, TaskType

_UNKNOWN_ACCURACY = 0.6  # guess, not measured: of a model whose quality nobody stated
SIGNALS = (reading, token_logprobs, tool_arguments)


@dataclass(frozen=True, slots=True)
class FlowInput:
    """What a flow is made from: decision, what is sent, the request as a job, models by name, how to weigh answers, how to run code."""

    decision: RoutingDecision
    payload: Payload
    context: FlowContext
    models: Callable[[ModelRef], ModelDefinition]
    weigh: Weigh | None = None
    runner: CodeRunner | None = None


FlowFactory: TypeAlias = Callable[[FlowInput], Flow]


def flow_of(flow_input: FlowInput, registered: Mapping[Mode, FlowFactory]) -> tuple[Flow, bool]:
    """Return the flow of a decision, and whether it may have several calls at once."""
    mode = flow_input.decision.mode
    if mode in registered:
        return registered[mode](flow_input), True
    if mode is Mode.PARALLEL and len(flow_input.decision.models) > 1:
        return consensus(flow_input.context, panel_of(flow_input)), True
    if mode is Mode.CASCADE and len(flow_input.decision.models) > 1:
        plan = plan_of(flow_input)
        return cascade(flow_input.context, plan), plan.samples > 1
    hedged = flow_input.context.hedge is not None and len(flow_input.context.candidates) > 1
    return fallback(flow_input.context), hedged and any(
        flow_input.context.slow_after_s(model) is not None for model in flow_input.context.candidates
    )


def panel_of(flow_input: FlowInput) -> Panel:
    """Return the panel of a parallel decision."""
    decision, policy = flow_input.decision, flow_input.context.policy.consensus
    models = tuple(flow_input.models(ref) for ref in decision.models)
    judge = None if decision.judge is None else flow_input.models(decision.judge)
    known = (*models, judge) if judge is not None else models
    return Panel(
        models, policy.method,
        payload=flow_input.payload, judge=judge, accuracy=accuracies(decision, known), timeout_s=policy.timeout_s,
        runner=flow_input.runner,
    )  # fmt: skip


def plan_of(flow_input: FlowInput) -> CascadePlan:
    """Return the ladder of a cascade decision."""
    decision, policy = flow_input.decision, flow_input.context.policy.cascade
    models = tuple(flow_input.models(ref) for ref in decision.models)
    judge = decision.judge or policy.judge
    return CascadePlan(
        models,
        payload=flow_input.payload, threshold=policy.threshold, value_usd=decision.request.willingness_to_pay,
        cost_usd={model.ref: _expected_cost(decision, model) for model in models},
        accuracy=accuracies(decision, models), signals=SIGNALS, samples=policy.samples,
        judge=None if judge is None or judge in decision.models else flow_input.models(judge), runner=flow_input.runner,
        weigh=flow_input.weigh if decision.stops else None, stops=decision.stops,
    )  # fmt: skip


def accuracies(decision: RoutingDecision, models: tuple[ModelDefinition, ...]) -> dict[ModelRef, float]:
    """Return each model's probability of being right: its quality on the task or overall, else that of its ability at its effort."""
    task = decision.profile.task_type.value
    return {model.ref: _accuracy(model, task) for model in models}


def _accuracy(model: ModelDefinition, task: TaskType) -> float:
    stated = model.task_quality.get(task, model.quality)
    if stated is None and model.ability is not None:
        return ability_to_quality(ability_of(model, task, effort=model.ref.effort).value)
    return _UNKNOWN_ACCURACY if stated is None else stated


def _expected_cost(decision: RoutingDecision, model: ModelDefinition) -> float:
    if model.price is None:
        return 0.0
    profile = decision.profile
    return model.price.cost_usd(
        input_tokens=profile.input_tokens.value, output_tokens=profile.expected_output_tokens.value, when=decision.at
    )
