"""Reading what a request says, whatever its messages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from crew_router.types import ModelCapability

HEAD_CHARS: Final = 6_000
TAIL_CHARS: Final = 2_000
_MEDIA: Final[Mapping[str, ModelCapability]] = {
    "image": ModelCapability.VISION,
    "image_url": ModelCapability.VISION,
    "input_image": ModelCapability.VISION,
    "audio": ModelCapability.AUDIO,
    "input_audio": ModelCapability.AUDIO,
    "video": ModelCapability.VIDEO,
    "video_url": ModelCapability.VIDEO,
}
_FILES: Final = frozenset({"file", "input_file", "document", "media"})
_BY_MIME: Final[Mapping[str, ModelCapability | None]] = {
    "image": ModelCapability.VISION, "audio": ModelCapability.AUDIO, "video": ModelCapability.VIDEO, "text": None,
}  # fmt: skip
_ANSWERS: Final = frozenset({"ai", "AIMessageChunk", "assistant"})


@dataclass(frozen=True, slots=True)
class SpokenText:
    """The capped text of a request.

    ``text`` is at most a head and a tail of the whole, ``chars`` the length of the whole in characters, ``last`` what the
    person said last, ``media`` the kinds of content blocks that are not text.
    """

    text: str
    chars: int
    last: str
    media: frozenset[ModelCapability] = frozenset()


def read_text(text: str, messages: Iterable[object] = ()) -> SpokenText:
    """Collect the text of a prompt or a chat.

    Args:
        text: A prompt; may be empty.
        messages: Texts, OpenAI-style dictionaries, ``(role, content)`` pairs, or objects with a ``content`` attribute.
    """
    parts: list[str] = [text] if text else []
    media: set[ModelCapability] = set()
    last = text
    for message in messages:
        said = _message_text(message, media)
        parts.append(said)
        last = said or last
    whole = parts[0] if len(parts) == 1 else "\n".join(parts)
    return SpokenText(_capped(whole), len(whole), _capped(last), frozenset(media))


def _capped(text: str) -> str:
    if len(text) <= HEAD_CHARS + TAIL_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def _message_text(message: object, media: set[ModelCapability]) -> str:
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        fields = cast("Mapping[str, object]", message)
        return _content_text(fields.get("content"), _asked(fields.get("role"), media))
    if isinstance(message, tuple):
        pair = cast("tuple[object, ...]", message)
        return _content_text(pair[-1], _asked(pair[0], media))
    return _content_text(getattr(message, "content", ""), _asked(getattr(message, "type", ""), media))


def _asked(role: object, media: set[ModelCapability]) -> set[ModelCapability]:
    """Return where the kinds of blocks are kept: a picture that a model made earlier asks nothing of the next one."""
    return set[ModelCapability]() if role in _ANSWERS else media


def _content_text(content: object, media: set[ModelCapability]) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Iterable):
        return ""
    return "\n".join(filter(None, (_block_text(block, media) for block in cast("Iterable[object]", content))))


def _medium(block: Mapping[str, object]) -> ModelCapability | None:
    """Return what a block asks of a model; a file is read by its type, and is a document where it is none of the others."""
    kind = str(block.get("type", ""))
    if kind not in _FILES:
        return _MEDIA.get(kind)
    source = block.get("source")
    places = [block, cast("Mapping[str, object]", source)] if isinstance(source, Mapping) else [block]
    mime = next((str(place[key]) for place in places for key in ("mime_type", "media_type") if place.get(key)), "")
    if not mime and any(place.get("type") == "text" for place in places):
        return None
    return _BY_MIME.get(mime.partition("/")[0], ModelCapability.DOCUMENTS)


def _block_text(block: object, media: set[ModelCapability]) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, Mapping):
        return ""
    fields = cast("Mapping[str, object]", block)
    kind = _medium(fields)
    if kind is not None:
        media.add(kind)
    text = fields.get("text")
    return text if isinstance(text, str) else ""
