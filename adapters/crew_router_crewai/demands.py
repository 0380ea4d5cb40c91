"""What is demanded of one call: the agent's ``routing:`` block, the task's, and what holds around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crew_router_crewai.constraints import tightest
from crew_router_crewai.scope import Situation, now, routing_of

if TYPE_CHECKING:
    from crew_router_crewai.turn import Caller

Block = Mapping[str, Any]


def demanded(agent: Block, tasks: Mapping[str, Block], who: Caller, *, situation: Situation | None = None) -> tuple[dict[str, Any], bool]:
    """Return the keys of the request, and whether a task has a say in them.

    A task's keys win over the agent's. Restrictions of tasks around it, as those of a task in which a sub-crew runs, hold beside both.
    A call that belongs to no task (the crew's planner, memory between tasks) may carry the content of any, and keeps the
    restrictions of all.

    Args:
        agent: The block of the agent whose LLM is called.
        tasks: Blocks by the task's name, as far as the LLM was told of them.
        who: Whom CrewAI names.
        situation: What holds now, when it is known already.
    """
    holds = situation or now()
    own = _own(tasks, who, holds)
    around = list(holds.around(stranger=who.agent is None))
    if not own and (holds.lost or holds.task is None or not holds.task.known):
        around.extend(tasks.values())
    merged = {**agent, **own}
    return ({**merged, **tightest((merged, *around))} if any(around) else merged), bool(own)


def _own(tasks: Mapping[str, Block], who: Caller, holds: Situation) -> Block:
    own = holds.own()
    if own or who.task is None:
        return own
    block = tasks.get(who.task.name or "") or routing_of(who.task, getattr(who.agent, "crew", None))
    # Work that is delegated has a task of its own without a block; it is the task around it that speaks for it.
    return block or own


def piece_of_work(situation: Situation, who: Caller) -> tuple[str, str]:
    """Return what tells an agent's work on a task in this run from any other."""
    return (situation.run.id if situation.run is not None else "", str(getattr(who.task, "id", "")))


def identified(keys: Mapping[str, Any], situation: Situation, who: Caller) -> dict[str, Any]:
    """Add run, conversation, task, agent and step to the keys of a request; what the caller set himself stays.

    The conversation (``session_id``) is that of one agent with one task, because that is what a provider's prompt cache can hold.
    """
    run = situation.run
    task, agent = _task_name(situation, who), str(getattr(who.agent, "role", "") or "").strip()
    marks = {"crew": situation.crew.name if situation.crew is not None else "", "task": task, "agent": agent}
    if run is None and not any(marks.values()):
        return dict(keys)
    result = dict(keys)
    if run is not None:
        marks["step"] = str(next(run.counter))
        result.setdefault("run_id", run.id)
        result.setdefault("session_id", "/".join(filter(None, (run.id, task, agent))))
    named = {name: value for name, value in marks.items() if value}
    result["tags"] = [*(keys.get("tags") or ()), *(f"{name}:{value}" for name, value in named.items())]
    result["metadata"] = {**named, **(keys.get("metadata") or {})}
    return result


def _task_name(situation: Situation, who: Caller) -> str:
    scope = situation.task
    task = scope.task if scope is not None and scope.known else who.task
    return str(getattr(task, "name", "") or getattr(task, "id", "") or "")
