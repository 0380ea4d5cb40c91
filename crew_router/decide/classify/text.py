"""Reading what a request says, whatever its messages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from crew_router.types import ModelCapability

HEAD_CHARS: Final = 6_000
TAIL_CHARS: Final = 2_000
USER: Final = "user"
ASSISTANT: Final = "assistant"
_MOST_TURNS: Final = 24
_ROLES: Final[Mapping[str, str]] = {"human": USER, "ai": ASSISTANT, "model": ASSISTANT}
_MEDIA: Final[Mapping[str, ModelCapability]] = {
    "image": ModelCapability.VISION,
    "image_url": ModelCapability.VISION,
    "input_image": ModelCapability.VISION,
    "audio": ModelCapability.AUDIO,
    "input_audio": ModelCapability.AUDIO,
    "video": ModelCapability.VIDEO,
    "video_url": ModelCapability.VIDEO,
}


@dataclass(frozen=True, slots=True)
class SpokenText:
    """The capped text of a request.

    ``text`` is at most a head and a tail of the whole, ``chars`` the length of the whole in characters, ``last`` what the
    person said last, ``media`` the kinds of content blocks that are not text. ``turns`` are the role and the capped text of the last
    messages, oldest first; what has no role was said by the user.
    """

    text: str
    chars: int
    last: str
    media: frozenset[ModelCapability] = frozenset()
    turns: tuple[tuple[str, str], ...] = ()


def read_text(text: str, messages: Iterable[object] = ()) -> SpokenText:
    """Collect the text of a prompt or a chat.

    Args:
        text: A prompt; may be empty.
        messages: Texts, OpenAI-style dictionaries, ``(role, content)`` pairs, or objects with a ``content`` attribute.
    """
    parts: list[str] = [text] if text else []
    media: set[ModelCapability] = set()
    last = text
    turns = [(USER, text)] if text else []
    for message in messages:
        said = _message_text(message, media)
        parts.append(said)
        last = said or last
        turns.append((_role(message), said))
    whole = parts[0] if len(parts) == 1 else "\n".join(parts)
    kept = tuple((role, _capped(said)) for role, said in turns[-_MOST_TURNS:])
    return SpokenText(_capped(whole), len(whole), _capped(last), frozenset(media), kept)


def _capped(text: str) -> str:
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def _role(message: object) -> str:
    if isinstance(message, Mapping):
        role = cast("Mapping[str, object]", message).get("role", USER)
    elif isinstance(message, tuple):
        role = cast("tuple[object, ...]", message)[0]
    else:
        role = getattr(message, "type", None) or getattr(message, "role", USER)
    return _ROLES.get(str(role), str(role))


def _message_text(message: object, media: set[ModelCapability]) -> str:
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        return _content_text(cast("Mapping[str, object]", message).get("content"), media)
    if isinstance(message, tuple):
        return _content_text(cast("tuple[object, ...]", message)[-1], media)
    return _content_text(getattr(message, "content", ""), media)


def _content_text(content: object, media: set[ModelCapability]) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Iterable):
        return ""
    return "\n".join(filter(None, (_block_text(block, media) for block in cast("Iterable[object]", content))))


def _block_text(block: object, media: set[ModelCapability]) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, Mapping):
        return ""
    fields = cast("Mapping[str, object]", block)
    kind = _MEDIA.get(str(fields.get("type", "")))
    if kind is not None:
        media.add(kind)
    text = fields.get("text")
    return text if isinstance(text, str) else ""
