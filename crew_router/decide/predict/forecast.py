"""What each model is expected to cost, take and achieve on one request (requirements A9, A10)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from crew_router.config.effort import LEAST_WORK_TOKENS
from crew_router.decide.predict.difficulty import difficulty_of, sharpness
from crew_router.decide.predict.outlook import Outlook, outlook
from crew_router.types import CostPrediction, LatencyPrediction, ModelDefinition, RequestProfile, Snapshot
from crew_router.types.cached import cached_property
from crew_router.types.model import TOKENS_PER_PRICE
from crew_router.types.profile import CALLER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.decide.model_table import ModelTable
    from crew_router.decide.predict.protocol import Prediction
    from crew_router.types import Usage
    from crew_router.types.arrays import Flags, Floats

COST_SPREAD: Final = 0.3  # requirement A9: ±30 % until lengths are learnt
INPUT_SPREAD: Final = 0.15  # nine in ten estimates of the input are nearer, docs/classification.md
P95_OVER_MEAN: Final = 2.0  # guess, not measured: stands in for an unknown 95th percentile
STRENGTH_LOGITS: Final = 0.3  # guess, not measured: what a strength that the registry states is worth
DOUBT: Final = 1.0
"""Errors of its ability by which a candidate is judged below what is expected of it: the lower sixth. What is known of a
candidate well enough is hardly moved, and a guess is not preferred to a measurement for its luck."""
_MINUTE_S: Final = 60
_MINUTES_PER_DAY: Final = 24 * 60
_Z90: Final = 1.645
_ENOUGH_SAMPLES: Final = 20.0  # guess, not measured: below that a learnt spread is not trusted


@dataclass(frozen=True)
class Forecast:
    """One array per predicted figure, in the order of the columns; NaN where nothing is known.

    Costs are USD, times seconds, ``success`` and ``quality`` 0..1. ``inputs`` are the tokens of the input as each model counts
    them, ``lengths`` the expected ones of its answer, a number where it is the same for all; ``rates_input`` and ``rates_output``
    are USD per token, at this hour and for this much input. ``saved`` are the USD that prompt caches take off ``cost``. What only
    an explanation or some strategies ask for is worked out when it is asked for.
    """

    profile: RequestProfile
    model_table: ModelTable
    outlook: Outlook
    inputs: Floats | float
    lengths: Floats | float
    cost: Floats
    latency: Floats
    predicted: Prediction | None
    rates_input: Floats
    rates_output: Floats
    saved: Floats | None = None

    @property
    def input_tokens(self) -> int:
        """Tokens of the input, whoever counts them."""
        return self.profile.input_tokens.value

    @property
    def output_tokens(self) -> int:
        """Expected tokens of the answer, before anything is known of the model."""
        return self.profile.expected_output_tokens.value

    @property
    def quality(self) -> Floats:
        """Quality of each model on the task type, by the registry."""
        return self.outlook.quality

    @property
    def learned(self) -> Flags:
        """Where history moved the prior."""
        moved: Flags = self.outlook.samples > 0
        return moved

    @cached_property
    def success(self) -> Floats:
        """P(success): ability against difficulty (item response with equal discrimination), or what was learnt of such prompts."""
        return self._success(self.outlook.ability)

    @cached_property
    def cautious(self) -> Floats:
        """P(success) at the lower sixth of the ability, by which candidates compete: doubt counts against a candidate."""
        doubted = self.model_table.memo.get(
            ("doubted", self.profile.task_type.value), lambda: self.outlook.ability - DOUBT * self.outlook.error, of=self.outlook
        )
        return self._success(doubted)

    def _success(self, ability: Floats) -> Floats:
        slope, level = self._curve
        expected: Floats = 1.0 / (1.0 + np.exp(slope * (level - ability - self._strengths())))
        known = None if self.predicted is None else self.predicted.success
        return expected if known is None else np.where(np.isnan(known), expected, known)

    @cached_property
    def _curve(self) -> tuple[float, float]:
        """Slope and difficulty of this request."""
        level, spread = difficulty_of(self.profile)
        return sharpness(spread), level

    @cached_property
    def p95(self) -> Floats:
        """95th percentile of the seconds to the whole answer."""
        return np.where(np.isnan(self.outlook.p95), self.latency * P95_OVER_MEAN, self.outlook.p95)

    def success_of(self, at: int) -> float:
        """Return P(success) of one model."""
        if "success" in self.__dict__ or self.predicted is not None:
            return self.success.item(at)
        strengths = self._strengths()
        bonus = _at(strengths, at)
        slope, level = self._curve
        return 1.0 / (1.0 + math.exp(slope * (level - bonus - self.outlook.ability.item(at))))

    def cost_of(self, at: int) -> CostPrediction:
        """Return the cost of one model as a value, with an interval that nine of ten calls fall into."""
        expected, length, tokens_in = self.cost.item(at), _at(self.lengths, at), round(_at(self.inputs, at))
        bound = next((bound for place, bound in self.model_table.bounds if place == at), None) if self.model_table.bounds else None
        if bound is not None:
            tokens_in, length = _taken(self.profile, bound)
        if bound is None or self.profile.expected_output_tokens.source == CALLER:
            low, high, source = self._interval(at, expected, length)
        else:
            low, high, source = expected, expected, "list price x usage that the model states"
        priced = not math.isnan(expected)
        return CostPrediction(
            self.model_table.candidates[at],
            min_usd=low if priced else None,
            expected_usd=expected if priced else None,
            max_usd=high if priced else None,
            input_tokens=tokens_in,
            output_tokens=round(length),
            source=source if priced else "no price",
        )

    def latency_of(self, at: int) -> LatencyPrediction:
        """Return the latency of one model as a value."""
        expected, p95 = self.latency.item(at), self.outlook.p95.item(at)
        return LatencyPrediction(
            self.model_table.candidates[at],
            expected_s=_known(expected),
            ttft_s=_known(self.outlook.ttft.item(at)),
            p95_s=_known(expected * P95_OVER_MEAN if math.isnan(p95) else p95),
            source="history" if self.outlook.samples.item(at) else "guess" if self.outlook.guessed.item(at) else "prior",
        )

    def _strengths(self) -> Floats | float:
        named = self.model_table.memo.get("strengths", lambda: _strengths_of(self.model_table))
        domain = named.get(self.profile.domain.value)
        retrieval = named.get("rag") if self.profile.needs_retrieval.value else None
        if domain is None:
            return 0.0 if retrieval is None else retrieval
        return domain if retrieval is None else domain + retrieval

    def _interval(self, at: int, expected: float, length: float) -> tuple[float, float, str]:
        """Return bounds of the cost, and what they come from: paid prices, learnt lengths, the classifier's lengths, or ±30 %."""
        said = self.profile.expected_output_tokens.source == CALLER
        if not said and self.predicted is not None and (paid := _band_of(self.predicted.cost_usd, self.predicted.cost_band, at)):
            return expected * paid[0], expected * paid[1], "paid for prompts like this one"
        per_token, bounds = self.rates_output.item(at), None if said else self._length_bounds(at, length)
        if bounds is None or math.isnan(per_token):
            return expected * (1 - COST_SPREAD), expected * (1 + COST_SPREAD), "list price x estimated tokens"
        low, high, source = bounds
        sure = self.profile.input_tokens.source == CALLER
        unsure_usd = 0.0 if sure else INPUT_SPREAD * _at(self.inputs, at) * self.rates_input.item(at)
        # Input and answer are off independently of one another.
        below, above = (math.hypot(abs(bound - length) * per_token, unsure_usd) for bound in (min(low, length), max(high, length)))
        return max(expected - below, 0.0), expected + above, source

    def _length_bounds(self, at: int, length: float) -> tuple[float, float, str] | None:
        """Return the tokens of the answer between which nine in ten lie, and from what they are known."""
        trained = None if self.predicted is None else _band_of(self.predicted.output_tokens, self.predicted.output_band, at)
        if trained is not None:
            return length * trained[0], length * trained[1], "list price x length of answers to prompts like this one"
        spread, asked = self.outlook.answer_spread.item(at), self.profile.output_interval
        if self.outlook.samples.item(at) >= _ENOUGH_SAMPLES and not math.isnan(spread):
            middle = length * math.exp(-spread * spread / 2)  # of a log-normal length with this mean
            return middle * math.exp(-_Z90 * spread), middle * math.exp(_Z90 * spread), "list price x length of this model's answers"
        if asked is None:
            return None
        scale = length / self.output_tokens if self.output_tokens else 1.0
        return asked[0] * scale, asked[1] * scale, "list price x estimated tokens"


def _band_of(expected: Floats | None, band: Floats | None, at: int) -> tuple[float, float] | None:
    """Return the two factors of a trained figure where both are known."""
    if expected is None or band is None or math.isnan(expected[at]) or math.isnan(band[0, at]):
        return None
    return float(band[0, at]), float(band[1, at])


def forecast(
    profile: RequestProfile,
    model_table: ModelTable,
    *,
    models: tuple[ModelDefinition, ...],
    snapshot: Snapshot,
    now: float,
    predicted: Prediction | None = None,
    saved: Floats | None = None,
    counted: Mapping[str, int] | None = None,
) -> Forecast:
    """Predict every figure for every model.

    Args:
        profile: What was read from the request.
        model_table: The registry as arrays.
        models: The registry, for prices that depend on the number of tokens or on the hour.
        snapshot: The shared numbers.
        now: Seconds since the epoch, for prices that depend on the hour.
        predicted: What training knows of prompts like this one.
        saved: USD that prompt caches take off the price of each model, if any do.
        counted: Tokens of the input as tokenizers of providers count them; the profile's estimate holds for the others.
    """
    known = outlook(profile.task_type.value, model_table, snapshot.performance)
    whole = _with_thinking(profile, model_table)
    lengths = _lengths(profile, whole, known, predicted)
    tokens_in: Floats | float = profile.input_tokens.value
    if counted:
        tokens_in = model_table.provider_values(lambda provider: counted.get(provider, profile.input_tokens.value))
    per_input, per_output = _rates(model_table, models, tokens_in=tokens_in, now=now)
    cost: Floats = per_input * tokens_in + per_output * lengths
    for at, bound in model_table.bounds:
        taken_in, taken_out = _taken(profile, bound)
        cost[at] = per_input[at] * taken_in + per_output[at] * taken_out
    if predicted is not None and predicted.cost_usd is not None and profile.expected_output_tokens.source != CALLER:
        cost = np.where(np.isnan(predicted.cost_usd), cost, predicted.cost_usd)
    if known.has_unknown_price:
        cost = np.where(np.isnan(cost), known.seen_cost, cost)
    if saved is not None:
        cost = np.maximum(cost - saved, 0.0)
    latency = known.ttft + known.s_per_token * _timed(profile, whole, known, lengths)
    if known.has_unknown_speed:
        latency = np.where(np.isnan(latency), known.seen_latency, latency)
    return Forecast(profile, model_table, known, tokens_in, lengths, cost, latency, predicted, per_input, per_output, saved)


def _lengths(profile: RequestProfile, whole: Floats | float, known: Outlook, predicted: Prediction | None) -> Floats | float:
    """Return the expected length of answers: the caller's word, what training says, what was learnt of the model, the estimate.

    The caller and the estimate mean what is read of an answer; thinking comes on top, by the candidate's verbosity.
    """
    lengths = whole
    if profile.expected_output_tokens.source == CALLER:
        return lengths
    if known.answer_tokens is not None:
        lengths = known.asked_share * lengths + known.answer_tokens
    if predicted is not None and predicted.output_tokens is not None:
        lengths = np.where(np.isnan(predicted.output_tokens), lengths, predicted.output_tokens)
    return lengths


def _timed(profile: RequestProfile, whole: Floats | float, known: Outlook, lengths: Floats | float) -> Floats | float:
    """Return the tokens that are written after the first one of the answer: thinking is in the wait for it.

    A speed that was observed over whole calls counts for all tokens.
    """
    if isinstance(whole, float):
        return lengths
    asked = float(profile.expected_output_tokens.value)
    shown = asked if lengths is whole else lengths * (asked / np.maximum(whole, 1e-9))
    return shown if known.whole_calls is None else shown + known.whole_calls * (lengths - shown)


def _with_thinking(profile: RequestProfile, model_table: ModelTable) -> Floats | float:
    """Return the length of an answer that is asked for, with the thinking before it, of every candidate."""
    asked = float(profile.expected_output_tokens.value)
    if _is_plain(model_table):
        return asked
    said = profile.expected_output_tokens.source == CALLER
    answer, thought = model_table.memo.get(("lengths", said), lambda: _parts(model_table.thinking if said else model_table.verbosity))
    return answer * asked + thought * max(asked, LEAST_WORK_TOKENS)


def _parts(ratio: Floats) -> tuple[Floats, Floats]:
    """Return what an answer of one token has of words and of thinking."""
    return np.minimum(ratio, 1.0), np.maximum(ratio - 1.0, 0.0)


def _is_plain(model_table: ModelTable) -> bool:
    """Tell whether no candidate thinks, so that all answers are expected to be equally long."""
    return model_table.memo.get("plain", lambda: bool((model_table.verbosity == 1.0).all() and (model_table.thinking == 1.0).all()))


def _taken(profile: RequestProfile, bound: Usage) -> tuple[int, int]:
    """Return the tokens of input and answer on a model that states its usage; the caller's word wins."""
    given, asked = profile.input_tokens, profile.expected_output_tokens
    return (
        given.value if given.source == CALLER else bound.input_tokens,
        asked.value if asked.source == CALLER else bound.output_tokens,
    )


def _rates(model_table: ModelTable, models: tuple[ModelDefinition, ...], *, tokens_in: Floats | float, now: float) -> tuple[Floats, Floats]:
    """Return USD per token of input and of output."""
    if not model_table.moving:
        return model_table.memo.get("per_token", lambda: _per_token(model_table))
    minute = int(now // _MINUTE_S) % _MINUTES_PER_DAY
    # Nearly all requests are shorter than the first step of any price, so that the rates of a minute are worked out once.
    if isinstance(tokens_in, float | int) and tokens_in <= model_table.first_price_step:
        held: dict[int, tuple[Floats, Floats]] = model_table.memo.get("rates by minute", dict[int, "tuple[Floats, Floats]"])
        known = held.get(minute)
        if known is None:
            held.clear()
            known = held[minute] = _moved_rates(model_table, models, tokens_in=tokens_in, now=now)
        return known
    return _moved_rates(model_table, models, tokens_in=tokens_in, now=now)


def _moved_rates(
    model_table: ModelTable, models: tuple[ModelDefinition, ...], *, tokens_in: Floats | float, now: float
) -> tuple[Floats, Floats]:
    per_input, per_output = (each.copy() for each in _per_token(model_table))
    for at in model_table.moving:
        price = models[at].price
        if price is not None:
            rate_in, rate_out, _ = price.at(int(_at(tokens_in, at)), when=now)
            per_input[at], per_output[at] = rate_in / TOKENS_PER_PRICE, rate_out / TOKENS_PER_PRICE
    return per_input, per_output


def _per_token(model_table: ModelTable) -> tuple[Floats, Floats]:
    return model_table.price_input / TOKENS_PER_PRICE, model_table.price_output / TOKENS_PER_PRICE


def _strengths_of(model_table: ModelTable) -> dict[str, Floats]:
    names = {name for each in model_table.strengths for name in each}
    return {name: np.array([STRENGTH_LOGITS * (name in each) for each in model_table.strengths], dtype=np.float64) for name in names}


def _at(values: Floats | float, at: int) -> float:
    return float(values) if isinstance(values, (float, int)) else values.item(at)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
