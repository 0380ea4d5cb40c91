"""Shared numbers that may be lost: performance, breakers, windows, learned weights."""
