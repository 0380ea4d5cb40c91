"""Experiments on live traffic: arms, assignment, statistics that may be looked at at any time, and conclusions."""

from crew_router.learn.experiments.analysis import Comparison, Report, analyze
from crew_router.learn.experiments.plan import Arm, Experiment
from crew_router.learn.experiments.presets import five_strategies, rollout

__all__ = ["Arm", "Comparison", "Experiment", "Report", "analyze", "five_strategies", "rollout"]
