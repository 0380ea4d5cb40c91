"""The edge between the protocol and our code: arguments are read here, and every error becomes a sentence here."""

from __future__ import annotations

import functools
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from crew_router.errors import CrewRouterError, NoCandidateError
from crew_router_mcp.arguments import ArgumentError, Schema, read_arguments

if TYPE_CHECKING:
    from fastmcp.tools import ToolResult

_log = logging.getLogger("crew_router_mcp")
_SHOWN_CHARS: Final = 1000


class ReplyInstead(Exception):  # noqa: N818 - it is no error: the tool answers something else than its own type
    """Carries an answer of the protocol (a question to the person) out of a tool."""

    def __init__(self, result: object) -> None:
        super().__init__("reply instead")
        self.result = result


class ReadArguments(Middleware):
    """Reads arguments by the schemas that clients were shown.

    Args:
        schemas: Input schema of each tool by its name.
    """

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, ToolResult]) -> ToolResult:
        """Read the arguments of one call, or refuse it with one sentence."""
        message = context.message
        schema = self._schemas.get(message.name)
        if schema is None:
            return await call_next(context)
        try:
            arguments = read_arguments(message.arguments or {}, schema)
        except ArgumentError as error:
            raise ToolError(str(error)) from None
        return await call_next(context.copy(message=message.model_copy(update={"arguments": arguments})))


def explained(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Return a tool whose errors are sentences: ours say what to do, all others are masked and logged without their text."""
    if inspect.iscoroutinefunction(tool):

        @functools.wraps(tool)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            try:
                return await tool(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - the edge: whatever it is, the client gets a sentence
                return _reply(tool.__name__, error)

        return asynchronous

    @functools.wraps(tool)
    def synchronous(*args: Any, **kwargs: Any) -> Any:
        try:
            return tool(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - as above
            return _reply(tool.__name__, error)

    return synchronous


async def answered(tool: str, work: Awaitable[str]) -> str:
    """Return what something other than a tool (a resource, a prompt) answers, with errors as :func:`explained` has them."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - as above
        return str(_reply(tool, error))


def _reply(tool: str, error: Exception) -> object:
    """Return what is answered instead, or raise the sentence.

    Raises:
        ToolError: For everything that is an error.
    """
    if isinstance(error, ReplyInstead):
        return error.result
    if isinstance(error, ToolError):
        raise error
    if isinstance(error, CrewRouterError):
        raise ToolError(sentence(error)) from None
    # The text of an unknown error may hold the prompt, so only its kind and place are logged.
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("%s failed: %s at %s:%s", tool, type(error).__name__, place.filename, place.lineno)
    raise ToolError(f"{tool} failed with an unexpected {type(error).__name__}; the server's log says where.") from None


def sentence(error: CrewRouterError) -> str:
    """Return an error as one line; of the models that a request left over, the request's fields and the cure are enough."""
    lines = str(error).splitlines() or [type(error).__name__]
    if isinstance(error, NoCandidateError):
        lines = [lines[0], lines[-1]]
    text = " ".join(" ".join(lines).split())
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
