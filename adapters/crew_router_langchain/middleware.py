"""A middleware for ``create_agent`` that picks the model of every step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from crew_router.types.request import RoutingRequest
from crew_router.types.vocabulary import ModelRef
from crew_router_langchain.answers import KEY
from crew_router_langchain.chat_model import ChatCrewRouter
from crew_router_langchain.errors import as_langchain

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from crew_router.router.router import Router
    from crew_router.types.evidence import CandidateRow

_SWITCH_GAIN: Final = 0.05  # guess, not measured


@dataclass(frozen=True, slots=True)
class Step:
    """One model call of an agent, as far as routing is concerned.

    ``number`` counts the answers since the user spoke, from 1; ``model`` gave the last answer.
    """

    number: int
    tools: tuple[str, ...]
    model: ModelRef | None


class RoutingMiddleware(AgentMiddleware[Any, Any, Any]):
    """Picks the model of every step of an agent from messages, tools and the number of the step.

    Changing the model in the middle of a run costs the prompt cache: the whole history is read anew at full price, which the
    router's costs show. So the model of the last step stays unless the other one is likelier to succeed by ``switch_gain``, or
    cheaper all the same.

    Args:
        router: The router to ask; one over the packaged configuration when not given.
        routing: Constraints and wishes for every step, with the keys of :class:`~crew_router.RoutingRequest`.
        switch_gain: Gain in P(success), 0..1, that justifies losing the prompt cache. With ``willingness_to_pay`` in
            ``routing`` the gain is weighed in USD instead.

    Example:
        >>> from crew_router import Router
        >>> from crew_router.testing import ScriptedModel
        >>> from langchain.agents import create_agent
        >>> router = Router(models={"lab:a": ScriptedModel(replies=["done"])}, ledger_url="sqlite://")
        >>> agent = create_agent(ChatCrewRouter(router=router), middleware=[RoutingMiddleware(router)])
        >>> agent.invoke({"messages": [("user", "hi")]})["messages"][-1].text
        'done'
    """

    def __init__(
        self, router: Router | None = None, *, routing: Mapping[str, object] | None = None, switch_gain: float = _SWITCH_GAIN
    ) -> None:
        super().__init__()
        self.tools = []
        self._chat = ChatCrewRouter(router=router, routing=dict(routing or {}))
        self._switch_gain = switch_gain

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:  # fmt: skip
        """Call the model that serves the step best."""
        return handler(request.override(model=self._for_step(request)))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:  # fmt: skip
        """Call the model that serves the step best."""
        return await handler(request.override(model=self._for_step(request)))

    def _for_step(self, request: ModelRequest[Any]) -> ChatCrewRouter:
        step = step_of(request.messages, request.tools)
        told = {"agent_step": step.number, "agent_tools": list(step.tools)}
        routing = {**self._chat.routing, "metadata": {**self._chat.routing.get("metadata", {}), **told}}
        wanted = RoutingRequest.from_mapping(routing)
        if step.model is not None and wanted.force_model is None:
            system = [] if request.system_message is None else [request.system_message]
            wanted = replace(wanted, messages=(*system, *request.messages), requires_tools=wanted.requires_tools or bool(step.tools))
            if self._stays(step, wanted):
                routing["force_model"] = str(step.model)
        return self._chat.with_routing(**routing)

    def _stays(self, step: Step, wanted: RoutingRequest) -> bool:
        """Tell whether the model of the last step serves this one well enough to keep its prompt cache."""
        router: Router = self._chat.router
        with as_langchain():
            decision = router.select_model(wanted, record=False)
        rows = {row.model: row for row in decision.table.candidates() if not row.rejections}
        last, best = rows.get(step.model or decision.candidate), rows.get(decision.candidate)
        if last is None or best is None or last is best:
            return False
        return not self._pays(best, last, wanted)

    def _pays(self, best: CandidateRow, last: CandidateRow, wanted: RoutingRequest) -> bool:
        """Tell whether changing to the best model pays although it reads everything anew."""
        gain = (best.p_success or 0.0) - (last.p_success or 0.0)
        if best.cost_usd is None or last.cost_usd is None:
            return gain >= self._switch_gain
        dearer_usd = best.cost_usd - last.cost_usd
        if wanted.willingness_to_pay is not None:
            return gain * wanted.willingness_to_pay > dearer_usd
        return gain >= self._switch_gain or (dearer_usd < 0 and gain > -self._switch_gain)


def step_of(messages: Sequence[BaseMessage], tools: Sequence[BaseTool | dict[str, Any]]) -> Step:
    """Read the step of an agent from its messages and tools."""
    spoken = next((at for at in range(len(messages) - 1, -1, -1) if isinstance(messages[at], HumanMessage)), -1)
    number = 1 + sum(isinstance(message, AIMessage) for message in messages[spoken + 1 :])
    answer = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    routing = {} if answer is None else answer.response_metadata.get(KEY) or {}
    model = routing.get("model") if isinstance(routing, dict) else None
    return Step(number, tuple(_name(tool) for tool in tools), None if model is None else ModelRef(model))


def _name(tool: BaseTool | dict[str, Any]) -> str:
    if not isinstance(tool, dict):
        return str(tool.name)
    function = tool.get("function")
    return str(function.get("name") if isinstance(function, dict) else tool.get("name") or tool.get("type"))
