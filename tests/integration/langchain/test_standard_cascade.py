"""LangChain's standard suites when every call is a cascade: cheap models answer first, then the next one."""

import pytest
from langchain_pools import cascading_router, standing_wire
from langchain_standard import Anthropic, OverCascade
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from crew_router_langchain import ChatCrewRouter


class TestUnit(OverCascade, ChatModelUnitTests):
    """The unit suite over OpenAI's client."""


class TestIntegration(OverCascade, ChatModelIntegrationTests):
    """The integration suite over OpenAI's client."""


class TestAnthropicUnit(Anthropic, OverCascade, ChatModelUnitTests):
    """The unit suite over Anthropic's client."""


class TestAnthropicIntegration(Anthropic, OverCascade, ChatModelIntegrationTests):
    """The integration suite over Anthropic's client."""


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_every_request_is_a_cascade(provider: str) -> None:
    """The suites above did exercise cascades: an answer nobody is sure of is asked for again from the other model."""
    wire = standing_wire()
    seen_before = len(wire.seen)

    answer = ChatCrewRouter(router=cascading_router("fast", "smart", provider=provider)).invoke("Prove Goldbach's conjecture.")

    routing = answer.response_metadata["crew_router"]
    assert routing["mode"] == "cascade"
    assert {seen.model for seen in wire.seen[seen_before:]} == {"fast", "smart"}
    assert len(routing["attempts"]) == len(wire.seen) - seen_before
