"""What a router consists of."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING

from crew_router.errors import NoCandidateError
from crew_router.router.request_observer import RequestObserver
from crew_router.types import RoutingDecision, RoutingRequest
from crew_router.types.cached import cached_property
from crew_router.types.fork_hooks import importing

if TYPE_CHECKING:
    from crew_router.config.router_config import RouterConfig
    from crew_router.decide.classify.protocol import Classifier
    from crew_router.decide.pipeline import DecisionPipeline
    from crew_router.decide.rules import Rules
    from crew_router.execute.admission.concurrency import ConcurrencyLimiter
    from crew_router.execute.executor import Executor
    from crew_router.execute.token_calibration import TokenCalibrator
    from crew_router.execute.transports import Transports
    from crew_router.learn.experiments.trials import Trials
    from crew_router.learn.feedback import Recent
    from crew_router.learn.learning import Learning
    from crew_router.record.ledger.budgets import Budgets
    from crew_router.record.ledger.limits import Limits
    from crew_router.record.ledger.sql_ledger import SqlLedger
    from crew_router.record.recorder import Recorder
    from crew_router.record.state.protocol import State
    from crew_router.router.discovery import LocalServers
    from crew_router.router.health import CheckResults
    from crew_router.router.local_failures import ConsecutiveFailures
    from crew_router.router.model_pool import ModelPool
    from crew_router.router.overrides import OverrideStore
    from crew_router.router.prompt_cache import PromptCacheTracker
    from crew_router.types.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """What a router keeps when its configuration changes: open stores, connections, counts, and what it was made with.

    Args:
        classifier: Reads the profile of requests.
        clock: Time.
        rng: The source of every random choice.
        new_id: Returns the next id of a decision.
        ledger: The history.
        state: The shared numbers.
        trials: Experiments and what they came to.
        recent: The newest answered decisions.
        servers: What local servers listed.
        failures: Failures of local models in a row.
        caches: Prompt caches that hold the beginning of a session.
        overrides: What operators ordered.
        transports: Open connections.
        concurrency: Places of models that take a limited number of calls.
        token_counts: Ratios of counted to estimated tokens.
        checked: Results of health checks.
    """

    classifier: Classifier
    clock: Clock
    rng: random.Random
    new_id: Callable[[], str]
    ledger: SqlLedger
    state: State
    trials: Trials
    recent: Recent
    servers: LocalServers
    failures: ConsecutiveFailures
    caches: PromptCacheTracker
    overrides: OverrideStore
    transports: Transports
    concurrency: ConcurrencyLimiter
    token_counts: TokenCalibrator
    checked: CheckResults


@dataclass(frozen=True)
class Runtime:
    """A router under one configuration. Nothing in it is replaced; a changed configuration makes another one.

    Args:
        config: The configuration.
        kept: What outlives it.
        clock: Time.
        ledger: The history.
        state: The shared numbers.
        models: The models, and whether they can be called.
        rules: What the configuration says about deciding.
        limits: The configured budgets.
        budgets: The money of those budgets.
        learning: Takes feedback and rewards.
        recorder: Writes decisions, calls and outcomes.
        executor: Carries decisions out.
        later: Changed settings that wait for the next start.
    """

    config: RouterConfig
    kept: Lasting
    _: KW_ONLY
    clock: Clock
    ledger: SqlLedger
    state: State
    models: ModelPool
    rules: Rules
    limits: Limits
    budgets: Budgets
    learning: Learning
    recorder: Recorder
    executor: Executor
    later: tuple[str, ...] = ()

    @cached_property
    def pipeline(self) -> DecisionPipeline:
        """What decides; made with the first decision, which loads numpy."""
        with importing:
            from crew_router.decide.pipeline import DecisionPipeline

        return DecisionPipeline(self.kept.classifier, self.rules, self.kept.rng, self.kept.new_id)

    @property
    def has_decided(self) -> bool:
        """Whether what decisions need is imported and built."""
        return "pipeline" in vars(self)

    def warm(self) -> None:
        """Import and build what decisions need, by one decision that nobody sees and that changes nothing."""
        with importing:
            if not self.has_decided:
                self._decide_for_nobody()
                prepare = getattr(self.kept.classifier, "prepare", None)
                if prepare is not None:
                    prepare()
                self.pipeline  # noqa: B018 - made when first asked for

    def _decide_for_nobody(self) -> None:
        from crew_router.decide.classify.classifier import TextClassifier
        from crew_router.decide.pipeline import DecisionPipeline
        from crew_router.decide.strategies import make_strategy

        rules = replace(self.rules, strategy=make_strategy("weighted"), task_strategies={}, experiment=None)
        # Of its own chance and names, so that those of real decisions are what they would have been.
        trial = DecisionPipeline(TextClassifier(), rules, random.Random(0), lambda: "")  # noqa: S311 - as above
        with contextlib.suppress(NoCandidateError):
            trial.decide(
                RoutingRequest(task_description="Say yes."),
                pool=self.models.current(),
                snapshot=self.state.snapshot(),
                now=self.clock.now(),
                executing=True,
            )

    def observe(self, decision: RoutingDecision) -> RequestObserver:
        """Return who follows one request to its end."""
        return RequestObserver(decision, recorder=self.recorder, learning=self.learning, clock=self.clock)

    def close(self) -> None:
        """Write what is pending and release everything."""
        self.kept.transports.close()
        self.ledger.close()
        self.state.close()

    def release(self) -> None:
        """Close, but for what somebody who still holds the ledger may ask it."""
        self.kept.transports.close()
        self.ledger.release()
        self.state.close()

    async def aclose(self) -> None:
        """Close, connections of the running loop too, without holding it up."""
        import asyncio

        await self.kept.transports.aclose()
        await asyncio.to_thread(self.close)
