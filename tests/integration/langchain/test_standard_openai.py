"""LangChain's standard suites over the real langchain-openai client."""

from langchain_standard import OverFile, OverWire
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests


class TestUnit(OverFile, ChatModelUnitTests):
    """The unit suite."""


class TestIntegration(OverWire, ChatModelIntegrationTests):
    """The integration suite."""
