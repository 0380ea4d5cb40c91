"""Which budgets a call counts against, and when their periods begin."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from crew_router.config.settings import BudgetLimit, BudgetSettings
from crew_router.errors import ConfigurationError
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.limits import Limits
from crew_router.types import RoutingRequest

AT = datetime(2026, 3, 1, 23, 30, tzinfo=ZoneInfo("UTC")).timestamp()


def scopes(limits, request=None, provider="openai", at=AT):
    """Return the scopes of a call."""
    return limits.scopes(request or RoutingRequest(), decision_id="d-1", provider=provider, at=at)


def test_every_configured_budget_becomes_a_scope():
    """Amounts are nano-dollars; personal budgets carry their person, and periods their name."""
    settings = BudgetSettings(
        request=0.05, run=0.5, session=1, user=BudgetLimit(limit=1, per="day"), day=5, project=100, provider={"openai": 3}
    )
    request = RoutingRequest(run_id="r7", session_id="s1", user_id="jo")

    found = scopes(Limits.from_settings(settings), request)

    assert found == (
        Scope("request:d-1", 50_000_000),
        Scope("run:r7", 500_000_000),
        Scope("session:s1", 1_000_000_000),
        Scope("user:jo", 1_000_000_000, "2026-03-01"),
        Scope("day", 5_000_000_000, "2026-03-01"),
        Scope("project", 100_000_000_000),
        Scope("provider:openai", 3_000_000_000),
    )


def test_a_budget_of_somebody_else_does_not_count():
    """Another provider's budget, and a run's when there is no run, are left out."""
    limits = Limits.from_settings(BudgetSettings(run=1, provider={"anthropic": 3}))

    assert scopes(limits) == ()


def test_without_configuration_nothing_is_limited():
    """No budget exists unless configured."""
    assert scopes(Limits.from_settings(BudgetSettings())) == ()


@pytest.mark.parametrize(("zone", "day"), [("UTC", "2026-03-01"), ("Europe/Berlin", "2026-03-02"), ("America/Los_Angeles", "2026-03-01")])
def test_days_begin_in_the_configured_time_zone(zone, day):
    """Half past eleven in UTC is the next day in Berlin."""
    assert scopes(Limits((("day", 1, "day"),), zone))[0].period == day


@pytest.mark.parametrize(
    ("zone", "day", "hours"), [("Europe/Berlin", (10, 25), 25), ("Europe/Berlin", (3, 29), 23), ("Australia/Lord_Howe", (10, 4), 23.5)]
)
def test_a_day_is_a_day_when_clocks_change(zone, day, hours):
    """In autumn a day has 25 hours, in spring 23, on one island 23 and a half; its budget begins once, at midnight."""
    midnight = datetime(2026, *day, tzinfo=ZoneInfo(zone)).timestamp()
    limits = Limits((("day", 1, "day"),), zone)

    days = {scopes(limits, at=midnight + part * 1800)[0].period for part in range(int(hours * 2))}

    assert len(days) == 1
    assert scopes(limits, at=midnight - 1)[0].period not in days
    assert scopes(limits, at=midnight + hours * 3600)[0].period not in days


@pytest.mark.parametrize(("per", "name"), [("hour", "2026-03-01T23+0000"), ("week", "2026-W09"), ("month", "2026-03"), ("total", "")])
def test_periods_have_names(per, name):
    """Hours, weeks and months begin when their names change."""
    assert scopes(Limits((("project", 1, per),)))[0].period == name


def test_an_unknown_time_zone_is_named():
    """The error says what to write."""
    with pytest.raises(ConfigurationError, match="Mars/Base"):
        scopes(Limits((("day", 1, "day"),), "Mars/Base"))


def test_a_scope_is_found_by_its_name():
    """What is asked about by name is limited as configured."""
    limits = Limits((("day", 5, "day"), ("user", 7, "total")))

    assert limits.scope("day", at=AT) == Scope("day", 5, "2026-03-01")
    assert limits.scope("user:jo", at=AT) == Scope("user:jo", 7)
    assert limits.scope("project", at=AT) is None
