"""Configurations of routers over the fake provider, for the tests of the LangChain adapter."""

from __future__ import annotations

from functools import cache
from typing import Any

from wire_server import Fault, WireServer

from crew_router import Router, RoutingRequest
from crew_router.decide.classify.classifier import TextClassifier
from crew_router.types import RequestProfile

_CAPABILITIES = ["tools", "json", "streaming"]
_SENSES = ["vision", "audio", "documents"]


@cache
def standing_wire() -> WireServer:
    """Return one fake provider for the whole process; the model ``broken`` fails on every call."""
    server = WireServer().__enter__()
    server.break_model("broken", Fault(status=500))
    return server


def entry(wire: WireServer, model: str, *, provider: str = "openai", quality: float = 0.7, **more: Any) -> dict[str, Any]:
    """Return a registry entry of a model on the fake provider."""
    url = {"anthropic": wire.url, "mistralai": wire.mistral_url}.get(provider, wire.openai_url)
    known = {"price": {"input": 1.0, "output": 2.0}, "context_window": 100_000, "max_output_tokens": 4000}
    known |= {"capabilities": _CAPABILITIES, "latency": {"ttft_s": 0.02, "tokens_per_s": 1000.0}}  # as quick as the fake provider
    return {"provider": provider, "model": model, "base_url": url, "api_key": "k", "quality": quality, **known, **more}


def pool(wire: WireServer, *names: str, provider: str = "openai", **more: Any) -> dict[str, Any]:
    """Return a configuration with some models on the fake provider, the first one the best, everything in memory."""
    entries = {f"lab:{name}": entry(wire, name, provider=provider, quality=0.9 - at * 0.1) for at, name in enumerate(names)}
    patient = {"failures": 1_000_000, "window_calls": 1_000_000}
    return {"registry": "none", "models": entries, "ledger": {"url": "sqlite://"}, "breaker": patient, **more}


@cache
def router_over(*names: str, provider: str = "openai") -> Router:
    """Return a router over the standing fake provider that lives as long as the process, and never learns to avoid a model."""
    return Router(with_senses(pool(standing_wire(), *names, provider=provider, learning={"enabled": False})))


def with_senses(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration whose models read pictures and recordings too."""
    models = {ref: {**model, "capabilities": [*_CAPABILITIES, *_SENSES]} for ref, model in config["models"].items()}
    return {**config, "models": models}


@cache
def cascading_router(*names: str, provider: str = "openai") -> Router:
    """Return a router over the standing fake provider that answers everything by a cascade."""
    always = {"name": "check everything", "order": "quality", "when": {}, "then": {"mode": "cascade"}}
    strict = {"enabled": True, "threshold": 0.99}  # one answer is never enough
    return Router({**with_senses(pool(standing_wire(), *names, provider=provider)), "policies": [always], "escalation": strict})


class Listening(TextClassifier):
    """A classifier that keeps the requests it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[RoutingRequest] = []

    def classify(self, request: RoutingRequest) -> RequestProfile:
        """Keep the request and classify it."""
        self.requests.append(request)
        return super().classify(request)
