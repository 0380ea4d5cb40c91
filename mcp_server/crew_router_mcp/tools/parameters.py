"""The arguments that several tools take, and what they mean to the router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, WithJsonSchema

from crew_router.errors import InvalidRequestError, UnknownModelError
from crew_router.types import ModelRef, RoutingRequest
from crew_router_mcp.answers.decisions import Detail
from crew_router_mcp.routing_schema import routing_schema

if TYPE_CHECKING:
    from crew_router.router.router import Router

TASK_CHARS: Final = 1_000_000

Task = Annotated[str | None, Field(max_length=TASK_CHARS, description="The prompt, or what the model will be asked to do")]
Messages = Annotated[
    list[dict[str, object]] | None,
    Field(max_length=1000, description="A chat instead of task: objects with role (system, user, assistant, tool) and content"),
]
Routing = Annotated[dict[str, object] | None, WithJsonSchema(routing_schema())]
ShortRouting = Annotated[dict[str, object] | None, WithJsonSchema(routing_schema(described=False))]
Change = Annotated[
    dict[str, object] | None,
    WithJsonSchema(routing_schema(described=False, meaning="Keys of routing that would be different, such as cost_budget or strategy")),
]
HowMuch = Annotated[Detail, Field(description="short (the default) or full: everything that there is to say")]
Names = Annotated[list[str] | None, Field(max_length=100, description="Models as provider:model; a bare name where it is unique")]
DecisionId = Annotated[str, Field(max_length=200, description="The decision_id of suggest_model or ask")]
Token = Annotated[
    str | None, Field(max_length=200, description="The confirmation_token of a needs_approval answer, once the person has agreed")
]


def request_of(task: str | None, messages: Sequence[Mapping[str, object]] | None, routing: Mapping[str, object] | None) -> RoutingRequest:
    """Return what is asked as a request.

    Raises:
        InvalidRequestError: There is no task, or a message or a constraint means nothing.
    """
    request = RoutingRequest.from_mapping(routing or {})
    if task is not None and messages:
        raise InvalidRequestError("messages", len(messages), expected="task or messages, not both")
    if messages:
        return replace(request, messages=tuple(_message(index, message) for index, message in enumerate(messages)))
    if task is not None:
        return replace(request, task_description=task)
    if not (request.task_description or request.messages or request.task_type):
        raise InvalidRequestError("task", None, expected="the prompt as task, or a chat as messages")
    return request


def _message(index: int, message: Mapping[str, object]) -> Mapping[str, object]:
    if not isinstance(message.get("role"), str) or message.get("content") is None:
        expected = 'an object such as {"role": "user", "content": "Add 2 and 3."}'
        raise InvalidRequestError(f"messages.{index}", sorted(message), expected=expected)
    return message


def resolved(router: Router, name: str) -> ModelRef:
    """Return the model that a client means, of the configuration or found on this machine, with a reasoning effort where it names one.

    Raises:
        UnknownModelError: There is none, or several.
    """
    base, mark, effort = name.rpartition("#")
    if mark:
        return resolved(router, base).at_effort(effort)
    try:
        return router.config.registry.resolve(name).ref
    except UnknownModelError:
        found = [model.ref for model in router.models if name in (model.ref, model.ref.name)]
        if len(found) != 1:
            raise
        return found[0]


def resolved_all(router: Router, names: Sequence[str] | None) -> tuple[ModelRef, ...]:
    """Return the models that a client means, each once."""
    return tuple(dict.fromkeys(resolved(router, name) for name in names or ()))
