"""Crews whose every agent is routed: from definitions, from a finished crew, or from a project's class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

from crewai import Crew
from crewai.project import annotations as crew_annotations

from crew_router.errors import ConfigurationError
from crew_router.router.router import Router
from crew_router_crewai.definitions import Definitions, read_definitions
from crew_router_crewai.existing import ExistingLLM
from crew_router_crewai.factory import AgentFactory
from crew_router_crewai.routed import Blocks, route
from crew_router_crewai.shared import shared_router

Project = TypeVar("Project", bound=type)
_ANNOTATIONS = crew_annotations.__file__
Source = Definitions | str | Path


@overload
def routed_crew(
    target: Crew, *, router: Router | None = None, agents: Source | None = None, tasks: Source | None = None, existing_llm: str = ...
) -> Crew: ...
@overload
def routed_crew(target: Project, *, router: Router | None = None, existing_llm: str = ...) -> Project: ...
@overload
def routed_crew(target: Router, *, agents: Source, tasks: Source, **fields: Any) -> Crew: ...
@overload
def routed_crew(target: None = None, *, router: Router | None = None, existing_llm: str = ...) -> Callable[[Project], Project]: ...
def routed_crew(
    target: Any = None,
    *,
    router: Router | None = None,
    agents: Source | None = None,
    tasks: Source | None = None,
    existing_llm: str = ExistingLLM.BASELINE,
    **fields: Any,
) -> Any:
    """Route every agent, manager, planner, function-calling and memory LLM of a crew.

    As ``@routed_crew`` on a ``@CrewBase`` class it is the one line that an existing project changes; on a finished crew it changes and
    returns it; with a router and definitions it makes the crew.

    Args:
        target: A project's class, a crew, or a router for a crew made from definitions; nothing for a decorator with arguments.
        router: Decides and calls; one with the default configuration is shared when not given. It is not closed here.
        agents: Definitions by name, or the path of an ``agents.yaml``, with their ``routing:`` blocks.
        tasks: The same for tasks; a block of a task wins over an agent's.
        existing_llm: How an LLM counts that an agent names itself: ``baseline`` (routed, savings count against it), ``first`` (tried
            first), ``pin`` (only it) or ``ignore``.
        fields: More fields of CrewAI's ``Crew``, where it is made from definitions.

    Raises:
        ConfigurationError: Definitions cannot be read, or name what is not there.
        NoCandidateError: No model satisfies the ``routing`` block of an agent that is made from a definition.

    Example:
        >>> from crewai import Agent, Crew, Task
        >>> from crew_router_crewai import RouterLLM
        >>> from crew_router.testing import ScriptedModel
        >>> router = Router(models={"lab:a": ScriptedModel("Paris")}, ledger_url="sqlite://")
        >>> guide = Agent(role="Guide", goal="answer", backstory="-", llm=RouterLLM(router))
        >>> task = Task(description="Name a city.", expected_output="a city", agent=guide)
        >>> routed_crew(Crew(agents=[guide], tasks=[task]), router=router).kickoff().raw
        'Paris'
    """
    existing = ExistingLLM.read(existing_llm)
    if isinstance(target, Router):
        return AgentFactory(target, agents=agents, tasks=tasks).crew(**fields)
    if fields:
        raise TypeError(f"routed_crew() got an unexpected keyword argument {next(iter(fields))!r}")
    if isinstance(target, Crew):
        return route(target, router or shared_router(), agents=read_definitions(agents), tasks=read_definitions(tasks), existing=existing)
    decorate = functools.partial(_routed_project, router=router, existing=existing)
    if target is None:
        return decorate
    if not inspect.isclass(target):
        raise ConfigurationError(
            "routed_crew",
            "",
            f"{type(target).__name__} is no crew",
            cure="give a @CrewBase class, a Crew, or a Router with agents and tasks",
        )
    return decorate(target)


def _routed_project(project: Project, *, router: Router | None, existing: ExistingLLM) -> Project:
    """Wrap the methods of a project's class that make its crews."""
    members = [item for base in reversed(project.__mro__) for item in vars(base).items()]
    methods = {name: method for name, method in members if _makes_a_crew(method)}
    if not methods:
        raise ConfigurationError(project.__name__, "", "no method is marked @crew", cure="put @routed_crew on the @CrewBase class")
    for name, method in methods.items():
        setattr(project, name, _routed_method(method, router=router, existing=existing))
    return project


def _makes_a_crew(member: object) -> bool:
    """Tell whether CrewAI's ``@crew`` made a method; it leaves no mark but its own function underneath."""
    while inspect.isfunction(member):
        if member.__code__.co_filename == _ANNOTATIONS and member.__code__.co_qualname.startswith("crew."):
            return True
        member = getattr(member, "__wrapped__", None)
    return False


def _routed_method(method: Callable[..., Crew], *, router: Router | None, existing: ExistingLLM) -> Callable[..., Crew]:
    @functools.wraps(method)
    def routed(self: Any, *args: Any, **kwargs: Any) -> Crew:
        crew = method(self, *args, **kwargs)
        agents, tasks = _configured(self, "agents_config"), _configured(self, "tasks_config")
        return route(crew, router or shared_router(), agents=agents, tasks=tasks, existing=existing)

    return routed


def _configured(project: object, name: str) -> Blocks:
    """Return what CrewAI read from a project's YAML file."""
    found = getattr(project, name, None)
    return {key: value for key, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}
