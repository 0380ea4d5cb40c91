"""Bandit policies, one a file, registered by name; importing this package registers the built-in ones."""

from crew_router.decide.bandits import epsilon_greedy, lin_ucb, thompson_beta, thompson_gaussian, ucb1
from crew_router.decide.bandits.bandit_policy import Arms, BanditPolicy, Pull, bandit, bandit_names, make_bandit

__all__ = [
    "Arms",
    "BanditPolicy",
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
