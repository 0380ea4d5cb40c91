"""HTTP clients of our own for chat models whose packages share theirs in the whole process.

A shared client cannot be closed without breaking others, and an asynchronous one carries kept-alive connections from a loop
that has ended to the next, where they fail with "Event loop is closed".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from crew_router_langchain.exchange import ASYNC_HOOKS, HOOKS


class _Client(Protocol):
    def close(self) -> None: ...


class _AsyncClient(Protocol):
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Connections:
    """The HTTP clients that were made for one chat model and go with it."""

    blocking: tuple[_Client, ...] = ()
    awaited: tuple[_AsyncClient, ...] = ()

    def close(self) -> None:
        """Close the blocking clients."""
        for client in self.blocking:
            client.close()

    async def aclose(self) -> None:
        """Close all clients, on the loop that used them."""
        self.close()
        await asyncio.gather(*(client.aclose() for client in self.awaited))


def own_connections(model: Any, *, users: bool) -> Connections:
    """Give a chat model HTTP clients of its own.

    Args:
        model: A chat model that nobody else holds.
        users: Whether it is the copy of a user's instance, whose blocking clients (proxies, certificates) stay.
    """
    packages = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    if "langchain_openai" in packages:
        return _openai(model)
    if "langchain_anthropic" in packages:
        return _anthropic(model, users=users)
    if "langchain_mistralai" in packages:
        return _mistral(model, users=users)
    return Connections()


def _openai(model: Any) -> Connections:
    import openai  # loaded already by langchain_openai

    if model.openai_proxy:
        return Connections()
    blocking: list[_Client] = []
    awaited: list[_AsyncClient] = []
    if model.root_async_client is not None and model.http_async_client is None:
        awaited.append(openai.DefaultAsyncHttpxClient(event_hooks=ASYNC_HOOKS))
        model.root_async_client = model.root_async_client.with_options(http_client=awaited[0])
        model.async_client = model.root_async_client.chat.completions
    # A client that the user gave (proxies, certificates) stays.
    if model.root_client is not None and model.http_client is None:
        blocking.append(openai.DefaultHttpxClient(event_hooks=HOOKS))
        model.root_client = model.root_client.with_options(http_client=blocking[0])
        model.client = model.root_client.chat.completions
    return Connections(tuple(blocking), tuple(awaited))


def _anthropic(model: Any, *, users: bool) -> Connections:
    import anthropic  # loaded already by langchain_anthropic

    if model.anthropic_proxy:
        return Connections()
    settings = model._client_params  # noqa: SLF001 - the class has no public door
    awaited = anthropic.DefaultAsyncHttpxClient(event_hooks=ASYNC_HOOKS)
    model.__dict__["_async_client"] = anthropic.AsyncClient(**settings, http_client=awaited)
    if users:
        return Connections((), (awaited,))
    blocking = anthropic.DefaultHttpxClient(event_hooks=HOOKS)
    model.__dict__["_client"] = anthropic.Client(**settings, http_client=blocking)
    return Connections((blocking,), (awaited,))


def _mistral(model: Any, *, users: bool) -> Connections:
    """ChatMistralAI makes clients of its own; a copy of a user's instance needs another one on each loop."""
    if not users:
        model.client.event_hooks, model.async_client.event_hooks = HOOKS, ASYNC_HOOKS
        return Connections((model.client,), (model.async_client,))
    import httpx  # loaded already by langchain_mistralai

    old = model.async_client
    model.async_client = httpx.AsyncClient(
        base_url=old.base_url, headers=old.headers, timeout=old.timeout, auth=old.auth, params=old.params, event_hooks=old.event_hooks
    )
    return Connections((), (model.async_client,))
