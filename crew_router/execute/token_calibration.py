"""Tokens of calls whose usage never arrived, by the ratios seen on the same model's calls whose usage did.

Three ratios a model: reported input to our count of it, reported output to the characters of the answer, and reported output to
the expected length. Each starts at the general rule (our count, four characters a token, the expectation), which is worth
``_PRIOR_TOKENS``, and forgets what is long ago. Tokens that a model thinks and does not show are in its ratios.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crew_router.types.fork_hooks import free_in_child
from crew_router.types.outcome import Usage

if TYPE_CHECKING:
    from crew_router.types.vocabulary import ModelRef

CHARS_PER_TOKEN: Final = 4.0
_PRIOR_TOKENS: Final = 20.0  # guess, not measured: about one short call
_KEEP: Final = 0.99  # guess, not measured: what a call leaves of the weight of those before it


@dataclass(slots=True)
class _Ratio:
    """Reported tokens over counted ones."""

    reported: float = _PRIOR_TOKENS
    counted: float = _PRIOR_TOKENS

    def take(self, reported: float, counted: float) -> None:
        self.reported = _KEEP * self.reported + reported
        self.counted = _KEEP * self.counted + counted

    def of(self, counted: float) -> int:
        return math.ceil(round(counted * self.reported / self.counted, 6))


@dataclass(slots=True)
class _Ratios:
    input: _Ratio = field(default_factory=_Ratio)
    received: _Ratio = field(default_factory=_Ratio)
    expected: _Ratio = field(default_factory=_Ratio)


class TokenCalibrator:
    """The ratios of all models in this process. Safe to call from any thread."""

    def __init__(self) -> None:
        self._ratios: dict[ModelRef, _Ratios] = {}
        self._lock = threading.Lock()
        free_in_child(self)

    def seen(self, model: ModelRef, usage: Usage, *, input_tokens: int, chars: int | None, expected_tokens: int) -> None:
        """Take the reported usage of a call.

        Args:
            model: Who answered.
            usage: What the provider reported.
            input_tokens: Our count of the input.
            chars: Characters of the answer; ``None`` where it was not text alone.
            expected_tokens: Length that the answer was expected to have.
        """
        with self._lock:
            ratios = self._ratios.setdefault(model, _Ratios())
            ratios.input.take(usage.input_tokens, input_tokens)
            ratios.expected.take(usage.output_tokens, expected_tokens)
            if chars is not None:
                ratios.received.take(usage.output_tokens, chars / CHARS_PER_TOKEN)

    def received(self, model: ModelRef, *, input_tokens: int, chars: int) -> Usage:
        """Return the usage of a call of which so many characters were received."""
        ratios = self._ratios.get(model, _UNSEEN)
        return Usage(ratios.input.of(input_tokens), ratios.received.of(chars / CHARS_PER_TOKEN), estimated=True)

    def expected(self, model: ModelRef, *, input_tokens: int, expected_tokens: int) -> Usage:
        """Return the usage of a call whose answer was made and could not be read."""
        ratios = self._ratios.get(model, _UNSEEN)
        return Usage(ratios.input.of(input_tokens), ratios.expected.of(expected_tokens), estimated=True)


_UNSEEN: Final = _Ratios()
