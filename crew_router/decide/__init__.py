"""Decide which model answers: classify, filter, predict, score, select. No I/O."""
