"""Looking for fixed strings in long texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crew_router.decide.classify.lengths import output_length
from crew_router.decide.classify.risk import Haystack, Marks, has_secret
from crew_router.types import TaskType

MARKS = ("born", "[at]", "née le", "密码", "dob")
PADDING = "Nothing of that kind stands here. " * 60


@given(st.lists(st.sampled_from([*MARKS, "BORN", "bor n", "d", "\ud800", "é", "\n"]), max_size=4))
def test_a_mark_is_found_in_a_long_text_exactly_where_it_occurs(words):
    """The table of pieces loses no mark and invents none, whatever stands around."""
    text = PADDING + "".join(words) + PADDING

    found = Haystack(text).found(Marks(*MARKS))

    assert found == tuple(mark for mark in MARKS if mark in text.lower())


@pytest.mark.parametrize(
    "key", ["ghp_" + "a1" * 16, "AC" + "0f" * 16, "hooks.slack.com/services/T1/B2/c3", "eyJ" + "a" * 12 + ".b2345678901.c23456"]
)
def test_a_key_is_found_among_long_words(key):
    """Long words without any mark of a key do not hide one."""
    assert has_secret(f"a_rather_long_identifier {key} https_and_more_than_that")
    assert not has_secret("a_rather_long_identifier and_yet_another_one_here")


@pytest.mark.parametrize(("text", "source"), [
    ("Sum it up in three short sentences.", "asked for in the text"),
    ("Reply with only the name of the city.", "asked for in the text"),
    ("Read this line, then the next line.", "task type"),
    ("The only line of the page.", "task type"),
])  # fmt: skip
def test_a_length_is_read_only_where_one_is_asked_for(text, source):
    """Units without a number before them, and "only" without a verb, ask for nothing."""
    assert output_length(text, task=TaskType.ANALYSIS, complexity=4).source == source
