"""Which models could be called from here (rule 1): key present, package installed, local server up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal
from urllib.parse import urlsplit

from crew_router.config.environment import missing_variables
from crew_router.types import ModelDefinition
from crew_router.types.provider_keys import KEY_VARIABLES
from crew_router.types.redaction import redacted

ObstacleKind = Literal["package", "server", "key"]


@dataclass(frozen=True, slots=True)
class Access:
    """What calling a provider needs.

    Args:
        keys: Environment variables, one of which must be set; none for a local server.
        package: The client library to import.
        extra: The extra of crew-router that installs it.
    """

    keys: tuple[str, ...]
    package: str
    extra: str


_CLIENTS: Final[Mapping[str, tuple[str, str]]] = {
    "openai": ("langchain_openai", "langchain"),
    "anthropic": ("langchain_anthropic", "anthropic"),
    "google_genai": ("langchain_google_genai", "google"),
    "mistralai": ("langchain_mistralai", "mistral"),
    "cohere": ("langchain_cohere", "cohere"),
    "deepseek": ("langchain_deepseek", "deepseek"),
    "xai": ("langchain_xai", "xai"),
    "openrouter": ("langchain_openrouter", "openrouter"),
    "azure_openai": ("langchain_openai", "langchain"),
    "bedrock_converse": ("langchain_aws", "bedrock"),
    "lmstudio": ("langchain_openai", "langchain"),
    "ollama": ("langchain_openai", "langchain"),
    "vllm": ("langchain_openai", "langchain"),
}
ACCESS: Final[Mapping[str, Access]] = {
    provider: Access(KEY_VARIABLES.get(provider, ()), package, extra) for provider, (package, extra) in _CLIENTS.items()
}
LOCAL_SERVERS: Final[Mapping[str, str]] = {
    "lmstudio": "http://127.0.0.1:1234/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
}
"""Base URLs where local OpenAI-compatible servers listen by default, by provider."""
LOCAL_PROVIDERS: Final = frozenset(LOCAL_SERVERS)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a model cannot be called from here.

    Args:
        kind: What is missing; the kinds are in the order of how little it takes to mend them.
        reason: The same as a phrase for people, with names.
        cure: What to do.
        missing: What is missing of this kind: the package, the first key's variable, or the server's address.
    """

    kind: ObstacleKind
    reason: str
    cure: str
    missing: str

    def __str__(self) -> str:
        """Return reason and cure as one phrase."""
        return f"{self.reason}: {self.cure}"


def obstacle(
    model: ModelDefinition, *, env: Mapping[str, str], serving: Mapping[str, frozenset[str] | None], declared: bool
) -> Obstacle | None:
    """Return why a model cannot be called from here; ``None`` when it can.

    Args:
        model: The model.
        env: The environment, for keys.
        serving: By base URL of a local server, the models it listed at its last check; ``None`` when it did not answer.
            Servers never checked are absent.
        declared: Whether the user wrote the entry; its server counts as reachable until a check gets no answer.
    """
    if model.instance is not None:
        return None
    unset = missing_variables(model)
    if unset:
        return Obstacle("key", f"the environment variable {unset[0]} is not set", f"set {unset[0]}", unset[0])
    access = ACCESS.get(model.provider)
    local = model.base_url is not None and is_loopback(model.base_url)
    if local:
        assert model.base_url is not None
        at_server = _server_obstacle(model, model.base_url, serving=serving, declared=declared)
        if at_server is not None:
            return at_server
    keys = () if access is None else access.keys
    found = next((key for key in keys if env.get(key)), None)
    needs_key = bool(keys) and found is None and not (local or model.api_key or (declared and model.base_url))
    package = None if access is None or find_spec(access.package) is not None else access
    if needs_key:
        return _without_key(keys, package)
    if package is None:
        return None
    set_already = f"{found} is set, but the" if found and not (local or model.api_key) else "the"
    reason = f"{set_already} package {package.package} is not installed"
    return Obstacle("package", reason, _install(package), package.package)


def _without_key(keys: tuple[str, ...], package: Access | None) -> Obstacle:
    reason = f"{keys[0]} is not set" if len(keys) == 1 else f"none of {', '.join(keys)} is set"
    if package is None:
        return Obstacle("key", reason, f"set {' or '.join(keys)}", keys[0])
    reason = f"{reason}, and the package {package.package} is not installed"
    return Obstacle("key", reason, f"set {' or '.join(keys)}, and {_install(package)}", keys[0])


def _install(package: Access) -> str:
    return f"pip install 'crew-router[{package.extra}]'"


def is_loopback(url: str) -> bool:
    """Tell whether a URL names this machine."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _server_obstacle(
    model: ModelDefinition, base_url: str, *, serving: Mapping[str, frozenset[str] | None], declared: bool
) -> Obstacle | None:
    where = redacted(base_url)
    start = f"start the server at {where}"
    if base_url not in serving:
        return None if declared else Obstacle("server", f"no server was looked for at {where} yet", start, where)
    listed = serving[base_url]
    if listed is None:
        return Obstacle("server", f"no server answers at {where}", start, where)
    if declared or model.model in listed:
        return None
    return Obstacle("server", f"the server at {where} does not list {model.model}", f"load or pull {model.model} there", where)
