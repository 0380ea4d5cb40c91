"""What the exceptions of LangChain's providers mean.

Read in this order: a code of the vendor's own, a sentence that names one condition, LangChain's error family (langchain-core 1.6
and later), the HTTP status, codes that say no more than a status, and the class of the exception. The tables stand in
:mod:`crew_router_langchain.vendor_codes`. No client library is imported: classes are recognised by name, so a provider that is
not installed costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from langchain_core import exceptions as core

from crew_router.errors import CrewRouterError, ModelCallError
from crew_router.types.clock import SystemClock
from crew_router.types.transport import Fault
from crew_router.types.vocabulary import ErrorKind
from crew_router_langchain.error_bodies import Told, told_by
from crew_router_langchain.vendor_codes import CLASSES, CODES, CUT_OFF, PHRASES, SAYS_SO_OF_ITSELF, STATUSES, WEAK_CODES
from crew_router_langchain.waits import asked_wait_s

_MOST_CHARS: Final = 500
_FAMILY: Final[tuple[tuple[type[BaseException], ErrorKind], ...]] = (
    (core.ContextOverflowError, ErrorKind.CONTEXT_OVERFLOW),
    (core.ModelRateLimitError, ErrorKind.RATE_LIMIT),
    (core.ModelTimeoutError, ErrorKind.TIMEOUT),
    (core.ModelConnectionError, ErrorKind.CONNECTION),
    (core.ModelAuthenticationError, ErrorKind.AUTH),
    (core.ModelPermissionDeniedError, ErrorKind.AUTH),
    (core.ModelNotFoundError, ErrorKind.NOT_FOUND),
    (core.ModelAPIError, ErrorKind.OVERLOAD),
    (core.ModelInvalidRequestError, ErrorKind.REFUSED),
)
_WAITS: Final = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.OVERLOAD, ErrorKind.TIMEOUT, ErrorKind.CONNECTION})
# A client that trips over an answer of the wrong shape, or over a request that it cannot write, raises one of these.
_SHAPE: Final = (TypeError, KeyError, IndexError, AttributeError, ValueError, AssertionError, NotImplementedError)
# Functions of clients and SDKs that read an answer; a shape error outside of them comes before anything was sent.
_READING: Final = re.compile(
    r"create_chat_result|chat_result|convert_(delta|chunk|dict_to_message|response)|(parse|format|process)_?(response|output|chunk|event|stream|converse|line)"
    r"|response_to|_from_(openai|anthropic|response|chunk|event)|_to_(generation|chunk)|unmarshal|_process_response|generate_from_stream|construct|__stream__|iter_events"
    r"|usage_metadata|get_generation_info|_parse_response_candidate"
)  # fmt: skip


def classify(error: BaseException) -> Fault:
    """Tell what an exception of a LangChain model means; never raises."""
    if isinstance(error, ModelCallError):
        return Fault(error.kind, error.message, error.retry_after_s, error.status_code)
    if isinstance(error, asyncio.CancelledError):
        return Fault(ErrorKind.CANCELLED, "cancelled")
    told = told_by(error)
    kind = _kind(told)
    wait_s = asked_wait_s(told.headers, told.bodies, told.words, now=SystemClock().now()) if kind in _WAITS else None
    return Fault(kind, _words(error, told), wait_s, told.status)


def _kind(told: Told) -> ErrorKind:
    if (kind := _by_class(told, only=ErrorKind.CONTENT_POLICY)) is not None:
        return kind
    if (kind := _by_code(told, CODES)) is not None:
        return _weighed(kind, told)
    if (kind := _by_words(told)) is not None:
        return kind
    if any(words in f"{type(error).__name__} {error}".lower() for error in told.chain for words in CUT_OFF):
        return ErrorKind.TRUNCATED
    if not _answered_with_error(told) and before_sending(told.chain[0]):
        return ErrorKind.REFUSED
    for reading in (STATUSES.get(told.status or 0), _by_family(told), _by_status(told.status), _by_code(told, WEAK_CODES), _by_class(told)):
        if reading is not None:
            return reading
    if type(told.chain[0]) is IndexError:
        return ErrorKind.EMPTY  # the clients read the first choice of an answer that has none
    if isinstance(told.chain[0], _SHAPE) and not isinstance(told.chain[0], CrewRouterError):
        return ErrorKind.MALFORMED
    return ErrorKind.UNKNOWN


def _weighed(kind: ErrorKind, told: Told) -> ErrorKind:
    """Weigh a code against its sentence, where the same code stands for two conditions."""
    if kind is ErrorKind.INVALID_REQUEST and SAYS_SO_OF_ITSELF.search(told.words):
        return ErrorKind.REFUSED
    if kind in {ErrorKind.REFUSED, ErrorKind.RATE_LIMIT, ErrorKind.NOT_FOUND} and (by_words := _by_words(told)) is not None:
        # "unsupported_value" of an organisation that is not verified; "rate_limit_exceeded" of one request that is too large to ever pass.
        return by_words
    return kind


def _answered_with_error(told: Told) -> bool:
    return told.status is not None and told.status >= HTTPStatus.BAD_REQUEST


def _by_words(told: Told) -> ErrorKind | None:
    """Read what no status code tells apart from the provider's sentences."""
    if told.status is None and not told.bodies and not _of_a_provider(told):
        return None
    limited = told.status == HTTPStatus.TOO_MANY_REQUESTS
    for kind, pattern in PHRASES:
        if pattern.search(told.words):
            # Google words an ordinary rate limit like an empty account; only a code says that it is one.
            if limited and kind in {ErrorKind.AUTH, ErrorKind.NOT_FOUND} and "exceeded your current quota" in told.words:
                continue
            if told.status == HTTPStatus.UNAUTHORIZED and kind is not ErrorKind.NOT_FOUND:
                return ErrorKind.AUTH
            return kind
    return None


def _of_a_provider(told: Told) -> bool:
    """Tell whether the sentences are a provider's own, and not those of Python or of a parser over an answer."""
    plain = (*_SHAPE, OSError, json.JSONDecodeError, UnicodeDecodeError)
    return not isinstance(told.chain[0], plain) or type(told.chain[0]) is ValueError


def _by_code(told: Told, table: Mapping[str, ErrorKind]) -> ErrorKind | None:
    return next((table[code] for code in told.codes if code in table), None)


def _by_family(told: Told) -> ErrorKind | None:
    for error in told.chain:
        for family, kind in _FAMILY:
            if isinstance(error, family):
                return kind
    return None


def _by_status(status: int | None) -> ErrorKind | None:
    if status is None or status < HTTPStatus.BAD_REQUEST:
        return None
    return ErrorKind.OVERLOAD if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ErrorKind.REFUSED


def _by_class(told: Told, *, only: ErrorKind | None = None) -> ErrorKind | None:
    for error in told.chain:
        for kind in (CLASSES.get(base.__name__) for base in type(error).__mro__):
            if kind is not None and only in {None, kind}:
                return kind
    return None


def before_sending(error: BaseException) -> bool:
    """Tell whether a client raised because it could not write the request: nothing was sent, and the model is as well as before."""
    if isinstance(error, CrewRouterError) or not isinstance(error, _SHAPE) or isinstance(error, (json.JSONDecodeError, UnicodeError)):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or any(_READING.search(frame.name) for frame in frames):
        return False
    if type(error).__name__ == "ValidationError":  # pydantic: of a request unless it reads an answer
        return True
    last = frames[-1].line or ""
    return not re.search(r"\b(response|resp|result|chunk|completion|choices|generations?|answer|event)\b", last)


def _words(error: BaseException, told: Told) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, json.JSONDecodeError):
        text = f"the answer is no JSON: {error.msg}"
    elif told.bodies and not _answered_with_error(told) and isinstance(error, ValueError):
        text = f"{type(error).__name__}: {text}"
    return text[:_MOST_CHARS]
