"""Declared rules, in the order safety → budget → quality → latency (requirement D3)."""

from crew_router.decide.policies.policy import ORDERS, Policy, compile_policies, ruling_of

__all__ = ["ORDERS", "Policy", "compile_policies", "ruling_of"]
