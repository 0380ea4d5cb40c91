"""The classifier takes any text, and what it says of a text never depends on chance."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_router.decide.classify.classifier import MIN_TASK_CONFIDENCE, TextClassifier
from crew_router.decide.classify.linear import DOMAINS, HEAD_BYTES, TAIL_BYTES, TASKS, packaged_model
from crew_router.types import RequestProfile, RoutingRequest, TaskType

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=400)


def read(text, **said):
    """Return the profile of a text."""
    return TextClassifier().classify(RoutingRequest(task_description=text, **said))


def check(profile: RequestProfile) -> None:
    """Hold a profile to its ranges."""
    assert 1 <= profile.complexity.value <= 10
    assert profile.input_tokens.value >= 0
    assert profile.output_interval is not None
    low, high = profile.output_interval
    assert 1 <= low <= profile.expected_output_tokens.value <= high
    readings = (profile.task_type, profile.complexity, profile.domain, profile.risk, profile.language, profile.content_type)
    assert all(0.0 <= reading.confidence <= 1.0 and reading.source for reading in readings)
    assert sum(share for _, share in profile.task_scores) == pytest.approx(1.0, abs=1e-4)


@given(ANY_TEXT)
def test_any_text_has_a_profile(text):
    """Whatever characters a text is made of, lone surrogates too, it gets a profile in range."""
    check(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "\x00" * 5000,
        "\ud800",
        "\udfff tail",
        "مرحبا " * 2000,
        "🙂" * 3000,
        "word " * 100_000,
        "x" * 10_000_000,
        "\n" * 9000,
        "1" * 20_000,
    ],
    ids=["empty", "nul", "nuls", "surrogate", "low surrogate", "right-to-left", "emoji", "one word", "10 MB", "lines", "digits"],
)
def test_extreme_texts_have_a_profile_soon(text):
    """Empty, huge, repeated and unprintable texts are read, none in more than a second."""
    packaged_model()
    before = time.process_time()

    check(read(text))

    assert time.process_time() - before < 1.0


@given(ANY_TEXT)
def test_reading_twice_gives_the_same(text):
    """A profile is a function of the text."""
    assert read(text) == read(text)


def test_text_between_head_and_tail_costs_nothing_and_changes_nothing():
    """What stands between the capped head and tail is not read for the task type."""
    head, tail = "Write a poem about the sea. " * 400, " and make it rhyme." * 300

    short, long = (packaged_model().read(head + "x" * size + tail) for size in (10, 1_000_000))

    assert len(head) > HEAD_BYTES
    assert len(tail) > TAIL_BYTES
    assert short.tasks.tolist() == long.tasks.tolist()


@given(ANY_TEXT)
def test_what_no_type_fits_is_general(text):
    """Below the stated confidence the type is general, at or above it the likeliest."""
    profile = read(text)
    best, share = profile.task_scores[0]

    assert profile.task_type.value is (best if share >= MIN_TASK_CONFIDENCE else TaskType.GENERAL)


def test_weights_cover_every_type_and_domain():
    """The packaged weights give a share to every task type and domain."""
    scores = packaged_model().read("Compare these two offers.")

    assert (len(scores.tasks), len(scores.domains)) == (len(TASKS), len(DOMAINS))
    assert (scores.tasks > 0).all()
