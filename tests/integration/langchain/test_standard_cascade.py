"""LangChain's standard integration suite when every call is a cascade: cheap models answer first, then the next one."""

from __future__ import annotations

from typing import Any

from langchain_pools import cascading_router, standing_wire
from langchain_standard import IntegrationDeclared
from langchain_tests.integration_tests import ChatModelIntegrationTests

from crew_router_langchain import ChatCrewRouter

_NAMES = ("fast", "smart")


class TestIntegration(IntegrationDeclared, ChatModelIntegrationTests):
    """The integration suite."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """A router that answers everything by a cascade."""
        return {"router": cascading_router(*_NAMES)}


def test_every_request_is_a_cascade() -> None:
    """The suite above did exercise cascades: an answer nobody is sure of is asked for again from the other model."""
    wire = standing_wire()
    seen_before = len(wire.seen)

    answer = ChatCrewRouter(router=cascading_router(*_NAMES)).invoke("Prove Goldbach's conjecture.")

    routing = answer.response_metadata["crew_router"]
    assert routing["mode"] == "cascade"
    assert {seen.model for seen in wire.seen[seen_before:]} == {"fast", "smart"}
    assert len(routing["attempts"]) == len(wire.seen) - seen_before
