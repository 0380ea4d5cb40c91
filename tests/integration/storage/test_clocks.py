"""Machines whose clocks differ agree on who holds what: leases, breakers and windows follow the clock of the store."""

import pytest
from storage_samples import A

from crew_router.errors import BudgetExceededError
from crew_router.record.ledger.budgets import Scope
from crew_router.record.ledger.opening import open_ledger
from crew_router.record.state.breaker import BreakerPolicy, admission
from crew_router.record.state.observation import Observation
from crew_router.record.state.opening import open_state
from crew_router.record.state.shared import Refresh
from crew_router.record.state.windows import Claim
from crew_router.types import ErrorKind
from crew_router.types.clock import SystemClock

PROJECT = Scope("project", 1_000_000)


class Skewed(SystemClock):
    """The clock of a machine that goes wrong by so many seconds."""

    def __init__(self, ahead_s):
        self._ahead_s = ahead_s

    def now(self):
        """Return what this machine believes."""
        return super().now() + self._ahead_s


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
def test_no_lease_ends_early_or_late_on_a_machine_whose_clock_is_wrong(postgres_schema, ahead_s):
    """A machine an hour off neither takes what another holds nor loses what it holds itself."""
    right, wrong = (open_ledger(postgres_schema, project="crew", clock=Skewed(seconds)) for seconds in (0.0, ahead_s))
    held = right.budgets().reserve((PROJECT,), 10, lasts_s=30.0)
    own = wrong.budgets().reserve((PROJECT,), 900_000, lasts_s=30.0)

    with pytest.raises(BudgetExceededError):
        wrong.budgets().reserve((PROJECT,), 100_000, lasts_s=30.0)
    with pytest.raises(BudgetExceededError):
        right.budgets().reserve((PROJECT,), 100_000, lasts_s=30.0)
    right.budgets().settle(held, 10)
    wrong.budgets().settle(own, 900_000)

    assert right.select("SELECT count(*) FROM leases WHERE closed = 0") == [(2,)]
    for ledger in (right, wrong):
        ledger.flush()
        ledger.close()
    again = open_ledger(postgres_schema, project="crew")
    assert again.budgets().remaining_nano(PROJECT) == 1_000_000 - 900_010
    assert all(balance.agrees for balance in again.reconcile())
    again.close()


@pytest.mark.parametrize("ahead_s", [-300.0, 300.0])
def test_a_breaker_stays_open_as_long_everywhere(redis_server, tmp_path, ahead_s):
    """A machine minutes off opens and probes a breaker when the others do, and its outcomes weigh as much as theirs."""
    policy, namespace = BreakerPolicy(open_s=60.0, jitter=0.0), f"test:{tmp_path.name}"
    wrong, right = (
        open_state(
            redis_server.url, project="crew", clock=Skewed(seconds), namespace=namespace, policy=policy, refresh=Refresh(max_age_s=0.2)
        )
        for seconds in (ahead_s, 0.0)
    )
    for state, seconds in ((wrong, ahead_s), (right, 0.0)):
        state.observe(Observation(A, None, success=True, at=Skewed(seconds).now(), latency_s=1.0))
    for _ in range(5):
        wrong.observe(Observation(A, None, success=False, at=Skewed(ahead_s).now(), error=ErrorKind.OVERLOAD))
    for state in (wrong, right, wrong):
        state.sync()

    now = SystemClock().now()
    opened = right.snapshot().breakers[A]

    assert opened.phase == "open"
    assert opened.retry_at == pytest.approx(now + 60, abs=10)
    assert admission(right.breaker(A), at=now) == "wait"
    assert [state.begin_probe(A, lease_s=5.0) for state in (right, wrong)] == [False, False]
    assert right.performance(A, None).samples == pytest.approx(7, rel=1e-3)
    for state in (wrong, right):
        state.close()


@pytest.mark.parametrize("ahead_s", [-300.0, 300.0])
def test_a_rate_window_is_one_window_for_all(redis_server, tmp_path, ahead_s):
    """Three a minute are three, whatever the machines take the time for."""
    namespace = f"test:{tmp_path.name}"
    states = [open_state(redis_server.url, project="crew", clock=Skewed(seconds), namespace=namespace) for seconds in (0.0, ahead_s)]

    waits = [states[number % 2].take([Claim("rpm", 1, limit=3)], window_s=60.0)[0] for number in range(4)]

    assert waits[:3] == [0.0, 0.0, 0.0]
    assert 0 < waits[3] <= 60
    for state in states:
        state.close()
