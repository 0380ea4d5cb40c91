"""Offline: training, evaluation, baselines, outcome files and reports."""
