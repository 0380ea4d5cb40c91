"""Everything that can be configured, as frozen values.

:class:`Settings` holds the sections of ``crew_router.yaml`` under the same key names.
:class:`crew_router.config.router_config.RouterConfig` adds what loading works out, such as the registry. The annotations and
the argument descriptions below are the schema (see :mod:`crew_router.config.schema.entry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Final, Literal

from annotated_types import Gt, MinLen

from crew_router.config.schema.entry import STRICT, Count, ModelEntry, Positive, Seconds, Share, Text, Usd
from crew_router.types.redaction import redacted
from crew_router.types.vocabulary import TaskType

Period = Literal["hour", "day", "week", "month", "total"]
ExperimentMetric = Literal["reward", "success", "quality", "confidence", "cost_usd", "latency_s"]
PolicyOrder = Literal["safety", "budget", "quality", "latency"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySettings:
    """How scores become a choice.

    Args:
        name: name of a strategy; `crew-router config` lists them
        parameters: the strategy's own parameters
    """

    __pydantic_config__ = STRICT
    name: Text = "weighted"
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringWeights:
    """Highest number of points of each factor; preset moe has those of requirement A5.

    Args:
        quality: points of a certain success, 50 by default
        cost: points, by default what optimize sets
        history: points, none by default because failures count in the chance of success
        learning: points, 10 by default
        task_preference: points, 5 by default
        diversity: points, none by default
        vendor_preference: points, 2 by default
    """

    __pydantic_config__ = STRICT
    quality: Usd = 50.0
    cost: Usd | None = None
    history: Usd = 0.0
    learning: Usd = 10.0
    task_preference: Usd = 5.0
    diversity: Usd = 0.0
    vendor_preference: Usd = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSettings:
    """What a second of waiting for the whole answer costs, in USD; it is added to the expected cost in the score.

    Args:
        interactive: USD a second where somebody waits, 0.005 by default; a second weighs twice as much after 10, and so on
        normal: USD a second, 0.000005 by default
        batch: USD a second, nothing by default
    """

    __pydantic_config__ = STRICT
    interactive: Usd = 0.005
    normal: Usd = 0.000005
    batch: Usd = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSettings:
    """How points are given.

    Args:
        weights: highest number of points of each factor
        factors: points of user-registered factors by name
        cost_low_usd: an expected cost at or below this gets all points of the factor cost
        cost_high_usd: an expected cost at or above this gets none
        waiting_usd_per_s: what a second of waiting costs, by urgency
        provider_multiplier: false leaves out how providers do at the moment
    """

    __pydantic_config__ = STRICT
    weights: ScoringWeights = ScoringWeights()
    factors: Mapping[str, Usd] = field(default_factory=dict[str, float])
    cost_low_usd: Annotated[float, Gt(0)] = 1e-5
    cost_high_usd: Annotated[float, Gt(0)] = 1.0
    waiting_usd_per_s: WaitingSettings = WaitingSettings()
    provider_multiplier: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTypeSettings:
    """What one task type prefers (requirement A2).

    Args:
        preferred: models that get the points of task preference, in order
        budget: models to prefer when the request is to be cheap, in order
        strategy: a strategy for this task type only
    """

    __pydantic_config__ = STRICT
    preferred: tuple[Text, ...] = ()
    budget: tuple[Text, ...] = ()
    strategy: StrategySettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """One policy (requirement D3); its conditions and effects are checked when the policy is built.

    Args:
        name: a name that no other policy has
        order: safety, budget, quality or latency
        when: conditions, all of which have to hold; an empty mapping always holds
        then: effects; at least one
        enabled: false switches the policy off
    """

    __pydantic_config__ = STRICT
    name: Text
    order: PolicyOrder
    when: Mapping[str, object] = field(default_factory=dict[str, object])
    then: Annotated[Mapping[str, object], MinLen(1)]
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationSettings:
    """When a cheap answer is not accepted (requirement E2).

    Args:
        enabled: false accepts every answer
        threshold: an answer with less confidence than this, from 0 to 1, is escalated
        samples: answers taken from each model of a cascade; with more than one, their agreement counts for the confidence
        judge: a model that grades an answer which is close to acceptance; none by default
    """

    __pydantic_config__ = STRICT
    enabled: bool = True
    threshold: Share = 0.7
    samples: Positive = 1
    judge: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSettings:
    """When several models answer, and how one of their answers is chosen (requirement A11).

    Args:
        triggers: explicit, or moe for the implicit triggers of the mixture-of-experts document
        method: judge, weighted, voting or first_success
    """

    __pydantic_config__ = STRICT
    triggers: Literal["explicit", "moe"] = "explicit"
    method: Literal["judge", "weighted", "voting", "first_success"] = "judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSettings:
    """One arm of an experiment.

    Args:
        name: a name that no other arm of the experiment has
        weight: share of the traffic, relative to the other arms
        strategy: the strategy that the arm uses
        model: the model that the arm uses; the router's own strategy when neither is given
        shadow: true lets the arm decide and be logged without being executed
    """

    __pydantic_config__ = STRICT
    name: Text
    weight: Usd = 1.0
    strategy: StrategySettings | None = None
    model: Text | None = None
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentSettings:
    """A comparison of strategies or models on live traffic (requirements A13, E5).

    Args:
        name: a name that no other experiment has
        arms: at least two arms
        min_samples: outcomes of every arm before a winner may be named
        enabled: false pauses the experiment
        control: arm that guard-rails compare with, the first by default
        primary: metric that decides which arm wins
        guardrails: how much worse than the control an arm may be, by metric; absolute from 0 to 1, relative for cost_usd and latency_s
        alpha: probability, from 0 to 1, of ever naming a winner where there is none
        unit: what always gets the same arm, user, session, run or request
        task_types: only requests of these task types; all when empty
        adopt: true gives the winner all requests
        stages: rising shares of the second of two arms, in per cent; the next is taken while guard-rails hold
    """

    __pydantic_config__ = STRICT
    name: Text
    arms: Annotated[tuple[ArmSettings, ...], MinLen(2)]
    min_samples: Positive = 100
    control: Text | None = None
    primary: ExperimentMetric = "reward"
    guardrails: Mapping[ExperimentMetric, Usd] = field(default_factory=lambda: {"success": 0.05})
    alpha: Share = 0.05
    unit: Literal["user", "session", "run", "request"] = "user"
    task_types: tuple[TaskType, ...] = ()
    adopt: bool = True
    stages: tuple[Usd, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimit:
    """A limit that starts again every period.

    Args:
        limit: limits are USD
        per: hour, day, week, month or total
    """

    __pydantic_config__ = STRICT
    limit: Usd
    per: Period = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """Hard budgets; only those that are set here exist.

    Args:
        request: USD that one request may cost
        run: USD that one run of a crew may cost
        session: USD that one session may cost
        user: USD that one user may cost in total, or {limit, per}
        day: USD that one day may cost
        project: USD that the project may cost in total, or {limit, per}
        provider: USD that a provider may cost in total, or {limit, per}, by its name
        timezone: IANA name of the time zone in which days begin
        unpriced: deny or allow models without a price while a budget holds
    """

    __pydantic_config__ = STRICT
    request: Usd | None = None
    run: Usd | None = None
    session: Usd | None = None
    user: Usd | BudgetLimit | None = None
    day: Usd | None = None
    project: Usd | BudgetLimit | None = None
    provider: Mapping[str, Usd | BudgetLimit] = field(default_factory=dict[str, float | BudgetLimit])
    timezone: Text = "UTC"
    unpriced: Literal["deny", "allow"] = "deny"

    def limits(self) -> tuple[tuple[str, BudgetLimit], ...]:
        """Return every budget as (scope, limit): ``request``, …, ``provider:openai``.

        Example:
            >>> BudgetSettings(day=5.0).limits()
            (('day', BudgetLimit(limit=5.0, per='day')),)
        """
        scopes: dict[str, float | BudgetLimit | None] = {
            name: getattr(self, name) for name in ("request", "run", "session", "user", "day", "project")
        }
        scopes |= {f"provider:{name}": value for name, value in self.provider.items()}
        return tuple((scope, _limit(scope, value)) for scope, value in scopes.items() if value is not None)


def _limit(scope: str, value: float | BudgetLimit) -> BudgetLimit:
    if isinstance(value, BudgetLimit):
        return value
    return BudgetLimit(limit=value, per="day" if scope == "day" else "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSettings:
    """How long and how often models are called for one request.

    Args:
        limit: calls of one request at most, retries and fallbacks together
        timeout_s: seconds that one call may take
        stall_s: longest time between two pieces of a stream, in seconds
        retries: further calls of the same model once nothing else is left
        consensus_s: seconds that the members of a parallel run are waited for
    """

    __pydantic_config__ = STRICT
    limit: Positive = 8
    timeout_s: Annotated[float, Gt(0)] = 120.0
    stall_s: Annotated[float, Gt(0)] = 30.0
    retries: Count = 2
    consensus_s: Annotated[float, Gt(0)] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """What happens when a stream breaks after its first chunk.

    Args:
        policy: buffer, continue, restart or raise
        hold_chars: characters that the policy buffer holds back before it lets the stream go
    """

    __pydantic_config__ = STRICT
    policy: Literal["buffer", "continue", "restart", "raise"] = "buffer"
    hold_chars: Count = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeSettings:
    """A second model may start when the first is slow.

    Args:
        budget: second calls as a share, from 0 to 1, of all calls; 0 turns hedging off
        sync: true hedges synchronous calls too, each of which then runs on a loop of its own
    """

    __pydantic_config__ = STRICT
    budget: Share = 0.02
    sync: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Cache of whole answers.

    Args:
        enabled: true keeps answers
        ttl_s: seconds that an answer is kept
        max_entries: answers that are kept at most
    """

    __pydantic_config__ = STRICT
    enabled: bool = False
    ttl_s: Seconds = 3600.0
    max_entries: Positive = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerSettings:
    """Tokenizers of providers.

    Args:
        enabled: true counts with a provider's tokenizer where it is installed; false always estimates
    """

    __pydantic_config__ = STRICT
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Whether the prompt cache of a session's last model counts in the choice of the next.

    Args:
        affinity: true takes what the cache saves off that model's cost
        cache_s: seconds after a call that a provider keeps its prompt
        min_tokens: input tokens of the earlier call from which on there is a cache
    """

    __pydantic_config__ = STRICT
    affinity: bool = True
    cache_s: Seconds = 300.0
    min_tokens: Count = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When calls are kept away from a failing model (requirement A14, rule 5).

    Args:
        failures: failures in a row that open the breaker
        open_s: seconds until one probe is let through
        max_open_s: longest time in seconds that the breaker stays open before the next probe
        window_s: seconds over which the failure rate is measured
        window_calls: calls in the window before the rate counts
        failure_rate: a rate, from 0 to 1, above which the breaker opens
    """

    __pydantic_config__ = STRICT
    failures: Positive = 5
    open_s: Annotated[float, Gt(0)] = 60.0
    max_open_s: Annotated[float, Gt(0)] = 960.0
    window_s: Annotated[float, Gt(0)] = 60.0
    window_calls: Positive = 10
    failure_rate: Share = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """Active checks of models, which are made on request.

    Args:
        timeout_s: seconds that the check of one model may take
        at_once: checks that run at the same time
        max_age_s: seconds that a result is kept
    """

    __pydantic_config__ = STRICT
    timeout_s: Annotated[float, Gt(0)] = 5.0
    at_once: Positive = 4
    max_age_s: Seconds = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningSettings:
    """Whether outcomes change the next decision (requirement A12).

    Args:
        enabled: false keeps records but does not use them
        alpha: weight, from 0 to 1, of the newest outcome in the moving average
        model: folder that `crew-router train` wrote; its plans answer requests with willingness_to_pay
    """

    __pydantic_config__ = STRICT
    enabled: bool = True
    alpha: Share = 0.1
    model: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """When insights become alerts (requirement E6).

    Args:
        confidence_below: mean confidence, from 0 to 1, under which an alert is raised
        escalation_above: share of escalated requests, from 0 to 1, over which an alert is raised
        savings_below: savings against the baseline, from 0 to 1, under which an alert is raised
        cost_anomaly: true raises an alert on unusual cost
    """

    __pydantic_config__ = STRICT
    confidence_below: Share = 0.6
    escalation_above: Share = 0.3
    savings_below: Share = 0.3
    cost_anomaly: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySettings:
    """How many calls a model may have in flight before requests go to another one (requirement D14, rule 9).

    Args:
        factor: multiple of its fair share of calls that a model may take, above 0
    """

    __pydantic_config__ = STRICT
    factor: Annotated[float, Gt(0)] = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSettings:
    """Storage of the shared numbers that may be lost: performance, breakers, rate windows, learned weights.

    Args:
        url: memory://, sqlite:///FILE, redis:// or rediss://; a file in the user's data folder by default
        namespace: first part of the keys of performance figures
        max_age_s: oldest snapshot in seconds that a decision may use
    """

    __pydantic_config__ = STRICT
    url: Text | None = None
    namespace: Text = "moe:perf"
    max_age_s: Seconds = 1.0

    def __repr__(self) -> str:
        """Return the settings with no password in the address."""
        return _repr_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """Storage of the history, which must not be lost: decisions, calls, outcomes, feedback, money.

    Args:
        url: sqlite:///FILE, sqlite:// (in memory) or postgresql://; a file in the user's data folder by default
        durability: batch, or full to be on disk before the call returns
        keep_text: true keeps prompts and answers
        keep_features: true keeps hashed features of prompts
        rows_days: days after which decisions, calls, outcomes and feedback are deleted; never by default
        texts_days: days after which kept prompts and answers are removed; never by default
        overflow: wait, or drop telemetry while max_rows rows wait; dropped rows are counted, and rows about money are never dropped
        max_rows: rows that may wait to be written
    """

    __pydantic_config__ = STRICT
    url: Text | None = None
    durability: Literal["batch", "full"] = "batch"
    keep_text: bool = False
    keep_features: bool = False
    rows_days: Annotated[float, Gt(0)] | None = None
    texts_days: Annotated[float, Gt(0)] | None = None
    overflow: Literal["wait", "drop"] = "wait"
    max_rows: Positive = 100_000

    def __repr__(self) -> str:
        """Return the settings with no password in the address."""
        return _repr_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsSettings:
    """Copies of the ledger for other programs.

    Args:
        jsonl: path of a JSONL file that mirrors the ledger
    """

    __pydantic_config__ = STRICT
    jsonl: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewSettings:
    """A CrewAI project that the MCP server may plan and run.

    Args:
        path: folder of the project
        python: interpreter that has crewai and crew-router, and runs it; that of the server by default
        inputs: names of inputs that a client may give
        max_usd: USD that a run may cost; no limit by default
        deadline_s: seconds that a run may take
    """

    __pydantic_config__ = STRICT
    path: Text
    python: Text | None = None
    inputs: tuple[Text, ...] = ()
    max_usd: Usd | None = None
    deadline_s: Annotated[float, Gt(0)] = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class McpApprovalSettings:
    """When a person is asked before a tool of the MCP server acts.

    Args:
        premium: ask or allow, before a model of the tier premium is called
        risk: ask or allow, before a prompt that looks sensitive is sent
        overrides: ask or allow, before an override is set or cleared
        above_usd: expected USD of a run above which a person is asked; no limit by default
        unasked: where nobody can be asked, token takes a second call with a one-time token, refuse ends the call
    """

    __pydantic_config__ = STRICT
    premium: Literal["ask", "allow"] = "ask"
    risk: Literal["ask", "allow"] = "ask"
    overrides: Literal["ask", "allow"] = "ask"
    above_usd: Usd | None = None
    unasked: Literal["token", "refuse"] = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class McpSettings:
    """The MCP server.

    Args:
        approval: when a person is asked first
        calls_per_minute: calls that one client may make over HTTP
        deadline_s: seconds that a call of a model through the server may take
    """

    __pydantic_config__ = STRICT
    approval: McpApprovalSettings = McpApprovalSettings()
    calls_per_minute: Positive = 600
    deadline_s: Annotated[float, Gt(0)] = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The sections of ``crew_router.yaml``.

    Args:
        preset: settings to start from, which all other settings override; moe, local_first or smart_cost
        project: name space of state, budgets and learning; the name in the nearest pyproject.toml, else the folder's
        baseline: the model that savings are counted against; the dearest reachable premium model by default
        optimize: quality, balanced or cost: what a tenfold price has to buy
        strategy: how scores become a choice
        scoring: how points are given
        task_types: preferred and budget models by task type
        policies: a list of policies
        escalation: when a cheap answer is not accepted
        parallel: when several models answer
        experiments: a list of comparisons on live traffic
        budgets: hard limits in USD
        attempts: how long and how often models are called
        stream: what happens when a stream breaks
        hedge: whether a second model may start when the first is slow
        cache: cache of whole answers
        tokenizers: how tokens of the input are counted
        sessions: whether the prompt cache of a session's last model counts
        breaker: when calls are kept away from a failing model
        health: how models are checked on request
        learning: whether outcomes change the next decision
        alerts: when insights become alerts
        capacity: how many calls a model may have in flight
        state: storage of the shared numbers that may be lost
        ledger: storage of the history, which must not be lost
        analytics: copies of the ledger for other programs
        mcp: the MCP server
        crews: CrewAI projects that the MCP server may plan and run, by name
    """

    __pydantic_config__ = STRICT
    preset: Text | None = None
    project: Text | None = None
    baseline: Text | None = None
    optimize: Literal["quality", "balanced", "cost"] = "balanced"
    strategy: StrategySettings = StrategySettings()
    scoring: ScoringSettings = ScoringSettings()
    task_types: Mapping[TaskType, TaskTypeSettings] = field(default_factory=dict[TaskType, TaskTypeSettings])
    policies: tuple[PolicySettings, ...] = ()
    escalation: EscalationSettings = EscalationSettings()
    parallel: ParallelSettings = ParallelSettings()
    experiments: tuple[ExperimentSettings, ...] = ()
    budgets: BudgetSettings = BudgetSettings()
    attempts: AttemptSettings = AttemptSettings()
    stream: StreamSettings = StreamSettings()
    hedge: HedgeSettings = HedgeSettings()
    cache: CacheSettings = CacheSettings()
    tokenizers: TokenizerSettings = TokenizerSettings()
    sessions: SessionSettings = SessionSettings()
    breaker: BreakerSettings = BreakerSettings()
    health: HealthSettings = HealthSettings()
    learning: LearningSettings = LearningSettings()
    alerts: AlertSettings = AlertSettings()
    capacity: CapacitySettings = CapacitySettings()
    state: StateSettings = StateSettings()
    ledger: LedgerSettings = LedgerSettings()
    analytics: AnalyticsSettings = AnalyticsSettings()
    mcp: McpSettings = McpSettings()
    crews: Mapping[str, CrewSettings] = field(default_factory=dict[str, CrewSettings])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile(Settings):
    """A whole ``crew_router.yaml``; every key is optional.

    Args:
        registry: packaged, or none to start without the packaged models
        models: a mapping from "provider:model" to one entry; an entry of the packaged registry is changed key by key
    """

    __pydantic_config__ = STRICT
    registry: Literal["packaged", "none"] = "packaged"
    models: Mapping[str, ModelEntry] = field(default_factory=dict[str, ModelEntry])


SETTINGS_FIELDS: Final = tuple(item.name for item in fields(Settings))


def _repr_of(settings: StateSettings | LedgerSettings) -> str:
    values = ", ".join(f"{each.name}={getattr(settings, each.name)!r}" for each in fields(settings))
    return redacted(f"{type(settings).__name__}({values})")
