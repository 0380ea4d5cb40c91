"""What is said of calls that failed: who failed, with which status, in the provider's words, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Protocol

from crew_router.types.provider_keys import KEY_VARIABLES
from crew_router.types.vocabulary import ErrorKind, ModelRef

_MOST_CAUSES: Final = 4
_MOST_CHARS: Final = 160
_BUSY: Final = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.OVERLOAD})
_THROTTLED: Final = 429
# Words by which frameworks recognise a throttle and repeat the whole request, which was retried here already.
_THROTTLE_WORDS: Final = ("429", "rate limit", "rate-limit", "rate_limit", "too many requests", "throttl", "resource exhausted")
# Clients of OpenAI's family put the whole body of an answer into their errors; what a person reads is its message.
_MESSAGE: Final = re.compile(r"""['"]message['"]: {0,4}(['"])(.{1,2000}?)\1[,}]""")
_WHAT: Final = {
    ErrorKind.RATE_LIMIT: "has no capacity left for this account at the moment",
    ErrorKind.OVERLOAD: "is overloaded",
    ErrorKind.TIMEOUT: "did not answer in time",
    ErrorKind.CONNECTION: "could not be reached",
    ErrorKind.AUTH: "refused the key",
    ErrorKind.NOT_FOUND: "does not know the model",
    ErrorKind.INVALID_REQUEST: "refused the request",
    ErrorKind.REFUSED: "does not take this request",
    ErrorKind.CONTEXT_OVERFLOW: "refused the request as too long",
    ErrorKind.CONTENT_POLICY: "refused the content",
    ErrorKind.MALFORMED: "gave an answer that does not fit what was asked for",
    ErrorKind.EMPTY: "gave an empty answer",
    ErrorKind.TRUNCATED: "broke off its answer",
    ErrorKind.CANCELLED: "was cancelled",
    ErrorKind.UNKNOWN: "failed",
}
_CURES: Final = {
    ErrorKind.RATE_LIMIT: "wait a little, or add a model of another provider",
    ErrorKind.OVERLOAD: "wait a little, or add a model of another provider",
    ErrorKind.TIMEOUT: "raise deadline_s, or ask a faster model",
    ErrorKind.CONNECTION: "check that the server runs, its base_url, and the network",
    ErrorKind.NOT_FOUND: "check the model's name, pull it on a local server, or ask for access to it",
    ErrorKind.INVALID_REQUEST: "change what the provider names",
    ErrorKind.REFUSED: "change what the provider names, or ask another model",
    ErrorKind.CONTEXT_OVERFLOW: "shorten the prompt, or add a model with a larger context window",
    ErrorKind.CONTENT_POLICY: "change the prompt, or ask another model",
    ErrorKind.MALFORMED: "ask a stronger model, or simplify the schema",
    ErrorKind.EMPTY: "raise max_tokens, or ask another model",
    ErrorKind.TRUNCATED: "raise max_tokens, or ask another model",
    ErrorKind.CANCELLED: "ask again",
    ErrorKind.UNKNOWN: "read .exceptions for the client's own error",
}


class FailedCall(Protocol):
    """What is read of a :class:`crew_router.ModelCallError`."""

    model: ModelRef
    kind: ErrorKind
    status_code: int | None
    message: str


def causes_of(errors: Iterable[FailedCall]) -> str:
    """Return one line that names every different cause, with what to do about each."""
    causes: dict[tuple[str, ErrorKind, int | None], list[FailedCall]] = {}
    for error in errors:
        causes.setdefault((error.model.provider, error.kind, error.status_code), []).append(error)
    said = [_said(alike) for alike in list(causes.values())[:_MOST_CAUSES]]
    more = len(causes) - len(said)
    return " ".join((*said, f"And {more} more causes: read .exceptions." if more else "")).strip()


def cure_of(error: FailedCall) -> str:
    """Return what to do about a call that failed."""
    if error.kind is not ErrorKind.AUTH:
        return _CURES[error.kind]
    names = KEY_VARIABLES.get(error.model.provider)
    return f"set a valid {' or '.join(names)}" if names else f"set a valid api_key for {error.model}"


def status_of(error: FailedCall, before: str) -> str:
    """Return the status of a refusal behind a separator, or nothing; that of a throttle is never named."""
    hidden = error.status_code in {None, _THROTTLED} or error.kind in _BUSY
    return "" if hidden else f"{before}status {error.status_code}"


def _said(alike: list[FailedCall]) -> str:
    first = alike[0]
    models = ", ".join(dict.fromkeys(str(each.model) for each in alike))
    return f"{first.model.provider} {_WHAT[first.kind]} ({models}{status_of(first, ', ')}){_words(first)}; {cure_of(first)}."


def _words(error: FailedCall) -> str:
    """Return what the provider said, on one line, unless that would look like a throttle."""
    inner = _MESSAGE.search(error.message)
    text = " ".join((inner[2] if inner else error.message).split()).rstrip(".;")
    if not text or error.kind in _BUSY or any(word in text.lower() for word in _THROTTLE_WORDS):
        return ""
    return f": {text if len(text) <= _MOST_CHARS else text[:_MOST_CHARS] + '…'}"
