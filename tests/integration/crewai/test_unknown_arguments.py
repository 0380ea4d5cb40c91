"""An argument that nobody would read is refused with what to write instead."""

import pytest

from crew_router import InvalidRequestError, Router
from crew_router.testing import ScriptedModel
from crew_router_crewai import RoutedAgent, RouterLLM


@pytest.fixture
def router():
    """A router over one model that answers."""
    with Router(models={"lab:a": ScriptedModel("Paris")}, ledger_url="sqlite://", project="test") as made:
        yield made


@pytest.mark.parametrize(
    ("argument", "cure"),
    [
        ({"cost_budget": 0.01}, "routing={'cost_budget': 0.01}"),
        ({"temprature": 0.2}, "give temperature=0.2"),
        ({"reasoning": "low"}, "additional_params={…}"),
    ],
)
def test_an_unknown_argument_of_the_llm_is_refused_with_the_cure(router, argument, cure):
    """A budget would have been sent to the model, as a parameter that no provider knows."""
    with pytest.raises(InvalidRequestError) as caught:
        RouterLLM(router, **argument)

    assert cure in str(caught.value)


def test_a_budget_of_an_agent_outside_of_routing_is_refused(router):
    """CrewAI would drop the argument without a word."""
    with pytest.raises(ValueError, match=r"routing=\{'cost_budget': 0.01\}"):
        RoutedAgent(role="Guide", goal="answer", backstory="-", router=router, cost_budget=0.01)
