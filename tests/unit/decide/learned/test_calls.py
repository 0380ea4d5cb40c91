"""What is seen of function calls in an answer."""

import pytest

from crew_router.decide.learned.calls import CALL_FEATURES, PromptText, call_features, calls_of

PROMPT = "Book a table for 4 people at 'Chez Paul' in Paris, and find flights to Oslo under 300 dollars."


@pytest.mark.parametrize(
    ("answer", "names", "values"),
    [
        ('book(people=4,place="chezpaul")', ("book",), ("4", '"chezpaul"')),
        ('book(people=4);flights.find(to="oslo",cheap=true)', ("book", "flights.find"), ("4", '"oslo"', "true")),
        ('tools [["book", "{\\"people\\": 4, \\"place\\": \\"Chez Paul\\"}"]]', ("book",), ("4", '"Chez Paul"')),
        ("ping()", ("ping",), ()),
        ("NO_CALL", (), ()),
        ("tools []", (), ()),
    ],
)
def test_calls_are_read_from_either_form(answer, names, values):
    """The canonical form of recordings and that of tool calls give names and values; calling nothing is an answer too."""
    calls = calls_of(answer)

    assert (calls.names, calls.values) == (names, values)


@pytest.mark.parametrize("answer", ["The answer is 42.", "f(x) is a function", "tools of the trade", 'tools [["f"]]', "", "(1 + 2)"])
def test_other_texts_are_no_calls(answer):
    """Prose, sums and torn calls are left to the other readings."""
    assert calls_of(answer) is None


@pytest.mark.parametrize("answer", ["prose", "NO_CALL", "ping()", 'book(people=4,place="x")'])
def test_every_answer_has_the_same_number_of_figures(answer):
    """A row is as long for prose as for calls."""
    assert len(call_features(PromptText.of(PROMPT), answer)) == CALL_FEATURES


def test_a_call_the_prompt_supports_reads_otherwise_than_one_it_does_not():
    """Shares of what the prompt supports are 1 for what stands in it and 0 for what does not."""
    prompt = PromptText.of(PROMPT)
    supported = call_features(prompt, 'find_flights(to="oslo",dollars=300)')
    invented = call_features(prompt, 'boil_water(substance="helium",kelvin=17)')

    name_share, text_share, number_share = 9, 12, 13
    assert [supported[at] for at in (name_share, text_share, number_share)] == [1.0, 1.0, 1.0]
    assert [invented[at] for at in (name_share, text_share, number_share)] == [0.0, 0.0, 0.0]


def test_a_huge_answer_is_read_in_part():
    """Reading takes no longer than a few thousand characters take."""
    assert calls_of("f(" + "a=1," * 100_000 + ")") is None
