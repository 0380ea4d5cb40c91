"""Off-policy evaluation: estimate how a strategy would have done, from decisions that another one made."""

from crew_router.learn.replay.estimators import Estimate, Logged, NoOverlapError, OffPolicy, estimate

__all__ = ["Estimate", "Logged", "NoOverlapError", "OffPolicy", "estimate"]
