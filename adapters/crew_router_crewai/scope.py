"""On which run and task CrewAI is working, in every thread and coroutine that works for it.

CrewAI names no task on the forced last answer, the converter's call and all calls of memory, and asks the text guardrail, the
crew's planner and delegated work under other names. Its hooks tell when a run and a task begin; a context variable carries them
to every call that is made meanwhile, because CrewAI copies the context into each thread that it starts.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from crewai.context import get_current_task_id
from crewai.flow.flow_context import current_flow_id
from crewai.hooks.dispatch import InterceptionPoint, get_hooks, register

from crew_router_crewai.blocks import block_of, block_of_id, install
from crew_router_crewai.credit import credit, outcome_of

if TYPE_CHECKING:
    from crewai.task import Task

    from crew_router.router.router import Router
    from crew_router_crewai.llm import RouterLLM

Block = Mapping[str, Any]
LLM_TYPE: Final = "crew_router"


@dataclass(frozen=True, slots=True)
class RunScope:
    """One kickoff of a crew, a flow or an agent.

    Args:
        id: Its run id; sub-crews and flows within a run have the id of the outermost.
        owner: The crew's or flow's id, by which its end is known.
        name: What the crew calls itself.
        tasks: The ``routing:`` block of every task of the crew that has one, by the task's id.
        agents: The blocks of its agents.
        members: Ids of the crew's tasks.
        counter: Numbers the calls of the run.
        routers: Who served it; filled as calls are made.
    """

    id: str
    _: KW_ONLY
    owner: int
    name: str = ""
    tasks: Mapping[str, Block] = field(default_factory=dict[str, Block])
    agents: tuple[Block, ...] = ()
    members: frozenset[str] = frozenset()
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    routers: dict[int, Router] = field(default_factory=dict[int, "Router"], compare=False)

    def everything(self) -> tuple[Block, ...]:
        """Return the blocks of all tasks and agents, for a call that may carry the content of any."""
        pins = ("force_model", "fallbacks")  # a pin of an agent is about that agent's own calls
        agents = ({key: value for key, value in block.items() if key not in pins} for block in self.agents)
        return (*self.tasks.values(), *agents)


@dataclass(frozen=True, slots=True)
class TaskScope:
    """A task that is being worked on; ``routing`` is its block, ``agent`` the block of the agent that works on it.

    ``known`` is false for a task that CrewAI made for a crew as a whole, as its planner's.
    """

    id: str
    _: KW_ONLY
    task: Task
    routing: Block
    agent: Block
    known: bool

    @property
    def ended(self) -> bool:
        """Whether CrewAI has written down its end; a task that fails tells no hook."""
        start, end = self.task.start_time, self.task.end_time
        return start is not None and end is not None and end >= start


_scopes: ContextVar[tuple[RunScope | TaskScope, ...]] = ContextVar("crew_router_scopes", default=())


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds for a call that is made now.

    Args:
        run: The outermost run, if any.
        scopes: Runs and tasks around the call, the outermost first.
        lost: Id of the task that CrewAI is on, where no hook told of it; empty otherwise.
    """

    run: RunScope | None
    scopes: tuple[RunScope | TaskScope, ...]
    lost: str

    @property
    def task(self) -> TaskScope | None:
        """The innermost task."""
        return next((scope for scope in reversed(self.scopes) if isinstance(scope, TaskScope)), None)

    @property
    def crew(self) -> RunScope | None:
        """The innermost run."""
        return next((scope for scope in reversed(self.scopes) if isinstance(scope, RunScope)), None)

    def own(self) -> Block:
        """Return the block of the task that is worked on; its keys win over an agent's."""
        if self.lost:
            return block_of_id(self.lost)
        return self.task.routing if self.task is not None and self.task.known else {}

    def around(self, *, stranger: bool) -> tuple[Block, ...]:
        """Return the blocks whose restrictions hold beside the agent's and the task's own.

        Args:
            stranger: No agent makes the call in its own name, as for those of memory, so that the working agent's restrictions
                hold too.
        """
        found: list[Block] = []
        innermost = self.task
        for scope in self.scopes:
            if isinstance(scope, TaskScope) and scope.known:
                if scope is not innermost:
                    found.append(scope.routing)
                if scope is not innermost or stranger:
                    found.append(scope.agent)
        crew = self.crew
        inside = innermost is not None and innermost.known and self._after(innermost, crew)
        if crew is not None and not inside:  # between tasks: the planner, evaluators; they see the content of all tasks
            found.extend(crew.everything())
        return tuple(found)

    def _after(self, task: TaskScope, crew: RunScope | None) -> bool:
        return crew is None or self.scopes.index(task) > self.scopes.index(crew)


def now() -> Situation:
    """Return what holds at this moment, in this thread or coroutine."""
    task_id = get_current_task_id()
    scopes = _holding(_scopes.get(), task_id)
    run = next((scope for scope in scopes if isinstance(scope, RunScope)), None)
    known = task_id is None or any(isinstance(scope, TaskScope) and scope.id == task_id for scope in scopes)
    return Situation(run, scopes, lost="" if known or task_id is None else task_id)


def _holding(scopes: tuple[RunScope | TaskScope, ...], task_id: str | None) -> tuple[RunScope | TaskScope, ...]:
    """Leave out tasks that have ended without telling, as they do after an exception; CrewAI resets its own task id reliably."""
    if task_id is None:
        first = next((at for at, scope in enumerate(scopes) if isinstance(scope, TaskScope)), len(scopes))
        return scopes[:first]
    for at in range(len(scopes) - 1, -1, -1):
        if isinstance(scopes[at], TaskScope) and scopes[at].id == task_id:
            return scopes[: at + 1]
    return scopes


def routing_of(task: Any, crew: Any = None) -> Block:
    """Return the ``routing:`` block of a task: the one it was made with, else what its crew's models were told of it by name."""
    if own := block_of(task):
        return own
    name = getattr(task, "name", None)
    for llm in models_of(crew):
        named = llm.task_routing.get(name or "")
        if named:
            return named
    return {}


def models_of(crew: Any) -> Sequence[RouterLLM]:
    """Return the routed models of a crew: its agents', its manager's, its planner's."""
    agents = [*(getattr(crew, "agents", None) or ()), getattr(crew, "manager_agent", None)]
    found = [getattr(agent, "llm", None) for agent in agents]
    found += [getattr(crew, name, None) for name in ("manager_llm", "planning_llm", "chat_llm")]
    return [llm for llm in found if is_routed(llm)]


def is_routed(llm: object) -> TypeGuard[RouterLLM]:
    """Tell whether an LLM is one of ours."""
    return getattr(llm, "llm_type", None) == LLM_TYPE


def _run_begins(context: Any) -> None:
    crew, flow = context.crew, context.flow
    outer = now().scopes if get_current_task_id() is not None or _within_flow(flow) else ()
    outermost = next((scope for scope in outer if isinstance(scope, RunScope)), None)
    run_id = uuid.uuid4().hex if outermost is None else outermost.id
    counter = itertools.count(1) if outermost is None else outermost.counter
    tasks = {str(task.id): routing_of(task, crew) for task in getattr(crew, "tasks", None) or ()}
    scope = RunScope(
        run_id,
        owner=id(crew if crew is not None else flow),
        name=str(getattr(crew, "name", None) or getattr(flow, "name", None) or ""),
        tasks={key: block for key, block in tasks.items() if block},
        agents=tuple(llm.routing for llm in models_of(crew)),
        members=frozenset(tasks),
        counter=counter,
    )
    _scopes.set((*outer, scope))


def _within_flow(flow: object) -> bool:
    """Tell whether a run that begins lies within a flow; a flow has made its own id the current one when it begins."""
    current = current_flow_id.get()
    return current is not None and current != getattr(flow, "flow_id", None)


def _run_ends(context: Any) -> None:
    owner = id(context.crew if context.crew is not None else context.flow)
    scopes = _scopes.get()
    for at in range(len(scopes) - 1, -1, -1):
        scope = scopes[at]
        if isinstance(scope, RunScope) and scope.owner == owner:
            _scopes.set(scopes[:at])
            if not any(isinstance(outer, RunScope) for outer in scopes[:at]):
                _credit(scope, context)
            return


def _credit(run: RunScope, context: Any) -> None:
    outcome = outcome_of(getattr(context, "status", "completed"), getattr(context, "error", None))
    if outcome is not None:
        credit(run.id, outcome, run.routers.values())


def _task_begins(context: Any) -> None:
    if context.kind != "task":
        return
    task, scopes = context.task, tuple(scope for scope in _scopes.get() if isinstance(scope, RunScope) or not scope.ended)
    crew = next((scope for scope in reversed(scopes) if isinstance(scope, RunScope)), None)
    within = any(isinstance(scope, TaskScope) and scope.known for scope in scopes[scopes.index(crew) :]) if crew is not None else True
    known = within or crew is None or not crew.members or str(task.id) in crew.members
    llm = getattr(context.agent, "llm", None)
    scope = TaskScope(
        str(task.id),
        task=task,
        routing=routing_of(task, getattr(context.agent, "crew", None)),
        agent=llm.routing if is_routed(llm) else {},
        known=known,
    )
    _scopes.set((*scopes, scope))


def _task_ends(context: Any) -> None:
    if context.kind != "task":
        return
    task_id, scopes = str(context.task.id), _scopes.get()
    for at in range(len(scopes) - 1, -1, -1):
        if isinstance(scopes[at], TaskScope) and scopes[at].id == task_id:
            _scopes.set(scopes[:at])
            return


_HOOKS: Final = (
    (InterceptionPoint.EXECUTION_START, _run_begins),
    (InterceptionPoint.EXECUTION_END, _run_ends),
    (InterceptionPoint.PRE_STEP, _task_begins),
    (InterceptionPoint.POST_STEP, _task_ends),
)


def listen() -> None:
    """Have CrewAI tell when runs and tasks begin and end; does nothing when it already does. Somebody may have cleared all hooks."""
    install()
    for point, hook in _HOOKS:
        if hook not in get_hooks(point):
            register(point, hook)


listen()
