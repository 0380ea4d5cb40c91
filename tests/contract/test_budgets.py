"""What budgets must do on each database; two ledgers over one database stand for two processes."""

import math
import time

import pytest
from storage_samples import NOON

from crew_router.errors import BudgetExceededError
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.limits import Limits
from crew_router.record.ledger.opening import open_ledger
from crew_router.testing import FrozenClock
from crew_router.types import RoutingRequest

DAY = Scope("day", 1_000_000, "2026-03-01")
USER = Scope("user:jo", 400_000)


@pytest.fixture
def clock():
    """Time that stands at noon."""
    return FrozenClock(NOON)


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request, clock, tmp_path, monkeypatch):
    """A function that opens one more ledger over the same database."""
    if request.param == "postgresql":
        monkeypatch.setattr("crew_router.record.ledger.postgres.Statements.time_s", lambda _: clock.now())
    url = f"sqlite:///{tmp_path}/ledger.sqlite3" if request.param == "sqlite" else request.getfixturevalue("postgres_schema")
    ledgers = []

    def open_one(**settings):
        ledgers.append(open_ledger(url, project="crew", clock=clock, **settings))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()


def abandon(ledger):
    """Let a ledger go as if its process had been killed once its rows were written."""
    ledger.flush()
    ledger.budgets().hold()


def spend(budgets, scopes, *, upper, cost, times=1):
    """Reserve and settle some calls."""
    for _ in range(times):
        budgets.settle(budgets.reserve(scopes, upper, lasts_s=10.0), cost)


def test_what_was_spent_is_gone_and_the_rest_of_the_bound_comes_back(opened):
    """A call of 300 under a bound of 1000 leaves all but 300."""
    budgets = opened().budgets()

    spend(budgets, (DAY,), upper=1000, cost=300)

    assert budgets.remaining_nano(DAY) == 999_700
    assert budgets.left_nano()["day"] == 999_700


def test_a_released_reservation_costs_nothing(opened):
    """No byte was received, nothing is gone."""
    budgets = opened().budgets()

    budgets.release(budgets.reserve((DAY,), 1000))

    assert budgets.remaining_nano(DAY) == 1_000_000


def test_settling_or_releasing_twice_counts_once(opened):
    """The second call of either does nothing."""
    budgets = opened().budgets()
    reservation = budgets.reserve((DAY,), 1000)

    budgets.settle(reservation, 300)
    budgets.settle(reservation, 300)
    budgets.release(reservation)

    assert budgets.remaining_nano(DAY) == 999_700


def test_a_call_that_may_cost_more_than_is_left_is_refused(opened):
    """The error names the budget, its limit, what is left and what was needed; the budget stays as it was."""
    budgets = opened().budgets()
    spend(budgets, (DAY,), upper=900_000, cost=900_000)

    with pytest.raises(BudgetExceededError) as caught:
        budgets.reserve((DAY,), 100_001)

    assert (caught.value.scope, caught.value.limit_usd, caught.value.needed_usd) == ("day", 0.001, 0.000100001)
    assert caught.value.left_usd == pytest.approx(0.0001)
    assert budgets.remaining_nano(DAY) == 100_000


def test_the_last_nano_dollar_can_be_spent(opened):
    """A bound equal to what is left is granted."""
    budgets = opened().budgets()

    spend(budgets, (DAY,), upper=100_000, cost=100_000, times=10)

    assert budgets.remaining_nano(DAY) == 0


def test_all_scopes_or_none(opened):
    """A call that the user's budget refuses takes nothing from the day's."""
    budgets = opened().budgets()

    with pytest.raises(BudgetExceededError, match="user:jo"):
        budgets.reserve((DAY, USER), 500_000)

    spend(budgets, (DAY, USER), upper=400_000, cost=400_000)
    assert (budgets.remaining_nano(DAY), budgets.remaining_nano(USER)) == (600_000, 0)


def test_two_processes_share_one_budget(opened):
    """Spending in turn, they get to the limit and not past it."""
    first, second = opened(), opened()
    one, two = first.budgets(), second.budgets()
    spend(one, (DAY,), upper=7_000, cost=5_000, times=50)
    spend(two, (DAY,), upper=7_000, cost=5_000, times=140)

    with pytest.raises(BudgetExceededError):
        spend(two, (DAY,), upper=7_000, cost=5_000, times=10)
    first.flush()
    left = two.remaining_nano(DAY)
    assert 0 <= left <= 1_000_000 - 190 * 5_000


def test_slices_shrink_with_what_remains(opened):
    """What one process holds is a thirty-second part of what was left, so that others can go on."""
    one, two = opened().budgets(), opened().budgets()
    one.reserve((DAY,), 10, lasts_s=10.0)

    two.reserve((DAY,), DAY.limit_nano - DAY.limit_nano // 32, lasts_s=10.0)

    with pytest.raises(BudgetExceededError):
        two.reserve((DAY,), 1, lasts_s=10.0)


def test_closing_gives_the_rest_of_the_slice_back(opened):
    """What a process held and did not spend can be spent by another."""
    first = opened()
    spend(first.budgets(), (DAY,), upper=10, cost=10)
    first.close()

    second = opened().budgets()
    second.reserve((DAY,), 999_990)
    with pytest.raises(BudgetExceededError, match="day"):
        second.reserve((DAY,), 1)


def test_an_idle_slice_goes_back(opened, clock):
    """A process that stops calling does not keep money from the others."""
    one = opened().budgets(idle_s=0.02)
    spend(one, (DAY,), upper=10, cost=10)
    clock.advance(1)
    other = opened()
    while other.select("SELECT leased_nano FROM accounts") != [(0,)]:
        time.sleep(0.005)

    other.budgets().reserve((DAY,), 999_990)
    with pytest.raises(BudgetExceededError, match="day"):
        other.budgets().reserve((DAY,), 1)


def forgotten(budgets, name):
    """Wait until a process no longer thinks that it knows what is left of a budget; return whether it does not."""
    end = time.monotonic() + 5
    while name in budgets.left_nano() and time.monotonic() < end:
        time.sleep(0.005)
    return name not in budgets.left_nano()


def test_a_refusal_is_not_remembered_for_ever(opened, clock):
    """A process that was refused, and so holds no slice, asks again after a while: others may have given money back."""
    first, other = opened(), opened()
    first.budgets().reserve((DAY,), 1_000_000)
    refused = other.budgets(idle_s=0.02)
    with pytest.raises(BudgetExceededError):
        refused.reserve((DAY,), 1)
    known = dict(refused.left_nano())

    clock.advance(1)

    assert known == {"day": 0}
    assert forgotten(refused, "day")


def test_a_new_day_begins_with_nothing_known(opened, clock):
    """What was left of yesterday says nothing of today, whose budget is whole."""
    limits = Limits((("day", 1_000_000, "day"),))
    budgets = opened().budgets(limits)
    (today,) = limits.scopes(RoutingRequest(), decision_id="d-1", provider="lab", at=NOON)
    budgets.settle(budgets.reserve((today,), 1_000_000), 1_000_000)
    known = dict(budgets.left_nano())

    clock.advance(86_400)

    assert known == {"day": 0}
    assert forgotten(budgets, "day")


def test_a_dead_process_forfeits_what_it_had_not_settled(opened, clock):
    """Its slice is held until the lease ends, and counts as spent after that."""
    dead = opened()
    spend(dead.budgets(), (DAY,), upper=10, cost=10)
    abandon(dead)
    budgets = opened().budgets()
    with pytest.raises(BudgetExceededError):
        budgets.reserve((DAY,), 999_000)

    clock.advance(21)

    budgets.reserve((DAY,), 10)
    assert budgets.remaining_nano(DAY) == 1_000_000 - 1_000_000 // 32
    dead.budgets().let_go(child=True)


def test_with_full_durability_only_what_was_in_flight_is_forfeited(opened, clock):
    """All but twice the bound of the call in flight comes back."""
    dead = opened(durability="full")
    spend(dead.budgets(), (DAY,), upper=10, cost=10, times=3)
    abandon(dead)
    clock.advance(21)

    budgets = opened(durability="full").budgets()
    budgets.reserve((DAY,), 10)

    assert budgets.remaining_nano(DAY) == 1_000_000 - 30 - 20
    dead.budgets().let_go(child=True)


def test_a_settlement_that_comes_after_the_lease_ended_is_not_lost_or_counted_twice(opened, clock):
    """A process that slept through its lease books into what it forfeited, and goes on with a new lease."""
    sleeper, other = opened(), opened()
    reservation = sleeper.budgets().reserve((DAY,), 1000, lasts_s=10.0)
    clock.advance(25)
    other.budgets().reserve((DAY,), 10)

    sleeper.budgets().settle(reservation, 700)
    spend(sleeper.budgets(), (DAY,), upper=1000, cost=100)
    sleeper.flush()

    assert all(balance.agrees for balance in other.reconcile())
    assert other.budgets().remaining_nano(DAY) == 1_000_000 - 1_000_000 // 32 - 100


def test_a_lease_outlives_the_calls_on_it(opened, clock):
    """A call longer than the lease had left renews it first."""
    one, two = opened().budgets(), opened().budgets()
    one.reserve((DAY,), 10, lasts_s=10.0)
    one.reserve((DAY,), 10, lasts_s=500.0)

    clock.advance(499)
    two.reserve((DAY,), 10)

    assert two.remaining_nano(DAY) == 1_000_000


def test_accounts_agree_with_their_rows(opened, clock):
    """Open, closed, forfeited and overrun leases add up, account by account."""
    one, two, dead = opened(), opened(), opened()
    spend(one.budgets(), (DAY, USER), upper=100, cost=60, times=5)
    spend(two.budgets(), (DAY,), upper=100, cost=170, times=5)
    spend(dead.budgets(), (DAY,), upper=100, cost=60)
    abandon(dead)
    one.close()
    clock.advance(25)
    spend(two.budgets(), (DAY,), upper=100, cost=60)
    two.flush()

    balances = two.reconcile()

    assert [balance.scope for balance in balances] == ["day", "user:jo"]
    assert all(balance.agrees for balance in balances)
    dead.budgets().let_go(child=True)


def test_reconcile_puts_a_wrong_account_right(opened):
    """A balance that was tampered with is found, and derived again from the rows."""
    ledger = opened()
    spend(ledger.budgets(), (DAY,), upper=100, cost=60)
    ledger.flush()
    with ledger.database.transaction() as cursor:
        cursor.run("UPDATE accounts SET spent_nano = 5")

    found = ledger.reconcile(repair=True)

    assert not found[0].agrees
    assert ledger.reconcile()[0].agrees


def test_a_request_budget_needs_no_database(opened):
    """What one request may cost is counted in the process, and refused there."""
    budgets = opened().budgets()
    scope = Scope("request:d-1", 1000)
    spend(budgets, (scope,), upper=600, cost=500)

    with pytest.raises(BudgetExceededError, match="request:d-1"):
        budgets.reserve((scope,), 501)

    assert budgets.remaining_nano(scope) == 500


def test_a_model_without_a_price_is_refused_under_a_budget_unless_allowed(opened):
    """Unknown prices pass only with ``unpriced: allow``."""
    with pytest.raises(BudgetExceededError) as caught:
        opened().budgets().reserve((DAY,), None)

    assert caught.value.needed_usd == math.inf
    opened().budgets(Limits(unpriced=True)).reserve((DAY,), None)


def test_a_raised_limit_holds_at_once(opened):
    """A changed configuration raises what is left by as much."""
    budgets = opened().budgets()
    spend(budgets, (DAY,), upper=1_000_000, cost=1_000_000)

    budgets.reserve((Scope("day", 1_500_000, DAY.period),), 500_000)

    assert budgets.left_nano()["day"] == 0


def test_a_lowered_limit_stops_what_is_beyond_it(opened):
    """After lowering below what was spent nothing more is granted."""
    budgets = opened().budgets()
    spend(budgets, (DAY,), upper=500_000, cost=500_000)

    with pytest.raises(BudgetExceededError):
        budgets.reserve((Scope("day", 400_000, DAY.period),), 100_000)


def test_reset_does_not_touch_money(opened):
    """Statistics begin afresh, budgets do not."""
    ledger = opened()
    spend(ledger.budgets(), (DAY,), upper=100, cost=60)

    ledger.reset()

    assert ledger.budgets().remaining_nano(DAY) == 999_940
