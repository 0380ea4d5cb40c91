"""The configured budgets, and which of them a call counts against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crew_router.errors import ConfigurationError
from crew_router.record.ledger.budgets import Scope
from crew_router.types.cached import cached_property
from crew_router.types.model import NANO_PER_USD

if TYPE_CHECKING:
    from crew_router.config.settings import BudgetSettings
    from crew_router.types.request import RoutingRequest

_FORMATS: Final = {"hour": "%Y-%m-%dT%H%z", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "total": ""}
_PERSONAL: Final = {"run": "run_id", "session": "session_id", "user": "user_id"}


@dataclass(frozen=True)
class Limits:
    """Hard budgets of a project.

    Args:
        limits: Name, nano-dollars, and one of hour, day, week, month and total; ``request``, ``run``, ``session`` and ``user``
            hold for each one.
        timezone: IANA name of the zone in which periods begin.
        unpriced: Whether models without a price may be called while a budget holds.
    """

    limits: tuple[tuple[str, int, str], ...] = ()
    timezone: str = "UTC"
    unpriced: bool = False

    @classmethod
    def from_settings(cls, settings: BudgetSettings) -> Self:
        """Read the ``budgets:`` block of the configuration."""
        limits = tuple((scope, round(limit.limit * NANO_PER_USD), limit.per) for scope, limit in settings.limits())
        return cls(limits, settings.timezone, settings.unpriced == "allow")

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone.

        Raises:
            ConfigurationError: There is no such zone on this machine.
        """
        if self.timezone.upper() == "UTC":
            return UTC
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            cure = "write an IANA name such as Europe/Paris; `pip install tzdata` where the system has none"
            raise ConfigurationError("budgets", "timezone", f"{self.timezone!r} is not known here", cure=cure) from None

    def period(self, per: str, *, at: float) -> str:
        """Return the name of the period that a time falls into, empty for all time."""
        return datetime.fromtimestamp(at, self.zone).strftime(_FORMATS[per]) if per != "total" else ""

    def scopes(self, request: RoutingRequest, *, decision_id: str, provider: str, at: float) -> tuple[Scope, ...]:
        """Return every budget that a call counts against.

        Args:
            request: The request, for its run, session and user.
            decision_id: Names the request itself.
            provider: Provider of the model to be called.
            at: Seconds since the epoch.
        """
        found = list[Scope]()
        for name, limit_nano, per in self.limits:
            if name == "request":
                found.append(Scope(f"request:{decision_id}", limit_nano))
            elif name in _PERSONAL:
                if (whose := getattr(request, _PERSONAL[name])) is not None:
                    found.append(Scope(f"{name}:{whose}", limit_nano, self.period(per, at=at)))
            elif not name.startswith("provider:") or name == f"provider:{provider}":
                found.append(Scope(name, limit_nano, self.period(per, at=at)))
        return tuple(found)

    def scope(self, name: str, *, at: float) -> Scope | None:
        """Return a budget by its name (``day``, ``user:jo``), or ``None`` when it is not limited."""
        for known, limit_nano, per in self.limits:
            if name == known or name.partition(":")[0] == known:
                return Scope(name, limit_nano, self.period(per, at=at))
        return None
