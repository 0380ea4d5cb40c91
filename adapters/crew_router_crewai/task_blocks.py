"""Keeps the ``routing:`` block of a task, which CrewAI would throw away.

``Task`` ignores keys that it does not know, and forgets the configuration that it was made from. So its constructor and ``copy``
are wrapped; both do what they did, and a block that was given is remembered by the task's id for as long as the task lives.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from typing import Any, Final

from crewai.task import Task

_MARK: Final = "_crew_router_keeps_routing"
_blocks: dict[str, Mapping[str, Any]] = {}


def block_of(task: object) -> Mapping[str, Any]:
    """Return the block that a task was made with; nothing for one without."""
    return _blocks.get(str(getattr(task, "id", "")), {})


def keep(task: Task, block: Mapping[str, Any] | None) -> None:
    """Remember the block of a task."""
    if not block:
        return
    key = str(task.id)
    _blocks[key] = dict(block)
    weakref.finalize(task, _blocks.pop, key, None)


def install() -> None:
    """Wrap CrewAI's ``Task``; does nothing the second time."""
    if hasattr(Task, _MARK):
        return
    construct, copy = Task.__init__, Task.copy

    @functools.wraps(construct)
    def constructed(self: Task, /, **data: Any) -> None:
        construct(self, **data)
        config = data.get("config")
        keep(self, data.get("routing") or (config.get("routing") if isinstance(config, Mapping) else None))

    @functools.wraps(copy)
    def copied(self: Task, *args: Any, **fields: Any) -> Task:
        made: Task = copy(self, *args, **fields)
        keep(made, block_of(self))
        return made

    for name, wrapped in (("__init__", constructed), ("copy", copied), (_MARK, True)):
        setattr(Task, name, wrapped)
