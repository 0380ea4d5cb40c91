"""Tools about the models there are, and whether they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from crew_router.types import ModelCapability, Tier
from crew_router_mcp.answers.models import HealthReport, ListedModel, ModelList
from crew_router_mcp.tools.parameters import HowMuch, resolved

if TYPE_CHECKING:
    from crew_router.router.router import Router

OneModel = Annotated[str | None, Field(max_length=200, description="provider:model; every model when absent")]


class RegistryTools:
    """The registry and its health.

    Args:
        router: Knows the models.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    def list_models(
        self,
        provider: Annotated[str | None, Field(max_length=100, description="Only this provider, for example openai")] = None,
        *,
        tier: Annotated[Tier | None, Field(description="Only this tier")] = None,
        capability: Annotated[ModelCapability | None, Field(description="Only models that can do this")] = None,
        search: Annotated[str | None, Field(max_length=200, description="Only models whose name contains this")] = None,
        callable_only: Annotated[bool, Field(description="Only models that the server could call")] = False,
        limit: Annotated[int, Field(ge=1, le=100, description="Models on a page")] = 10,
        offset: Annotated[int, Field(ge=0, le=1_000_000, description="Models to skip; next_offset of the page before")] = 0,
        detail: HowMuch = "short",
    ) -> ModelList:
        """List the models of the registry with price, quality and its source, context window and capabilities, a page at a time."""
        reachable = self._router.reachable()
        wanted = (search or "").strip().lower()
        fitting = [
            model
            for model in self._router.models
            if provider in (None, model.provider)
            and tier in (None, model.tier)
            and (capability is None or capability in model.capabilities)
            and wanted in model.ref.lower()
            and (not callable_only or model.ref in reachable)
        ]
        page = fitting[offset : offset + limit]
        return ModelList(
            models=[ListedModel.of(model, reachable=reachable, detail=detail) for model in page],
            total=len(fitting),
            next_offset=offset + limit if offset + limit < len(fitting) else None,
        )

    async def check_health(self, model: OneModel = None, detail: HowMuch = "short") -> HealthReport:
        """Report which models can be called and what keeps the others, open breakers and the state of the stores. Nothing is paid."""
        named = None if model is None else resolved(self._router, model)
        return HealthReport.of(await self._router.acheck_health(named), detail="full" if named else detail)

    async def probe_health(self, model: OneModel = None, detail: HowMuch = "short") -> HealthReport:
        """Check the models themselves: by their server's listing, else by a call of a few tokens that is paid for."""
        named = None if model is None else resolved(self._router, model)
        return HealthReport.of(await self._router.acheck_health(named, active=True), detail="full" if named else detail)
