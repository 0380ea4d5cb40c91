"""LangChain's standard suites over the real langchain-anthropic client."""

from langchain_standard import Anthropic, OverFile, OverWire
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests


class TestUnit(Anthropic, OverFile, ChatModelUnitTests):
    """The unit suite."""


class TestIntegration(Anthropic, OverWire, ChatModelIntegrationTests):
    """The integration suite."""
