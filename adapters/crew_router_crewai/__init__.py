"""CrewAI surface of crew-router."""
