"""Reading what an exception of a client library carries: status, codes, sentences, headers.

No client library is imported. A body is read wherever it stands (an attribute, the unread response, the text of the exception, a
JSON text inside another body, as gateways pass an upstream error on), and codes under whichever key a provider writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

_MOST_CAUSES: Final = 6
_DEEPEST: Final = 8
_MOST_CHARS: Final = 20_000
_CODE_KEYS: Final = frozenset({
    "code", "type", "status", "reason", "error_code", "errorcode", "error_type", "err_code", "__type", "name", "error", "reasoncode",
    "block_reason", "blockreason", "raw_status_code", "param_code",
})  # fmt: skip
_BODY_ATTRIBUTES: Final = ("body", "details", "error", "data", "raw_body", "response_json")
_LAST_STATUS: Final = 599


@dataclass(frozen=True, slots=True)
class Told:
    """What an exception and its causes say.

    Args:
        chain: The exception and what caused it, the nearest first.
        status: HTTP status, or the one that the body gives instead.
        codes: Codes in lower case, the outermost first.
        words: All sentences in lower case.
        headers: Headers of the answer, names in lower case.
        bodies: Bodies as data.
        parameter: The parameter that the provider names, or empty.
    """

    chain: tuple[BaseException, ...]
    status: int | None
    codes: tuple[str, ...]
    words: str
    headers: Mapping[str, str]
    bodies: tuple[object, ...]
    parameter: str


def told_by(error: BaseException) -> Told:
    """Read an exception; never raises."""
    chain = tuple(_chain(error))
    bodies = tuple(body for each in chain for body in _bodies(each))
    found = [pair for body in bodies for pair in _strings(body)]
    own = [
        ("code", value) for each in chain for value in (getattr(each, "code", None), getattr(each, "type", None)) if isinstance(value, str)
    ]
    codes = tuple(dict.fromkeys(value.lower().partition("#")[2] or value.lower() for key, value in [*own, *found] if key in _CODE_KEYS))
    texts = [*(str(each) for each in chain), *(value for _, value in found)]
    status = next((code for code in map(_status, chain) if code is not None), None)
    parameter = next((value for key, value in found if key in {"param", "parameter"}), "")
    return Told(
        chain, _telling(status, bodies), codes, " ".join(texts).lower()[:_MOST_CHARS], _headers(chain), bodies, parameter
    )  # fmt: skip


def entry(holder: object, key: str) -> object:
    """Return an entry of a mapping, ``None`` of anything else."""
    return holder.get(key) if isinstance(holder, Mapping) else None


def _telling(status: int | None, bodies: tuple[object, ...]) -> int | None:
    """Return the status that the body gives where it gives one: gateways answer 200 or 400 and write the real one inside."""
    inside = (number for body in bodies for number in (_number(entry(body, "code")), _number(entry(entry(body, "error"), "code"))))
    return next((number for number in inside if number is not None), status)


def _number(code: object) -> int | None:
    if isinstance(code, bool) or not isinstance(code, (int, str)):
        return None
    text = str(code)
    number = int(text) if text.isascii() and text.isdigit() else 0
    return number if HTTPStatus.BAD_REQUEST <= number <= _LAST_STATUS else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _status(error: BaseException) -> int | None:
    """Read the HTTP status from wherever the client library keeps it."""
    answer = getattr(error, "response", None)
    places = (
        getattr(error, "status_code", None),
        getattr(answer, "status_code", None),
        entry(entry(answer, "ResponseMetadata"), "HTTPStatusCode"),
        getattr(error, "code", None),
    )
    for code in places:
        if isinstance(code, int) and not isinstance(code, bool) and HTTPStatus.CONTINUE <= code <= _LAST_STATUS:
            return int(code)
    return None


def _bodies(error: BaseException) -> Iterator[object]:
    places = [getattr(error, name, None) for name in _BODY_ATTRIBUTES]
    answer = getattr(error, "response", None) or getattr(error, "raw_response", None)
    if isinstance(answer, Mapping):
        places.append({key: value for key, value in answer.items() if key != "ResponseMetadata"})
    elif answer is not None:
        places.append(_text_of(answer))
    seen: list[object] = []
    for place in [*places, *error.args]:
        body = parsed(place) if isinstance(place, (str, bytes)) else place
        if isinstance(body, (Mapping, list)) and body not in seen:
            seen.append(body)
            yield body


def _text_of(answer: Any) -> str:
    try:
        return str(answer.text)
    except Exception:  # noqa: BLE001 - a stream that nobody read has no text; each library raises its own
        return ""


def parsed(text: str | bytes) -> object:
    """Return the JSON in a text, from its first bracket on, or ``None``."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts or len(text) > _MOST_CHARS:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, min(starts))[0]
    except (ValueError, RecursionError):
        return None


def _strings(body: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every text of a body under its key in lower case; a JSON text is opened."""
    if depth > _DEEPEST:
        return
    if isinstance(body, Mapping):
        for name, value in body.items():
            yield from _strings(value, str(name).lower(), depth + 1)
    elif isinstance(body, list):
        for value in body:
            yield from _strings(value, key, depth + 1)
    elif isinstance(body, str):
        yield key, body
        inner = parsed(body) if "{" in body else None
        if inner is not None:
            yield from _strings(inner, key, depth + 1)
    elif isinstance(body, int) and not isinstance(body, bool) and key in _CODE_KEYS:
        yield key, str(body)


def _headers(chain: tuple[BaseException, ...]) -> Mapping[str, str]:
    for error in chain:
        answer = getattr(error, "response", None) or getattr(error, "raw_response", None)
        held: Any = (
            getattr(answer, "headers", None) or entry(entry(answer, "ResponseMetadata"), "HTTPHeaders") or getattr(error, "headers", None)
        )
        if isinstance(held, Mapping) and held:
            return {str(name).lower(): str(value) for name, value in held.items()}
    return {}
