"""Routers and crews over scripted models; CrewAI is the real one."""

from __future__ import annotations

import pytest
from crewai.events import crewai_event_bus

from crew_router import Router
from crew_router.testing import ScriptedModel


@pytest.fixture
def make_router():
    """Return a function that makes a router over scripted models and closes it in the end."""
    made = []

    def make(**models):
        named = {f"lab:{name}": model for name, model in models.items()}
        made.append(Router(models=named, ledger_url="sqlite://"))
        return made[-1]

    yield make
    for router in made:
        router.close()


@pytest.fixture
def router(make_router):
    """Return a router over a strong, dear model and a cheap one."""
    return make_router(
        strong=ScriptedModel("from strong", usage=(100, 10), price=(3.0, 15.0), quality=0.9),
        cheap=ScriptedModel("from cheap", usage=(100, 10), price=(0.1, 0.4), quality=0.5),
    )


@pytest.fixture
def events():
    """Return the events that CrewAI emits during the test, as (type, event) in order of arrival."""
    from crewai.events.types import llm_events  # CrewAI is imported with the first test that needs it

    seen = []
    with crewai_event_bus.scoped_handlers():
        for kind in (
            llm_events.LLMCallStartedEvent,
            llm_events.LLMCallCompletedEvent,
            llm_events.LLMCallFailedEvent,
            llm_events.LLMStreamChunkEvent,
        ):
            crewai_event_bus.on(kind)(lambda _source, event: seen.append((event.type, event)))

        def arrived():
            crewai_event_bus.flush()
            return sorted(seen, key=lambda pair: pair[1].timestamp)

        yield arrived
