"""Append-only history: decisions, attempts, outcomes, feedback, money, overrides, audit."""
