"""A model that answers from recorded outcomes, for demonstrations, the evaluator and tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import IO, Self, cast

from crew_router.errors import ConfigurationError
from crew_router.testing.clock import FrozenClock
from crew_router.testing.script import Asked, ScriptedFault, ScriptedFaultError, ScriptedReply, Step, pieces_of, timed
from crew_router.types.canonical_answer import NO_TEXT
from crew_router.types.model import ModelDefinition, Price
from crew_router.types.outcome import Usage
from crew_router.types.prompt import prompt_text, whole_text
from crew_router.types.transport import Piece
from crew_router.types.vocabulary import ErrorKind, ModelCapability, ModelRef


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """The recorded outcome of one model on one prompt; ``score`` is 0..1."""

    score: float
    _: KW_ONLY
    cost_usd: float | None = None
    latency_s: float | None = None
    answer: str | None = None
    usage: Usage | None = None
    finish_reason: str = "stop"


class RecordedModel:
    """Replays the recorded answers of a real model.

    The cost of a call is that of its tokens, or the recorded ``cost_usd`` when no tokens were recorded.

    Args:
        outcomes: Recorded outcomes by prompt text.
        price: (input, output) in USD per million tokens, for recordings with tokens.
        clock: Advanced by the recorded latency of each call; without it a call takes no time.
        quality: Quality 0..1 for the registry.
        context_window: Tokens.
    """

    def __init__(
        self,
        outcomes: Mapping[str, RecordedOutcome],
        *,
        price: tuple[float, float] | None = None,
        clock: FrozenClock | None = None,
        quality: float | None = None,
        context_window: int | None = None,
    ) -> None:
        self._outcomes = {prompt.strip(): outcome for prompt, outcome in outcomes.items()}
        self._price, self._clock, self._quality, self._context_window = price, clock, quality, context_window
        self.calls = 0

    @classmethod
    def from_file(cls, path: str | Path, model: str, *, price: tuple[float, float] | None = None, clock: FrozenClock | None = None) -> Self:
        """Read one model of an outcome file (JSON lines, plain or .gz).

        Raises:
            ConfigurationError: The file holds no outcome of the model.
        """
        models = cls.all_from_file(path, clock=clock, prices={} if price is None else {model: price})
        if model not in models:
            raise ConfigurationError(str(path), "", f"no outcome of model {model!r}", cure=f"it holds {', '.join(sorted(models))}.")
        return models[model]

    @classmethod
    def all_from_file(
        cls, path: str | Path, *, clock: FrozenClock | None = None, prices: Mapping[str, tuple[float, float]] | None = None
    ) -> dict[str, Self]:
        """Read every model of an outcome file, by name."""
        outcomes_by_model: dict[str, dict[str, RecordedOutcome]] = {}
        with _opened(Path(path)) as lines:
            for line in lines:
                row = cast("dict[str, object]", json.loads(line))
                for model, outcome in cast("dict[str, dict[str, object]]", row["outcomes"]).items():
                    outcomes_by_model.setdefault(model, {}).setdefault(str(row["prompt"]), _outcome(outcome))
        return {model: cls(outcomes, clock=clock, price=(prices or {}).get(model)) for model, outcomes in outcomes_by_model.items()}

    def describe(self, ref: ModelRef) -> ModelDefinition:
        """Return the registry entry of this model."""
        return ModelDefinition(
            ref,
            provider=ref.provider, model=ref.name,
            price=None if self._price is None else Price(*self._price),
            quality=self._quality, context_window=self._context_window,
            capabilities=frozenset({ModelCapability.STREAMING}), source="recorded", instance=self,
        )  # fmt: skip

    def outcome(self, prompt: str) -> RecordedOutcome | None:
        """Return the recorded outcome of a prompt, or ``None`` when there is none."""
        return self._outcomes.get(prompt.strip())

    def steps(self, asked: Asked) -> Iterator[Step]:
        """Yield the steps of the recorded call."""
        self.calls += 1
        outcome = self.outcome(prompt_text(asked.payload)) or self.outcome(whole_text(asked.payload))
        if outcome is None:
            fault = ScriptedFault(ErrorKind.NOT_FOUND, status_code=404)
            return iter((Step(0.0, error=ScriptedFaultError(fault)),))
        reply = ScriptedReply(NO_TEXT if outcome.answer is None else outcome.answer, finish_reason=outcome.finish_reason)
        *words, last = pieces_of(reply, outcome.usage)
        end = Piece(usage=last.usage, cost_usd=outcome.cost_usd, finish_reason=last.finish_reason)
        return timed([*words, end], outcome.latency_s or 0.0)

    def pass_time(self, seconds: float) -> float:
        """Advance the clock, if there is one; return 0, as nothing has to be slept."""
        if self._clock is not None:
            self._clock.advance(seconds)
        return 0.0


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _outcome(row: Mapping[str, object]) -> RecordedOutcome:
    usage = None
    if isinstance(row.get("input_tokens"), int) and isinstance(row.get("output_tokens"), int):
        usage = Usage(cast("int", row["input_tokens"]), cast("int", row["output_tokens"]))
    return RecordedOutcome(
        float(cast("float", row["score"])),
        cost_usd=cast("float | None", row.get("cost_usd")), latency_s=cast("float | None", row.get("latency_s")),
        answer=cast("str | None", row.get("answer")), usage=usage, finish_reason=str(row.get("finish_reason") or "stop"),
    )  # fmt: skip
