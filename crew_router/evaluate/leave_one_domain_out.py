"""Leave-one-domain-out evaluation: how well a trained model does on kinds of prompts that it was not trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from crew_router.decide.learned.artifact import save
from crew_router.errors import ConfigurationError
from crew_router.evaluate.evaluation import Evaluation, Routed, dial, evaluate, open_recorded, report
from crew_router.evaluate.outcomes import OutcomeTable
from crew_router.evaluate.training import train


def evaluate_left_out_domains(table: OutcomeTable, *, progress: Callable[[int], None] = lambda _total: None) -> Evaluation:
    """Evaluate every domain with a model trained on all others, and report all rows together.

    Raises:
        ConfigurationError: There is only one domain.
    """
    complete = table.complete()
    domains = sorted(set(complete.domains))
    if len(domains) == 1:
        raise ConfigurationError("domain", "", f"all rows are of {domains[0]!r}", cure="give outcomes of two domains or more.")
    settings = dial(complete, ())
    rows: list[Routed] = []
    latencies: list[float] = []
    for domain in domains:
        of_domain = np.array([each == domain for each in complete.domains])
        with tempfile.TemporaryDirectory() as folder:
            save(train(complete.take(np.flatnonzero(~of_domain))), Path(folder))
            part = complete.take(np.flatnonzero(of_domain))
            with open_recorded(part, Path(folder)) as router:
                evaluation = evaluate(part, router, settings)
        rows += evaluation.rows
        latencies += [evaluation.decision_p50_s, evaluation.decision_p99_s]
        progress(len(domains))
    return report(complete, rows, latencies)
