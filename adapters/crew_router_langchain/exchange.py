"""What went over the wire of one call: whether anything was sent, the headers that came, and whether a stream was ended as agreed.

Clients of our own carry httpx event hooks, which do nothing unless a call of ours is under way. A user's own ``http_client`` is left
alone; of calls through it less is known.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

_DONE: Final = b"[DONE]"
_REFUSAL: Final = re.compile(rb'"refusal"\s*:\s*"[^"]')
_TAIL: Final = 64


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Args:
        sent: Whether the request left.
        headers: Headers of the answer, names in lower case.
        watched: Whether the end of a stream is seen at all.
        done: Whether a stream ended with ``[DONE]``.
        refused: Whether a stream carried a refusal of OpenAI's, which its client drops.
    """

    sent: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    watched: bool = False
    done: bool = False
    refused: bool = False
    tail: bytes = b""

    def read(self, data: bytes) -> None:
        """Take bytes of a stream."""
        window = self.tail + data
        self.done = self.done or _DONE in window
        self.refused = self.refused or bool(_REFUSAL.search(window))
        self.tail = window[-_TAIL:]


_CURRENT: ContextVar[Exchange | None] = ContextVar("crew_router_exchange", default=None)


@contextlib.contextmanager
def watching(exchange: Exchange) -> Iterator[None]:
    """Let the hooks tell one call what they see; only while the call itself runs, never between two pieces of a stream."""
    token = _CURRENT.set(exchange)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def _wrapped(stream: Any, exchange: Exchange) -> Any:
    """Return a response body that tells an exchange what passes.

    Clients look whether it is a blocking or an awaited one of their own HTTP library, which is not httpx for all of them.
    """
    bases = {base.__name__: base for base in type(stream).__mro__}
    blocking, awaited = bases.get("SyncByteStream"), bases.get("AsyncByteStream")
    if (blocking is None) == (awaited is None):  # a body that is in memory already, or of a library that is not known
        return stream
    return _awaited(awaited, stream, exchange) if blocking is None else _blocking(blocking, stream, exchange)


def _blocking(base: Any, stream: Any, exchange: Exchange) -> Any:
    class Watched(base):  # type: ignore[misc]  # the base is known at run time only
        def __iter__(self) -> Iterator[bytes]:
            for data in stream:
                exchange.read(data)
                yield data

        def close(self) -> None:
            stream.close()

    return Watched()


def _awaited(base: Any, stream: Any, exchange: Exchange) -> Any:
    class Watched(base):  # type: ignore[misc]  # as above
        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for data in stream:
                exchange.read(data)
                yield data

        async def aclose(self) -> None:
            await stream.aclose()

    return Watched()


def _request(_: Any) -> None:
    exchange = _CURRENT.get()
    if exchange is not None:
        exchange.sent = True


def _response(response: Any) -> None:
    exchange = _CURRENT.get()
    if exchange is None:
        return
    exchange.headers = {name.lower(): value for name, value in response.headers.items()}
    if "event-stream" in exchange.headers.get("content-type", "") and not exchange.headers.get("content-encoding"):
        exchange.watched = True
        response.stream = _wrapped(response.stream, exchange)


async def _arequest(request: Any) -> None:
    _request(request)


async def _aresponse(response: Any) -> None:
    _response(response)


HOOKS: Final[dict[str, list[Callable[..., Any]]]] = {"request": [_request], "response": [_response]}
"""Hooks of a blocking ``httpx.Client``."""
ASYNC_HOOKS: Final[dict[str, list[Callable[..., Any]]]] = {"request": [_arequest], "response": [_aresponse]}
"""Hooks of an ``httpx.AsyncClient``."""
