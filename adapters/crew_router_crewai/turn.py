"""One call of an agent, from what is sent to how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from crew_router.errors import CrewRouterError
from crew_router.execute.executor import Options
from crew_router.types import RoutedResponse, RoutingRequest
from crew_router.types.transport import Payload

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

    ``requests`` are tried in order while no model satisfies one, ``options`` say what CrewAI can carry, ``said`` are the
    messages as CrewAI formats them, and ``functions`` are tools that the call itself must run.
    """

    payload: Payload
    requests: tuple[RoutingRequest, ...]
    _: KW_ONLY
    options: Options
    who: Caller
    said: list[Any]
    functions: Mapping[str, Any] | None
    response_model: type[BaseModel] | None


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
