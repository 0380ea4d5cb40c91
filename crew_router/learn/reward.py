"""Feedback to a reward between 0 and 1 (requirement A12, rule 4)."""

from __future__ import annotations

from typing import Final

from crew_router.types import FeedbackData

OUTCOME_REWARD: Final = {"success": 1.0, "partial": 0.5, "failure": 0.0}
MERGED_BONUS: Final = 0.2
REVERTED_PENALTY: Final = 0.5
_NEUTRAL: Final = 0.5
_RATING_STEPS: Final = 4.0


def reward_of(feedback: FeedbackData) -> float:
    """Return the reward: the mean of what was said, plus 0.2 for a merge, minus 0.5 for a revert, clipped to 0..1.

    When only a merge or a revert is known, the mean is taken as 0.5.

    Example:
        >>> reward_of(FeedbackData("d-1", outcome="success", user_rating=3))
        0.75
    """
    said = [
        None if feedback.outcome is None else OUTCOME_REWARD[feedback.outcome],
        feedback.quality_score,
        None if feedback.user_rating is None else (feedback.user_rating - 1.0) / _RATING_STEPS,
    ]
    given = [value for value in said if value is not None]
    mean = sum(given) / len(given) if given else _NEUTRAL
    moved = mean + MERGED_BONUS * bool(feedback.pr_merged) - REVERTED_PENALTY * bool(feedback.pr_reverted)
    return min(1.0, max(0.0, moved))
