"""Makes a plan for a crew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from crewai import Crew

from crew_router.errors import InvalidRequestError, NoCandidateError
from crew_router.router.router import Router
from crew_router.types import ModelDefinition, RoutingDecision, RoutingRequest
from crew_router_crewai.plan.choose import Chosen, Option, choose, finish, run_success
from crew_router_crewai.plan.from_crew import read_crew
from crew_router_crewai.plan.history import past_runs
from crew_router_crewai.plan.predict import Draws, Use, uses
from crew_router_crewai.plan.project import read_project
from crew_router_crewai.plan.shape import CrewShape, TaskShape
from crew_router_crewai.plan.value import FrontierPoint, Plan, PlannedTask, Spread
from crew_router_crewai.shared import shared_router

PLANNER: Final = "(planner)"
MEMORY: Final = "(memory)"
_PLAN_TOKENS: Final = 160  # of a planner's answer for each task; measured: 320 for two
_MEMORY_CALLS: Final = 3  # for each task: one extraction, about two analyses
_FRONTIER_POINTS: Final = 8
_CENT: Final = 0.01
_WINDOW: Final = 32_768  # guess, for a model that states none


@dataclass(frozen=True, slots=True)
class Priced:
    """A task with its candidates: what each would do for it, and draws of what it would cost."""

    task: TaskShape
    use: Use
    decision: RoutingDecision
    options: tuple[Option, ...]
    costs: tuple[Draws, ...]


def plan_crew(
    crew: Crew | CrewShape | str | Path,
    *,
    budget_usd: float | None = None,
    deadline_s: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
    router: Router | None = None,
) -> Plan:
    """Plan a run of a crew: who does which task, and what it will take. No model is called.

    Without a budget and a deadline the plan holds what the router would choose anyway.

    Args:
        crew: A crew, or the path of a project.
        budget_usd: Most USD that the run may be expected to cost.
        deadline_s: Most seconds that it may be expected to take.
        inputs: What the placeholders of the prompts are filled with.
        weights: What each task's success is worth, by name; without them all tasks must succeed.
        router: Whose models, prices and history count; the default configuration when not given.

    Raises:
        ConfigurationError: The project cannot be read.
        InvalidRequestError: No choice fits; the message says from which budget or deadline on one does.
        NoCandidateError: No model satisfies the ``routing:`` block of a task.
        MissingDependencyError: scipy is not installed.
    """
    shape = crew if isinstance(crew, CrewShape) else read_crew(crew, inputs) if isinstance(crew, Crew) else read_project(crew, inputs)
    who = router or shared_router()
    for name, value in (("budget_usd", budget_usd), ("deadline_s", deadline_s)):
        if value is not None and not (isinstance(value, (int, float)) and 0 < value < float("inf")):
            raise InvalidRequestError(name, value, expected="a positive number")
    priced = price(shape, who, must_know_price=budget_usd is not None)
    wanted = None if weights is None else [float(weights.get(each.task.name, 1.0)) for each in priced]
    return planned(shape, priced, budget_usd=budget_usd, deadline_s=deadline_s, weights=wanted, models=who.models)


def price(shape: CrewShape, router: Router, *, must_know_price: bool) -> tuple[Priced, ...]:
    """Return the tasks of a crew, and what it does beside them, with what every candidate would cost."""
    beside = _beside(shape)
    first = (PLANNER,) if shape.planner else ()  # the planner has ended before any task begins
    tasks = (*beside, *(replace(task, waits_for=task.waits_for or first) for task in shape.tasks))
    decisions = {task.name: _decided(task, router) for task in tasks}
    prompts = {name: decision.profile.input_tokens.value for name, decision in decisions.items()}
    answers = {name: decision.profile.expected_output_tokens.value for name, decision in decisions.items()}
    if shape.planner:
        answers[PLANNER] = _PLAN_TOKENS * len(shape.tasks)
    found = uses(tasks, prompts=prompts, answers=answers, past=past_runs(router), memory=shape.memory)
    models: dict[str, ModelDefinition] = {model.ref: model for model in router.models}
    return tuple(_priced(task, found[task.name], decisions[task.name], models, must_know_price=must_know_price) for task in tasks)


def _beside(shape: CrewShape) -> tuple[TaskShape, ...]:
    """Return what a crew does beside its tasks, as tasks of its own."""
    texts = tuple(message for task in shape.tasks for message in task.messages[1:])
    found: list[TaskShape] = []
    if shape.planner:
        found.append(TaskShape(PLANNER, PLANNER, messages=texts, schema=True))
    if shape.memory:
        steps = _MEMORY_CALLS * len(shape.tasks) - 1
        found.append(TaskShape(MEMORY, MEMORY, messages=texts, schema=True, plans=(steps, None)))
    return tuple(found)


def _decided(task: TaskShape, router: Router) -> RoutingDecision:
    keys = {key: value for key, value in task.routing.items() if key not in {"cost_budget", "messages"}}
    request = RoutingRequest.from_mapping({**keys, "messages": task.messages, "requires_json": task.schema})
    if task.tools:
        try:
            return router.select_model(replace(request, requires_tools=True), record=False)
        except NoCandidateError:
            pass  # tools are then described in the text
    return router.select_model(request, record=False)


def _priced(
    task: TaskShape, use: Use, decision: RoutingDecision, models: Mapping[str, ModelDefinition], *, must_know_price: bool
) -> Priced:
    options: list[Option] = []
    costs: list[Draws] = []
    base = max(decision.profile.expected_output_tokens.value, 1)
    inputs = decision.profile.input_tokens.value
    for row in decision.table.candidates():
        model = models.get(row.model) or models.get(str(row.model).rpartition("#")[0])
        if row.rejections or model is None or (model.price is None and must_know_price):
            continue
        if task.routing.get("force_model") is not None and row.model != decision.selected_model:
            continue
        rates = (0.0, 0.0) if model.price is None else (_rate(model, input_tokens=1), _rate(model, output_tokens=1))
        # The router's own price of one call tells how much more than usual the candidate writes.
        written = 1.0
        if rates[1] > 0 and row.cost_usd is not None:
            written = min(max((row.cost_usd - inputs * rates[0]) / (base * rates[1]), 0.05), 50.0)
        drawn = use.input_tokens * rates[0] + use.output_tokens * written * rates[1]
        costs.append(drawn)
        latency = (row.latency_s or 0.0) * float(use.calls.mean())
        options.append(Option(str(row.model), float(drawn.mean()), latency, 1.0 if task.name == MEMORY else row.p_success or 0.0))
    if not options:
        raise InvalidRequestError("budget_usd", task.name, expected="a model with a known price for this task; none is")
    return Priced(task, use, decision, tuple(options), tuple(costs))


def _rate(model: ModelDefinition, *, input_tokens: float = 0, output_tokens: float = 0) -> float:
    return 0.0 if model.price is None else model.price.cost_usd(input_tokens=input_tokens, output_tokens=output_tokens)


def planned(
    shape: CrewShape,
    priced: Sequence[Priced],
    *,
    budget_usd: float | None,
    deadline_s: float | None,
    weights: Sequence[float] | None,
    models: Sequence[ModelDefinition],
) -> Plan:
    """Choose, and write down what the choice comes to."""
    places = {each.task.name: at for at, each in enumerate(priced)}
    waits = [[places[name] for name in each.task.waits_for] for each in priced]
    options = [each.options for each in priced]

    def best(budget: float | None) -> Chosen:
        return choose(options, waits_for=waits, budget_usd=budget, deadline_s=deadline_s, weights=weights)

    if budget_usd is None and deadline_s is None:
        at, gap = tuple(_usual(each) for each in priced), 0.0
    else:
        found = best(budget_usd)
        at, gap = found.at, found.gap
    chosen = [each.options[place] for each, place in zip(priced, at, strict=True)]
    total = np.sum([each.costs[place] for each, place in zip(priced, at, strict=True)], axis=0)
    latency, path = finish(waits, [each.latency_s for each in chosen])
    tasks = tuple(_task(each, place, models) for each, place in zip(priced, at, strict=True))
    bounds = [each.most_usd for each in tasks]
    success_now = run_success([each.success for each in chosen], weights)
    return Plan(
        shape.name, tasks,
        budget_usd=budget_usd, deadline_s=deadline_s, cost_usd=_spread(total),
        most_usd=None if any(bound is None for bound in bounds) else sum(bound or 0.0 for bound in bounds),
        latency_s=latency, success=success_now, gap=gap,
        critical_path=tuple(priced[task].task.name for task in path),
        frontier=_frontier(options, best), one_more_cent=_more(best, budget_usd, success_now),
        advice=_advice(shape, priced),
    )  # fmt: skip


def _usual(priced: Priced) -> int:
    chosen = str(priced.decision.selected_model)
    return next((at for at, option in enumerate(priced.options) if option.candidate == chosen), 0)


def _task(priced: Priced, at: int, models: Sequence[ModelDefinition]) -> PlannedTask:
    task, use, option = priced.task, priced.use, priced.options[at]
    return PlannedTask(
        task.name, task.agent, option.candidate,
        calls=_spread(use.calls), input_tokens=_spread(use.input_tokens), output_tokens=_spread(use.output_tokens),
        cost_usd=_spread(priced.costs[at]), latency_s=option.latency_s, success=option.success,
        most_calls=task.most_calls, most_usd=_bound(task, option.candidate, models), source=use.source,
    )  # fmt: skip


def _bound(task: TaskShape, candidate: str, models: Sequence[ModelDefinition]) -> float | None:
    """Return what the task costs at most: every call with a full context and the longest answer."""
    model = next((each for each in models if candidate in {each.ref, f"{each.ref}#{candidate.rpartition('#')[2]}"}), None)
    if model is None or model.price is None or task.most_calls is None:
        return None
    window = model.context_window or _WINDOW
    answer = min(model.max_output_tokens or window, window)
    return task.most_calls * _rate(model, input_tokens=window, output_tokens=answer)


def _spread(draws: Draws) -> Spread:
    low, high = np.quantile(draws, (0.05, 0.95))
    return Spread(float(low), float(draws.mean()), float(high))


def _frontier(options: Sequence[Sequence[Option]], best: Any) -> tuple[FrontierPoint, ...]:
    """Return what growing budgets buy, from the least that does to the most that is of use."""
    least = sum(min(each.cost_usd for each in some) for some in options)
    most = best(None)
    if most.cost_usd <= least * (1 + 1e-9):
        return (FrontierPoint(most.cost_usd, most.success),)
    points: list[FrontierPoint] = []
    start = max(least, most.cost_usd * 1e-4)
    for budget in np.geomspace(start, most.cost_usd, _FRONTIER_POINTS):
        try:
            found = best(float(budget))
        except InvalidRequestError:  # the deadline rules the cheapest out
            continue
        if not points or found.success > points[-1].success:
            points.append(FrontierPoint(float(budget), found.success))
    return tuple(points)


def _more(best: Any, budget_usd: float | None, success: float) -> float:
    return 0.0 if budget_usd is None else max(float(best(budget_usd + _CENT).success) - success, 0.0)


def _advice(shape: CrewShape, priced: Sequence[Priced]) -> tuple[str, ...]:
    """Say what would narrow the interval or lower the bound."""
    said: list[str] = []
    for each in priced:
        task = each.task
        if task.name in {PLANNER, MEMORY}:
            continue
        if task.plans[1] is None:
            said.append(f"{task.name}: reasoning has no bound; set max_reasoning_attempts of {task.agent}")
        if task.tools and task.max_iter >= 25:  # noqa: PLR2004 - CrewAI's default
            said.append(f"{task.name}: up to {task.max_iter} steps; a lower max_iter of {task.agent} lowers the bound")
        if task.delegates:
            said.append(f"{task.name}: delegation makes 1 to 12 calls; allow_delegation: false makes it certain")
        if task.schema and not task.tools:
            said.append(f"{task.name}: choose a model whose provider enforces the schema, or answers are refused and paid again")
        if each.use.source == "rules":
            said.append(f"{task.name}: no earlier run; the first one narrows its interval most")
    if shape.memory:
        said.append("memory: its calls grow with what is stored (4 to 21 in the same crew of two tasks)")
    if shape.placeholders:
        said.append(f"inputs: {', '.join(shape.placeholders)} are not given, so the prompts are not whole")
    return tuple(said)
