"""Judging a policy on what was logged under another one."""

from crew_router.learn.replay.estimators import Estimate, Logged, NoOverlapError, OffPolicy, estimate

__all__ = ["Estimate", "Logged", "NoOverlapError", "OffPolicy", "estimate"]
