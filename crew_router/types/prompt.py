"""The text of a payload, whichever surface wrote its messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from crew_router.types.transport import Payload


def prompt_text(payload: Payload) -> str:
    """Return the text of the last message that a user wrote, or of the last message."""
    spoken = [(_role(message), _text(message)) for message in payload.messages]
    users = [text for role, text in spoken if role in {"user", "human", ""}]
    return users[-1] if users else (spoken[-1][1] if spoken else "")


def whole_text(payload: Payload) -> str:
    """Return the text of all messages."""
    return "\n".join(_text(message) for message in payload.messages)


def cache_writes(payload: Payload) -> Literal["", "5m", "1h"]:
    """Return how long what is marked for the provider's prompt cache stays there, empty when nothing is marked."""
    places = [*payload.messages, *payload.tools, payload.parameters]
    found = [marker for place in places for marker in _markers(place)]
    if not found:
        return ""
    return (
        "1h" if any(isinstance(marker, Mapping) and cast("Mapping[str, object]", marker).get("ttl") == "1h" for marker in found) else "5m"
    )


def _markers(place: object) -> Iterator[object]:
    if isinstance(place, Mapping):
        held = cast("Mapping[str, object]", place)
        if "cache_control" in held:
            yield held["cache_control"]
        yield from _markers(held.get("content"))
    elif isinstance(place, (list, tuple)):
        for each in cast("list[object]", place):
            yield from _markers(each)
    elif not isinstance(place, str) and hasattr(place, "content"):
        yield from _markers(cast("object", getattr(place, "content", None)))


def _role(message: object) -> str:
    if isinstance(message, str):
        return "user"
    if isinstance(message, Mapping):
        return str(cast("Mapping[str, object]", message).get("role", ""))
    if isinstance(message, tuple):
        return str(cast("tuple[object, ...]", message)[0])
    return str(getattr(message, "type", ""))


def _text(message: object) -> str:
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        return _content(cast("Mapping[str, object]", message).get("content"))
    if isinstance(message, tuple):
        return _content(cast("tuple[object, ...]", message)[-1])
    return _content(getattr(message, "content", ""))


def _content(content: object) -> str:
    return content if isinstance(content, str) else "".join(_parts(content))


def _parts(content: object) -> Iterator[str]:
    if not isinstance(content, (list, tuple)):
        return
    for part in cast("list[object]", content):
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            yield str(cast("Mapping[str, object]", part).get("text") or "")
