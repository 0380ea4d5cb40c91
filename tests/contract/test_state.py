"""What every store of shared numbers must do, seen through the state that the line uses; two states stand for two processes."""

import math
import random

import pytest

from crew_router.record.state.breaker import BreakerPolicy, admission
from crew_router.record.state.memory import MemoryStore
from crew_router.record.state.observation import Observation
from crew_router.record.state.redis import RedisStore
from crew_router.record.state.shared import SharedState
from crew_router.record.state.sqlite import SqliteStore
from crew_router.record.state.windows import Claim
from crew_router.testing import FrozenClock
from crew_router.types import ErrorKind, ModelRef, TaskType

A, B, C = ModelRef("lab:a"), ModelRef("lab:b"), ModelRef("other:c")
CODE = TaskType.CODE_GENERATION
NOON = 1_800_000_000.0


class ClockedRedis(RedisStore):
    """The real store on a real server, whose scripts are told the test's time instead of the server's."""

    def __init__(self, url, *, clock, **names):
        super().__init__(url, **names)
        self._clock = clock

    def run_script(self, script, keys, arguments):
        """Run a script of the store with the time put in."""
        seconds, rest = divmod(self._clock.now(), 1)
        return super().run_script(script.replace("redis.call('TIME')", f"{{'{seconds:.0f}', '{rest * 1e6:.0f}'}}"), keys, arguments)


def seen(model=A, at=NOON, **figures):
    """Return a success of two seconds, or what is given instead."""
    given = {"success": True, "latency_s": 2.0, "cost_usd": 0.01, "quality": 0.8, **figures}
    return Observation(model, CODE, at=at, **given)


@pytest.fixture
def clock():
    """Time that stands at noon."""
    return FrozenClock(NOON)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def opened(request, clock, tmp_path):
    """A function that opens one more state over the same store."""
    memories = {}
    stores = {
        "memory": lambda project: memories.setdefault(project, MemoryStore(exclusive=False)),
        "sqlite": lambda project: SqliteStore(tmp_path / "state.sqlite3", project=project),
    }
    if request.param == "redis":
        url, namespace = request.getfixturevalue("redis_server").url, f"test:{tmp_path.name}"
        stores["redis"] = lambda project: ClockedRedis(url, project=project, namespace=namespace, clock=clock)
    states = []

    def open_one(project="crew"):
        store = stores[request.param](project)
        states.append(SharedState(store, clock, rng=random.Random(1), policy=BreakerPolicy(jitter=0.0)))
        return states[-1]

    yield open_one
    for state in states:
        state.close()


def fail(state, model=A, times=5, at=NOON, error=ErrorKind.OVERLOAD, **more):
    """Let a model fail."""
    for _ in range(times):
        state.observe(seen(model, at=at, success=False, error=error, **more))


def test_length_of_answers_is_learnt(opened):
    """The mean length of successful answers and its spread are known; failures do not count."""
    state = opened()
    state.observe(seen(output_tokens=100))
    state.observe(seen(output_tokens=400))
    state.observe(seen(output_tokens=9_000, success=False))

    figures = state.snapshot().performance[A, CODE]

    assert figures.output_tokens == pytest.approx(250.0)
    assert figures.output_spread == pytest.approx(math.log(2.0))


def test_own_outcomes_count_at_once(opened):
    """A figure is in the next snapshot of the process that saw it, for the task and over all tasks."""
    state = opened()

    state.observe(seen(latency_s=2.0))
    state.observe(seen(latency_s=4.0))

    for task in (CODE, None):
        figures = state.snapshot().performance[A, task]
        assert (figures.success_rate, figures.latency_s, figures.cost_usd, figures.quality) == (1.0, 3.0, 0.01, 0.8)
        assert figures.samples == pytest.approx(2.0)


def test_other_processes_see_it_after_a_sync(opened):
    """What one process saw and sent is in the snapshot that another loads, added to its own."""
    one, two = opened(), opened()
    one.observe(seen(success=True))
    two.observe(seen(success=False, error=ErrorKind.OVERLOAD))

    one.sync()
    two.sync()
    one.sync()

    for state in (one, two):
        assert state.snapshot().performance[A, CODE].success_rate == pytest.approx(0.5)
        assert state.snapshot().performance[A, CODE].samples == pytest.approx(2.0)


def test_sending_again_does_not_count_again(opened):
    """Any number of syncs adds an outcome once."""
    one, two = opened(), opened()
    one.observe(seen())

    for _ in range(4):
        one.sync()
        two.sync()

    assert two.snapshot().performance[A, None].samples == pytest.approx(1.0)


def test_old_outcomes_weigh_half_after_a_week(opened, clock):
    """One failure a week ago and one success today make a success rate of two thirds."""
    state = opened()
    state.observe(seen(success=False, error=ErrorKind.OVERLOAD))
    clock.advance(7 * 86_400)

    state.observe(seen(at=clock.now()))

    assert state.snapshot().performance[A, CODE].success_rate == pytest.approx(2 / 3)


def test_confidence_grows_with_samples_and_falls_with_age(opened, clock):
    """Ten samples are surer than one, and less sure a month later."""
    state = opened()
    state.observe(seen())
    one = state.performance(A, CODE).confidence
    for _ in range(9):
        state.observe(seen())
    ten = state.performance(A, CODE).confidence
    clock.advance(28 * 86_400)

    assert one < ten
    assert state.performance(A, CODE).confidence < ten / 4


def test_seconds_of_failures_do_not_count(opened):
    """A timeout of a minute does not make a fast model look slow."""
    state = opened()
    state.observe(seen(latency_s=1.0, ttft_s=0.2, output_tokens=80))
    state.observe(seen(latency_s=60.0, success=False, error=ErrorKind.TIMEOUT))

    figures = state.performance(A, CODE)

    assert (figures.latency_s, figures.ttft_s, figures.tokens_per_s) == (1.0, 0.2, pytest.approx(100.0))


def test_a_callers_mistake_changes_no_figure(opened):
    """An invalid request counts neither as failure nor as success."""
    state = opened()

    fail(state, times=20, error=ErrorKind.INVALID_REQUEST)

    assert state.performance(A, CODE) is None
    assert state.breaker(A).phase == "closed"


def test_five_failures_open_the_breaker_everywhere(opened):
    """The process that saw them is closed to the model at once, the others after a sync."""
    one, two = opened(), opened()

    fail(one)
    one.sync()
    two.sync()

    assert [state.snapshot().breakers[A].phase for state in (one, two)] == ["open", "open"]


def test_a_provider_opens_with_its_second_model(opened):
    """Two open models of a provider open it, for every process; another provider is left alone."""
    one, two = opened(), opened()

    fail(one, A)
    fail(one, B)
    one.sync()
    two.sync()

    assert two.snapshot().breakers["lab"].phase == "open"
    assert two.breaker("other").phase == "closed"


def test_an_auth_error_opens_the_credential(opened):
    """One auth error takes the credential out; the provider stays."""
    state = opened()

    fail(state, times=1, error=ErrorKind.AUTH, credential="credential/ab12")

    assert state.snapshot().breakers["credential/ab12"].phase == "open"
    assert state.breaker("lab").phase == "closed"


def test_refused_keys_count_against_the_credential_alone(opened):
    """However often a wrong key is tried, another key finds the model and the provider open for calls."""
    state = opened()

    fail(state, A, times=12, error=ErrorKind.AUTH, credential="credential/ab12")
    fail(state, B, times=12, error=ErrorKind.AUTH, credential="credential/ab12")

    assert {state.breaker(key).phase for key in (A, B, "lab")} == {"closed"}


def test_one_probe_over_all_processes(opened, clock):
    """When the time has come one process gets the probe, and its success closes the breaker for all."""
    one, two = opened(), opened()
    fail(one)
    one.sync()
    two.sync()
    early = two.begin_probe(A, lease_s=10.0)
    clock.advance(60)

    got = [two.begin_probe(A, lease_s=10.0), one.begin_probe(A, lease_s=10.0), two.begin_probe(A, lease_s=10.0)]
    two.observe(seen(at=clock.now()))
    two.sync()
    one.sync()

    assert (early, got) == (False, [True, False, False])
    assert (one.breaker(A).phase, two.breaker(A).phase) == ("closed", "closed")


def test_a_lost_probe_can_be_claimed_by_another(opened, clock):
    """A process that died with the probe keeps it for the lease and no longer."""
    one, two = opened(), opened()
    fail(one)
    one.sync()
    two.sync()
    clock.advance(60)
    assert one.begin_probe(A, lease_s=10.0)
    two.sync()

    clock.advance(10)

    assert admission(two.breaker(A), at=clock.now()) == "probe"
    assert two.begin_probe(A, lease_s=10.0)


def test_a_probe_that_is_given_back_can_be_claimed_at_once(opened, clock):
    """A call that was not made after all leaves its probe to any process."""
    one, two = opened(), opened()
    fail(one)
    one.sync()
    two.sync()
    clock.advance(60)
    assert one.begin_probe(A, lease_s=10.0)

    one.give_probe_back(A)
    one.sync()
    two.sync()

    assert two.breaker(A).phase == "open"
    assert two.begin_probe(A, lease_s=10.0)


def test_a_failed_probe_doubles_the_wait_for_all(opened, clock):
    """After a failed probe nobody probes for two minutes."""
    one, two = opened(), opened()
    fail(one)
    one.sync()
    two.sync()
    clock.advance(60)
    one.begin_probe(A, lease_s=10.0)

    fail(one, times=1, at=clock.now())
    one.sync()
    two.sync()

    assert two.breaker(A).retry_at == clock.now() + 120


def test_two_processes_that_open_together_open_once(opened):
    """Openings seen by two processes at once do not double the wait."""
    one, two = opened(), opened()
    fail(one)
    fail(two, at=NOON + 1)

    one.sync()
    two.sync()
    one.sync()

    assert (one.breaker(A).openings, one.breaker(A).retry_at) == (1, NOON + 61)


def test_shares_are_of_the_last_hundred_decisions(opened):
    """Ninety decisions for one provider and then fifty for another leave half and half."""
    one, two = opened(), opened()
    for _ in range(90):
        one.decided(A)
    one.sync()
    for _ in range(50):
        two.decided(C)
    two.sync()
    one.sync()

    for state in (one, two):
        assert state.snapshot().provider_share == {"lab": 0.5, "other": 0.5}


def test_learned_weights_move_a_tenth_towards_the_reward(opened):
    """Two rewards of 1, one from each process, move the weight from 0.5 to 0.595."""
    one, two = opened(), opened()
    one.learn(A, CODE, reward=1.0)
    one.sync()
    two.sync()

    two.learn(A, CODE, reward=1.0)
    two.sync()
    one.sync()

    assert one.snapshot().weights[A, CODE] == pytest.approx(0.595)
    assert two.snapshot().weights[A, None] == pytest.approx(0.595)


def test_rewards_that_meet_are_both_counted(opened):
    """Rewards given in two processes before either was sent are both in the result."""
    one, two = opened(), opened()
    one.learn(A, CODE, reward=1.0)
    two.learn(A, CODE, reward=1.0)

    one.sync()
    two.sync()

    assert two.snapshot().weights[A, CODE] == pytest.approx(0.595)


def test_named_sums_add_up(opened):
    """Counts of an experiment's arm add up over processes."""
    one, two = opened(), opened()
    one.count("e1/a/quality", (1.0, 0.5))
    two.count("e1/a/quality", (2.0, 1.5))

    one.sync()
    two.sync()

    assert two.counts("e1/a/quality") == (3.0, 2.0)
    assert two.counts("e1/b/quality") == ()


def test_a_rate_window_holds_over_processes(opened, clock):
    """Three requests a minute are three over both processes, and room comes back with time."""
    one, two = opened(), opened()
    claim = Claim("rpm:lab:a", 1, limit=3)
    takes = [wait for state in (one, two, one, two) for wait in state.take([claim], window_s=60.0)]

    clock.advance(takes[-1])

    assert takes[:3] == [0.0, 0.0, 0.0]
    assert 0 < takes[3] <= 60.0
    assert two.take([claim], window_s=60.0) == (0.0,)


def test_a_claim_that_one_window_refuses_takes_nothing_from_another(opened):
    """Two calls of 60 tokens do not both fit into 100; the second one leaves its request to the third, which does."""
    one, two = opened(), opened()
    requests = Claim("rpm:lab:a", 1, limit=2)

    waits = [
        state.take([requests, Claim("tpm:lab:a", tokens, limit=100)], window_s=60.0) for state, tokens in ((one, 60), (two, 60), (two, 40))
    ]

    assert waits[0] == waits[2] == (0.0, 0.0)
    assert waits[1][0] == 0.0 < waits[1][1] <= 60.0
    assert one.take([requests], window_s=60.0)[0] > 0


def test_places_are_limited_over_processes_and_lapse(opened, clock):
    """Of two places the third taker gets none until one is given back or lapses."""
    one, two = opened(), opened()
    got = [one.acquire("lab:a", token, limit=2, lease_s=30.0) for token in ("x", "y", "z")]

    one.give_back("lab:a", "x")
    after_return = two.acquire("lab:a", "z", limit=2, lease_s=30.0)
    clock.advance(31)

    assert got == [True, True, False]
    assert after_return
    assert two.acquire("lab:a", "w", limit=2, lease_s=30.0)


def test_a_document_is_written_by_one_of_two(opened):
    """Of two writers who read the same version one wins, and the other is told."""
    one, two = opened(), opened()
    version = one.document("bandit").version

    wins = [one.swap("bandit", "from one", expected=version), two.swap("bandit", "from two", expected=version)]

    assert wins == [True, False]
    assert two.document("bandit").text == "from one"


def test_projects_do_not_see_each_other(opened):
    """Figures of one project are not in another's snapshot."""
    one, other = opened("crew"), opened("other")

    one.observe(seen())
    one.sync()
    other.sync()

    assert other.snapshot().performance == {}


def test_reset_starts_afresh_everywhere(opened):
    """After a reset no process has figures, and what another had not sent is dropped."""
    one, two = opened(), opened()
    one.observe(seen())
    one.learn(A, CODE, reward=1.0)
    one.sync()
    two.sync()
    two.observe(seen())

    one.reset()
    two.sync()
    one.sync()

    for state in (one, two):
        assert (state.snapshot().performance, state.snapshot().weights) == ({}, {})
    two.observe(seen())
    two.sync()
    one.sync()
    assert one.performance(A, CODE).samples == pytest.approx(1.0)


def test_a_later_process_finds_what_was_left(opened):
    """Figures, weights and open breakers outlive the process."""
    one = opened()
    one.observe(seen(B))
    one.learn(B, CODE, reward=1.0)
    fail(one)
    one.sync()

    later = opened().snapshot()

    assert later.performance[B, CODE].success_rate == 1.0
    assert later.weights[B, CODE] == pytest.approx(0.55)
    assert later.breakers[A].phase == "open"


def test_provider_multipliers_follow_the_last_minutes(opened):
    """A failing provider falls, one that is quicker than was predicted rises, both within 0.5 and 2."""
    state = opened()
    for _ in range(40):
        state.observe(seen(A, success=False, error=ErrorKind.OVERLOAD))
        state.observe(seen(C, latency_s=1.0, expected_latency_s=4.0))

    multipliers = state.snapshot().multipliers

    assert multipliers["lab"] == 0.5
    assert 1.0 < multipliers["other"] <= 2.0


def test_an_unreachable_model_is_in_the_snapshot_until_it_answers(opened):
    """What the last check found decides."""
    state = opened()
    state.mark_reachable(A, reachable=False)
    away = state.snapshot().unreachable

    state.mark_reachable(A, reachable=True)

    assert (away, state.snapshot().unreachable) == ({A}, frozenset())


def test_a_closed_state_can_be_closed_again(opened):
    """Closing twice does nothing the second time."""
    state = opened()

    state.close()

    assert state.close() is None
