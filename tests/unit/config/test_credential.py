"""Which breakers guard a model: another key, wherever it comes from, is another credential."""

import pytest

from crew_router.config.credential import breaker_keys, credential_key, keys_of
from crew_router.types import ModelDefinition, ModelRef


def openai(**fields):
    """Return a model that is called with OpenAI's client."""
    return ModelDefinition(ModelRef("openai:a"), provider="openai", model="a", **fields)


@pytest.mark.parametrize("changed", [{"OPENAI_API_KEY": "right"}, {"OPENAI_API_KEY": "wrong", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}])
def test_another_key_or_address_in_the_environment_is_another_credential(changed):
    """A model without a key of its own is guarded by the key that its client will read."""
    assert credential_key(openai(), {"OPENAI_API_KEY": "wrong"}) != credential_key(openai(), changed)


def test_the_key_of_an_entry_wins_over_the_environment():
    """What stands in the environment does not change the credential of a model that has its own key."""
    own = openai(api_key="own")

    assert credential_key(own, {"OPENAI_API_KEY": "a"}) == credential_key(own, {"OPENAI_API_KEY": "b"})


def test_the_other_half_of_a_key_counts():
    """A corrected AWS secret is another credential although the key id stays."""
    model = ModelDefinition(ModelRef("bedrock_converse:a"), provider="bedrock_converse", model="a")
    env = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "wrong"}

    assert credential_key(model, env) != credential_key(model, {**env, "AWS_SECRET_ACCESS_KEY": "right"})


def test_no_breaker_key_shows_the_key(monkeypatch):
    """Breaker keys are stored and shown, so that they hold digests only."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-mine")

    assert not [key for key in breaker_keys(openai()) if "secret-of-mine" in key]


def test_a_key_set_later_is_noticed():
    """A router compares these to see that a key was set or changed since it looked."""
    assert keys_of({}) != keys_of({"GEMINI_API_KEY": "g"})
