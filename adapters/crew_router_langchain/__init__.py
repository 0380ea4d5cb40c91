"""LangChain surface of crew-router: a chat model that is many, a middleware for agents, and the transport behind both."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crew_router_langchain.chat_model import ChatCrewRouter
    from crew_router_langchain.middleware import RoutingMiddleware
    from crew_router_langchain.runnable import choice
    from crew_router_langchain.transport import LangChainTransport

__all__ = ["ChatCrewRouter", "LangChainTransport", "RoutingMiddleware", "choice"]

_HOMES = {"ChatCrewRouter": "chat_model", "LangChainTransport": "transport", "RoutingMiddleware": "middleware", "choice": "runnable"}
_NEEDED = ("langchain", "langchain_core")


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the middleware needs ``langchain``, the transport only ``langchain-core``."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # only for names that are asked for

    try:
        home = import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _NEEDED:
            raise
        from crew_router.errors import MissingDependencyError  # only to say what is missing

        raise MissingDependencyError(str(missing.name), extra="langchain") from missing
    return getattr(home, name)
