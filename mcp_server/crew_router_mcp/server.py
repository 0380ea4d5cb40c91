"""The MCP server: thin, typed tools over a router, written to what fastmcp 3.4 and 4 share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, WithJsonSchema

from crew_router.errors import CrewRouterError, MissingDependencyError
from crew_router.types import ModelCapability, RoutingRequest, Tier
from crew_router_mcp.answers import HealthReport, ListedModel, ModelList, Suggestion
from crew_router_mcp.keys import routing_schema

try:
    from fastmcp import FastMCP
    from fastmcp.exceptions import ToolError
except ImportError as missing:
    raise MissingDependencyError("fastmcp", extra="mcp") from missing

if TYPE_CHECKING:
    from crew_router.router.router import Router

_INSTRUCTIONS: Final = (
    "Ask suggest_model before a task which language model serves it best by cost, quality, latency and safety, and which to fall back on. "
    "list_models shows what there is; check_health asks whether models can be called."
)
_LOOKS: Final = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False}

Task = Annotated[str, Field(min_length=1, max_length=1_000_000, description="The prompt, or what the model will be asked to do")]
Routing = Annotated[dict[str, object] | None, WithJsonSchema(routing_schema())]


class RoutingTools:
    """The tools, bound to one router; each runs in a worker thread.

    Args:
        router: Decides and reports. It is not closed here.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def suggest_model(self, task: Task, routing: Routing = None) -> Suggestion:
        """Suggest the language model for a task, its fallbacks, expected cost and latency, and say why. No model is called."""
        with _explained():
            request = RoutingRequest.from_mapping({"task_description": task, **(routing or {})})
            return Suggestion.of(self._router.select_model(request), reachable=self._router.reachable())

    def list_models(
        self,
        provider: Annotated[str | None, Field(description="Only this provider, for example openai")] = None,
        tier: Annotated[Tier | None, Field(description="Only this tier")] = None,
        capability: Annotated[ModelCapability | None, Field(description="Only models that can do this")] = None,
        *,
        callable_only: Annotated[bool, Field(description="Only models that the server could call")] = False,
    ) -> ModelList:
        """List the models of the registry with price, quality and its source, context window and capabilities."""
        reachable = self._router.reachable()
        fitting = [
            model
            for model in self._router.models
            if provider in (None, model.provider)
            and tier in (None, model.tier)
            and (capability is None or capability in model.capabilities)
            and (not callable_only or model.ref in reachable)
        ]
        return ModelList(models=[ListedModel.of(model, reachable=reachable) for model in fitting])

    async def check_health(
        self,
        model: Annotated[str | None, Field(description="provider:model; every model when absent")] = None,
        *,
        active: Annotated[bool, Field(description="Check the models themselves, by a paid call of a few tokens if need be")] = False,
    ) -> HealthReport:
        """Ask local servers whether they answer, and report which models can be called, open breakers and the state of the stores."""
        with _explained():
            return HealthReport.of(await self._router.acheck_health(model, active=active))


def create_server(router: Router) -> FastMCP:
    """Return an MCP server over a router.

    Args:
        router: Decides and reports; the caller closes it.

    Raises:
        MissingDependencyError: The extra ``mcp`` is not installed.
    """
    tools = RoutingTools(router)
    server = FastMCP("crew-router", instructions=_INSTRUCTIONS, mask_error_details=True)
    server.tool(tools.suggest_model, title="Suggest a model", annotations={**_LOOKS, "idempotentHint": False})
    server.tool(tools.list_models, title="List the models", annotations={**_LOOKS, "idempotentHint": True})
    server.tool(tools.check_health, title="Check health", annotations={**_LOOKS, "idempotentHint": True, "openWorldHint": True})
    return server


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Show our errors to the client, they say what to do; all others stay masked."""
    try:
        yield
    except CrewRouterError as error:
        raise ToolError(str(error)) from error
