"""Every error that crew-router raises.

::

    CrewRouterError
    ├── ConfigurationError (ValueError)      a file, key or value of the configuration
    │   └── RegistryError                    … of the model registry
    ├── InvalidRequestError (ValueError)     a field of a request or of feedback
    ├── UnknownModelError (LookupError)      a model that the registry does not hold
    ├── UnknownDecisionError (LookupError)   a decision id that the ledger does not hold
    ├── NoCandidateError                     no model is left; every model with what removed it
    ├── ApprovalRequiredError                a policy wants a person to agree first
    ├── BudgetExceededError                  a hard budget would be overspent
    ├── MissingDependencyError (ImportError) an extra is not installed
    ├── StorageError                         state or ledger cannot be read or written
    ├── ModelCallError                       one call to one model failed; carries kind, status, retry-after, partial text
    ├── DeadlineExceededError (TimeoutError) the deadline passed before an answer came
    └── AllModelsFailedError (ExceptionGroup) every attempt failed; holds each cause
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from crew_router.types.evidence import PolicyEffect, Rejection
    from crew_router.types.outcome import Attempt
    from crew_router.types.vocabulary import ErrorKind, ModelRef

_SHOWN_CHARS = 120
_READ_CHARS = 20_000


class CrewRouterError(Exception):
    """Root of all errors of this package; no text of theirs holds a secret."""

    def __init__(self, *args: object) -> None:
        from crew_router.types.redaction import redacted  # the types import the errors

        super().__init__(*(redacted(each) if isinstance(each, str) else each for each in args))


class ConfigurationError(CrewRouterError, ValueError):
    """A configuration cannot be read or means nothing.

    Args:
        place: File, argument or environment variable.
        key: Path of the key inside it, or empty.
        problem: What is wrong, with the value.
        cure: What to write instead.
    """

    def __init__(self, place: str, key: str, problem: str, *, cure: str) -> None:
        self.place, self.key, self.problem, self.cure = place, key, problem, cure
        where = f"{place}: {printable(key)}" if key else place
        super().__init__(f"{where}: {problem}; {cure}")


class RegistryError(ConfigurationError):
    """An entry of the model registry cannot be read or means nothing."""


class InvalidRequestError(CrewRouterError, ValueError):
    """A field of a request is out of range or of the wrong type.

    Args:
        field: Name of the field.
        value: What was given.
        expected: What would be accepted.
    """

    def __init__(self, field: str, value: object, *, expected: str) -> None:
        self.field, self.value, self.expected = field, value, expected
        super().__init__(f"{field}={shown(value)} is not valid; give {expected}.")


class UnknownModelError(CrewRouterError, LookupError):
    """A model is not in the registry, or a short name fits several.

    Args:
        name: What was asked for.
        near: Models with a similar name, or all that fit.
    """

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        self.name, self.near = name, tuple(near)
        hint = f"did you mean {', '.join(map(printable, near))}?" if near else "`crew-router models` lists the models."
        super().__init__(f"the registry has no single model {shown(name)}; {hint}")


class UnknownDecisionError(CrewRouterError, LookupError):
    """A decision id is not in the ledger."""

    def __init__(self, decision_id: str) -> None:
        self.decision_id = decision_id
        super().__init__(f"no decision {decision_id!r} is in this ledger; check the id, the project and the ledger url.")


class NoCandidateError(CrewRouterError):
    """No model satisfies the request.

    Args:
        rejected: Every model of the registry with every filter that removed it.
        nearest: One sentence that names the smallest change that would let a model through.
        effects: What policies did to the request.
    """

    def __init__(
        self, rejected: Mapping[ModelRef, tuple[Rejection, ...]], *, nearest: str = "", effects: Sequence[PolicyEffect] = ()
    ) -> None:
        self.rejected, self.nearest, self.effects = dict(rejected), nearest, tuple(effects)
        self.fields = tuple(dict.fromkeys(why.field for reasons in self.rejected.values() for why in reasons if why.field))
        lines = [f"  {model}: {'; '.join(map(str, why))}" for model, why in self.rejected.items()]
        table = "\n".join(lines) if lines else "  the registry is empty; add a model or use registry: packaged"
        asked = f" ({', '.join(self.fields)})" if self.fields else ""
        last = nearest or "Loosen one of the constraints above."
        super().__init__(f"no model satisfies the request{asked}:\n{table}\n{last}")


class PendingDecision(Protocol):
    """What the error reads of a :class:`crew_router.RoutingDecision` that waits for a person."""

    @property
    def id(self) -> str: ...  # noqa: D102 - the fields of RoutingDecision
    @property
    def selected_model(self) -> ModelRef: ...  # noqa: D102
    @property
    def approval(self) -> str: ...  # noqa: D102
    @property
    def estimated_cost(self) -> float | None: ...  # noqa: D102


class ApprovalRequiredError(CrewRouterError):
    """A policy wants a person to agree before the request is executed; a surface asks, and tries again with the answer.

    Args:
        decision: What would be executed.
    """

    def __init__(self, decision: PendingDecision) -> None:
        self.decision = decision
        cost = "an unknown price" if decision.estimated_cost is None else f"about ${decision.estimated_cost:.6f}"
        super().__init__(
            f"{decision.approval}: {decision.selected_model} for {cost} waits for a person to agree; "
            "pass Options(approved_by=…) once somebody has."
        )


class BudgetExceededError(CrewRouterError):
    """A hard budget does not allow the call.

    Args:
        scope: Name of the budget, for example ``day``.
        limit_usd: Its limit in USD.
        left_usd: What is left of it.
        needed_usd: Upper bound of the cost of the call.
    """

    def __init__(self, scope: str, *, limit_usd: float, left_usd: float, needed_usd: float) -> None:
        self.scope, self.limit_usd, self.left_usd, self.needed_usd = scope, limit_usd, left_usd, needed_usd
        super().__init__(
            f"budget {scope!r} has ${left_usd:.6f} of ${limit_usd:.6f} left, the call may cost ${needed_usd:.6f}; "
            f"raise budgets.{scope}, lower max_tokens, or wait for the next period."
        )


class MissingDependencyError(CrewRouterError, ImportError):
    """A feature needs a package that is not installed."""

    def __init__(self, package: str, *, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package!r} is not installed; run: pip install 'crew-router[{extra}]'")


class StorageError(CrewRouterError):
    """State or ledger cannot be read or written.

    Args:
        url: The store, without credentials.
        problem: What happened.
        cure: What to do.
    """

    def __init__(self, url: str, problem: str, *, cure: str) -> None:
        self.url, self.problem, self.cure = url, problem, cure
        super().__init__(f"{url}: {problem}; {cure}")


class ModelCallError(CrewRouterError):
    """One call to one model failed.

    Args:
        model: The model that was called.
        kind: What went wrong.
        message: The provider's words, shortened.
        retry_after_s: Seconds the provider asked us to wait.
        status_code: HTTP status, where there was one.
        partial: Text that had already reached the caller.
        attempts: Every call of the request, where this error ended it.
    """

    def __init__(
        self,
        model: ModelRef,
        kind: ErrorKind,
        message: str = "",
        *,
        retry_after_s: float | None = None,
        status_code: int | None = None,
        partial: str = "",
        attempts: Sequence[Attempt] = (),
    ) -> None:
        from crew_router.types.failure_text import cure_of, status_of  # as above
        from crew_router.types.redaction import redacted

        message = redacted(message[:_READ_CHARS])
        self.attempts = tuple(attempts)
        self.model, self.kind, self.message = model, kind, message
        self.retry_after_s, self.status_code, self.partial = retry_after_s, status_code, partial
        status = status_of(self, ", ")
        super().__init__(f"{model}: {kind}{status}{': ' + shown(message) if message else ''}; {cure_of(self)}")


class DeadlineExceededError(CrewRouterError, TimeoutError):
    """The deadline passed before an answer came.

    Args:
        deadline_s: Seconds that were allowed.
        attempts: What was tried.
    """

    def __init__(self, deadline_s: float, *, attempts: Sequence[Attempt] = ()) -> None:
        self.deadline_s, self.attempts = deadline_s, tuple(attempts)
        tried = ", ".join(attempt.model for attempt in attempts) or "nothing"
        super().__init__(f"no answer within {deadline_s:g} s (tried {tried}); raise deadline_s or prefer faster models.")


class AllModelsFailedError(CrewRouterError, ExceptionGroup[ModelCallError]):
    """Every attempt failed; ``exceptions`` holds each cause, and the last line of the text names them with what to do.

    The text names neither the status nor the words of a throttle, so that an outer retry loop (CrewAI's,
    a client library's) does not take the whole failure for one and repeat it.
    """

    attempts: tuple[Attempt, ...]

    def __new__(cls, errors: Sequence[ModelCallError], attempts: Sequence[Attempt] = ()) -> Self:
        """Build the message from the causes."""
        from crew_router.types.failure_text import causes_of  # the types import the errors

        models = ", ".join(dict.fromkeys(str(error.model) for error in errors))
        self = super().__new__(cls, f"no model gave an answer (tried {models})\n{causes_of(errors)}", list(errors))
        self.attempts = tuple(attempts)
        return self

    def __str__(self) -> str:
        """Return the message; how many causes there are is not added behind it."""
        return self.message

    def __init__(self, errors: Sequence[ModelCallError], attempts: Sequence[Attempt] = ()) -> None:  # noqa: ARG002 - kept by __new__
        super().__init__(self.message, list(errors))

    def derive(self, excs: Sequence[ModelCallError]) -> Self:  # type: ignore[override]  # narrower than ExceptionGroup on purpose
        """Return a group of some of the causes, as ``except*`` needs it."""
        return type(self)(list(excs), self.attempts)

    @property
    def partial(self) -> str:
        """Text that had already reached the caller, or empty."""
        return next((error.partial for error in reversed(self.exceptions) if isinstance(error, ModelCallError) and error.partial), "")


def shown(value: object) -> str:
    """Return a value as a short, printable text."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}… ({len(text)} characters)"


def printable(text: str) -> str:
    """Return a name as it is when it fits on a line, as a short literal otherwise."""
    return str(text) if text.isprintable() and len(text) <= _SHOWN_CHARS else shown(text)
