"""Transitions of circuit breakers."""

from hypothesis import given
from hypothesis import strategies as st

from crew_router.record.state.breaker import (
    CLOSED,
    BreakerPolicy,
    abandoned,
    admission,
    failed,
    opened,
    probing,
    provider_opens,
    succeeded,
)

POLICY = BreakerPolicy(jitter=0.0)


def fail(breaker, times, at=0.0):
    """Let it fail some times."""
    """Return the breaker after this many failures in a row."""
    for _ in range(times):
        breaker = failed(breaker, at=at, policy=POLICY)
    return breaker


def test_five_failures_in_a_row_open():
    """The fifth failure opens for a minute, the fourth does not."""
    assert fail(CLOSED, 4).phase == "closed"

    assert (fail(CLOSED, 5).phase, fail(CLOSED, 5).retry_at) == ("open", 60.0)


def test_a_success_ends_a_row():
    """Four failures, a success and four failures leave it closed."""
    breaker = fail(succeeded(fail(CLOSED, 4), at=0.0, policy=POLICY), 4)

    assert breaker.phase == "closed"


def test_over_half_of_ten_calls_in_a_minute_open():
    """Six failures of eleven calls, never five in a row, open it."""
    breaker = CLOSED
    for _ in range(5):
        breaker = failed(succeeded(breaker, at=1.0, policy=POLICY), at=1.0, policy=POLICY)

    assert breaker.phase == "closed"
    assert failed(breaker, at=2.0, policy=POLICY).phase == "open"


def test_calls_older_than_the_window_do_not_count():
    """The same failures spread over ten minutes leave it closed."""
    breaker = CLOSED
    for minute in range(12):
        breaker = failed(breaker, at=60.0 * minute, policy=BreakerPolicy(failures=99))

    assert breaker.phase == "closed"


def test_an_auth_error_opens_at_once():
    """One fatal failure is enough."""
    assert failed(CLOSED, at=0.0, policy=POLICY, fatal=True).phase == "open"


def test_one_probe_is_admitted_when_the_time_has_come():
    """Before the time nobody probes, then one does, and the next only after its lease."""
    breaker = fail(CLOSED, 5)

    probe = probing(breaker, at=60.0, lease_s=10.0)

    assert probing(breaker, at=59.9, lease_s=10.0) is None
    assert probe is not None
    assert probe.phase == "half_open"
    assert probing(probe, at=69.9, lease_s=10.0) is None
    assert probing(probe, at=70.0, lease_s=10.0) is not None


def test_a_good_probe_closes_and_a_bad_one_doubles_the_wait():
    """A success closes with a clean record; a failure opens for two minutes."""
    probe = probing(fail(CLOSED, 5), at=60.0, lease_s=10.0)

    assert probe is not None
    assert succeeded(probe, at=61.0, policy=POLICY) == CLOSED
    assert failed(probe, at=61.0, policy=POLICY).retry_at == 61.0 + 120.0


def test_an_abandoned_probe_can_be_claimed_again_at_once():
    """A cancelled probe does not keep others waiting for its lease."""
    probe = probing(fail(CLOSED, 5), at=60.0, lease_s=10.0)

    assert probe is not None
    assert probing(abandoned(probe, at=61.0), at=61.0, lease_s=10.0) is not None


def test_a_provider_opens_with_its_second_model():
    """One open model leaves the provider alone, two open it."""
    one = opened(CLOSED, at=0.0)

    assert not provider_opens([one, CLOSED])
    assert provider_opens([one, CLOSED, one])


def test_admission_follows_the_phase():
    """Closed and unknown admit, open waits and then asks for a probe."""
    state = fail(CLOSED, 5).state("lab:a")

    assert [admission(None, at=0.0), admission(state, at=59.0), admission(state, at=60.0)] == ["call", "wait", "probe"]


@given(st.lists(st.tuples(st.sampled_from(["ok", "bad", "probe", "drop"]), st.floats(0, 30)), max_size=80))
def test_a_breaker_never_locks_a_model_out_for_ever(events):
    """Whatever happens, a probe can be claimed once the longest opening has passed."""
    breaker, at = CLOSED, 0.0
    for what, wait_s in events:
        at += wait_s
        breaker = {
            "ok": lambda b, t: succeeded(b, at=t, policy=POLICY),
            "bad": lambda b, t: failed(b, at=t, policy=POLICY),
            "probe": lambda b, t: probing(b, at=t, lease_s=10.0) or b,
            "drop": lambda b, t: abandoned(b, at=t),
        }[what](breaker, at)

    assert breaker.phase == "closed" or probing(breaker, at=at + POLICY.longest_s, lease_s=1.0) is not None
