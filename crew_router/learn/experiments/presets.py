"""Ready-made experiments: the five arms of requirement E5, and a roll-out in stages."""

from __future__ import annotations

from crew_router.learn.experiments.plan import Arm, Experiment


def five_strategies(name: str = "smart_cost") -> Experiment:
    """Return the experiment of E5: four strategies, each with its own aim, against the router's own as control."""
    return Experiment(
        name=name,
        arms=(
            Arm(name="control"),
            Arm(name="cost_aggressive", strategy="utility", parameters={"willingness_to_pay": 0.001}),
            Arm(name="quality_first", strategy="utility", parameters={"willingness_to_pay": 10.0}),
            Arm(name="dynamic_adaptive", strategy="bandit", parameters={"policy": "lin_ucb", "explore": 0.02}),
            Arm(name="task_optimised", strategy="bandit", parameters={"policy": "thompson_beta", "explore": 0.02}),
        ),
        guardrails={"success": 0.05, "latency_s": 0.5},
    )


def rollout(name: str = "rollout", *, baseline: str) -> Experiment:
    """Return a roll-out: the router gets 10 % of the units, and more while guard-rails hold; the rest goes to one model.

    Args:
        name: Name of the experiment.
        baseline: The model that got all requests before.
    """
    return Experiment(
        name=name,
        arms=(Arm(name="baseline", weight=90.0, model=baseline), Arm(name="routed", weight=10.0)),
        primary="success",
        guardrails={"success": 0.02, "reward": 0.05, "latency_s": 0.25, "cost_usd": 0.0},
        stages=(10.0, 25.0, 50.0, 75.0, 100.0),
    )
