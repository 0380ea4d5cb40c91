"""Keeps the ``routing:`` block of a task or an agent, which CrewAI would throw away.

``Task`` and ``Agent`` ignore keys that they do not know, and forget the configuration that they were made from. So their constructors
and ``copy`` are wrapped; both do what they did, and what was given is remembered by the object's id for as long as it lives.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from crewai import Agent
from crewai.task import Task

_MARK: Final = "_crew_router_keeps_routing"


@dataclass(frozen=True, slots=True)
class Given:
    """What an object was made with: its block, and whether it names an LLM of its own."""

    routing: Mapping[str, Any]
    names_llm: bool = False


_NOTHING: Final = Given({})
_given: dict[str, Given] = {}


def given_to(made: object) -> Given:
    """Return what a task or an agent was made with."""
    return _given.get(str(getattr(made, "id", "")), _NOTHING)


def block_of_id(made_id: str) -> Mapping[str, Any]:
    """Return the block of the task or agent with this id."""
    return _given.get(made_id, _NOTHING).routing


def block_of(made: object) -> Mapping[str, Any]:
    """Return the block that a task or an agent was made with; nothing for one without."""
    return given_to(made).routing


def keep(made: Task | Agent, given: Given) -> None:
    """Remember what a task or an agent was given."""
    if not given.routing and not given.names_llm:
        return
    key = str(made.id)
    _given[key] = given
    weakref.finalize(made, _given.pop, key, None)


def install() -> None:
    """Wrap CrewAI's ``Task`` and ``Agent``; does nothing the second time."""
    for kind in (Task, Agent):
        if _MARK not in vars(kind):
            _wrap(kind)


def _wrap(kind: Any) -> None:
    construct, copy = kind.__init__, kind.copy

    @functools.wraps(construct)
    def constructed(self: Any, /, *args: Any, **data: Any) -> None:
        construct(self, *args, **data)
        keep(self, _read(data))

    @functools.wraps(copy)
    def copied(self: Any, *args: Any, **fields: Any) -> Any:
        made = copy(self, *args, **fields)
        keep(made, given_to(self))
        return made

    for name, wrapped in (("__init__", constructed), ("copy", copied), (_MARK, True)):
        setattr(kind, name, wrapped)


def _read(data: Mapping[str, Any]) -> Given:
    config = data.get("config")
    config = config if isinstance(config, Mapping) else {}
    routing = data.get("routing") or config.get("routing") or {}
    return Given(dict(routing) if isinstance(routing, Mapping) else {"routing": routing}, bool(data.get("llm") or config.get("llm")))
