"""Strategies, each one file that has its strategy's name; a strategy is loaded when it is first asked for."""

from crew_router.decide.strategies.protocol import Choice, Strategy, make_strategy, strategy, strategy_names

__all__ = ["Choice", "Strategy", "make_strategy", "strategy", "strategy_names"]
