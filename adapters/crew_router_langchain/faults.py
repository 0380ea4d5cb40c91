"""What the exceptions of LangChain's providers mean.

Three sources are read, most telling first: words of the provider that name one condition (a full context, a refusal by
policy), LangChain's own error family (langchain-core 1.6 and later), and what the client libraries carry (status code, class
name, ``Retry-After``). No client library is imported: classes are recognised by name, so a provider that is not installed
costs nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from langchain_core import exceptions as core

from crew_router.errors import CrewRouterError, ModelCallError
from crew_router.types.transport import Fault
from crew_router.types.vocabulary import ErrorKind

_MOST_CAUSES: Final = 6
_MOST_CHARS: Final = 500
_OVERLOADED: Final = 529  # Anthropic's own status

_OVERFLOW: Final = (
    "context_length_exceeded",
    "maximum context length",
    "context window",
    "context length",
    "prompt is too long",
    "input is too long",
    "too many total text bytes",
    "too many tokens",
    "exceeds the maximum number of tokens",
    "input token count",
    "string_above_max_length",
    "request_too_large",
)
_POLICY: Final = (
    "content_policy_violation",
    "content_filter",
    "content policy",
    "content management policy",
    "responsibleaipolicyviolation",
    "safety_violation",
    "blocked by safety",
    "guardrail_intervened",
    "data_inspection_failed",
    "cyber_policy_violation",
)
_REFUSALS: Final = frozenset({"ContentFilterFinishReasonError", "OpenAIRefusalError"})
_FAMILY: Final[tuple[tuple[type[BaseException], ErrorKind], ...]] = (
    (core.ContextOverflowError, ErrorKind.CONTEXT_OVERFLOW),
    (core.ModelRateLimitError, ErrorKind.RATE_LIMIT),
    (core.ModelTimeoutError, ErrorKind.TIMEOUT),
    (core.ModelConnectionError, ErrorKind.CONNECTION),
    (core.ModelAuthenticationError, ErrorKind.AUTH),
    (core.ModelPermissionDeniedError, ErrorKind.AUTH),
    (core.ModelNotFoundError, ErrorKind.NOT_FOUND),
    (core.ModelInvalidRequestError, ErrorKind.INVALID_REQUEST),
    (core.ModelAPIError, ErrorKind.OVERLOAD),
)
# An answer had begun to arrive; told apart from a refused connection, because it has been paid for.
_CUT_OFF: Final = ("without sending complete message body", "incomplete chunked read", "incompleteread")
# Codes that a stream or Amazon's client reports without a status of its own.
_CODES: Final = {
    "rate_limit_exceeded": ErrorKind.RATE_LIMIT,
    "rate_limit_error": ErrorKind.RATE_LIMIT,
    "throttlingexception": ErrorKind.RATE_LIMIT,
    "toomanyrequestsexception": ErrorKind.RATE_LIMIT,
    "servicequotaexceededexception": ErrorKind.RATE_LIMIT,
    "resource_exhausted": ErrorKind.RATE_LIMIT,
    "overloaded_error": ErrorKind.OVERLOAD,
    "server_error": ErrorKind.OVERLOAD,
    "api_error": ErrorKind.OVERLOAD,
    "internal_error": ErrorKind.OVERLOAD,
    "serviceunavailableexception": ErrorKind.OVERLOAD,
    "modelnotreadyexception": ErrorKind.OVERLOAD,
    "internalserverexception": ErrorKind.OVERLOAD,
    "modelerrorexception": ErrorKind.OVERLOAD,
    "modeltimeoutexception": ErrorKind.TIMEOUT,
    "timeout_error": ErrorKind.TIMEOUT,
    "accessdeniedexception": ErrorKind.AUTH,
    "unrecognizedclientexception": ErrorKind.AUTH,
    "expiredtokenexception": ErrorKind.AUTH,
    "authentication_error": ErrorKind.AUTH,
    "permission_error": ErrorKind.AUTH,
    "invalid_api_key": ErrorKind.AUTH,
    "resourcenotfoundexception": ErrorKind.NOT_FOUND,
    "not_found_error": ErrorKind.NOT_FOUND,
    "model_not_found": ErrorKind.NOT_FOUND,
    "validationexception": ErrorKind.INVALID_REQUEST,
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
}
# Classes of HTTP and client libraries, by name, in the order of the exception's own ``__mro__``.
_CLASSES: Final = {
    "TimeoutException": ErrorKind.TIMEOUT,
    "APITimeoutError": ErrorKind.TIMEOUT,
    "StreamChunkTimeoutError": ErrorKind.TIMEOUT,
    "ReadTimeoutError": ErrorKind.TIMEOUT,
    "ConnectTimeoutError": ErrorKind.TIMEOUT,
    "TimeoutError": ErrorKind.TIMEOUT,
    "TransportError": ErrorKind.CONNECTION,
    "StreamError": ErrorKind.CONNECTION,
    "APIConnectionError": ErrorKind.CONNECTION,
    "EndpointConnectionError": ErrorKind.CONNECTION,
    "HTTPClientError": ErrorKind.CONNECTION,
    "NoCredentialsError": ErrorKind.AUTH,
    "CredentialRetrievalError": ErrorKind.AUTH,
    "DefaultCredentialsError": ErrorKind.AUTH,
    "LengthFinishReasonError": ErrorKind.TRUNCATED,
    "JSONDecodeError": ErrorKind.MALFORMED,
    "OutputParserException": ErrorKind.MALFORMED,
    "ValidationError": ErrorKind.MALFORMED,
    "APIResponseValidationError": ErrorKind.MALFORMED,
    "UnicodeDecodeError": ErrorKind.MALFORMED,
    "IndexError": ErrorKind.EMPTY,  # the clients read the first choice of an answer that has none
    "OSError": ErrorKind.CONNECTION,
}
# A client that trips over an answer of the wrong shape raises one of these.
_SHAPE: Final = (TypeError, KeyError, IndexError, AttributeError)


def classify(error: BaseException) -> Fault:
    """Tell what an exception of a LangChain model means; never raises."""
    if isinstance(error, ModelCallError):
        return Fault(error.kind, error.message, error.retry_after_s, error.status_code)
    if isinstance(error, asyncio.CancelledError):
        return Fault(ErrorKind.CANCELLED, "cancelled")
    chain = tuple(_chain(error))
    status = next((code for code in map(_status, chain) if code is not None), None)
    retry_after = next((seconds for seconds in map(_retry_after, chain) if seconds is not None), None)
    return Fault(_kind(chain, status), _words(error), retry_after, status)


def _kind(chain: tuple[BaseException, ...], status: int | None) -> ErrorKind:
    by_words = _by_words(chain, status)
    if by_words is not None:
        return by_words
    if any(words in f"{type(error).__name__} {error}".lower() for error in chain for words in _CUT_OFF):
        return ErrorKind.TRUNCATED
    for error in chain:
        for family, kind in _FAMILY:
            if isinstance(error, family):
                return kind
    for reading in (_by_status(status), _by_code(chain), _by_class(chain)):
        if reading is not None:
            return reading
    if isinstance(chain[0], _SHAPE) and not isinstance(chain[0], CrewRouterError):
        return ErrorKind.MALFORMED
    return ErrorKind.UNKNOWN


def _by_words(chain: tuple[BaseException, ...], status: int | None) -> ErrorKind | None:
    """Read a full context and a refusal from the provider's words, which no status code tells apart."""
    if any(type(error).__name__ in _REFUSALS for error in chain):
        return ErrorKind.CONTENT_POLICY
    if status is not None and not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}:
        return None
    words = " ".join(str(error) for error in chain).lower()
    if any(mark in words for mark in _POLICY):
        return ErrorKind.CONTENT_POLICY
    if any(mark in words for mark in _OVERFLOW):
        return ErrorKind.CONTEXT_OVERFLOW
    return None


def _by_status(status: int | None) -> ErrorKind | None:
    if status is None:
        return None
    table = {
        HTTPStatus.UNAUTHORIZED: ErrorKind.AUTH,
        HTTPStatus.PAYMENT_REQUIRED: ErrorKind.AUTH,
        HTTPStatus.FORBIDDEN: ErrorKind.AUTH,
        HTTPStatus.NOT_FOUND: ErrorKind.NOT_FOUND,
        HTTPStatus.REQUEST_TIMEOUT: ErrorKind.TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorKind.CONTEXT_OVERFLOW,
        HTTPStatus.TOO_MANY_REQUESTS: ErrorKind.RATE_LIMIT,
        HTTPStatus.GATEWAY_TIMEOUT: ErrorKind.TIMEOUT,
        _OVERLOADED: ErrorKind.OVERLOAD,
    }
    if status in table:
        return table[status]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ErrorKind.OVERLOAD
    return ErrorKind.INVALID_REQUEST if status >= HTTPStatus.BAD_REQUEST else None


def _by_code(chain: tuple[BaseException, ...]) -> ErrorKind | None:
    for error in chain:
        for code in _codes(error):
            kind = _CODES.get(code.lower())
            if kind is not None:
                return kind
    return None


def _by_class(chain: tuple[BaseException, ...]) -> ErrorKind | None:
    for error in chain:
        for kind in (_CLASSES.get(base.__name__) for base in type(error).__mro__):
            if kind is not None:
                return kind
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and what caused it, the nearest first."""
    current: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__


def _status(error: BaseException) -> int | None:
    """Read the HTTP status from wherever the client library keeps it."""
    answer = getattr(error, "response", None)
    metadata = _entry(answer, "ResponseMetadata")
    places = (
        getattr(error, "status_code", None),
        getattr(answer, "status_code", None),
        _entry(metadata, "HTTPStatusCode"),
        getattr(error, "code", None),
    )
    return next((int(code) for code in places if isinstance(code, int) and HTTPStatus.CONTINUE <= code <= 599), None)  # noqa: PLR2004 - last status class


def _codes(error: BaseException) -> Iterator[str]:
    body = getattr(error, "body", None)
    inner = _entry(body, "error")
    amazon = _entry(getattr(error, "response", None), "Error")
    places = (
        getattr(error, "code", None),
        getattr(error, "type", None),
        _entry(inner, "code"),
        _entry(inner, "type"),
        _entry(body, "code"),
        _entry(body, "type"),
        _entry(amazon, "Code"),
    )
    yield from (code for code in places if isinstance(code, str))


def _entry(holder: object, key: str) -> object:
    return holder.get(key) if isinstance(holder, Mapping) else None


def _retry_after(error: BaseException) -> float | None:
    """Read ``Retry-After`` in seconds; a date is read against the server's own ``Date``."""
    answer = getattr(error, "response", None)
    headers: Any = getattr(answer, "headers", None) or _entry(_entry(answer, "ResponseMetadata"), "HTTPHeaders")
    if not isinstance(headers, Mapping):
        return None
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    return _number(text) if _number(text) is not None else _until(text, headers.get("date"))


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _until(when: object, sent: object) -> float | None:
    if not isinstance(when, str) or not isinstance(sent, str):
        return None
    try:
        return max((parsedate_to_datetime(when) - parsedate_to_datetime(sent)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def _words(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, json.JSONDecodeError):
        text = f"the answer is no JSON: {error.msg}"
    return text[:_MOST_CHARS]
