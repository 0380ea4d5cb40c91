"""Active checks by the listing of a server, which may come and go."""

from __future__ import annotations

import contextlib

import pytest
from wire_bench import PRICES

from crew_router import Router
from crew_router.testing.fault_server import FaultServer


def entries(url: str, *names: str) -> dict[str, object]:
    """Return a configuration with models of an OpenAI-compatible server."""
    entry = {"provider": "openai", "base_url": url, "api_key": "k", "price": {"input": 1.0, "output": 2.0}}
    return {"registry": "none", "models": {f"wire:{name}": {**entry, "model": name} for name in names}, "health": {"max_age_s": 0}}


def test_a_listing_tells_what_a_server_serves(server: FaultServer) -> None:
    """A model that is listed is ready, one that is not fails its check, and nobody is called for it."""
    with Router(entries(server.url, "a", "unheard-of"), ledger_url="sqlite://") as router:
        report = router.check_health(active=True)

    assert report["models"] == {"wire:a": "ready", "wire:unheard-of": f"check failed: the server at {server.url} does not list unheard-of"}
    assert {each["how"] for each in report["checks"].values()} == {"listing"}  # type: ignore[attr-defined]  # plain data
    assert server.served == []


def test_a_server_that_goes_away_is_lost_and_found_again() -> None:
    """While a local server is away its models are out, and back as soon as a look finds it."""
    with contextlib.ExitStack() as opened:
        with FaultServer(prices=PRICES) as server:
            router = opened.enter_context(Router(entries(server.url, "a"), ledger_url="sqlite://"))
            states = [router.check_health(active=True)["ok"]]
        states.append(router.check_health(active=True)["ok"])
        with FaultServer(prices=PRICES, port=server.port):
            states.append(router.check_health(active=True)["ok"])
            answer = router.invoke("Say hello.").text

    assert states == [True, False, True]
    assert answer


@pytest.mark.parametrize(("status", "said"), [(401, "answers 401"), (503, "answers 503")])
def test_a_server_that_refuses_fails_the_check(server: FaultServer, status: int, said: str) -> None:
    """A refused key and a broken server count against the model."""
    server.listing_status = status
    with Router(entries(server.url, "a"), ledger_url="sqlite://") as router:
        report = router.check_health(active=True)

    assert said in str(report["models"])
