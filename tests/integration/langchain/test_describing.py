"""What is known of a chat model that was given in code."""

from __future__ import annotations

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListChatModel
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from crew_router.config.load import packaged_registry
from crew_router.types import ModelCapability, ModelRef
from crew_router_langchain.describing import described, identity

KEY = SecretStr("k")
REF = ModelRef("mine:model")


def test_figures_come_from_the_registry_by_provider_and_name() -> None:
    """An instance of a model that the registry knows has its price, quality and window, under the name it was given."""
    known = next(model for model in packaged_registry().models if model.provider == "openai")
    client = ChatOpenAI(model=known.model, api_key=KEY)

    entry = described(REF, client)

    assert (entry.ref, entry.instance) == (REF, client)
    assert (entry.price, entry.quality, entry.context_window) == (known.price, known.quality, known.context_window)
    assert (entry.base_url, entry.fallbacks) == (None, ())


def test_prices_come_from_genai_prices_where_the_registry_knows_nothing() -> None:
    """A model of the past is priced by genai-prices; its abilities come from its profile."""
    client = ChatAnthropic(model_name="claude-3-5-haiku-20241022", api_key=KEY, timeout=None, stop=None)

    entry = described(REF, client)

    assert entry.price is not None
    assert (entry.price.input, entry.price.output) == (0.8, 4.0)
    assert entry.source == "unmeasured"


def test_tiered_prices_keep_their_tiers() -> None:
    """A price that rises with the input is not read as one flat price."""
    client = ChatAnthropic(model_name="claude-sonnet-4-5-20250929", api_key=KEY, timeout=None, stop=None)

    price = described(REF, client).price

    assert price is not None
    assert price.at(1000)[:2] == (3.0, 15.0)
    assert price.at(500_000)[:2] == (6.0, 22.5)


def test_what_nobody_knows_stays_unknown() -> None:
    """A class of the user's own has no price, no window and no quality, and can do what it implements."""
    entry = described(REF, FakeListChatModel(responses=["x"]))

    assert (entry.price, entry.context_window, entry.quality) == (None, None, None)
    assert entry.capabilities == {ModelCapability.STREAMING}


def test_an_unknown_name_of_a_known_class_has_tools_and_no_price() -> None:
    """A served model of one's own can be called with tools; that it sees pictures nobody said."""
    client = ChatOpenAI(model="my-own-finetune", api_key=KEY, base_url="http://127.0.0.1:9/v1")

    entry = described(REF, client)

    assert entry.price is None
    assert ModelCapability.TOOLS in entry.capabilities
    assert ModelCapability.VISION not in entry.capabilities
    assert identity(client) == ("openai", "my-own-finetune")
