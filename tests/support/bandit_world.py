"""Arms whose truth is known, and the bandit strategy pulling them as the line does."""

from __future__ import annotations

import random

import numpy as np
from decision_pools import NOW, model, pool

from crew_router.decide.bandits.updates import BanditUpdate
from crew_router.decide.classify.classifier import TextClassifier
from crew_router.decide.context import Weights
from crew_router.decide.pipeline import DecisionPipeline
from crew_router.decide.rules import Rules
from crew_router.decide.strategies import make_strategy
from crew_router.record.state.snapshot_builder import summed
from crew_router.types import Price, RoutingRequest, Snapshot, TaskType
from crew_router.types.ids import IdSource


class World:
    """Models with a hidden rate of success, one decision after the other.

    Args:
        rates: Probability of success of each model.
        strategy: Name of the strategy.
        seed: Of everything.
        priors: Quality that the registry gives each model; 0.5 when not given.
        prices: USD per million tokens of each model.
        delay: Decisions after which a reward becomes known.
    """

    def __init__(self, rates, strategy="bandit", *, seed=0, priors=None, prices=None, delay=0, **parameters):
        self.rates, self.delay = list(rates), delay
        priors = priors or [0.5] * len(self.rates)
        prices = prices or [0.0] * len(self.rates)
        models = [model(f"lab:m{at}", quality=q, price=Price(p, p)) for at, (q, p) in enumerate(zip(priors, prices, strict=True))]
        self.pool = pool(models)
        self.strategy = make_strategy(strategy, parameters)
        rules = Rules(Weights(), {}, strategy, self.strategy, "test", "v")
        self.line = DecisionPipeline(TextClassifier(), rules, random.Random(seed), IdSource("d").next)
        self.truth = np.random.default_rng(seed + 1)
        self.snapshot = Snapshot()
        self.waiting = []
        self.chosen = []
        self.propensities = []

    def decide(self, **asked):
        """Return one decision."""
        request = RoutingRequest(**{"task_type": TaskType.GENERAL, "complexity": 5, "task_description": "x", **asked})
        return self.line.decide(request, pool=self.pool, snapshot=self.snapshot, now=NOW, executing=True)

    def learn(self, decision, reward, **update):
        """Take a reward in."""
        known = BanditUpdate(decision.selected_model, decision.profile.task_type.value, reward=reward, profile=decision.profile, **update)
        self.add(self.strategy.state_update(known, self.snapshot.sums))

    def add(self, lesson):
        """Add a lesson to the sums."""
        sums = self.snapshot.sums
        changed = {}
        for name, values in lesson.additions:
            group, _, rest = name.partition("/")
            was = sums.get(group, {}).get(rest, (0.0,) * len(values))
            changed[name] = tuple(a + b for a, b in zip(was, values, strict=True))
        self.snapshot = Snapshot(sums=summed(sums, changed))

    def run(self, steps, **asked):
        """Decide, draw the truth and learn; return the arms that were pulled."""
        begun = len(self.chosen)
        for _ in range(steps):
            decision = self.decide(**asked)
            arm = int(decision.selected_model.rpartition("m")[2])
            self.chosen.append(arm)
            self.propensities.append(decision.propensity)
            self.waiting.append((decision, float(self.truth.random() < self.rates[arm])))
            if len(self.waiting) > self.delay:
                self.learn(*self.waiting.pop(0))
        return np.array(self.chosen[begun:])

    def regret(self, chosen):
        """Return what a clairvoyant would have got more."""
        rates = np.array(self.rates)
        return float((rates.max() - rates[chosen]).sum())
