"""What is kept of the answers that training saw."""

import numpy as np
import pytest

from crew_router.decide.learned.answer_prior import fit_answer_prior


@pytest.fixture
def answer_prior():
    """Three models over four prompts: one "A" each from all but the last model, and a long call that all three make once."""
    answers = [["a", "a", "b"], ["a", "a", "c"], ["a", "a", "d"], ["call(x=1)"] * 3]
    score = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    kept, _ = fit_answer_prior(answers, quality=np.full((4, 3), 0.5), score=score, cluster=np.zeros(4, dtype=np.int64))
    return kept


def test_an_answer_to_several_prompts_counts_for_its_model_and_for_all(answer_prior):
    """The model that is right with it gains, the one that is wrong loses, and together they are even."""
    first, both = answer_prior.surplus(0, 0, "a")
    second, _ = answer_prior.surplus(0, 1, "a")

    assert first == pytest.approx(1.5 / 9)
    assert second == pytest.approx(-1.5 / 9)
    assert both == 0.0


def test_what_only_one_prompt_was_answered_with_is_not_kept(answer_prior):
    """Three models say it, but of one prompt: it would give that prompt away, and says nothing about the next."""
    assert {answer for _, _, answer in answer_prior.tallies} == {"a"}
