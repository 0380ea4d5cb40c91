"""The calls of one request: opened, timed, checked, priced and recorded, whichever engine runs them."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from crew_router.config.effort import thinking_allowance
from crew_router.errors import CrewRouterError, ModelCallError
from crew_router.execute.admission.concurrency import ConcurrencyLimiter, Slot, Waiting
from crew_router.execute.admission.protocol import AdmissionCheck, BlockingCheck, CallRequest, Permit
from crew_router.execute.protocol import Chunk, Done, Refusal, RefusalReason, Start
from crew_router.execute.token_calibration import TokenCalibrator
from crew_router.execute.usable import usable
from crew_router.execute.usage_check import believed, believed_usd
from crew_router.execute.validation import fault_of
from crew_router.types.clock import Clock
from crew_router.types.fork_hooks import importing
from crew_router.types.model import NANO_PER_USD, ModelDefinition
from crew_router.types.outcome import Attempt, Usage
from crew_router.types.prompt import cache_writes
from crew_router.types.redaction import disarm, logger, redacted
from crew_router.types.transport import Call, Fault, Payload, Piece, Reply, Transport
from crew_router.types.vocabulary import ErrorKind, ModelCapability, ModelRef

if TYPE_CHECKING:
    from crew_router.types.decision import RoutingDecision

_log = logger(__name__)
_UNREAD = frozenset({ErrorKind.MALFORMED, ErrorKind.TRUNCATED})
_CAME = _UNREAD | {ErrorKind.EMPTY}
_UNSEEN = frozenset({ErrorKind.TIMEOUT, ErrorKind.CANCELLED})
_REFUSED = 400
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")

# Told of every model before it is called, in every thread; :func:`crew_router.testing.no_paid_calls` stands here.
WATCHERS: list[Callable[[ModelDefinition], None]] = []
Validator = Callable[[Reply], str | None]
Admission: TypeAlias = tuple[Permit, ...] | Waiting | Refusal


class Recorder(Protocol):
    """Is told of every call the moment it ends. What it raises is logged and never reaches the request."""

    def attempted(self, decision: RoutingDecision, attempt: Attempt) -> None:
        """Take one call of a decision."""
        ...


class _Waiting(Protocol):
    def waits(self, call_request: CallRequest) -> bool: ...


@dataclass(frozen=True, slots=True)
class Services:
    """What every request needs: the registry, transports, time, gates, the one of them that may wait, and who is told."""

    registry: Callable[[ModelRef], ModelDefinition]
    transports: Callable[[ModelDefinition], Transport]
    clock: Clock
    _: KW_ONLY
    checks: Sequence[AdmissionCheck] = ()
    slow: BlockingCheck | None = None
    also_slow: Sequence[BlockingCheck] = ()
    capacity: ConcurrencyLimiter | None = None
    recorder: Recorder | None = None
    calibrator: TokenCalibrator = field(default_factory=TokenCalibrator)
    warmed: set[ModelRef] = field(default_factory=set[ModelRef])

    def slow_gates(self, model: ModelDefinition) -> Sequence[_Waiting]:
        """Return what may ask a database about the calls of a model."""
        checks = self.also_slow if self.slow is None else (*self.also_slow, self.slow)
        return (*checks, self.capacity) if self.capacity is not None and self.capacity.shares(model) else checks

    def is_warm(self, ref: ModelRef) -> bool:
        """Tell whether what the calls of a model need is imported and built."""
        return ref in self.warmed


@dataclass(slots=True)
class OpenCall:
    """A call that may run."""

    start: Start
    model: ModelDefinition
    transport: Transport
    payload: Payload
    call: Call
    number: int
    began: float
    started_at: float
    passes: tuple[Permit, ...]
    first_at: float | None = None
    pieces: list[Piece] = field(default_factory=list[Piece])


class AttemptRunner:
    """Opens the calls of one request and keeps their record.

    Args:
        services: What every request needs.
        decision: The decision that is carried out.
        payload: What is sent.
        validate: The caller's own check of an answer: ``None`` for a sound one, else what is wrong.
    """

    def __init__(self, services: Services, decision: RoutingDecision, *, payload: Payload, validate: Validator | None = None) -> None:
        self._services, self._decision, self._payload, self._validate = services, decision, payload, validate
        self._starts: dict[int, Start] = {}
        self._open: dict[int, OpenCall] = {}
        self._by_call: dict[int, Attempt] = {}
        self._ended: dict[int, Done] = {}
        self._queued: dict[int, tuple[Start, Waiting]] = {}
        self._transports: dict[int, Transport] = {}
        self._counted: dict[int, tuple[Payload, int]] = {}

    @property
    def clock(self) -> Clock:
        """The clock of the request."""
        return self._services.clock

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every call that ended, in the order of their start."""
        return tuple(sorted(self._by_call.values(), key=lambda attempt: attempt.number))

    def attempt(self, call: int) -> Attempt:
        """Return the record of a call that ended."""
        return self._by_call[call]

    def streams(self, call: int) -> bool:
        """Tell whether a piece of a running call has come."""
        return call in self._open and bool(self._open[call].pieces)

    def model(self, call: int) -> ModelRef:
        """Return the model of a call, running or ended."""
        opened = self._open.get(call)
        return self._by_call[call].model if opened is None else opened.model.ref

    def register(self, start: Start) -> None:
        """Take note of a call that is about to be opened, and may be given up before that."""
        self._starts[start.call] = start

    def warming(self, ref: ModelRef) -> Callable[[], None] | None:
        """Return what builds what the calls of a model need, where that is still to be done; a loop does it on a thread."""
        return None if self._services.is_warm(ref) else functools.partial(self.prepare, ref)

    def admission_of(self, start: Start) -> Callable[[], Admission] | None:
        """Return what goes through the gates, where one of them would wait for a database; a loop does it on a thread.

        Whatever it returns is handed to :meth:`open`, or to :meth:`release` when the call was given up meanwhile.
        """
        model, payload = self._services.registry(start.model), start.payload or self._payload
        slow = self._services.slow_gates(model)
        if not slow:
            return None
        try:
            transport = self._services.transports(model)
        except CrewRouterError:  # said when the call is opened
            return None
        if self._unfit(model, payload, transport):
            return None
        call_request = self._ask(start, model, transport=transport, payload=payload)
        waits = call_request is not None and any(gate.waits(call_request) for gate in slow)
        return functools.partial(self._enter, start, call_request, None) if waits else None

    def release(self, admission: Admission) -> None:
        """Give back what was entered for a call that is not made."""
        if isinstance(admission, Waiting):
            admission.give_up()
        elif not isinstance(admission, Refusal):
            self._give_back(admission)

    def prepare(self, ref: ModelRef) -> None:
        """Build what calls of a model need, before the clock of a call runs.

        The first call of a process imports the provider's package, which takes seconds; out of the time of the call itself,
        a healthy model would look dead.
        """
        if self._services.is_warm(ref):
            return
        model = self._services.registry(ref)
        # What cannot be built is told by the attempt, with its kind and its cure.
        with contextlib.suppress(CrewRouterError), importing:
            warm = getattr(self._services.transports(model), "warm", None)
            if warm is not None:
                warm(model)
        self._services.warmed.add(ref)

    def open(self, start: Start, slot: Slot | None = None, *, admission: Admission | None = None) -> OpenCall | Waiting | Done:
        """Check a candidate again, fit the request to it, and return a call that has not begun.

        Args:
            start: The call.
            slot: The place that it waited for, when it was queued before.
            admission: What came of :meth:`entering`, where it was needed.
        """
        model, payload = self._services.registry(start.model), start.payload or self._payload
        for watch in WATCHERS:
            watch(model)
        try:
            transport = self._services.transports(model)
        except CrewRouterError as error:
            return self._refused(start, "transport", str(error))
        if slot is None and (unfit := self._unfit(model, payload, transport)):
            return self._refused(start, *unfit)
        passes = admission
        if passes is None:
            passes = self._enter(start, self._ask(start, model, transport=transport, payload=payload), slot)
        if isinstance(passes, Refusal):
            return self._not_made(passes, start)
        if isinstance(passes, Waiting):
            self._queued[start.call] = start, passes
            return passes
        try:
            call = self._fit(start, model, transport=transport, payload=payload, passes=passes)
        except CrewRouterError as error:
            self._give_back(passes)
            return self._refused(start, "payload", str(error))
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a failed attempt, while it is built too
            call = _Broken(error)
        opened = OpenCall(
            start, model, transport, payload, call,
            number=len(self._by_call) + len(self._open) + 1,
            began=self.clock.monotonic(), started_at=self.clock.now(), passes=passes,
        )  # fmt: skip
        self._open[start.call] = opened
        self._transports[start.call] = transport
        return opened

    def resume(self, call: int) -> OpenCall | Waiting | Done:
        """Open a call whose place has come."""
        start, queued = self._queued.pop(call)
        return self.open(start, queued.slot)

    def on_chunk(self, opened: OpenCall, piece: Piece) -> Chunk:
        """Take a piece of a live call."""
        now = self.clock.monotonic()
        if opened.first_at is None:
            opened.first_at = now
        opened.pieces.append(piece)
        return Chunk(opened.start.call, piece, now)

    def replied(self, opened: OpenCall, reply: Reply) -> Done:
        """Take a whole answer, which may turn out to be none."""
        by_caller = self._validate is not None and opened.start.role != "judge"
        read, instead = self._read(opened, reply)
        fault = fault_of(read, opened.payload, streamed=opened.start.live, prefix=opened.start.prefix, read_by_caller=by_caller)
        if fault is None:
            reply = read
        if fault is None and self._validate is not None and opened.start.role != "judge" and (problem := self._validate(reply)):
            fault = Fault(ErrorKind.MALFORMED, problem)
        return self._end(opened, reply=reply, fault=fault, instead=() if fault else instead)

    def _read(self, opened: OpenCall, reply: Reply) -> tuple[Reply, tuple[Piece, ...]]:
        """Return a reply as it was meant, in the client's own type too, and the pieces that stand for those of a stream then."""
        if opened.start.prefix:
            return reply, ()
        read = usable(reply, opened.payload)
        mend = getattr(opened.transport, "mended", None)
        if read is reply or mend is None:
            return read, ()
        mended: tuple[Reply, Piece] = mend(read, text=read.text != reply.text)
        return mended[0], (mended[1],)

    def finish_stream(self, opened: OpenCall) -> Done:
        """Take the end of a live call."""
        return self.replied(opened, opened.transport.join(tuple(opened.pieces)))

    def failed(self, opened: OpenCall, error: BaseException) -> Done:
        """Take what a call raised."""
        if isinstance(error, ModelCallError):
            fault = Fault(error.kind, error.message, error.retry_after_s, error.status_code)
            return self._end(opened, fault=fault, cause=error)
        clean = disarm(error)  # first: what classifies it may cut its words in the middle of a secret
        fault = opened.transport.classify(error)
        return self._end(opened, fault=replace(fault, message=redacted(fault.message)), cause=clean)

    def cancelled(self, call: int, kind: ErrorKind) -> Done:
        """End a running call; one that ended in the same moment is reported as it ended."""
        if call in self._queued:
            start, queued = self._queued.pop(call)
            queued.give_up()
            return self._refused(start, "capacity", "no place became free in time")
        opened = self._open.get(call)
        if opened is not None:
            return self._end(opened, fault=Fault(kind, "took too long" if kind is ErrorKind.TIMEOUT else "cancelled"))
        return self._ended[call] if call in self._ended else self._given_up(self._starts[call], kind)

    def join(self, call: int, pieces: tuple[Piece, ...]) -> Reply:
        """Put pieces of several calls together with the transport of one of them."""
        return self._transports[call].join(pieces)

    def close(self) -> None:
        """End every call that still runs: nobody waits for it any more."""
        for call in (*self._open, *self._queued):
            self.cancelled(call, ErrorKind.CANCELLED)

    def at_exit(self) -> None:
        """End what still runs, because the process ends."""
        self.close()

    def input_tokens(self, payload: Payload, transport: Transport) -> int:
        """Return the estimate of the input: the decision's own for the request, else counted once a payload."""
        known = self._decision.profile.input_tokens.value
        if payload is self._payload and known > 0:
            return known
        if id(payload) not in self._counted:
            self._counted[id(payload)] = payload, transport.count(payload)
        return self._counted[id(payload)][1]

    def _unfit(self, model: ModelDefinition, payload: Payload, transport: Transport) -> tuple[RefusalReason, str] | None:
        """Return why a model cannot take a payload at all: reason and detail."""
        if payload.tools and model.capabilities and ModelCapability.TOOLS not in model.capabilities:
            return "capability", "it cannot call tools"
        if model.context_window is None:
            return None
        tokens = self.input_tokens(payload, transport)
        if tokens > model.context_window:
            return "context", f"about {tokens} tokens do not fit into {model.context_window}"
        return None

    def _refused(self, start: Start, reason: RefusalReason, detail: str) -> Done:
        return self._not_made(Refusal(start.model, reason, detail), start)

    def _not_made(self, refusal: Refusal, start: Start) -> Done:
        done = self._ended[start.call] = Done(start.call, self.clock.monotonic(), refusal=refusal)
        return done

    def _given_up(self, start: Start, kind: ErrorKind) -> Done:
        """End a call that was not opened yet, because its gates still wait for a database."""
        if kind is ErrorKind.TIMEOUT:
            return self._refused(start, "budget", "whether it may be made was not known in time")
        return Done(start.call, self.clock.monotonic(), error=ModelCallError(start.model, kind, "cancelled before it was made"))

    def _ask(self, start: Start, model: ModelDefinition, *, transport: Transport, payload: Payload) -> CallRequest | None:
        if not self._services.checks and self._services.capacity is None:
            return None
        bound = payload.parameters.get("max_tokens")
        return CallRequest(
            self._decision, model,
            input_tokens=self.input_tokens(payload, transport),
            max_tokens=bound + thinking_allowance(model, bound) if isinstance(bound, int) else None,
            lease_s=start.timeout_s or 600.0, force=start.force,
            cache_writes="" if model.price is None or model.price.cache_write is None else cache_writes(payload),
        )  # fmt: skip

    def _enter(self, start: Start, call_request: CallRequest | None, slot: Slot | None) -> Admission:
        """Go through capacity, then the gates.

        A place is taken first, because money is not reserved for a call that waits; windows are counted last, because a call that
        overflows to another model, or that a gate refuses, uses up nothing of them.
        """
        if call_request is None:
            return ()
        passes: list[Permit] = []
        capacity = self._services.capacity
        if capacity is not None:
            seat = capacity.enter(call_request, last=start.queue) if slot is None else capacity.claimed(call_request, slot)
            if isinstance(seat, (Waiting, Refusal)):
                return seat
            passes += [] if seat is None else [seat]
        for gate in self._services.checks:
            answer = gate.enter(call_request)
            if isinstance(answer, Refusal):
                self._give_back(passes)
                return answer
            passes += [] if answer is None else [answer]
        if capacity is not None and (full := capacity.window(call_request)) is not None:
            self._give_back(passes)
            return full
        return tuple(passes)

    def _fit(self, start: Start, model: ModelDefinition, *, transport: Transport, payload: Payload, passes: Sequence[Permit]) -> Call:
        bounds = [each.max_tokens for each in passes if each.max_tokens is not None]
        payload = _with_room(payload, model)
        return transport.fit(payload, model, prefix=start.prefix, max_tokens=min(bounds) if bounds else None, timeout_s=start.timeout_s)

    def _give_back(self, passes: Sequence[Permit]) -> None:
        for each in passes:
            each.settle(None, spent=None)

    def _end(self, opened: OpenCall, *, reply: Reply | None = None, fault: Fault | None = None, cause: BaseException | None = None,
        instead: tuple[Piece, ...] = (),
    ) -> Done:
        now = self.clock.monotonic()
        self._open.pop(opened.start.call, None)
        usage, cost_nano, doubt = self._price(opened, reply, fault)
        if doubt:
            _log.warning("%s: %s", opened.model.ref, doubt)
        attempt = Attempt(
            opened.model.ref,
            number=opened.number, started_at=opened.started_at, latency_s=now - opened.began,
            ttft_s=None if opened.first_at is None else opened.first_at - opened.began,
            usage=usage, cost_nano=cost_nano,
            error=fault.kind if fault else None, message=(fault.message if fault else doubt)[:500],
            status_code=fault.status_code if fault else None,
            finish_reason=reply.finish_reason if reply else None,
            retry_after_s=_waits(reply, fault), role=opened.start.role,
        )  # fmt: skip
        self._by_call[opened.start.call] = attempt
        self._tell(opened, attempt, reply)
        error = None if fault is None else _error(opened, fault, cause)
        done = self._ended[opened.start.call] = Done(
            opened.start.call, now,
            reply=reply if error is None else None, error=error, pieces=tuple(opened.pieces) if opened.start.live else (), instead=instead,
        )  # fmt: skip
        return done

    def _tell(self, opened: OpenCall, attempt: Attempt, reply: Reply | None) -> None:
        spent = attempt.usage
        if spent is None and attempt.cost_nano != 0:
            spent = self._estimate(opened, reply)
        for each in opened.passes:
            each.settle(attempt, spent=spent)
        if self._services.recorder is None:
            return
        try:
            self._services.recorder.attempted(self._decision, attempt)
        except Exception:  # noqa: BLE001 - an observer never fails a request
            _log.exception("the recorder could not take an attempt of %s", attempt.model)

    def _price(self, opened: OpenCall, reply: Reply | None, fault: Fault | None) -> tuple[Usage | None, int | None, str]:
        """Return usage and price of a call that ended (rule of execution E9), and what is wrong with the usage that was reported."""
        reported, stated = _reported(opened, reply)
        doubt = ""
        if reported is not None:
            reported, doubt = believed(reported, estimate=self._estimate(opened, reply), model=opened.model, payload=opened.payload)
        if reported is None and (usd := believed_usd(stated)) is not None:
            return None, math.ceil(round(usd * NANO_PER_USD, 6)), doubt
        if reported is None and fault is not None:
            if reply is None and not opened.pieces and not _may_have_cost(opened, fault):
                return None, 0, doubt
            reported = self._estimate(opened, reply, unread=fault.kind in _UNREAD and not opened.start.live)
        elif reported is not None and fault is None and reply is not None and not doubt:
            self._count(opened, reply, reported)
        if reported is None or opened.model.price is None:
            return reported, None, doubt
        cost_nano = opened.model.price.cost_nano(
            input_tokens=reported.input_tokens, output_tokens=reported.output_tokens, cached_tokens=reported.cached_tokens,
            cache_write_tokens=reported.cache_write_tokens, cache_write_1h_tokens=reported.cache_write_1h_tokens, when=opened.started_at,
        )  # fmt: skip
        return reported, cost_nano, doubt

    def _estimate(self, opened: OpenCall, reply: Reply | None = None, *, unread: bool = False) -> Usage:
        """Return the tokens of a call as far as they are known: its input and what was received of its answer.

        Of an answer that came and could not be read (``unread``) the expected length is taken. Both are counted as the model's
        other calls were billed.
        """
        calibrator, tokens_in = self._services.calibrator, self.input_tokens(opened.payload, opened.transport)
        if unread and reply is None:
            return calibrator.expected(opened.model.ref, input_tokens=tokens_in, expected_tokens=self._expected)
        received = sum(len(piece.text) for piece in opened.pieces) if reply is None else len(reply.text)
        return calibrator.received(opened.model.ref, input_tokens=tokens_in, chars=received)

    @property
    def _expected(self) -> int:
        return self._decision.profile.expected_output_tokens.value

    def _count(self, opened: OpenCall, reply: Reply, usage: Usage) -> None:
        """Let the usage that a provider reported calibrate our own counting."""
        self._services.calibrator.seen(
            opened.model.ref, usage,
            input_tokens=self.input_tokens(opened.payload, opened.transport),
            chars=None if reply.tool_calls else len(reply.text),
            expected_tokens=self._expected,
        )  # fmt: skip


def _with_room(payload: Payload, model: ModelDefinition) -> Payload:
    """Return a payload whose limit of the answer holds the thinking before it too."""
    limits = {name: limit for name in _LIMITS if isinstance(limit := payload.parameters.get(name), int)}
    if not limits or model.ref.effort is None:
        return payload
    longest = model.max_output_tokens or math.inf
    raised = {name: int(min(limit + thinking_allowance(model, limit), max(longest, limit))) for name, limit in limits.items()}
    return replace(payload, parameters={**payload.parameters, **raised})


@dataclass(frozen=True, slots=True)
class _Broken:
    """A call whose client could not even be built."""

    error: Exception

    def complete(self) -> Reply:
        raise self.error

    async def acomplete(self) -> Reply:
        raise self.error

    def stream(self) -> Iterator[Piece]:
        raise self.error

    def astream(self) -> AsyncIterator[Piece]:
        raise self.error


def _error(opened: OpenCall, fault: Fault, cause: BaseException | None) -> ModelCallError:
    error = ModelCallError(opened.model.ref, fault.kind, fault.message, retry_after_s=fault.retry_after_s, status_code=fault.status_code)
    error.__cause__ = cause
    return error


def _waits(reply: Reply | None, fault: Fault | None) -> float | None:
    """Return the seconds until which the provider takes no more calls, as the refusal or the answer says."""
    if fault is not None and fault.retry_after_s is not None:
        return fault.retry_after_s
    return None if reply is None else reply.retry_after_s


def _reported(opened: OpenCall, reply: Reply | None) -> tuple[Usage | None, float | None]:
    if reply is not None:
        return reply.usage, reply.cost_usd
    usage = next((piece.usage for piece in reversed(opened.pieces) if piece.usage is not None), None)
    return usage, next((piece.cost_usd for piece in reversed(opened.pieces) if piece.cost_usd is not None), None)


def _may_have_cost(opened: OpenCall, fault: Fault) -> bool:
    """Tell whether a call of which nothing was read may be billed: something came, or nobody can know because it is not live."""
    if fault.status_code is not None and fault.status_code >= _REFUSED:
        return False
    return fault.kind in _CAME or (not opened.start.live and fault.kind in _UNSEEN)
