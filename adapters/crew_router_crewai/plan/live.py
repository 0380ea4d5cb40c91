"""Runs a crew against its plan: each task by the candidate that was planned for it, what is left planned again after each task."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crew_router.errors import ConfigurationError, InvalidRequestError
from crew_router.types import Attempt
from crew_router_crewai.blocks import Given, block_of, keep
from crew_router_crewai.existing import ExistingLLM
from crew_router_crewai.plan.build import plan_crew
from crew_router_crewai.plan.from_crew import read_crew
from crew_router_crewai.plan.shape import CrewShape
from crew_router_crewai.plan.value import Plan
from crew_router_crewai.routed import route

if TYPE_CHECKING:
    from crewai import Crew

    from crew_router.router.router import Router

_TAG: Final = "task:"
_NOWHERE: Final = "there is no @CrewBase class in src/*/crew.py"


@dataclass(slots=True)
class Done:
    """What a task took."""

    task: str
    _: KW_ONLY
    who: str = ""
    cost_usd: float = 0.0
    calls: int = 0


@dataclass(slots=True)
class Run:
    """A run against its plan, as it goes on; ``left_usd`` is what is left of its budget."""

    plan: Plan
    crew: Crew
    done: list[Done] = field(default_factory=list[Done])
    output: Any = None

    @property
    def cost_usd(self) -> float:
        """What the tasks that ended have cost."""
        return sum(each.cost_usd for each in self.done)

    @property
    def left_usd(self) -> float | None:
        """What is left of the budget."""
        return None if self.plan.budget_usd is None else self.plan.budget_usd - self.cost_usd


def run_crew(
    crew: Crew,
    router: Router,
    *,
    budget_usd: float | None = None,
    deadline_s: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    shown: Callable[[Run], None] | None = None,
) -> Run:
    """Plan a crew, route it by the plan, and run it.

    Args:
        crew: The crew; it is routed.
        router: Whose models serve it. Limits of its configuration hold beside the budget.
        budget_usd: What the run may be expected to cost; after each task what is left is planned again.
        deadline_s: What it may be expected to take.
        inputs: What the placeholders are filled with.
        shown: Called after each task.

    Raises:
        InvalidRequestError: No choice fits the limits.
        CrewRouterError: The run failed, as ``kickoff`` raises it.
    """
    route(crew, router, agents={}, tasks={}, existing=ExistingLLM.BASELINE)
    shape = read_crew(crew, inputs)
    for at, task in enumerate(crew.tasks):
        task.name = shape.tasks[at].name
    run = Run(plan_crew(shape, budget_usd=budget_usd, deadline_s=deadline_s, router=router), crew)
    own = {str(task.id): dict(block_of(task)) for task in crew.tasks}
    _assign(run, own, shape)
    before = {each for each, _ in _decisions(router)}
    for task in crew.tasks:
        task.callback = _after(task.callback, lambda: _ended(run, router, own, shape, before=before, shown=shown))
    run.output = crew.kickoff(inputs=dict(inputs) if inputs else None)
    return run


def _after(callback: Any, then: Callable[[], None]) -> Callable[[Any], Any]:
    def called(output: Any) -> Any:
        result = callback(output) if callback is not None else None
        then()
        return result

    return called


def _ended(
    run: Run, router: Router, own: Mapping[str, dict[str, Any]], shape: CrewShape, *, before: set[str], shown: Callable[[Run], None] | None
) -> None:
    """Take the end of a task: what it took, and the plan for what is left."""
    run.done = _taken(router, before, [task.name for task in shape.tasks])
    left = [task for task in shape.tasks if task.name not in {each.task for each in run.done}]
    if left and run.left_usd is not None:
        names = {task.name for task in left}
        rest = replace(shape, tasks=tuple(replace(task, waits_for=tuple(set(task.waits_for) & names)) for task in left), planner=False)
        try:
            again = plan_crew(rest, budget_usd=max(run.left_usd, 1e-9), router=router)
        except InvalidRequestError:
            again = plan_crew(rest, router=router)  # nothing fits any more; the budget of the router's configuration decides what runs
        _assign(replace(run, plan=again), own, rest)
    if shown is not None:
        shown(run)


def _assign(run: Run, own: Mapping[str, dict[str, Any]], shape: CrewShape) -> None:
    """Have each task of a shape begin with its candidate; a pin of its own stays."""
    names = {task.name for task in shape.tasks}
    for task in run.crew.tasks:
        block = own[str(task.id)]
        if task.name in names and "force_model" not in block:
            keep(task, Given({**block, "force_model": run.plan.candidate(str(task.name))}))


def _taken(router: Router, before: set[str], names: list[str]) -> list[Done]:
    """Return what the tasks of this run took so far, read from the ledger."""
    found: dict[str, Done] = {}
    for decision_id, tags in _decisions(router):
        task = next((tag.removeprefix(_TAG) for tag in tags if tag.startswith(_TAG)), None)
        if decision_id in before or task not in names:
            continue
        attempts: tuple[Attempt, ...] = router.attempts(decision_id)
        each = found.setdefault(task, Done(task))
        each.calls += 1
        each.cost_usd += sum(attempt.cost_usd or 0.0 for attempt in attempts)
        each.who = next((str(attempt.model) for attempt in reversed(attempts) if attempt.ok), each.who)
    return [found[name] for name in names if name in found]


def _decisions(router: Router) -> Iterator[tuple[str, frozenset[str]]]:
    return ((decision.id, decision.request.tags) for decision, _ in router.history.logged(since=0))


def load_crew(path: str | Path) -> tuple[Crew, dict[str, Any]]:
    """Import a project and return its crew with the inputs that its files give. This runs the project's code, as ``crewai run`` does.

    Raises:
        ConfigurationError: There is no crew.
    """
    root = Path(path).resolve()
    if (root / "crew.jsonc").is_file() or (root / "crew.json").is_file():
        from crewai.project import load_crew as load_json

        made: Any = load_json(root / ("crew.jsonc" if (root / "crew.jsonc").is_file() else "crew.json"))
        crew, given = made
        return crew, dict(given or {})
    found = sorted(root.glob("src/*/crew.py")) or sorted(root.glob("crew.py"))
    if not found:
        raise ConfigurationError(str(root), "", _NOWHERE, cure="give the folder of a project that `crewai create crew` made")
    module_file = found[0]
    top = root / "src" if module_file.parent.parent.name == "src" else root
    name = f"{module_file.parent.name}.crew" if top != root else "crew"
    with _importable(top):
        module = importlib.import_module(name)
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if getattr(kind, "is_crew_class", False) and kind.__module__.endswith(name):
            project: Any = kind()
            return project.crew(), {}
    raise ConfigurationError(str(module_file), "", _NOWHERE, cure="mark the class with @CrewBase")


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
