"""Why a model cannot be called from here, and what to do: the sentence fits what is set, installed and running."""

import pytest

from crew_router.config import reachability
from crew_router.config.reachability import ACCESS, Access, obstacle
from crew_router.types import ModelDefinition, ModelRef

INSTALLED = Access(("OPENAI_API_KEY",), "json", "langchain")  # a package that is always there
ABSENT = Access(("OPENAI_API_KEY",), "no_such_client_library", "langchain")
URL = "http://127.0.0.1:1234/v1"


@pytest.fixture
def openai(monkeypatch):
    """Return a function that tells why a model of a provider with this access cannot be called."""

    def told(access, *, env=None, serving=None, declared=False, **fields):
        monkeypatch.setattr(reachability, "ACCESS", {"openai": access})
        model = ModelDefinition(ModelRef("openai:a"), provider="openai", model="a", **fields)
        return obstacle(model, env=env or {}, serving=serving or {}, declared=declared)

    return told


def test_a_key_that_is_set_is_never_asked_for(openai):
    """With the key set and the client missing, the message names the extra, and says that the key is there."""
    why = openai(ABSENT, env={"OPENAI_API_KEY": "k"})

    assert why.kind == "package"
    assert why.reason == "OPENAI_API_KEY is set, but the package no_such_client_library is not installed"
    assert why.cure == "pip install 'crew-router[langchain]'"


def test_without_key_and_client_both_are_named(openai):
    """Nobody sets a key only to be told next that a package is missing."""
    why = openai(ABSENT)

    assert (why.kind, why.missing) == ("key", "OPENAI_API_KEY")
    assert why.cure == "set OPENAI_API_KEY, and pip install 'crew-router[langchain]'"


def test_key_and_client_are_enough(openai):
    """Where both are there, nothing stands in the way; without the key the variable is named."""
    assert openai(INSTALLED, env={"OPENAI_API_KEY": "k"}) is None
    assert str(openai(INSTALLED)) == "OPENAI_API_KEY is not set: set OPENAI_API_KEY"


def test_an_entry_with_its_own_key_needs_only_the_client(openai):
    """A key in the configuration is a key that is set."""
    assert openai(ABSENT, api_key="k").kind == "package"
    assert openai(INSTALLED, api_key="k") is None


@pytest.mark.parametrize(
    ("serving", "said"),
    [
        ({}, f"start the server at {URL}"),
        ({URL: None}, f"no server answers at {URL}: start the server"),
        ({URL: frozenset({"b"})}, "load or pull a there"),
    ],
)
def test_a_local_server_that_lacks_the_model_is_named_first(openai, serving, said):
    """As long as the server is not there, its client's package is of no use."""
    why = openai(ABSENT, serving=serving, base_url=URL)

    assert why.kind == "server"
    assert said in str(why)


def test_a_local_server_without_client_names_the_extra(openai):
    """A server that lists the model cannot be called by a core install, and the message says which extra calls it."""
    why = openai(ABSENT, serving={URL: frozenset({"a"})}, base_url=URL, env={"OPENAI_API_KEY": "k"})

    assert str(why) == "the package no_such_client_library is not installed: pip install 'crew-router[langchain]'"


@pytest.mark.parametrize("provider", sorted(ACCESS))
def test_every_provider_names_an_extra_that_exists(provider):
    """The command of each message installs something."""
    from importlib.metadata import metadata  # of the installed distribution

    assert ACCESS[provider].extra in (metadata("crew-router").get_all("Provides-Extra") or ())
