"""What is seen on the face of an answer."""

import pytest

from crew_router.learn.arithmetic import checked
from crew_router.learn.readings import READINGS, Asked, final_answer, readings


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        (None, None),
        ("  ", None),
        ("B", "b"),
        ("She has 3 * 4 = 12 apples.\n#### 12", "12"),
        ("A long way of saying it, with several words in it.\nSo the answer is 1,250.00 dollars", "1250"),
        ("First there are 20 of them, then 5 go away, and in the end it is clear that\n\\boxed{15} remain", "15"),
        ("Here is the code that you asked for:\n```python\ndef f():\n    return 1\n```\nIt returns one.", "def f(): return 1"),
    ],
)
def test_final_answer_is_equal_for_equal_answers(answer, final):
    """Short texts stand for themselves; of longer ones the code, the marked result or the last number."""
    assert final_answer(answer) == final


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
    assert list(checked(text)) == holds


def test_every_answer_has_the_same_number_of_readings():
    """A text, and no text at all, give rows of one length."""
    asked = Asked.of("How many are 3 and 4?")

    assert len(readings(asked, "3 + 4 = 7")) == len(readings(asked, None)) == READINGS
