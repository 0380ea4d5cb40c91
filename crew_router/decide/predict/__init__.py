"""Predictions per model: P(success), cost, latency."""
