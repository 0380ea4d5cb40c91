"""Our errors as LangChain users know them: the same error, and a member of LangChain's own family too.

``except NoCandidateError`` and ``except ModelInvalidRequestError`` both catch a request that no model can serve;
``SummarizationMiddleware`` recognises a full context, ``ModelRetryMiddleware`` what is worth another try.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from langchain_core import exceptions as core

from crew_router.errors import (
    AllModelsFailedError,
    ApprovalRequiredError,
    BudgetExceededError,
    CrewRouterError,
    DeadlineExceededError,
    InvalidRequestError,
    ModelCallError,
    NoCandidateError,
    UnknownModelError,
)
from crew_router.types.vocabulary import ErrorKind

_BY_KIND: Final[dict[ErrorKind, type[core.ModelError]]] = {
    ErrorKind.RATE_LIMIT: core.ModelRateLimitError,
    ErrorKind.OVERLOAD: core.ModelAPIError,
    ErrorKind.TIMEOUT: core.ModelTimeoutError,
    ErrorKind.CONNECTION: core.ModelConnectionError,
    ErrorKind.AUTH: core.ModelAuthenticationError,
    ErrorKind.NOT_FOUND: core.ModelNotFoundError,
    ErrorKind.INVALID_REQUEST: core.ModelInvalidRequestError,
    ErrorKind.REFUSED: core.ModelInvalidRequestError,
    ErrorKind.CONTEXT_OVERFLOW: core.ContextOverflowError,
    ErrorKind.CONTENT_POLICY: core.ModelInvalidRequestError,
}
_BY_TYPE: Final[tuple[tuple[type[CrewRouterError], type[core.ModelError]], ...]] = (
    (DeadlineExceededError, core.ModelTimeoutError),
    (UnknownModelError, core.ModelNotFoundError),
    (NoCandidateError, core.ModelInvalidRequestError),
    (InvalidRequestError, core.ModelInvalidRequestError),
    (BudgetExceededError, core.ModelPermissionDeniedError),
    (ApprovalRequiredError, core.ModelPermissionDeniedError),
)


@contextmanager
def as_langchain() -> Iterator[None]:
    """Let our errors pass as members of LangChain's family."""
    try:
        yield
    except CrewRouterError as error:
        _join(error)
        raise


def _join(error: CrewRouterError) -> None:
    family = _family(error)
    if family is not None and not isinstance(error, core.ModelError):
        # The error stays what it is, with its fields, causes and traceback; its class gains a base.
        error.__class__ = _both(type(error), family)


def _family(error: CrewRouterError) -> type[core.ModelError] | None:
    if isinstance(error, ModelCallError):
        return _BY_KIND.get(error.kind, core.ModelAPIError)
    if isinstance(error, AllModelsFailedError):
        kinds = {cause.kind for cause in error.exceptions if isinstance(cause, ModelCallError)}
        # Only what every model reported is told; a mixture is a failure of the service.
        return _BY_KIND.get(kinds.pop(), core.ModelAPIError) if len(kinds) == 1 else core.ModelAPIError
    return next((family for kind, family in _BY_TYPE if isinstance(error, kind)), None)


_made: Final[dict[tuple[type[CrewRouterError], type[core.ModelError]], type[CrewRouterError]]] = {}


def _both(ours: type[CrewRouterError], theirs: type[core.ModelError]) -> type[CrewRouterError]:
    made = _made.get((ours, theirs))
    if made is None:
        made = type(ours.__name__, (ours, theirs), {"__module__": ours.__module__, "__doc__": ours.__doc__})
        _made[ours, theirs] = made
    return made
