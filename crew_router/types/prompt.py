"""The text of a payload, whichever surface wrote its messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from crew_router.types.transport import Payload


def prompt_text(payload: Payload) -> str:
    """Return the text of the last message that a user wrote, or of the last message."""
    spoken = [(_role(message), _text(message)) for message in payload.messages]
    users = [text for role, text in spoken if role in {"user", "human", ""}]
    return users[-1] if users else (spoken[-1][1] if spoken else "")


def whole_text(payload: Payload) -> str:
    """Return the text of all messages."""
    return "\n".join(_text(message) for message in payload.messages)


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
