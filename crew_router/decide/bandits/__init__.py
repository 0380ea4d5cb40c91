"""Bandit policies, each one file, registered by name; importing this package makes the built-in ones known."""

from crew_router.decide.bandits import epsilon_greedy, lin_ucb, thompson_beta, thompson_gaussian, ucb1
from crew_router.decide.bandits.protocol import Arms, Policy, Pull, bandit, bandit_names, make_bandit

__all__ = [
    "Arms",
    "Policy",
    "Pull",
    "bandit",
    "bandit_names",
    "epsilon_greedy",
    "lin_ucb",
    "make_bandit",
    "thompson_beta",
    "thompson_gaussian",
    "ucb1",
]
