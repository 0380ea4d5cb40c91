"""Tools that order something for every request of the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from fastmcp import Context  # noqa: TC002 - fastmcp reads annotations at run time
from pydantic import Field

from crew_router.errors import InvalidRequestError
from crew_router.types.clock import SystemClock
from crew_router_mcp.answers.reports import Ordered, Status
from crew_router_mcp.approval import Approver, Consent, Question
from crew_router_mcp.tools.parameters import Token, resolved

if TYPE_CHECKING:
    from crew_router.router.router import Router

_MINUTE_S = 60.0


class OrderTools:
    """Overrides.

    Args:
        router: Takes the orders.
        approver: Asks the person.
    """

    def __init__(self, router: Router, approver: Approver) -> None:
        self._router, self._approver = router, approver

    async def set_override(
        self,
        context: Context,
        *,
        pin: Annotated[str | None, Field(max_length=200, description="The model that answers first wherever it may")] = None,
        cost_ceiling_usd: Annotated[float | None, Field(ge=0, description="Most USD that a request may be expected to cost")] = None,
        minutes: Annotated[float | None, Field(gt=0, le=527_040, description="How long it holds; until it is cleared when absent")] = None,
        confirmation_token: Token = None,
    ) -> Ordered:
        """Pin a model or cap the cost of every request of the project, in all its processes, until it is cleared. Asks a person first."""
        if pin is None and cost_ceiling_usd is None:
            raise InvalidRequestError("pin", None, expected="a model to pin, or cost_ceiling_usd")
        ref = None if pin is None else resolved(self._router, pin)
        wanted = " and ".join(
            part for part in (f"pin {ref}" if ref else "", "" if cost_ceiling_usd is None else f"cap cost at ${cost_ceiling_usd:g}") if part
        )
        arguments = {"pin": ref, "cost_ceiling_usd": cost_ceiling_usd, "minutes": minutes}
        length = "until it is cleared" if minutes is None else f"for {minutes:g} minutes"
        consent = await self._consent(context, "set_override", arguments, f"{wanted} for every request, {length}", confirmation_token)
        if not consent.given:
            return _not_done(consent)
        until = None if minutes is None else SystemClock().now() + minutes * _MINUTE_S
        self._router.override(pin=ref, cost_ceiling=cost_ceiling_usd, until=until, by=consent.by)
        return Ordered(status="done", pin=ref, cost_ceiling_usd=cost_ceiling_usd, until_s=until, pending=None)

    async def clear_override(self, context: Context, confirmation_token: Token = None) -> Ordered:
        """End what set_override ordered. Asks a person first."""
        consent = await self._consent(context, "clear_override", {}, "end the override of every request", confirmation_token)
        if not consent.given:
            return _not_done(consent)
        self._router.clear_override(by=consent.by)
        return Ordered(status="done", pin=None, cost_ceiling_usd=None, until_s=None, pending=None)

    async def _consent(self, context: Context, tool: str, arguments: Mapping[str, object], what: str, token: str | None) -> Consent:
        if self._router.config.mcp.approval.overrides == "allow":
            return Consent(given=True, by="MCP client")
        reason = "an override changes every request of the project"
        question = Question(tool, arguments, reason=reason, text=f"May I {what}?")
        return await self._approver.consent(context, question, token=token)


def _not_done(consent: Consent) -> Ordered:
    status: Status = "declined" if consent.pending is None else "needs_approval"
    return Ordered(status=status, pin=None, cost_ceiling_usd=None, until_s=None, pending=consent.pending)
