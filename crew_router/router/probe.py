"""Ask OpenAI-compatible servers which models they list."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from crew_router.config.reachability import LOCAL_SERVERS
from crew_router.types import ModelRef

TIMEOUT_S: Final = 0.5
WITHIN_S: Final = 1.0
_OK: Final = 200
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Server:
    """A local server that answered, with the names of the models it lists."""

    provider: str
    base_url: str
    models: tuple[str, ...]

    def refs(self) -> tuple[ModelRef, ...]:
        """Return references to the models."""
        return tuple(ModelRef(f"{self.provider}:{name}") for name in self.models)


@dataclass(frozen=True, slots=True)
class Listing:
    """A server's answer to ``GET /models``: the HTTP status, and the names of models, if it lists any."""

    status: int
    models: tuple[str, ...]


def listed_models(base_url: str, *, timeout_s: float = TIMEOUT_S) -> tuple[str, ...] | None:
    """Return the model names that ``GET {base_url}/models`` lists.

    The list is empty when the answer is not a listing; ``None`` when no server answers.
    """
    answer = listing(base_url, timeout_s=timeout_s)
    return None if answer is None else answer.models


def listing(base_url: str, *, api_key: str | None = None, timeout_s: float = TIMEOUT_S) -> Listing | None:
    """Return the answer to ``GET {base_url}/models``; ``None`` when no server answers.

    Args:
        base_url: Address of an OpenAI-compatible server, with ``/v1`` where it has one.
        api_key: Sent as a bearer token, if given.
        timeout_s: Seconds that connecting and each read may take.
    """
    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/models", headers=headers)
        response = connection.getresponse()
        body = response.read(_MAX_BYTES)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return Listing(response.status, _names(body) if response.status == _OK else ())


def all_listed(urls: Iterable[str], *, within_s: float = WITHIN_S) -> dict[str, tuple[str, ...] | None]:
    """Return what servers list, asking all at once; one that has not answered within so many seconds counts as not answering."""
    answers: queue.SimpleQueue[tuple[str, tuple[str, ...] | None]] = queue.SimpleQueue()
    listed: dict[str, tuple[str, ...] | None] = dict.fromkeys(urls)

    def ask(url: str) -> None:
        answers.put((url, listed_models(url)))

    for url in listed:
        threading.Thread(target=ask, args=(url,), name="crew-router-discovery", daemon=True).start()
    end = time.monotonic() + within_s  # real time, because an injected clock does not move while the network is slow
    for _ in range(len(listed)):
        try:
            url, names = answers.get(timeout=max(end - time.monotonic(), 0.0))
        except queue.Empty:
            break
        listed[url] = names
    return listed


def usual_servers() -> tuple[Server, ...]:
    """Return the local servers that answer on their default ports (1234, 11434, 8000)."""
    listed = all_listed(LOCAL_SERVERS.values())
    return tuple(Server(provider, url, names) for provider, url in LOCAL_SERVERS.items() if (names := listed[url]))


def _names(body: bytes) -> tuple[str, ...]:
    try:
        answer: object = json.loads(body)
    except ValueError:
        return ()
    entries = cast("dict[str, object]", answer).get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        return ()
    names = (cast("dict[str, object]", entry).get("id") for entry in cast("list[object]", entries) if isinstance(entry, dict))
    return tuple(name for name in names if isinstance(name, str))
