"""One call of an agent, from what is sent to how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

from crew_router.errors import CrewRouterError
from crew_router.execute.executor import Options
from crew_router.types import RoutedResponse, RoutingRequest
from crew_router.types.transport import Payload
from crew_router_crewai.conversation import response_format
from crew_router_crewai.progress import Progress
from crew_router_crewai.refusals import STOP, STRICT

if TYPE_CHECKING:
    from crewai.agents.agent_builder.base_agent import BaseAgent
    from crewai.task import Task
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a call is made; nothing when a program calls the LLM itself."""

    task: Task | None = None
    agent: BaseAgent | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What is sent, under which constraints, and for whom.

    Args:
        payload: What is sent.
        requests: Constraints, tried in order while no model satisfies one.
        options: What CrewAI can carry.
        who: On whose behalf.
        said: The messages as CrewAI formats them.
        functions: Tools that the call itself must run.
        response_model: What the answer is read as.
        stop: Words that the answer ends before; cut here too, for models that refuse or ignore them.
        progress: The agent's work on the task so far, where there is a task.
    """

    payload: Payload
    requests: tuple[RoutingRequest, ...]
    _: KW_ONLY
    options: Options
    who: Caller
    said: list[Any]
    functions: Mapping[str, Any] | None
    response_model: type[BaseModel] | None
    stop: tuple[str, ...] = ()
    progress: Progress | None = None

    def without(self, setting: str) -> Turn:
        """Return the same turn without a setting that a model refuses."""
        if setting == STOP:
            return replace(self, payload=replace(self.payload, stop=()))
        if setting == STRICT:
            relaxed = None if self.response_model is None else response_format(self.response_model, strict=False)
            return replace(self, payload=replace(self.payload, response_format=relaxed))
        kept = {name: value for name, value in self.payload.parameters.items() if name != setting}
        return replace(self, payload=replace(self.payload, parameters=kept))

    def settings(self) -> tuple[str, ...]:
        """Return what is sent besides the conversation, by name."""
        return (
            *((STOP,) if self.payload.stop else ()),
            *((STRICT,) if _is_strict(self.payload.response_format) else ()),
            *self.payload.parameters,
        )


def _is_strict(wanted: Mapping[str, object] | None) -> bool:
    inner = (wanted or {}).get("json_schema")
    return isinstance(inner, Mapping) and bool(inner.get("strict"))


@dataclass(slots=True)
class Ending:
    """How a turn ended. The error is raised where no exception is being handled, so that it carries no chain."""

    answer: Any = None
    error: CrewRouterError | None = None

    def value(self) -> Any:
        """Return the answer or raise the error."""
        if self.error is not None:
            raise self.error
        return self.answer


@dataclass(slots=True)
class Shown:
    """What a stream has brought so far."""

    response: RoutedResponse | None = None

    def whole(self) -> RoutedResponse:
        """Return the response that the last chunk carried."""
        assert self.response is not None, "the last chunk of a stream carries the response"
        return self.response
