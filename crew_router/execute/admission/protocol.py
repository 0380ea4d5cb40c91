"""What is asked before every call and told after it: breakers, budgets, rate limits."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from crew_router.execute.protocol import Refusal
    from crew_router.types.decision import RoutingDecision
    from crew_router.types.model import ModelDefinition
    from crew_router.types.outcome import Attempt, Usage


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One call that is about to be made.

    Args:
        decision: The decision it belongs to.
        model: The model to call.
        input_tokens: Estimate of the input.
        max_tokens: Upper bound of the answer that the caller set, if any.
        lease_s: Seconds after which the call is certainly over.
        force: The call goes past open breakers, because nothing better is left.
        cache_writes: How long what the caller marked for the provider's prompt cache stays there; empty when nothing is marked.
    """

    decision: RoutingDecision
    model: ModelDefinition
    _: KW_ONLY
    input_tokens: int
    max_tokens: int | None
    lease_s: float
    force: bool = False
    cache_writes: Literal["", "5m", "1h"] = ""


class Permit(Protocol):
    """Leave to make one call. Exactly one :meth:`settle` follows."""

    @property
    def max_tokens(self) -> int | None:
        """Upper bound of the answer that must be sent with the call, or ``None``."""
        ...

    def settle(self, attempt: Attempt | None, *, spent: Usage | None) -> None:
        """Tell what the call came to.

        Args:
            attempt: The record of the call, or ``None`` when it was not made after all.
            spent: Tokens to settle a budget by; an estimate where the provider reported none.
        """
        ...


class AdmissionCheck(Protocol):
    """Lets calls through or refuses them. Called from any thread; only a :class:`BlockingCheck` may wait for I/O."""

    def enter(self, call_request: CallRequest) -> Permit | Refusal | None:
        """Return leave, a refusal, or ``None`` when the gate has no say about this call."""
        ...


class BlockingCheck(AdmissionCheck, Protocol):
    """A gate that sometimes has to ask a database first, which an event loop does on a thread."""

    def waits(self, call_request: CallRequest) -> bool:
        """Tell whether :meth:`enter` would wait."""
        ...
