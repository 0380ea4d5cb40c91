"""One fault server and one set of clients for all tests of execution over the wire."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from wire_bench import PRICES, WireBench

from crew_router.execute.transports import Transports
from crew_router.testing.fault_server import FaultServer
from crew_router.types import ModelRef

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Overlook sockets that the OpenAI client forgets when its server goes away in the middle of an answer."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(autouse=True, scope="module")
def _forgotten_sockets() -> Iterator[None]:
    """Collect forgotten sockets here, so that they are not reported in the tests that follow."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def server_of_the_session() -> Iterator[FaultServer]:
    """A running fault server."""
    with FaultServer(prices=PRICES, hang_s=5.0, retry_after_s=0.2) as server:
        yield server


@pytest.fixture
def server(server_of_the_session: FaultServer) -> FaultServer:
    """The fault server, every model well and nothing served."""
    server_of_the_session.heal()
    return server_of_the_session


@pytest_asyncio.fixture(scope="session")
async def transports(server_of_the_session: FaultServer) -> AsyncIterator[Transports]:
    """Clients that are kept over all tests, as a router keeps them."""
    transports = Transports()
    yield transports
    entry = WireBench(server_of_the_session, transports).registry[ModelRef("wire:a")]
    await transports(entry).aclose()


@pytest.fixture
def bench(server: FaultServer, transports: Transports) -> WireBench:
    """An executor over the models a and b."""
    return WireBench(server, transports)
