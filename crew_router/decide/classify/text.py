"""What is read: the words of a request, its language, and which of a chat's turns is asked."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, cast

from crew_router.types import ModelCapability

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_FILES: Final = frozenset({"file", "input_file", "document", "media"})
_BY_MIME: Final[Mapping[str, ModelCapability | None]] = {
    "image": ModelCapability.VISION, "audio": ModelCapability.AUDIO, "video": ModelCapability.VIDEO, "text": None,
}  # fmt: skip
_ANSWERS: Final = frozenset({"ai", "AIMessageChunk", "assistant"})


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


_SAMPLE_CHARS: Final = 600
_COMMON: Final = {
    "en": "the and of to is in that it for you with this on are be as have my not what do i a can we how please me your from which but an",
    "de": "der die das und ist nicht ich ein eine zu mit den dem für auf von wir sie bitte wie was es im sind mir oder auch als dass kann",
    "es": "el la los las de que y en un una por para con no es del al se lo mi está como más qué cómo una este esta hay son escribe",
    "fr": "le la les des et est un une pour dans que qui du en ce cette avec pas je vous nous mon sur au aux il plus comment quel écris",
    "pt": "o os as de que e em um uma para com não é do da no na por se meu minha como mais você qual isso são está dos das ao escreva",
    "it": "il lo gli di che e è un una per con non del della nel sono mi come più questo questa alla ho le dei delle al qual scrivi quali",
    "nl": "de het een en van is niet ik dat op te voor met zijn er aan om die deze mijn hoe wat we kan naar bij maak ook als geen nog",
    "pl": "i w na nie się jest do że to z jak o dla mi czy po co od są ten który tego proszę moje przez napisz które za jeśli oraz",
}
_LETTERS: Final = {
    "de": "äöüß",
    "es": "ñ¿¡áó",
    "fr": "çèêàœùî",
    "pt": "ãõç",
    "it": "èòàù",
    "pl": "ąęłśżźćń",
    "nl": "ëĳ",
}
_SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]"), 2.0),  # kana beside Chinese characters is Japanese
    ("zh", re.compile(r"[\u4e00-\u9fff]"), 1.0),
    ("ko", re.compile(r"[\uac00-\ud7af]"), 1.0),
    ("ar", re.compile(r"[\u0600-\u06ff]"), 1.0),
    ("hi", re.compile(r"[\u0900-\u097f]"), 1.0),
    ("ru", re.compile(r"[\u0400-\u04ff]"), 1.0),
    ("he", re.compile(r"[\u0590-\u05ff]"), 1.0),
    ("el", re.compile(r"[\u0370-\u03ff]"), 1.0),
)
_SCRIPT_SHARE: Final = 0.15  # of the characters that are no spaces; chosen on the prompts of authors a and c
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]+")
_WORDS: Final = re.compile(r"[^\W\d_]+")
_LANGUAGES_OF: Final[dict[str, list[str]]] = {}
for _language, _list in _COMMON.items():
    for _word in set(_list.split()):
        _LANGUAGES_OF.setdefault(_word, []).append(_language)


def language_of(text: str) -> tuple[str, float]:
    """Return the ISO 639-1 code and a confidence; English when nothing speaks against it, at low confidence."""
    sample = text[:_SAMPLE_CHARS].lower()
    foreign = "" if sample.isascii() else "".join(_FOREIGN.findall(sample))
    if foreign and (script := _by_script(foreign, solid=len(sample) - sample.count(" "))) is not None:
        return script
    votes: Counter[str] = Counter([language for word in _WORDS.findall(sample) for language in _LANGUAGES_OF.get(word, ())])
    for language in votes:
        votes[language] *= 2
    for language, letters in _LETTERS.items() if foreign else ():
        votes[language] += min(sum(map(foreign.count, letters)), 4)
    if not votes:
        return "en", 0.3
    (best, most), *others = votes.most_common(2)
    second = others[0][1] if others else 0
    if second == most and votes["en"] == most:
        best = "en"
    return best, (most + 1) / (most + second + 2)


def _by_script(foreign: str, *, solid: int) -> tuple[str, float] | None:
    """Return the language whose script makes up enough of the characters that are no spaces."""
    for language, pattern, factor in _SCRIPTS:
        found = len(pattern.findall(foreign))
        if found * factor > solid * _SCRIPT_SHARE:
            return language, min(0.99, 0.6 + found / solid / 2)
    return None


TERMS: Final = "difficulty_terms.json"
_MOST_REPLY_CHARS: Final = 60
_MOST_REPLY_WORDS: Final = 8
_MOST_FOLLOW_UP_WORDS: Final = 14
_OFFER_CHARS: Final = 300
_QUESTION_MARKS: Final = "?\uff1f\u061f"
_REPLY_WORD: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_MARKS: Final = re.compile(r"[\s\W_]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """The texts that say what is wanted; the hardest of them counts.

    ``reply`` tells that the last message is a bare reply, and that nothing in the chat says what it answers.
    """

    texts: tuple[str, ...]
    reply: bool = False


@dataclass(frozen=True, slots=True)
class _Replies:
    words: frozenset[str]
    pieces: re.Pattern[str]
    openings: re.Pattern[str]


@cache
def _replies() -> _Replies:
    lists = json.loads(resources.files("crew_router.decide.classify").joinpath(TERMS).read_text(encoding="utf-8"))["reply"]
    longest_first = sorted(lists["pieces"], key=len, reverse=True)
    latin = [re.escape(each) for each in lists["openings"] if each[0] < "\u3000"]
    others = [re.escape(each) for each in lists["openings"] if each[0] >= "\u3000"]
    openings = rf"(?:(?:{'|'.join(latin)})\b|{'|'.join(others)})"
    return _Replies(frozenset(lists["words"]), re.compile(f"(?:{'|'.join(map(re.escape, longest_first))})+"), re.compile(openings))


def is_reply(text: str) -> bool:
    """Tell whether a text only says yes, no, go on, or which of several things is meant."""
    if not text or len(text) > _MOST_REPLY_CHARS:
        return False
    lowered = text.lower()
    words = _REPLY_WORD.findall(lowered)
    if not words or len(words) > _MOST_REPLY_WORDS:
        return False
    known = _replies()
    return known.words.issuperset(words) or known.pieces.fullmatch(_MARKS.sub("", lowered)) is not None


def _follows_up(text: str) -> bool:
    lowered = text.lower().lstrip()
    return len(lowered.split()) <= _MOST_FOLLOW_UP_WORDS and _replies().openings.match(lowered) is not None


def asked_of(turns: Sequence[tuple[str, str]]) -> Asked:
    """Return what the end of a chat asks for.

    A bare reply ("yes, do it") stands for what it answers: the request before it, or what the assistant offered last. A short
    follow-up ("now in Rust") is read together with what it follows.
    """
    said = [(at, text) for at, (role, text) in enumerate(turns) if role == USER and text.strip()]
    if not said:
        return Asked(())
    at, last = said[-1]
    reply = is_reply(last)
    if not reply and (len(said) == 1 or not _follows_up(last)):
        return Asked((last,))
    before = next((text for _, text in reversed(said[:-1]) if not is_reply(text)), "")
    offer = _offer_before(turns[:at]) if reply else ""
    answered = tuple(text for text in (before, offer) if text)
    if not answered:
        return Asked((last,), reply)
    return Asked(answered if reply else (f"{before}\n{last}",))


def _offer_before(turns: Sequence[tuple[str, str]]) -> str:
    """Return the last paragraph of what the assistant said last, where it asks something."""
    text = next((text for role, text in reversed(turns) if role == ASSISTANT and text.strip()), "").rstrip()
    paragraph = text.rpartition("\n\n")[2][-_OFFER_CHARS:]
    return paragraph if any(mark in paragraph for mark in _QUESTION_MARKS) else ""
