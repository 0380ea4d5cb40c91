"""What a chat asks for at its end: the last request, and what a bare reply answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from crew_router.decide.classify.text import ASSISTANT, USER

if TYPE_CHECKING:
    from collections.abc import Sequence

TERMS: Final = "difficulty_terms.json"
_MOST_REPLY_CHARS: Final = 60
_MOST_REPLY_WORDS: Final = 8
_MOST_FOLLOW_UP_WORDS: Final = 14
_OFFER_CHARS: Final = 300
_QUESTION_MARKS: Final = "?\uff1f\u061f"
_WORDS: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
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
    words = _WORDS.findall(lowered)
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
