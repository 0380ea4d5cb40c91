"""LangChain's standard suites when the first choice fails on every call: the fallback answers."""

import pytest
from langchain_pools import router_over, standing_wire
from langchain_standard import Anthropic, OverWire
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests


class Failing(OverWire):
    """The first choice is broken."""

    names = ("broken", "smart")


class TestUnit(Failing, ChatModelUnitTests):
    """The unit suite over OpenAI's client."""


class TestIntegration(Failing, ChatModelIntegrationTests):
    """The integration suite over OpenAI's client."""


class TestAnthropicUnit(Anthropic, Failing, ChatModelUnitTests):
    """The unit suite over Anthropic's client."""


class TestAnthropicIntegration(Anthropic, Failing, ChatModelIntegrationTests):
    """The integration suite over Anthropic's client."""


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_every_request_met_the_broken_model_first(provider: str) -> None:
    """The suites above did exercise the fallback: the broken model is the first choice of each request."""
    wire, router = standing_wire(), router_over(*Failing.names, provider=provider)
    seen_before = len(wire.seen)

    response = router.invoke("hello")

    assert [attempt.model for attempt in response.attempts] == ["lab:broken", "lab:smart"]
    assert [seen.model for seen in wire.seen[seen_before:]] == ["broken", "smart"]
