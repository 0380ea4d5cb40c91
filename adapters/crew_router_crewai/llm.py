"""A CrewAI LLM whose calls are routed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from crewai.events.types.llm_events import LLMCallType
from crewai.hooks.dispatch import HookAborted
from crewai.llms.base_llm import BaseLLM, LLMCallBlockedError, llm_call_context
from pydantic import BaseModel, Field, PrivateAttr

from crew_router.errors import AllModelsFailedError, CrewRouterError, ModelCallError, NoCandidateError
from crew_router.execute.executor import Options
from crew_router.types import ModelCapability, ModelDefinition, ModelRef, RoutedChunk, RoutedResponse, RoutingDecision, RoutingRequest
from crew_router.types.keywords import refuse_unknown
from crew_router_crewai.conversation import (
    CallSettings,
    check_of,
    cut_at,
    needed_stop_words,
    payload_of,
    pictures_and_text,
    spent,
    tool_call_dict,
    usage_dict,
)
from crew_router_crewai.demands import demanded, identified, piece_of_work
from crew_router_crewai.progress import Progress, ProgressBook, look
from crew_router_crewai.reading import read_as
from crew_router_crewai.refusals import refused_setting
from crew_router_crewai.savings import Savings
from crew_router_crewai.scope import Situation, listen, now
from crew_router_crewai.turn import Caller, Ending, Shown, Turn

if TYPE_CHECKING:
    from crewai.agents.agent_builder.base_agent import BaseAgent
    from crewai.task import Task

    from crew_router.router.router import Router

_log: Final = logging.getLogger(__name__)
_MODEL: Final = "crew-router/auto"
_USABLE_SHARE: Final = 0.85  # CrewAI's own reserve for what it adds to a conversation
_UNKNOWN_WINDOW_TOKENS: Final = 32_768  # guess, not measured
_CHARS_PER_TOKEN: Final = 4
_TOKENS_PER_PICTURE: Final = 1_600  # guess, not measured: the most that Anthropic counts for one; OpenAI counts 765 for 1024 x 1024
_FOR_MODELS: Final = "it to the models as an entry of additional_params={…}"
_PARAMETERS: Final = ("temperature", "top_p", "max_tokens", "seed", "frequency_penalty", "presence_penalty")


class RouterLLM(BaseLLM):
    """Routes every call of one agent; give each agent its own, over a shared router.

    CrewAI sums token counters over agents, so that an instance shared by two agents would be counted twice.

    Args:
        router: Decides and calls; the default configuration when not given.
        routing: Constraints and wishes of this agent, with the keys of :class:`~crew_router.RoutingRequest`.
        task_routing: The same for single tasks, by the task's name; its keys win over the agent's.
        decision: A choice made beforehand: its model is called first, while no hard constraint removes it.
        baseline: The model that savings of this agent are counted against.
        settings: ``temperature``, ``max_tokens``, ``stop``, ``stream`` and what else CrewAI's ``BaseLLM`` takes.

    Raises:
        InvalidRequestError: A key of ``routing`` or ``task_routing`` is unknown, a value is out of range, or an argument is
            unknown; the message says what to write instead.

    Example:
        >>> from crew_router import Router
        >>> from crew_router.testing import ScriptedModel
        >>> router = Router(models={"lab:a": ScriptedModel("Paris")}, ledger_url="sqlite://")
        >>> RouterLLM(router, routing={"quality_requirement": 0.1}).call("What is the capital of France?")
        'Paris'
    """

    llm_type: str = "crew_router"
    routing: dict[str, Any] = Field(default_factory=dict)
    task_routing: dict[str, dict[str, Any]] = Field(default_factory=dict)
    _router: Router = PrivateAttr()
    _decision: RoutingDecision | None = PrivateAttr(default=None)
    _last: RoutedResponse | None = PrivateAttr(default=None)
    _work: ProgressBook = PrivateAttr(default_factory=ProgressBook)
    _savings: Savings = PrivateAttr()
    _refused: set[str] = PrivateAttr(default_factory=set)

    def __init__(
        self,
        router: Router | None = None,
        *,
        routing: Mapping[str, Any] | None = None,
        task_routing: Mapping[str, Mapping[str, Any]] | None = None,
        decision: RoutingDecision | None = None,
        baseline: str | None = None,
        **settings: Any,
    ) -> None:
        refuse_unknown(settings, (*type(self).model_fields, "stop_sequences"), otherwise=_FOR_MODELS)
        agent, tasks = dict(routing or {}), {name: dict(keys) for name, keys in (task_routing or {}).items()}
        for keys in (agent, *tasks.values()):
            RoutingRequest.from_mapping(keys)
        super().__init__(**{"model": _MODEL, "provider": "crew_router", **settings, "routing": agent, "task_routing": tasks})
        self._router = router or _shared_router()
        self._decision = decision
        self._savings = Savings.against(baseline, self._router)
        listen()

    def __copy__(self) -> Self:
        """Return a copy over the same router with counters of its own; CrewAI copies agents for every run."""
        copied = super().__copy__()
        copied._token_usage, copied._work = dict.fromkeys(self._token_usage, 0), ProgressBook()  # noqa: SLF001 - of the same class
        copied._savings = Savings(self._savings.baseline)  # noqa: SLF001 - as above
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a copy as :meth:`__copy__` does; a router is shared, never copied."""
        return self.__copy__()

    @property
    def chosen(self) -> str | None:
        """The model that was chosen beforehand, if any."""
        return None if self._decision is None else self._decision.selected_model

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The fallbacks of the model that was chosen beforehand."""
        return () if self._decision is None else self._decision.fallbacks

    @property
    def baseline(self) -> str | None:
        """The model that savings are counted against, if the registry knows it."""
        return None if self._savings.baseline is None else self._savings.baseline.ref

    @property
    def saved_usd(self) -> float | None:
        """What the answers so far would have cost more on the baseline model; ``None`` without a baseline that has a price."""
        return self._savings.usd

    @property
    def left_out(self) -> frozenset[str]:
        """Settings that a model refused, so that they are not sent any more (``stop``, ``seed``, ``strict`` …)."""
        return frozenset(self._refused)

    @property
    def last_response(self) -> RoutedResponse | None:
        """The answer to the last call, with its decision and attempts."""
        return self._last

    def call(  # noqa: PLR0917 - CrewAI's signature
        self,
        messages: str | list[Any],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Task | None = None,
        from_agent: BaseAgent | None = None,
        response_model: type[BaseModel] | None = None,
    ) -> str | Any:
        """Return the answer: text, an instance of ``response_model``, or tool calls as OpenAI-style dictionaries.

        Raises:
            AllModelsFailedError: Every attempt failed. Neither its text nor its chain looks like a throttle, so that
                CrewAI does not repeat the whole.
            NoCandidateError: No model satisfies the constraints.
        """
        who = Caller(from_task, from_agent)
        with self._told(who, messages, tools=tools, callbacks=callbacks) as ending:
            turn = self._turn(who, messages, tools=tools, functions=available_functions, response_model=response_model)
            ending.answer = self._finished(turn, self._answered(turn))
        return ending.value()

    async def acall(  # noqa: PLR0917 - CrewAI's signature
        self,
        messages: str | list[Any],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Task | None = None,
        from_agent: BaseAgent | None = None,
        response_model: type[BaseModel] | None = None,
    ) -> str | Any:
        """Return the answer, as :meth:`call` does."""
        who = Caller(from_task, from_agent)
        with self._told(who, messages, tools=tools, callbacks=callbacks) as ending:
            turn = self._turn(who, messages, tools=tools, functions=available_functions, response_model=response_model)
            ending.answer = self._finished(turn, await self._aanswered(turn))
        return ending.value()

    def supports_function_calling(self) -> bool:
        """Tell whether any model that may serve can call tools; the filter keeps tool calls from the others."""
        return any(ModelCapability.TOOLS in model.capabilities for model in self._pool())

    def get_context_window_size(self) -> int:
        """Return the usable tokens of the smallest window among the models that may serve, so that any can take over."""
        windows = [model.context_window for model in self._pool() if model.context_window is not None]
        return int(min(windows, default=_UNKNOWN_WINDOW_TOKENS) * _USABLE_SHARE)

    def get_input_tokens_count(
        self, messages: str | list[Any], tools: list[dict[str, Any]] | None = None, response_model: type[BaseModel] | None = None
    ) -> int:
        """Return characters / 4 of everything that is sent, and a fixed number for each picture, sound or film."""
        schema = None if response_model is None else response_model.model_json_schema()
        media, chars = pictures_and_text(messages)
        chars += len(json.dumps([tools, schema], default=str)) if tools or schema else 0
        return -(-chars // _CHARS_PER_TOKEN) + media * _TOKENS_PER_PICTURE

    def supports_multimodal(self) -> bool:
        """Tell whether any model that may serve sees pictures; the filter keeps pictures from the others."""
        return any(ModelCapability.VISION in model.capabilities for model in self._pool())

    def _turn(
        self,
        who: Caller,
        messages: str | list[Any],
        *,
        tools: Sequence[Mapping[str, Any]] | None,
        functions: Mapping[str, Any] | None,
        response_model: type[BaseModel] | None,
    ) -> Turn:
        said = self._format_messages(messages)
        self._invoke_before_llm_call_hooks(said, who.agent)  # may change what is said, or forbid the call
        stop = needed_stop_words(self.stop, self.stop_sequences, said, native_tools=bool(tools))
        parameters = {name: getattr(self, name) for name in _PARAMETERS if getattr(self, name) is not None}
        payload = payload_of(said, CallSettings(stop, {**parameters, **self.additional_params}), tools=tools, response_model=response_model)
        situation = now()
        if situation.run is not None:
            situation.run.routers[id(self._router)] = self._router
        progress = self._work.of(piece_of_work(situation, who)) if who.task is not None else None
        if progress is not None:
            look(progress, said, self._router)
        options = Options(resets=False, validate=check_of(response_model, tools_in_text=len(stop) > len(self.stop)))
        turn = Turn(
            payload, self._requests(who, situation, progress), options=options, who=who, said=said, functions=functions,
            response_model=response_model, stop=tuple(self.stop_sequences), progress=progress,
        )  # fmt: skip
        return functools.reduce(Turn.without, (name for name in turn.settings() if name in self._refused), turn)

    def _requests(self, who: Caller, situation: Situation, progress: Progress | None = None) -> tuple[RoutingRequest, ...]:
        """Return the request with the model that should go first, and without it for when that cannot serve."""
        keys, of_task = demanded(self.routing, self.task_routing, who, situation=situation)
        free = RoutingRequest.from_mapping(identified(keys, situation, who))
        if progress is not None and progress.promoted is not None and free.fallbacks:
            return (replace(free, force_model=progress.promoted), free)
        if free.force_model is not None:
            return (free,)
        if self._decision is None or of_task:
            return (free,)
        return (replace(free, force_model=self._decision.candidate), free)

    @contextlib.contextmanager
    def _told(self, who: Caller, messages: Any, *, tools: Any, callbacks: Any) -> Iterator[Ending]:
        """Emit the events of one call; an error of ours is kept for the caller to raise."""
        ending = Ending()
        listen()
        with llm_call_context():
            self._emit_call_started_event(messages, tools, callbacks, None, who.task, who.agent)
            try:
                yield ending
            except CrewRouterError as error:
                ending.error = self._failed(who, error)
            except (HookAborted, LLMCallBlockedError) as denial:
                self._emit_call_denied_event(denial, who.task, who.agent)
                raise
            except (Exception, asyncio.CancelledError) as error:
                self._emit_call_failed_event(str(error) or type(error).__name__, who.task, who.agent)
                raise

    def _answered(self, turn: Turn) -> RoutedResponse:
        while True:
            try:
                return self._first_served(turn)
            except (ModelCallError, AllModelsFailedError) as error:
                turn = self._relaxed(turn, error)

    async def _aanswered(self, turn: Turn) -> RoutedResponse:
        while True:
            try:
                return await self._afirst_served(turn)
            except (ModelCallError, AllModelsFailedError) as error:
                turn = self._relaxed(turn, error)

    def _relaxed(self, turn: Turn, error: CrewRouterError) -> Turn:
        """Return the turn without the setting that the models refuse; anything else that failed is raised."""
        name = refused_setting(error, turn.settings())
        if name is None:
            raise error
        self._refused.add(name)
        _log.warning("%s is refused and left out from now on: %s", name, error)
        return turn.without(name)

    def _first_served(self, turn: Turn) -> RoutedResponse:
        for request in turn.requests:
            try:
                if not self._effective_stream():
                    return self._router.invoke(turn.payload, request=request, options=turn.options)
                shown = Shown()
                for chunk in self._router.stream(turn.payload, request=request, options=turn.options):
                    self._show(chunk, turn, shown)
                return shown.whole()
            except NoCandidateError:
                if request is turn.requests[-1]:
                    raise
        raise AssertionError(turn.requests)

    async def _afirst_served(self, turn: Turn) -> RoutedResponse:
        for request in turn.requests:
            try:
                if not self._effective_stream():
                    return await self._router.ainvoke(turn.payload, request=request, options=turn.options)
                shown = Shown()
                async for chunk in self._router.astream(turn.payload, request=request, options=turn.options):
                    self._show(chunk, turn, shown)
                return shown.whole()
            except NoCandidateError:
                if request is turn.requests[-1]:
                    raise
        raise AssertionError(turn.requests)

    def _show(self, chunk: RoutedChunk, turn: Turn, shown: Shown) -> None:
        shown.response = chunk.response or shown.response
        if chunk.text:
            self._emit_stream_chunk_event(chunk.text, turn.who.task, turn.who.agent, call_type=LLMCallType.LLM_CALL)

    def _finished(self, turn: Turn, response: RoutedResponse) -> Any:
        self._last = response
        self._savings.add(response)
        if turn.progress is not None:
            turn.progress.last = response
        usage = self._counted(response)
        if response.tool_calls and turn.functions:
            return self._executed(turn, response)
        answer: Any = [tool_call_dict(call) for call in response.tool_calls] or self._read(turn, response.text)
        self._emit_call_completed_event(
            answer,
            LLMCallType.TOOL_CALL if response.tool_calls else LLMCallType.LLM_CALL,
            turn.who.task,
            turn.who.agent,
            turn.said,
            usage=usage,
            finish_reason=response.finish_reason,
            response_id=response.decision.id,
        )
        return self._invoke_after_llm_call_hooks(turn.said, answer, turn.who.agent) if isinstance(answer, str) else answer

    def _read(self, turn: Turn, text: str) -> str | BaseModel:
        return cut_at(text, turn.stop) if turn.response_model is None else read_as(text, turn.response_model)

    def _counted(self, response: RoutedResponse) -> dict[str, int] | None:
        """Add the tokens of all attempts to the counters, as one request."""
        usage = spent(response.attempts)
        if usage is None:
            self._token_usage["successful_requests"] += 1
            return None
        self._track_token_usage_internal(usage_dict(usage))
        return usage_dict(usage)

    def _executed(self, turn: Turn, response: RoutedResponse) -> Any:
        """Run the first tool call with the caller's functions; its event ends the call."""
        call = response.tool_calls[0]
        arguments = json.loads(call.arguments or "{}")
        return self._handle_tool_execution(call.name, arguments, dict(turn.functions or {}), turn.who.task, turn.who.agent)

    def _failed(self, who: Caller, error: CrewRouterError) -> CrewRouterError:
        usage = spent(getattr(error, "attempts", ()))
        if usage is not None:
            for name, tokens in usage_dict(usage).items():
                self._token_usage[name] += tokens
        self._emit_call_failed_event(str(error), who.task, who.agent)
        # CrewAI looks for a throttle along this chain and would repeat the call; the causes stay in the group itself.
        error.__cause__ = error.__context__ = None
        return error

    def _pool(self) -> list[ModelDefinition]:
        """Return the models that may serve this agent, those that can be called from here if there are any."""
        request = RoutingRequest.from_mapping(demanded(self.routing, self.task_routing, Caller())[0])
        fixed = self._decision is not None and not self.task_routing
        named = {self.chosen, *(ModelRef(ref).model for ref in self.fallbacks)} if fixed else None
        allowed = [
            model
            for model in self._router.models
            if model.enabled
            and (named is None or model.ref in named)
            and (request.allow_providers is None or model.provider in request.allow_providers)
            and model.provider not in request.deny_providers
        ]
        reachable = self._router.reachable()
        return [model for model in allowed if model.ref in reachable] or allowed


def _shared_router() -> Router:
    from crew_router_crewai.shared import shared_router  # made when an LLM is given none

    return shared_router()
