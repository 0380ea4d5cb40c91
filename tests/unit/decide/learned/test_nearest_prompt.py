"""What is remembered of prompts that are nearly the same."""

import numpy as np
import pytest

from crew_router.decide.learned.nearest_prompt import choices_of, fit_nearest_prompt, meaning_hash, nearest_features, sketches
from crew_router.decide.learned.text import fit_text

PROMPTS = (
    "Ann lent Bob her bicycle because he was late.\nA) Ann\nB) Bob\nAnswer:",
    "Ann lent Bob her bicycle because he was early.\nA) Bob\nB) Ann\nAnswer:",
    "What is the capital of France?",
    "Write a function that reverses a list of words",
    "How many apples are left when four of nine are eaten?",
)
FINAL = (("a", "b"), ("a", None), ("paris", "lyon"), ("def f", "def g"), ("5", "5"))
SCORE = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.fixture(scope="module")
def text():
    """Learn the features from the prompts once."""
    return fit_text(PROMPTS, directions=3, seed=0)[0]


def test_choices_are_those_of_the_last_question():
    """Examples before the question offer choices of their own."""
    assert choices_of("A) one\nB) two\nAnswer: A\n\nNow this.\nA) Red \nB)  dark  Blue\nAnswer:") == {"a": "red", "b": "dark blue"}


def test_a_letter_means_the_text_of_its_choice():
    """The same choice under another letter is the same answer; a letter without choices stands for itself."""
    assert meaning_hash({"a": "ann", "b": "bob"}, "b") == meaning_hash({"a": "bob"}, "a") == meaning_hash({}, "bob")
    assert meaning_hash({}, "b") != meaning_hash({}, "a")


def test_a_prompt_nearly_the_same_is_found_and_what_was_right_there(text):
    """The nearest prompt is the one that differs in a word; an answer is told to have been right there, wrong there or never given."""
    memory, _ = fit_nearest_prompt(sketches(text, PROMPTS), PROMPTS, FINAL, SCORE, seed=0)
    prompt = "What is the capital of France, please?"

    index, similarity = memory.nearest(sketches(text, [prompt]))
    figures = memory.features(int(index[0]), float(similarity[0]), prompt=prompt, final=["paris", "lyon", "rome", None])

    assert int(index[0]) == 2
    assert similarity[0] > 0.8
    assert [figure[1:] for figure in figures] == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


def test_no_training_prompt_recalls_itself(text):
    """The figures of training answers come from the nearest other prompt, as they will for a new one."""
    sketch = sketches(text, PROMPTS)
    memory, figures = fit_nearest_prompt(sketch, PROMPTS, FINAL, SCORE, seed=0)

    own = nearest_features(memory, np.arange(5), np.ones(5), prompts=PROMPTS, final=FINAL)

    assert (figures[:, 0, 0] < 0.999).all()
    assert figures[0, 0, 1:].tolist() != own[0, 0, 1:].tolist()


def test_the_counterpart_of_a_question_is_compared_by_what_the_letters_mean(text):
    """Where the choices change places, "B) Ann" is held against what was said of Ann."""
    _, figures = fit_nearest_prompt(sketches(text, PROMPTS), PROMPTS, FINAL, SCORE, seed=0)

    # "A) Bob" was right on the second prompt; on the first "b" means Bob, and "a", Ann, was never said there.
    assert figures[0, 1, 1:].tolist() == [1.0, 0.0]
    assert figures[0, 0, 1:].tolist() == [0.0, 0.0]


def test_a_long_history_is_remembered_in_part():
    """No more than four thousand prompts are kept, and all training answers get figures."""
    prompts = [f"case {at} of many" for at in range(4100)]
    sketch = np.random.default_rng(0).normal(size=(4100, 512))

    memory, figures = fit_nearest_prompt(sketch, prompts, [("1",)] * 4100, np.ones((4100, 1)), seed=0)

    assert len(memory.ends) == len(memory.sketch) == 4000
    assert figures.shape == (4100, 1, 3)
