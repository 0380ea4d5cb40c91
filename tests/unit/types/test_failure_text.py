"""What the text of a failure says: who failed, with which status, and what to do."""

import pytest

from crew_router.errors import AllModelsFailedError, ModelCallError
from crew_router.types import ErrorKind, ModelRef


def failed(ref, kind, message="", status=None):
    """Return the error of one call."""
    return ModelCallError(ModelRef(ref), kind, message, status_code=status)


def test_last_line_names_status_provider_model_and_cure():
    """A refused key says which one, of whom, and how the provider put it."""
    error = AllModelsFailedError([failed("openai:gpt-5", ErrorKind.AUTH, "Incorrect API key provided.", 401)])

    assert str(error).splitlines()[-1] == (
        "openai refused the key (openai:gpt-5, status 401): Incorrect API key provided; set a valid OPENAI_API_KEY."
    )


def test_causes_alike_are_told_once_and_different_ones_each():
    """Ten calls with one key are one cause; a server that is down is another."""
    alike = [failed(f"openai:m{at}", ErrorKind.AUTH, "no", 401) for at in range(10)]

    last = str(AllModelsFailedError([*alike, failed("lmstudio:x", ErrorKind.CONNECTION)])).splitlines()[-1]

    assert last.count("refused the key") == 1
    assert "lmstudio could not be reached (lmstudio:x); check that the server runs" in last


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_of_failure_has_a_cause_and_a_cure(kind):
    """There is no kind of which only its name is said."""
    cause = failed("lab:a", kind, "boom", 418)

    last = str(AllModelsFailedError([cause])).splitlines()[-1]
    said, _, cure = last.rpartition("; ")

    assert said.startswith("lab ")
    assert "lab:a" in said
    assert cure.endswith(".")
    assert str(cause).endswith(cure.removesuffix("."))


@pytest.mark.parametrize("words", ["Error code: 429", "Rate limit reached", "Too Many Requests", "request was throttled"])
def test_the_words_of_a_throttle_are_left_out_whatever_the_kind(words):
    """A framework that repeats whatever sounds like a throttle would repeat what was retried already."""
    text = str(AllModelsFailedError([failed("lab:a", ErrorKind.UNKNOWN, words, 429)]))

    assert words not in text
    assert "429" not in text
