"""Asking a local OpenAI-compatible server whether it is there and what it serves."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from crew_router.config.reachability import LOCAL_SERVERS
from crew_router.types import ModelRef

TIMEOUT_S: Final = 0.5
_OK: Final = 200
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answered, with the names of the models it lists."""

    provider: str
    base_url: str
    models: tuple[str, ...]

    def refs(self) -> tuple[ModelRef, ...]:
        """Return the models as references."""
        return tuple(ModelRef(f"{self.provider}:{name}") for name in self.models)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server answered to ``GET /models``: the status, and the names where it lists any."""

    status: int
    models: tuple[str, ...]


def listed_models(base_url: str, *, timeout_s: float = TIMEOUT_S) -> tuple[str, ...] | None:
    """Return the model names that ``GET {base_url}/models`` lists.

    Nothing is listed by a server that answers otherwise; ``None`` when nobody answers at all.
    """
    found = listing(base_url, timeout_s=timeout_s)
    return None if found is None else found.models


def listing(base_url: str, *, api_key: str | None = None, timeout_s: float = TIMEOUT_S) -> Listing | None:
    """Return what ``GET {base_url}/models`` answers; ``None`` when nobody answers at all.

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


def usual_servers() -> tuple[Server, ...]:
    """Return the local servers that answer on their usual ports (1234, 11434, 8000)."""
    found = ((provider, url, listed_models(url)) for provider, url in LOCAL_SERVERS.items())
    return tuple(Server(provider, url, names) for provider, url, names in found if names)


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
