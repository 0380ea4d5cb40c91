"""LangChain surface of crew-router."""
