"""Asking a local OpenAI-compatible server whether it is there and what it serves."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from crew_router.reachability import LOCAL_SERVERS
from crew_router.types import ModelRef

TIMEOUT_S: Final = 0.5
LOCAL_PROBE_S: Final = 60.0
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


def listed_models(base_url: str, *, timeout_s: float = TIMEOUT_S) -> tuple[str, ...] | None:
    """Return the model names that ``GET {base_url}/models`` lists, or ``None`` when no such server answers."""
    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/models", headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(_MAX_BYTES)
        return _names(json.loads(body)) if response.status == _OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None  # nobody there, or somebody else: both mean that no model server answers
    finally:
        connection.close()


def usual_servers(skip: Iterable[str] = ()) -> tuple[Server, ...]:
    """Return the local servers that answer on their usual ports (1234, 11434, 8000)."""
    found = ((provider, url, listed_models(url)) for provider, url in LOCAL_SERVERS.items() if url not in set(skip))
    return tuple(Server(provider, url, names) for provider, url, names in found if names)


def _names(answer: object) -> tuple[str, ...] | None:
    entries = cast("dict[str, object]", answer).get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        return None
    names = (cast("dict[str, object]", entry).get("id") for entry in cast("list[object]", entries) if isinstance(entry, dict))
    return tuple(name for name in names if isinstance(name, str))
