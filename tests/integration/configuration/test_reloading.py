"""A changed configuration file is taken over while the router works; one that means nothing is refused."""

import logging
import os
import threading
import time

import pytest

from crew_router import ConfigurationError, NoCandidateError, Router, RoutingRequest
from crew_router.record.state.observation import Observation
from crew_router.testing import ScriptedModel, runtime_of, take_over_changes
from crew_router.types import ErrorKind

PINNED = "policies: [{{name: only, order: quality, when: {{}}, then: {{pin: 'lab:{}'}}}}]\n"


@pytest.fixture
def file(tmp_path):
    """A configuration that pins one of two models."""
    path = tmp_path / "crew_router.yaml"
    path.write_text(PINNED.format("a"))
    return path


@pytest.fixture
def router(file):
    """A router over the file, all else in memory."""
    models = {f"lab:{name}": ScriptedModel(f"I am {name}", price=(1.0, 2.0), usage=(10, 5)) for name in "ab"}
    with Router(file, models=models, ledger_url="sqlite://", project="test") as made:
        yield made


def put(path, text):
    """Put a file in the place of another at once, as careful programs do."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


def until(condition, within_s=10.0):
    """Wait until something holds; return whether it does."""
    end = time.monotonic() + within_s
    while time.monotonic() < end and not condition():
        time.sleep(0.02)
    return condition()


def test_a_changed_file_is_taken_over_by_reload(router, file):
    """The next request is decided by it, and decisions say that it is another policy."""
    before = router.invoke("Hi")
    put(file, PINNED.format("b"))

    router.reload()
    after = router.invoke("Hi")

    assert (before.text, after.text) == ("I am a", "I am b")
    assert before.decision.policy_version != after.decision.policy_version == router.policy_version
    assert router.explain(before.decision.id).policy_version == before.decision.policy_version


def test_a_changed_file_is_noticed(router, file):
    """Nobody has to call anything."""
    put(file, PINNED.format("b"))

    assert until(lambda: router.invoke("Hi").text == "I am b")
    assert router.health()["configuration"]["policy_version"] == router.policy_version


def test_a_request_that_runs_ends_as_it_began(router, file):
    """A stream goes on with the model, the limits and the policy version that it began with."""
    pieces = router.stream("Hi")
    first = next(pieces)
    put(file, PINNED.format("b"))

    router.reload()
    *rest, last = pieces

    assert first.text + "".join(piece.text for piece in (*rest, last)) == "I am a"
    assert router.policy_version != last.response.decision.policy_version
    assert router.explain(last.response.decision.id).selected_model == "lab:a"


@pytest.mark.parametrize("text", ["strategy: {name: nobody}\n", "policies: [{name: x\n", "budgets: {day: -1}\n", ""])
def test_what_means_nothing_is_refused_and_the_old_one_stays(router, file, text):
    """The error names the file; health says what was refused until the file is mended."""
    version = router.policy_version
    put(file, text)

    with pytest.raises(ConfigurationError, match=r"nobody|crew_router\.yaml"):
        router.reload()

    assert (router.invoke("Hi").text, router.policy_version) == ("I am a", version)
    assert router.stats()["configuration"]["problem"]
    put(file, PINNED.format("b"))
    router.reload()
    assert (router.invoke("Hi").text, router.health()["configuration"]["problem"]) == ("I am b", None)


def test_a_refusal_is_logged_once(router, file, caplog):
    """However often the file is looked at."""
    file.unlink()

    with caplog.at_level(logging.ERROR, logger="crew_router"):
        for _ in range(3):
            take_over_changes(router)

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert router.invoke("Hi").text == "I am a"


def test_no_request_fails_while_files_come_and_go(router, file):
    """Under load from two threads, with good, bad and missing files in turn, every request is answered by a policy that held."""
    stop, texts, failures = threading.Event(), [], []

    def load():
        while not stop.is_set():
            try:
                texts.append(router.invoke("Hi").text)
            except Exception as error:  # noqa: BLE001 - every failure counts
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(6):
        put(file, ["strategy: {name: nobody}\n", PINNED.format("b"), PINNED.format("a")][number % 3])
        take_over_changes(router)
    stop.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert set(texts) == {"I am a", "I am b"}
    assert router.invoke("Hi").text == "I am a"


def test_a_raised_budget_holds_at_once(router, file):
    """What a budget had refused passes when its limit is raised, and what was spent stays spent."""
    put(file, "budgets: {project: 0.00001}\n")
    router.reload()
    with pytest.raises(NoCandidateError):
        router.invoke("Hi", request=RoutingRequest(force_model="lab:a", fallbacks=False))
    put(file, "budgets: {project: 1}\n")

    router.reload()

    assert router.invoke("Hi", request=RoutingRequest(force_model="lab:a")).cost_usd == pytest.approx(0.00002)
    assert runtime_of(router).ledger.reconcile()[0].limit_nano == 1_000_000_000


def test_settings_of_open_stores_wait_for_the_next_start(router, file, tmp_path, caplog):
    """The history goes on where it was, and health says which settings wait."""
    put(file, PINNED.format("b") + f"ledger: {{durability: full}}\nstate: {{url: 'sqlite:///{tmp_path}/state.db'}}\n")

    router.reload()

    assert router.invoke("Hi").text == "I am b"
    assert router.health()["configuration"]["at_next_start"] == ["state", "ledger"]
    assert "at the next start" in caplog.text


def test_the_weight_of_rewards_and_breakers_follow(router, file):
    """``learning.alpha`` and ``breaker`` reach the shared numbers, at the start and later."""
    put(file, "learning: {alpha: 0.5}\nbreaker: {failures: 1}\n")
    router.reload()

    state, ref = runtime_of(router).state, router.models[0].ref
    state.learn(ref, None, reward=1.0)
    state.observe(Observation(ref, None, at=time.time(), success=False, error=ErrorKind.OVERLOAD))

    assert state.snapshot().weights[ref, None] == pytest.approx(0.75)
    assert state.snapshot().breakers[ref].phase == "open"


def test_a_folder_is_followed_from_any_working_directory(tmp_path, monkeypatch):
    """A new file in the folder counts, also after the working directory was changed."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "router.yaml").write_text("optimize: cost\n")
    monkeypatch.chdir(tmp_path)
    models = {f"lab:{name}": ScriptedModel(name) for name in "ab"}
    with Router("conf", models=models, ledger_url="sqlite://", project="test") as router:
        os.chdir("/")
        (tmp_path / "conf" / "policies.yaml").write_text(PINNED.format("b"))

        take_over_changes(router)

        assert router.invoke("Hi").text == "b"


def test_without_a_file_nothing_is_followed():
    """A router made from arguments starts no thread, and reloading it changes nothing."""
    before = set(threading.enumerate())  # a router of another test may still be ending its thread
    with Router(models={"lab:a": ScriptedModel("a")}, ledger_url="sqlite://", project="test") as router:
        version = router.policy_version

        router.reload()

        assert router.policy_version == version
        assert not any(thread.name == "crew-router-configuration" for thread in set(threading.enumerate()) - before)
