"""An argument that nobody would read is refused with what to write instead."""

import pytest

from crew_router import InvalidRequestError, Router
from crew_router.testing import ScriptedModel
from crew_router_langchain import ChatCrewRouter


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
        ({"cost_budgt": 0.01}, "routing={'cost_budget': 0.01}"),
        ({"colour": "red"}, "one of cache, callbacks"),
    ],
)
def test_an_unknown_argument_of_the_chat_model_is_refused_with_the_cure(router, argument, cure):
    """What would have been lost in silence is an error that says where it belongs."""
    with pytest.raises(InvalidRequestError) as caught:
        ChatCrewRouter(router=router, **argument)

    assert cure in str(caught.value)


def test_a_key_of_routing_in_a_call_is_refused_with_the_cure(router):
    """A budget given to invoke would have been sent to the model as a parameter of its own."""
    with pytest.raises(InvalidRequestError, match=r"routing=\{'cost_budget': 0.01\}"):
        ChatCrewRouter(router=router).invoke("Hi", cost_budget=0.01)


def test_parameters_of_providers_still_pass(router):
    """What the router does not know is for the models."""
    assert ChatCrewRouter(router=router, temperature=0.2, metadata={"a": 1}).invoke("Hi", top_p=0.5).text == "Paris"


@pytest.mark.parametrize(("key", "today"), [("latency_budget", "max_latency_s"), ("cost_tier", "tier"), ("cost_bugdet", "cost_budget")])
def test_a_key_by_another_name_is_answered_with_todays(router, key, today):
    """A misspelt or foreign key of routing names the one that is read."""
    with pytest.raises(ValueError, match=f"give the key {today}"):
        ChatCrewRouter(router=router, routing={key: 1})


def test_a_key_given_to_the_chat_model_is_said_to_be_of_no_use(router, caplog):
    """LangChain's standard argument is taken, with a line that says where keys belong, and without the key."""
    ChatCrewRouter(router=router, api_key="sk-not-for-anybody")

    assert "set each one's key in the environment" in caplog.text
    assert "not-for-anybody" not in caplog.text
