"""LangChain's standard suites over the real langchain-openai client."""

from __future__ import annotations

from langchain_standard import IntegrationDeclared, UnitDeclared
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests


class TestUnit(UnitDeclared, ChatModelUnitTests):
    """The unit suite."""


class TestIntegration(IntegrationDeclared, ChatModelIntegrationTests):
    """The integration suite."""
