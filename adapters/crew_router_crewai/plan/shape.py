"""The shape of a crew as far as its price depends on it: who is asked what, with which tools, after whom, how often at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Literal

Guardrail = Literal["none", "function", "text"]


@dataclass(frozen=True, slots=True)
class TaskShape:
    """One task.

    Args:
        name: Its key in YAML, or its place.
        agent: The agent's key or role.
        messages: The prompt of its first call as CrewAI renders it, without the outputs of earlier tasks.
        context: Names of the tasks whose outputs are added to the prompt.
        tools: How many tools the agent has for it.
        tool_chars: Characters of their schemas.
        schema: Whether an answer is read as a model.
        guardrail: What checks the answer; a text costs a call.
        guardrail_retries: How often it may refuse.
        max_iter: Most steps of the agent.
        retry_limit: How often CrewAI begins the task again after an error.
        delegates: Whether the agent may pass work on.
        plans: Calls for planning and reasoning, expected and at most; ``None`` at most where nothing bounds them.
        waits_for: Names of the tasks that must have ended before it begins.
        routing: The ``routing:`` block of the task over that of its agent.
    """

    name: str
    agent: str
    _: KW_ONLY
    messages: tuple[Mapping[str, str], ...]
    context: tuple[str, ...] = ()
    tools: int = 0
    tool_chars: int = 0
    schema: bool = False
    guardrail: Guardrail = "none"
    guardrail_retries: int = 3
    max_iter: int = 25
    retry_limit: int = 2
    delegates: bool = False
    plans: tuple[int, int | None] = (0, 0)
    waits_for: tuple[str, ...] = ()
    routing: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def most_calls(self) -> int | None:
        """An upper bound of calls that needs no learning; ``None`` where CrewAI sets none."""
        if self.plans[1] is None or self.delegates:
            return None
        once = (self.max_iter + 1 if self.tools else 1) + (3 if self.schema and self.tools else 0) + self.plans[1]
        checks = 1 if self.guardrail == "text" else 0
        rounds = 1 + (self.guardrail_retries if self.guardrail != "none" else 0)
        return rounds * (once + checks) * (1 + self.retry_limit)


@dataclass(frozen=True, slots=True)
class CrewShape:
    """A crew: its tasks in order, and what it does beside them.

    ``tasks_file`` is where ``routing:`` blocks can be written, ``placeholders`` are inputs that nobody gave.
    """

    name: str
    tasks: tuple[TaskShape, ...]
    _: KW_ONLY
    planner: bool = False
    memory: bool = False
    hierarchical: bool = False
    tasks_file: Path | None = None
    placeholders: tuple[str, ...] = ()


def waits(names: tuple[str, ...], asynchronous: tuple[bool, ...]) -> tuple[tuple[str, ...], ...]:
    """Return for each task which tasks have ended when CrewAI begins it.

    Tasks run one after another; those marked ``async_execution`` run beside each other until the next that is not.

    Example:
        >>> waits(("a", "b", "c", "d"), (False, True, True, False))
        ((), ('a',), ('a',), ('a', 'b', 'c'))
    """
    result: list[tuple[str, ...]] = []
    last: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    for name, is_async in zip(names, asynchronous, strict=True):
        result.append(last if is_async else last + running)
        if is_async:
            running += (name,)
        else:
            last, running = (name,), ()
    return tuple(result)
