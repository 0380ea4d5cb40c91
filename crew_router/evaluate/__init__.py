"""Offline work: training, evaluation, baselines, outcome files, reports, and abilities from published figures."""
