"""Leave-one-domain-out: is what was learnt of use for prompts of a kind that was never seen?"""

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


def left_out_domains(table: OutcomeTable, *, progress: Callable[[int], None] = lambda _total: None) -> Evaluation:
    """Judge every domain by a model that was trained on all others; the rows of all domains make one report.

    Raises:
        ConfigurationError: There is only one domain.
    """
    known = table.complete()
    domains = sorted(set(known.domains))
    if len(domains) == 1:
        raise ConfigurationError("domain", "", f"all rows are of {domains[0]!r}", cure="give outcomes of two domains or more.")
    settings = dial(known, ())
    rows: list[Routed] = []
    latencies: list[float] = []
    for domain in domains:
        own = np.array([each == domain for each in known.domains])
        with tempfile.TemporaryDirectory() as folder:
            save(train(known.take(np.flatnonzero(~own))), Path(folder))
            part = known.take(np.flatnonzero(own))
            with open_recorded(part, Path(folder)) as router:
                found = evaluate(part, router, settings)
        rows += found.rows
        latencies += [found.decision_p50_s, found.decision_p99_s]
        progress(len(domains))
    return report(known, rows, latencies)
