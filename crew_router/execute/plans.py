"""Which flow carries a decision out: its mode chooses, and a registered one goes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from crew_router.execute.flows.cascade import Ladder, Weigh, cascade
from crew_router.execute.flows.consensus import Panel, consensus
from crew_router.execute.flows.fallback import fallback
from crew_router.execute.job import Job
from crew_router.execute.protocol import Flow
from crew_router.execute.signals.arguments import tool_arguments
from crew_router.execute.signals.logprobs import token_logprobs
from crew_router.execute.signals.reading import reading
from crew_router.types.canonical_answer import CodeRunner
from crew_router.types.decision import RoutingDecision
from crew_router.types.model import ModelDefinition
from crew_router.types.transport import Payload
from crew_router.types.vocabulary import Mode, ModelRef

_UNKNOWN_ACCURACY = 0.6  # guess, not measured: of a model whose quality nobody stated
SIGNALS = (reading, token_logprobs, tool_arguments)


@dataclass(frozen=True, slots=True)
class Work:
    """What a flow is made from: decision, what is sent, the request as a job, models by name, how to weigh answers, how to run code."""

    decision: RoutingDecision
    payload: Payload
    job: Job
    models: Callable[[ModelRef], ModelDefinition]
    weigh: Weigh | None = None
    runner: CodeRunner | None = None


FlowFactory: TypeAlias = Callable[[Work], Flow]


def flow_of(work: Work, registered: Mapping[Mode, FlowFactory]) -> tuple[Flow, bool]:
    """Return the flow of a decision, and whether it may have several calls at once."""
    mode = work.decision.mode
    if mode in registered:
        return registered[mode](work), True
    if mode is Mode.PARALLEL and len(work.decision.models) > 1:
        return consensus(work.job, panel_of(work)), True
    if mode is Mode.CASCADE and len(work.decision.models) > 1:
        ladder = ladder_of(work)
        return cascade(work.job, ladder), ladder.samples > 1
    hedged = work.job.hedge is not None and len(work.job.candidates) > 1
    return fallback(work.job), hedged and any(work.job.slow_after_s(model) is not None for model in work.job.candidates)


def panel_of(work: Work) -> Panel:
    """Return the panel of a parallel decision."""
    decision, policy = work.decision, work.job.policy.consensus
    models = tuple(work.models(ref) for ref in decision.models)
    judge = None if decision.judge is None else work.models(decision.judge)
    known = (*models, judge) if judge is not None else models
    return Panel(
        models, policy.method,
        payload=work.payload, judge=judge, accuracy=accuracies(decision, known), timeout_s=policy.timeout_s,
        runner=work.runner,
    )  # fmt: skip


def ladder_of(work: Work) -> Ladder:
    """Return the ladder of a cascade decision."""
    decision, policy = work.decision, work.job.policy.cascade
    models = tuple(work.models(ref) for ref in decision.models)
    judge = decision.judge or policy.judge
    return Ladder(
        models,
        payload=work.payload, threshold=policy.threshold, value_usd=decision.request.willingness_to_pay,
        cost_usd={model.ref: _expected_cost(decision, model) for model in models},
        accuracy=accuracies(decision, models), signals=SIGNALS, samples=policy.samples,
        judge=None if judge is None or judge in decision.models else work.models(judge), runner=work.runner,
        weigh=work.weigh if decision.stops else None, stops=decision.stops,
    )  # fmt: skip


def accuracies(decision: RoutingDecision, models: tuple[ModelDefinition, ...]) -> dict[ModelRef, float]:
    """Return the chance of each model of being right: its quality on the task, else overall, else a guess."""
    task = decision.profile.task_type.value
    known = {model.ref: model.task_quality.get(task, model.quality) for model in models}
    return {ref: _UNKNOWN_ACCURACY if quality is None else quality for ref, quality in known.items()}


def _expected_cost(decision: RoutingDecision, model: ModelDefinition) -> float:
    if model.price is None:
        return 0.0
    profile = decision.profile
    return model.price.cost_usd(
        input_tokens=profile.input_tokens.value, output_tokens=profile.expected_output_tokens.value, when=decision.at
    )
