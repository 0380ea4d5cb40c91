"""The registry as arrays, so that a decision looks at all candidates at once: every model at every reasoning effort it offers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from crew_router.config.ability import REFERENCE_DIFFICULTY, ability_of
from crew_router.config.credential import breaker_keys
from crew_router.config.effort import expected_lengths, first_token_s, offered_efforts
from crew_router.config.reachability import LOCAL_PROVIDERS
from crew_router.types import ModelCapability, ModelDefinition, ModelRef, TaskType, Tier
from crew_router.types.outcome import Usage, usage_bound
from crew_router.types.vocabulary import EFFORT_ORDER

if TYPE_CHECKING:
    from crew_router.types.arrays import Codes, Flags, Floats

_DIGITS: Final = 9
_CAPABILITY_BIT: Final = {capability: 1 << at for at, capability in enumerate(ModelCapability)}


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Memo:
    """Keeps what is worked out from the registry and a few frozen values, for as long as those are the same objects.

    Names are few (task types, complexities, rules), so it never grows beyond them. Two threads may work the same thing out
    twice; both get the same result.
    """

    _kept: dict[Hashable, tuple[Any, Any]] = field(default_factory=dict[Hashable, "tuple[Any, Any]"])

    def get(self, name: Hashable, make: Callable[[], T], *, of: object = None) -> T:
        """Return what ``make`` returns, or what it returned the last time for the very same object ``of``."""
        kept = self._kept.get(name)
        if kept is not None and kept[0] is of:
            known: T = kept[1]
            return known
        made = make()
        self._kept[name] = of, made
        return made

    def put(self, name: Hashable, made: object, *, of: object = None) -> None:
        """Keep something in the place of what was worked out before."""
        self._kept[name] = of, made

    def get_all(self, name: Hashable, make: Callable[[], T], *, of: tuple[object, ...]) -> T:
        """Return what ``make`` returns, or what it returned the last time for the very same objects ``of``."""
        kept = self._kept.get(name)
        if kept is not None and all(map(is_, kept[0], of)):
            known: T = kept[1]
            return known
        made = make()
        self._kept[name] = of, made
        return made


@dataclass(frozen=True, slots=True)
class ModelTable:
    """One array per figure, one place per candidate, in the order of ``refs``; NaN stands for an unknown figure.

    A candidate is a model at one of its reasoning efforts; a model without efforts is one candidate. ``models`` and ``refs`` name
    the model at each place, ``efforts`` its effort there, ``candidates`` both together; ``model_code``, and
    ``codes`` as plain numbers, is the same for the efforts of one model. ``place`` is that of a candidate; for a model without its
    effort it is that of its default effort.

    Prices are USD per million tokens, that of cached input is the price of input where none is listed; times are seconds.
    ``ability`` and ``error`` are logits and have a row per task type in the order of :class:`TaskType`; ``quality`` is P(success) at
    the reference difficulty, ``measured`` tells where it comes from figures or the user, ``placed`` whether the registry has an
    ability of the model at all. ``verbosity`` is the length of answers, thinking included, relative to that of a plain answer,
    ``thinking`` the length with thinking relative to the answer alone. ``tie_break`` is the rank of a candidate's name and
    ``by_name`` the places in that order, so that equal scores are ordered the same whatever the order of the registry. ``owners``
    is the provider at each place, ``providers`` lists each of them once. ``tiers`` are names, empty where unknown; ``breaker_keys``
    name the breakers that stand before each model.
    ``moving`` are the places whose price depends on the input's size, from ``first_price_step`` tokens on, or on the hour,
    ``bounds`` those that state what a call takes.
    """

    models: tuple[ModelDefinition, ...]
    refs: tuple[ModelRef, ...]
    efforts: tuple[str | None, ...]
    candidates: tuple[ModelRef, ...]
    model_code: Codes
    codes: tuple[int, ...]
    effort_rank: Codes
    owners: tuple[str, ...]
    providers: tuple[str, ...]
    provider_code: Codes
    price_input: Floats
    price_output: Floats
    price_cached: Floats
    moving: tuple[int, ...]
    bounds: tuple[tuple[int, Usage], ...]
    ability: Floats
    error: Floats
    quality: Floats
    measured: Flags
    placed: Flags
    verbosity: Floats
    thinking: Floats
    context_window: Floats
    max_output_tokens: Floats
    capabilities: Codes
    ttft_s: Floats
    tokens_per_s: Floats
    p95_s: Floats
    sla_p95_s: Floats
    concurrency: Floats
    enabled: Flags
    moderated: Flags
    tiers: tuple[str, ...]
    regions: tuple[frozenset[str], ...]
    strengths: tuple[frozenset[str], ...]
    breaker_keys: tuple[tuple[str, ...], ...]
    tie_break: Codes
    by_name: Codes
    place: Mapping[ModelRef, int]
    smallest_context: float
    first_price_step: float
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    def quality_for(self, task: TaskType) -> Floats:
        """Return the quality of every model on a task type."""
        row: Floats = self.quality[_TASK_ROW[task]]
        return row

    def measured_for(self, task: TaskType) -> Flags:
        """Tell for every model whether its quality on a task type was measured."""
        row: Flags = self.measured[_TASK_ROW[task]]
        return row

    def ability_for(self, task: TaskType) -> tuple[Floats, Floats]:
        """Return ability and its error of every candidate on a task type, logits."""
        row = _TASK_ROW[task]
        return self.ability[row], self.error[row]

    def places_of(self, ref: ModelRef) -> tuple[int, ...]:
        """Return the places that a reference means: one for a candidate, one for each effort for a model."""
        at = self.place.get(ref)
        if at is None or self.candidates[at] == ref:
            return () if at is None else (at,)
        code = self.model_code[at]
        return tuple(int(place) for place in (self.model_code == code).nonzero()[0])

    def provider_values(self, values: Callable[[str], float]) -> Floats:
        """Spread one figure per provider over its models."""
        table = np.array([values(provider) for provider in self.providers], dtype=np.float64)
        spread: Floats = table[self.provider_code]
        return spread


_TASK_ROW: Final = {task: at for at, task in enumerate(TaskType)}


def model_table_of(registry: Sequence[ModelDefinition]) -> ModelTable:
    """Build the arrays of a registry; done once per version of it."""
    listed = tuple((code, model, effort) for code, model in enumerate(registry) for effort in offered_efforts(model))
    models, efforts = tuple(model for _, model, _ in listed), tuple(effort for _, _, effort in listed)
    candidates = tuple(model.ref.at_effort(effort) for _, model, effort in listed)
    owners = tuple(model.ref.provider for model in models)
    providers = tuple(sorted(set(owners)))
    by_name = np.array(sorted(range(len(models)), key=lambda at: candidates[at]), dtype=np.int64)
    tie_break = np.empty(len(models), dtype=np.int64)
    tie_break[by_name] = np.arange(len(models))
    ability, error, measured = _abilities(models, efforts)
    lengths = [expected_lengths(model, effort) for model, effort in zip(models, efforts, strict=True)]
    first = {model.ref: place for place, (_, model, _) in reversed(tuple(enumerate(listed)))}
    usual = {model.ref: place for place, (_, model, effort) in enumerate(listed) if effort == model.default_effort}
    windows = [model.context_window for model in models if model.context_window is not None]
    return ModelTable(
        models=models,
        refs=tuple(model.ref for model in models),
        efforts=efforts,
        candidates=candidates,
        model_code=np.array([code for code, _, _ in listed], dtype=np.int64),
        codes=tuple(code for code, _, _ in listed),
        effort_rank=np.array([-1 if effort is None else EFFORT_ORDER.index(effort) for effort in efforts], dtype=np.int64),
        owners=owners,
        providers=providers,
        provider_code=np.array([providers.index(owner) for owner in owners], dtype=np.int64),
        price_input=_floats(None if model.price is None else model.price.input for model in models),
        price_output=_floats(None if model.price is None else model.price.output for model in models),
        price_cached=_floats(None if model.price is None else model.price.at(0)[2] for model in models),
        moving=tuple(at for at, model in enumerate(models) if model.price is not None and (model.price.tiers or model.price.windows)),
        bounds=tuple((at, bound) for at, model in enumerate(models) if (bound := usage_bound(model.instance)) is not None),
        ability=ability,
        error=error,
        # Rounded, so that a quality somebody wrote is exactly that again when a floor of the same figure is held against it.
        quality=np.round(1.0 / (1.0 + np.exp(REFERENCE_DIFFICULTY - ability)), _DIGITS),
        measured=measured,
        placed=np.array([model.ability is not None for model in models], dtype=np.bool_),
        verbosity=np.array([whole for whole, _ in lengths], dtype=np.float64),
        thinking=np.array([share for _, share in lengths], dtype=np.float64),
        context_window=_floats(model.context_window for model in models),
        max_output_tokens=_floats(model.max_output_tokens for model in models),
        capabilities=np.array([capability_bits(model.capabilities) for model in models], dtype=np.int64),
        ttft_s=_floats(first_token_s(model, effort) for model, effort in zip(models, efforts, strict=True)),
        tokens_per_s=_floats(model.latency.tokens_per_s for model in models),
        p95_s=_floats(model.latency.p95_s for model in models),
        sla_p95_s=_floats(model.sla_p95_s for model in models),
        concurrency=_floats(model.limits.concurrency for model in models),
        enabled=np.array([model.enabled for model in models], dtype=np.bool_),
        moderated=np.array([bool(model.moderated) for model in models], dtype=np.bool_),
        tiers=tuple(tier_of(model) for model in models),
        regions=tuple(model.regions for model in models),
        strengths=tuple(model.strengths for model in models),
        breaker_keys=tuple(tuple(breaker_keys(model)) for model in models),
        tie_break=tie_break,
        by_name=by_name,
        place={**first, **usual, **{candidate: at for at, candidate in enumerate(candidates)}},
        smallest_context=float(min(windows, default=np.inf)),
        first_price_step=min(
            (float(step.above_input_tokens) for model in models if model.price for step in model.price.tiers), default=np.inf
        ),
    )


def tier_of(model: ModelDefinition) -> str:
    """Return the tier of a model, local for one of a local server that states none, empty where unknown."""
    if model.tier is not None:
        return str(model.tier)
    return str(Tier.LOCAL) if model.ref.provider in LOCAL_PROVIDERS else ""


def capability_bits(capabilities: Iterable[ModelCapability]) -> int:
    """Return a set of capabilities as bits."""
    return sum(_CAPABILITY_BIT[capability] for capability in capabilities)


def _abilities(models: Sequence[ModelDefinition], efforts: Sequence[str | None]) -> tuple[Floats, Floats, Flags]:
    ability = np.empty((len(TaskType), len(models)), dtype=np.float64)
    error, measured = np.empty_like(ability), np.zeros(ability.shape, dtype=np.bool_)
    for at, (model, effort) in enumerate(zip(models, efforts, strict=True)):
        overall = ability_of(model, effort=effort)
        for task, row in _TASK_ROW.items():
            known = ability_of(model, task, effort=effort) if task in model.task_quality else overall
            ability[row, at], error[row, at] = known.value, known.error
            measured[row, at] = known.kind == "measured" or (known.kind == "user" and bool(known.sources or task in model.task_quality))
    return ability, error, measured


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
