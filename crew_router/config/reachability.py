"""Which models could be called from here (rule 1): key present, package installed, local server up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from crew_router.config.environment import missing_variables
from crew_router.types import ModelDefinition
from crew_router.types.redaction import redacted


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


ACCESS: Final[Mapping[str, Access]] = {
    "openai": Access(("OPENAI_API_KEY",), "langchain_openai", "langchain"),
    "anthropic": Access(("ANTHROPIC_API_KEY",), "langchain_anthropic", "anthropic"),
    "google_genai": Access(("GOOGLE_API_KEY", "GEMINI_API_KEY"), "langchain_google_genai", "google"),
    "mistralai": Access(("MISTRAL_API_KEY",), "langchain_mistralai", "mistral"),
    "cohere": Access(("COHERE_API_KEY", "CO_API_KEY"), "langchain_cohere", "cohere"),
    "deepseek": Access(("DEEPSEEK_API_KEY",), "langchain_deepseek", "deepseek"),
    "xai": Access(("XAI_API_KEY",), "langchain_xai", "xai"),
    "openrouter": Access(("OPENROUTER_API_KEY",), "langchain_openrouter", "openrouter"),
    "azure_openai": Access(("AZURE_OPENAI_API_KEY",), "langchain_openai", "langchain"),
    "bedrock_converse": Access(("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"), "langchain_aws", "bedrock"),
    "lmstudio": Access((), "langchain_openai", "langchain"),
    "ollama": Access((), "langchain_openai", "langchain"),
    "vllm": Access((), "langchain_openai", "langchain"),
}
LOCAL_SERVERS: Final[Mapping[str, str]] = {
    "lmstudio": "http://127.0.0.1:1234/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
}
"""Base URLs where local OpenAI-compatible servers listen by default, by provider."""
LOCAL_PROVIDERS: Final = frozenset(LOCAL_SERVERS)


def obstacle(model: ModelDefinition, *, env: Mapping[str, str], serving: Mapping[str, frozenset[str] | None], declared: bool) -> str | None:
    """Return why a model cannot be called from here, as a phrase for people; ``None`` when it can.

    Args:
        model: The model.
        env: The environment, for keys.
        serving: By base URL of a local server, the models it listed at its last check; ``None`` when it did not answer.
            Servers never checked are absent.
        declared: Whether the user wrote the entry; its server counts as reachable until a check gets no answer.
    """
    if model.instance is not None:
        return None
    missing = missing_variables(model)
    if missing:
        return f"the environment variable {missing[0]} is not set"
    access = ACCESS.get(model.provider)
    if access is not None and find_spec(access.package) is None:
        return f"package {access.package} is not installed (pip install 'crew-router[{access.extra}]')"
    if model.base_url is not None and is_loopback(model.base_url):
        return _local_obstacle(model, model.base_url, serving=serving, declared=declared)
    if model.api_key or access is None or any(env.get(key) for key in access.keys) or (declared and model.base_url):
        return None
    return f"none of {', '.join(access.keys)} is set"


def is_loopback(url: str) -> bool:
    """Tell whether a URL names this machine."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _local_obstacle(model: ModelDefinition, base_url: str, *, serving: Mapping[str, frozenset[str] | None], declared: bool) -> str | None:
    if base_url not in serving:
        return None if declared else redacted(f"no server was looked for at {base_url} yet")
    listed = serving[base_url]
    if listed is None:
        return redacted(f"no server answers at {base_url}")
    return None if declared or model.model in listed else redacted(f"the server at {base_url} does not list {model.model}")
