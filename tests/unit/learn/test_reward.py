"""Feedback to a reward (requirement A12)."""

import pytest

from crew_router.learn.reward import reward_of
from crew_router.types import FeedbackData


@pytest.mark.parametrize(
    ("said", "reward"),
    [
        ({"outcome": "success"}, 1.0),
        ({"outcome": "partial"}, 0.5),
        ({"outcome": "failure"}, 0.0),
        ({"user_rating": 1}, 0.0),
        ({"user_rating": 5}, 1.0),
        ({"outcome": "success", "quality_score": 0.6, "user_rating": 3}, (1.0 + 0.6 + 0.5) / 3),
        ({"outcome": "partial", "pr_merged": True}, 0.7),
        ({"outcome": "success", "pr_merged": True}, 1.0),
        ({"outcome": "success", "pr_reverted": True}, 0.5),
        ({"outcome": "failure", "pr_reverted": True}, 0.0),
        ({"pr_merged": True}, 0.7),
        ({"pr_merged": False, "pr_reverted": False}, 0.5),
    ],
)
def test_reward_follows_the_stated_rule(said, reward):
    """The mean of what was said, moved by a merge or a revert, clipped to 0..1."""
    assert reward_of(FeedbackData("d-1", **said)) == pytest.approx(reward)
