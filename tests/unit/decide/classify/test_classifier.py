"""The classifier: what it reads, and that the caller's word wins."""

import pytest

from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.classify.lengths import estimate_tokens
from crew_router.decide.classify.risk import iban_ok, luhn_ok
from crew_router.decide.classify.text import read_text
from crew_router.types import ModelCapability, Risk, RoutingRequest, TaskType


def read(text="", **said):
    """Return the profile of a text."""
    return TextClassifier().classify(RoutingRequest(task_description=text, **said))


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Write a Python function that merges two sorted lists.", TaskType.CODE_GENERATION),
        ("Please review this pull request and tell me what is wrong.", TaskType.CODE_REVIEW),
        ("Add unit tests for the parser with pytest.", TaskType.TESTING),
        ("Find every SQL injection vulnerability in this module.", TaskType.SECURITY_AUDIT),
        ("Write a haiku about autumn rain.", TaskType.CREATIVE),
        ("Make a roadmap with milestones for the next quarter.", TaskType.PLANNING),
        ("What is 17 * 23? Solve it step by step.", TaskType.REASONING),
        ("Hello, how are you?", TaskType.GENERAL),
        ("zxqv", TaskType.GENERAL),
    ],
)
def test_task_type_is_read_from_common_words(text, task):
    """Plain wordings are recognised; what nothing fits is general."""
    assert read(text).task_type.value is task


def test_callers_word_wins():
    """What the caller said is taken with full confidence."""
    profile = read("Write a poem", task_type="security_audit", complexity=9, risk=["pii"], context_tokens=5, expected_output_tokens=7)

    said = (profile.task_type, profile.complexity, profile.risk, profile.input_tokens, profile.expected_output_tokens)
    assert {reading.source for reading in said} == {"caller"}
    assert [reading.value for reading in said] == [TaskType.SECURITY_AUDIT, 9, {Risk.PII}, 5, 7]


@pytest.mark.parametrize(
    ("text", "risk"),
    [
        ("mail me at jane.doe@example.org", Risk.PII),
        ("card 4111 1111 1111 1111", Risk.PII),
        ("IBAN DE89 3704 0044 0532 0130 00", Risk.PII),
        ("key AKIAIOSFODNN7EXAMPLE", Risk.SECRETS),
        ("-----BEGIN RSA PRIVATE KEY-----", Risk.SECRETS),
        ("the patient needs a diagnosis", Risk.REGULATED),
    ],
)
def test_sensitive_content_is_found(text, risk):
    """Personal data, secrets and regulated subjects are seen."""
    assert risk in read(text).risk.value


@pytest.mark.parametrize("text", ["order 4111 1111 1111 1112", "version 1.2.3 at 10:30", "0000 0000 0000 0000", "a@b"])
def test_similar_looking_text_is_no_personal_data(text):
    """Numbers whose check digit is wrong, and fragments, are left alone."""
    assert Risk.PII not in read(text).risk.value


def test_check_digits():
    """Luhn and IBAN check digits are computed as the standards say."""
    assert luhn_ok("4539578763621486")
    assert not luhn_ok("4539578763621487")
    assert iban_ok("GB82 WEST 1234 5698 7654 32")
    assert not iban_ok("GB82 WEST 1234 5698 7654 33")


def test_chat_is_read_whatever_its_messages_are_made_of():
    """Texts, dictionaries, pairs and objects with content are read; images are noticed."""

    class Message:
        content = "third"

    image = {"role": "user", "content": [{"type": "text", "text": "fourth"}, {"type": "image_url", "image_url": {"url": "data:,"}}]}

    spoken = read_text("", ["first", ("user", "second"), Message(), image])

    assert spoken.text == "first\nsecond\nthird\nfourth"
    assert spoken.last == "fourth"
    assert spoken.media == {ModelCapability.VISION}


def test_longer_and_harder_text_is_more_complex():
    """Length, steps and hard words raise the complexity."""
    easy = read("Say hi.").complexity.value
    hard = read(
        "Prove the invariant, then optimise the distributed scheduler under these constraints:\n" + "- must scale\n" * 20
    ).complexity.value

    assert 1 <= easy < hard <= 10


@pytest.mark.parametrize(("text", "low", "high"), [("", 0, 0), ("word " * 1000, 1000, 1500), ("字" * 100, 60, 100)])
def test_tokens_are_estimated_by_script(text, low, high):
    """English has about four characters a token, Chinese about one and a half tokens for two characters."""
    assert low <= estimate_tokens(text) <= high
