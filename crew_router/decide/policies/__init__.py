"""Policies of the configuration, applied in the order safety → budget → quality → latency (requirement D3)."""

from crew_router.decide.policies.policy import ORDERS, Policy, apply_policies, compile_policies

__all__ = ["ORDERS", "Policy", "apply_policies", "compile_policies"]
