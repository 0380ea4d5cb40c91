"""The chat models behind registry entries: built once for each event loop, with the retries of their SDKs off.

We own all retries (rule of execution E1), so every client is built or copied with its own retries off.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crew_router.config.credential import credential_key
from crew_router.config.environment import require_variables
from crew_router.config.reachability import ACCESS
from crew_router.errors import MissingDependencyError
from crew_router.types.fork_hooks import free_in_child
from crew_router_langchain.connections import Connections, own_connections
from crew_router_langchain.parameter_rules import OPENAI_REASONING
from crew_router_langchain.reasoning_content import with_reasoning

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from crew_router.types.model import ModelDefinition
    from crew_router.types.vocabulary import ModelRef

# Servers that speak OpenAI's wire format, with the address they listen on when none is given.
LOCAL_SERVERS: Final = {
    "lmstudio": "http://127.0.0.1:1234/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
    "mii": "http://127.0.0.1:28080/v1",
    "openai_compatible": None,
}
# ChatOpenAI demands a key, local servers ignore it; never the caller's real OPENAI_API_KEY.
_NO_KEY: Final = "not-needed"
_BASE_URL_KEYS: Final = {"azure_openai": "azure_endpoint"}
_API_KEY_KEYS: Final = {"cohere": "cohere_api_key"}
# Google's SDK reads 0 as "the SDK's default"; 1 is one request and no retry.
_QUIET: Final = {"google_genai": 1, "google_vertexai": 1}
_WITHOUT_RETRIES_FIELD: Final = frozenset({"cohere", "ollama"})
# These build their SDK clients while they are validated, so a copy with another setting must be built anew.
_REBUILT: Final = ("langchain_openrouter", "langchain_aws", "langchain_google_genai")


@dataclass(frozen=True, slots=True)
class _Held:
    definition: ModelDefinition
    loop: weakref.ref[asyncio.AbstractEventLoop] | None
    client: BaseChatModel
    connections: Connections
    credential: str


class ChatModels:
    """One chat model for each registry entry and event loop; synchronous calls outside a loop share one."""

    def __init__(self) -> None:
        self._held: dict[tuple[ModelRef, int], _Held] = {}
        self._lock = threading.Lock()
        free_in_child(self)

    def of(self, definition: ModelDefinition) -> BaseChatModel:
        """Return the chat model of an entry for the running loop, building it at first use.

        Raises:
            MissingDependencyError: The provider's package is not installed.
            Exception: Whatever the provider's class raises when its settings are wrong.
        """
        loop = asyncio._get_running_loop()  # noqa: SLF001 - as asyncio itself documents it: "no loop" without the cost of an exception
        key = (definition.ref.model, id(loop))  # efforts of a model share its client
        held = self._held.get(key)
        if held is not None and _same(held, definition, loop):
            return held.client
        with self._lock:
            self._drop_dead()
            client, connections = _made(definition)
            at_loop = None if loop is None else weakref.ref(loop)
            self._held[key] = _Held(definition, at_loop, client, connections, credential_key(definition))
        return client

    def close(self) -> None:
        """Close the blocking connections of every chat model that was built here."""
        for held in self._take(lambda held: held.loop is None):
            held.connections.close()

    async def aclose(self) -> None:
        """Close all connections of the running loop, and the blocking ones."""
        running = asyncio.get_running_loop()
        for held in self._take(lambda held: held.loop is None or held.loop() is running):
            await held.connections.aclose()

    def _take(self, chosen: Callable[[_Held], bool]) -> tuple[_Held, ...]:
        with self._lock:
            taken = {key: held for key, held in self._held.items() if chosen(held)}
            for key in taken:
                del self._held[key]
        return tuple(taken.values())

    def _drop_dead(self) -> None:
        for key, held in tuple(self._held.items()):
            loop = None if held.loop is None else held.loop()
            if held.loop is not None and (loop is None or loop.is_closed()):
                del self._held[key]


def _same(held: _Held, definition: ModelDefinition, loop: asyncio.AbstractEventLoop | None) -> bool:
    if held.definition is not definition and _entry(held.definition) != _entry(definition):
        return False
    if held.credential != credential_key(definition):  # a key of the environment was changed; the client holds the old one
        return False
    return loop is None if held.loop is None else held.loop() is loop


def _entry(definition: ModelDefinition) -> tuple[object, ...]:
    """Return what a client is built from."""
    instance = None if definition.instance is None else id(definition.instance)
    return definition.provider, definition.model, definition.base_url, definition.api_key, dict(definition.kwargs), instance


def _made(definition: ModelDefinition) -> tuple[BaseChatModel, Connections]:
    given: Any = definition.instance
    if given is None:
        client = with_reasoning(over_responses(built(definition)))
        return client, own_connections(client, users=False)
    client = with_reasoning(over_responses(without_retries(given)))
    return client, Connections() if client is given else own_connections(client, users=True)


def built(definition: ModelDefinition) -> BaseChatModel:
    """Build a registry entry by LangChain's ``init_chat_model``, retries off.

    Raises:
        MissingDependencyError: LangChain or the provider's package is not installed.
        ConfigurationError: The entry names an environment variable that is not set.
    """
    require_variables(definition)
    try:
        from langchain.chat_models import init_chat_model  # heavy, wanted only when a model is called
    except ImportError as missing:
        raise MissingDependencyError("langchain", extra="langchain") from missing
    provider, settings = _settings(definition)
    try:
        model: BaseChatModel = init_chat_model(definition.model, model_provider=provider, **settings)
    except ImportError as missing:
        raise MissingDependencyError(missing.name or f"langchain-{provider}", extra=_extra(definition.provider)) from missing
    _quiet_openrouter(model)
    return model


def _settings(definition: ModelDefinition) -> tuple[str, dict[str, Any]]:
    provider = definition.provider
    if _speaks_openai(definition):
        return "openai", _compatible(definition)
    settings: dict[str, Any] = {}
    if provider not in _WITHOUT_RETRIES_FIELD:
        settings["max_retries"] = _QUIET.get(provider, 0)
    if definition.base_url is not None:
        settings[_BASE_URL_KEYS.get(provider, "base_url")] = definition.base_url
        if provider in {"openai", "azure_openai", "deepseek", "xai"}:
            # With an address of one's own the usage of a stream is None unless it is asked for.
            settings["stream_usage"] = True
    elif provider == "openai" and (os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")):
        settings["stream_usage"] = True
    if definition.api_key is not None:
        settings[_API_KEY_KEYS.get(provider, "api_key")] = definition.api_key
    elif provider == "openai" and definition.base_url is not None and not os.environ.get("OPENAI_API_KEY"):
        settings["api_key"] = _NO_KEY  # a server of one's own that asks for none; the client refuses to be built without
    return provider, settings | _plain(definition.kwargs)


def _speaks_openai(definition: ModelDefinition) -> bool:
    """Tell whether the entry is a server with OpenAI's wire format and none of LangChain's own providers."""
    url = definition.base_url or ""
    if definition.provider == "ollama":
        return "/v1" in url or importlib.util.find_spec("langchain_ollama") is None
    return definition.provider in LOCAL_SERVERS or (bool(url) and definition.provider not in _known_providers())


def _known_providers() -> frozenset[str]:
    from langchain.chat_models.base import _BUILTIN_PROVIDERS  # guarded by a test for each release

    return frozenset(_BUILTIN_PROVIDERS)


def _compatible(definition: ModelDefinition) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "base_url": definition.base_url or LOCAL_SERVERS[definition.provider],
        "api_key": definition.api_key or _NO_KEY,
        "stream_usage": True,
        "use_responses_api": False,
        "max_retries": 0,
    }
    return settings | _plain(definition.kwargs)


def _plain(kwargs: Mapping[str, object]) -> dict[str, Any]:
    return {key: value for key, value in kwargs.items() if key not in {"model", "model_provider"}}


def _extra(provider: str) -> str:
    return ACCESS[provider].extra if provider in ACCESS else provider


def without_retries(model: BaseChatModel) -> BaseChatModel:
    """Return a copy of a user's chat model that does not retry by itself; the user's own stays as it is.

    A class without ``max_retries`` has nothing to switch off and is used as it is.
    """
    if "max_retries" not in type(model).model_fields:
        return model
    if any(base.__module__.startswith(_REBUILT) for base in type(model).__mro__):
        return _rebuilt(model)
    copy = model.model_copy(update={"max_retries": 0})
    for name in ("_client_params", "_client", "_async_client"):  # cached properties made with the old setting
        copy.__dict__.pop(name, None)
    _quiet_openai(copy)
    return copy


def _rebuilt(model: BaseChatModel) -> BaseChatModel:
    built_by_class = {"client", "async_client", "async_client_running"}
    given = {name: getattr(model, name) for name in model.model_fields_set if name not in built_by_class}
    google = type(model).__module__.startswith("langchain_google")
    rebuilt = type(model)(**given | {"max_retries": 1 if google else 0})
    _quiet_openrouter(rebuilt)
    return rebuilt


def over_chat_completions(model: BaseChatModel) -> BaseChatModel:
    """Return a client of OpenAI's that speaks chat completions, for gateways that have no Responses API."""
    return model.model_copy(update={"use_responses_api": False}) if "use_responses_api" in type(model).model_fields else model


def over_responses(model: BaseChatModel) -> BaseChatModel:
    """Return a client of OpenAI's reasoning models that speaks the Responses API, unless whoever made it decided otherwise.

    Only there do these models take tools together with reasoning, and every level of effort.
    """
    if type(model).__name__ not in {"ChatOpenAI", "AzureChatOpenAI"} or getattr(model, "use_responses_api", None) is not None:
        return model
    name = str(getattr(model, "model_name", "") or "")
    return model.model_copy(update={"use_responses_api": True}) if OPENAI_REASONING.search(name) else model


def _quiet_openrouter(model: Any) -> None:
    """Switch off the hour of retries that OpenRouter's SDK falls back to when ``max_retries`` is 0."""
    if any(base.__module__.startswith("langchain_openrouter") for base in type(model).__mro__):
        model.client.sdk_configuration.retry_config = None


def _quiet_openai(copy: Any) -> None:
    """Give a copy of an OpenAI-family model SDK clients with retries off that share the user's HTTP clients."""
    for root, resource in (("root_client", "client"), ("root_async_client", "async_client")):
        sdk = getattr(copy, root, None)
        if sdk is not None and hasattr(sdk, "with_options"):
            quiet = sdk.with_options(max_retries=0)
            setattr(copy, root, quiet)
            setattr(copy, resource, quiet.chat.completions)
