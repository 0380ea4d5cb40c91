"""Compute a reward between 0 and 1 from feedback (requirement A12, rule 4)."""

from __future__ import annotations

from typing import Final

from crew_router.types import FeedbackData

OUTCOME_REWARD: Final = {"success": 1.0, "partial": 0.5, "failure": 0.0}
MERGED_BONUS: Final = 0.2
REVERTED_PENALTY: Final = 0.5
_NEUTRAL: Final = 0.5
_RATING_STEPS: Final = 4.0


def reward_of(feedback: FeedbackData) -> float:
    """Return the reward: the mean of outcome, quality score and rating, +0.2 if merged, -0.5 if reverted, clipped to 0..1.

    Only those of the three that are given count; when none is, their mean is taken as 0.5.

    Example:
        >>> reward_of(FeedbackData("d-1", outcome="success", user_rating=3))
        0.75
    """
    parts = [
        None if feedback.outcome is None else OUTCOME_REWARD[feedback.outcome],
        feedback.quality_score,
        None if feedback.user_rating is None else (feedback.user_rating - 1.0) / _RATING_STEPS,
    ]
    values = [value for value in parts if value is not None]
    mean = sum(values) / len(values) if values else _NEUTRAL
    adjusted = mean + MERGED_BONUS * bool(feedback.pr_merged) - REVERTED_PENALTY * bool(feedback.pr_reverted)
    return min(1.0, max(0.0, adjusted))
