"""Picks the model that serves a request best, runs it, remembers, and can say why."""
