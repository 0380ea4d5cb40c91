"""Strategies, each one file, registered by name; importing this package makes the built-in ones known."""

from crew_router.strategies import cheapest_adequate, fixed, utility, weighted
from crew_router.strategies.protocol import Choice, Strategy, make_strategy, strategy, strategy_names

__all__ = ["Choice", "Strategy", "cheapest_adequate", "fixed", "make_strategy", "strategy", "strategy_names", "utility", "weighted"]
