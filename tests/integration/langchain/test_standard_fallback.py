"""LangChain's standard integration suite when the first choice fails on every call: the fallback answers."""

from __future__ import annotations

from langchain_pools import router_over, standing_wire
from langchain_standard import IntegrationDeclared
from langchain_tests.integration_tests import ChatModelIntegrationTests

_NAMES = ("broken", "smart")


class TestIntegration(IntegrationDeclared, ChatModelIntegrationTests):
    """The integration suite."""

    names = _NAMES


def test_every_request_met_the_broken_model_first() -> None:
    """The suite above did exercise the fallback: the broken model is the first choice of each request."""
    wire, router = standing_wire(), router_over(*_NAMES)
    seen_before = len(wire.seen)

    response = router.invoke("hello")

    assert [attempt.model for attempt in response.attempts] == ["lab:broken", "lab:smart"]
    assert [seen.model for seen in wire.seen[seen_before:]] == ["broken", "smart"]
