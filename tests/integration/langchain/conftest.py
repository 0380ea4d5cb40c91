"""One fake provider on loopback for all tests of the LangChain adapter."""

from __future__ import annotations

import base64
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from wire_server import WireServer

from crew_router_langchain.transport import LangChainTransport

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Overlook sockets that provider packages keep in clients they share and never close."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:OpenAI may require a filename"))  # LangChain's suite gives none
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(autouse=True, scope="module")
def _forgotten_sockets() -> Iterator[None]:
    """Collect forgotten sockets here, so that they are not reported in the tests that follow."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def wire_of_the_session() -> Iterator[WireServer]:
    """A running fake provider."""
    with WireServer() as server:
        yield server


@pytest.fixture
def wire(wire_of_the_session: WireServer) -> WireServer:
    """The fake provider, every model well and nothing seen."""
    wire_of_the_session.heal()
    return wire_of_the_session


@pytest_asyncio.fixture
async def transport() -> AsyncIterator[LangChainTransport]:
    """A transport whose connections are closed afterwards."""
    transport = LangChainTransport()
    yield transport
    await transport.aclose()


@pytest.fixture
def benchmark() -> Callable[..., object]:
    """Run what LangChain's suite wants timed, without timing it: ``benchmarks/chat_model.py`` measures."""

    def once(function: Callable[..., object], *args: object) -> object:
        return function(*args)

    return once


# One pixel of a picture stands for whatever LangChain's suite downloads.
_PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAMBAQDJ/pLvAAAAAElFTkSuQmCC")


@pytest.fixture(autouse=True)
def _nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give LangChain's suite a picture where it would download one, so that it runs without the internet."""
    monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "crew-router")
    monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(200, content=_PIXEL, request=httpx.Request("GET", url)))
