"""LangChain's standard suites over the real langchain-anthropic client."""

from __future__ import annotations

from langchain_standard import IntegrationDeclared, UnitDeclared
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests


class TestUnit(UnitDeclared, ChatModelUnitTests):
    """The unit suite."""

    provider = "anthropic"


class TestIntegration(IntegrationDeclared, ChatModelIntegrationTests):
    """The integration suite."""

    provider = "anthropic"

    @property
    def supports_json_mode(self) -> bool:
        """Anthropic knows schemas, but no JSON mode without one."""
        return False

    @property
    def supports_audio_inputs(self) -> bool:
        """Anthropic hears nothing."""
        return False
