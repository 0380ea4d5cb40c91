"""What is seen on the face of an answer."""

import pytest

from crew_router.decide.learned.answer_features import ANSWER_FEATURES, PromptFacts, answer_features, final_answer
from crew_router.decide.learned.arithmetic import equations_hold


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        (None, None),
        ("  ", None),
        ("B", "b"),
        ("She has 3 * 4 = 12 apples.\n#### 12", "12"),
        ("A long way of saying it, with several words in it.\nSo the answer is 1,250.00 dollars", "1250"),
        ("First there are 20 of them, then 5 go away, and in the end it is clear that\n\\boxed{15} remain", "15"),
        ("Here is the code that you facts for:\n```python\ndef f():\n    return 1\n```\nIt returns one.", "def f(): return 1"),
        ("f(x) = x + 2 holds for every x that was looked at, so that f(40) is 42 (see above)", "42"),
        ('{"reasoning": "There are 20, then 5 go away, which leaves what is facts for.", "answer": "15 dollars"}', "15 dollars"),
        ("NO_CALL", "no_call"),
        ("tools []", "no_call"),
    ],
)
def test_final_answer_is_equal_for_equal_answers(answer, final):
    """Short texts, calls and JSON stand for themselves; of longer ones the code, the marked result or the last number."""
    assert final_answer(answer) == final


LONG_CALL = 'find_flights(from_city="Lisbon",to_city="Porto",passengers=2,nights=3)'
TOOL_CALL = 'tools [["find_flights", "{\\"from\\": \\"Lisbon\\", \\"to\\": \\"Porto\\", \\"nights\\": 3}"]]'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LONG_CALL, LONG_CALL.replace("Porto", "Faro")),
        (LONG_CALL, "book_a_hotel(city='Porto',guests=2,breakfast=True,view='river',nights=3)"),
        (TOOL_CALL, TOOL_CALL.replace("Porto", "Faro")),
        (
            '{"city": "Porto", "country": "Portugal", "guests": 2, "nights": 3}',
            '{"city": "Faro", "country": "Portugal", "guests": 2, "nights": 3}',
        ),
    ],
)
def test_long_calls_and_objects_that_end_in_one_number_are_different_answers(one, other):
    """Models that call other functions, or with other arguments, do not agree because the same number comes last."""
    assert final_answer(one) != final_answer(other)


def test_calls_are_the_same_answer_in_any_order():
    """What is facts for side by side has no order."""
    assert final_answer(f"{LONG_CALL};now()") == final_answer(f"now(); {LONG_CALL}")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("3 * 4 = 12", [True]),
        ("3 * 4 = 13", [False]),
        ("so <<2*(3+4)=14>>14 and 10 / 4 = 2.5", [True, True]),
        ("50% * 80 = 40", [True]),
        ("1,000 - 1 = 999", [True]),
        ("7 / 0 = 1", []),
        ("no sums here", []),
        ("9**9**9 = 1", []),
    ],
)
def test_stated_arithmetic_is_worked_out_again(text, holds):
    """Each equation that can be computed holds or does not; nothing of the answer is evaluated as code."""
    assert list(equations_hold(text)) == holds


def test_every_answer_has_the_same_number_of_readings():
    """A text, and no text at all, give rows of one length."""
    facts = PromptFacts.of("How many are 3 and 4?")

    assert len(answer_features(facts, "3 + 4 = 7")) == len(answer_features(facts, None)) == ANSWER_FEATURES
