"""The chat model that is many: every call goes to the model that serves it best."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.runnables import Runnable, RunnableConfig, ensure_config
from langchain_core.utils import from_env
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, model_validator

from crew_router.execute.executor import Options
from crew_router.types.cached import cached_property
from crew_router.types.keywords import refuse_unknown
from crew_router.types.redaction import logger
from crew_router_langchain.answers import ChunkReader, result_of
from crew_router_langchain.asking import AUTO, Question, Run, Standing, question, standing
from crew_router_langchain.errors import as_langchain
from crew_router_langchain.history import capture_for
from crew_router_langchain.profiles import common_profile
from crew_router_langchain.structured import Method, structured

if TYPE_CHECKING:
    from typing import Self

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.language_models.model_profile import ModelProfile
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.tools import BaseTool

    from crew_router.router.router import Router
    from crew_router.types.decision import RoutingDecision

_log: Final = logger(__name__)
_SENT: Final = ("temperature", "max_tokens")


class ChatCrewRouter(BaseChatModel):
    """A chat model that sends every call to the model that serves it best.

    Args:
        router: The router to ask; made from ``config`` or ``models`` when not given.
        config: A configuration (file, folder or mapping) for a router of its own; ``CREW_ROUTER_CONFIG`` when not given.
        models: The models of a router of its own: ``"provider:model"`` names, chat models, or both as values of a mapping.
        routing: Constraints and wishes for every call, with the keys of :class:`~crew_router.RoutingRequest`.
        model: Pins a model as the first attempt; ``"auto"`` lets the router choose.
        temperature: Sent to whichever model answers.
        max_tokens: Most tokens of an answer.
        timeout: Seconds for the whole request, fallbacks included.
        max_retries: Most calls after the first one, fallbacks included.
        stop: Stop words.
        streaming: Whether ``invoke`` streams under the hood.

    Raises:
        InvalidRequestError: An argument is unknown; the message says what to write instead.

    Example:
        >>> from crew_router import Router
        >>> from crew_router.testing import ScriptedModel
        >>> router = Router(models={"lab:a": ScriptedModel(replies=["Paris"])}, ledger_url="sqlite://")
        >>> answer = ChatCrewRouter(router=router, routing={"cost_budget": 0.01}).invoke("Capital of France?")
        >>> answer.text, answer.response_metadata["crew_router"]["model"]
        ('Paris', 'lab:a')
    """

    router: Any = Field(default=None, exclude=True, repr=False)
    models: Any = Field(default=None, exclude=True, repr=False)
    config: Any = Field(default_factory=from_env("CREW_ROUTER_CONFIG", default=None))
    routing: dict[str, Any] = Field(default_factory=dict)
    model: str = AUTO
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    max_retries: int | None = None
    stop: list[str] | None = None
    streaming: bool = False

    model_config = ConfigDict(arbitrary_types_allowed=True, ignored_types=(cached_property,))

    def __init__(self, **settings: Any) -> None:
        """Refuse an argument that nobody would read; a router that is made here is not made for nothing then."""
        if settings.pop("api_key", None) is not None:  # LangChain's standard argument of a chat model of one provider
            _log.warning("api_key of ChatCrewRouter is not read, as it calls many providers: set each one's key in the environment")
        refuse_unknown(settings, type(self).model_fields)
        super().__init__(**settings)

    @model_validator(mode="after")
    def _make_router(self) -> Self:
        """Make the router unless one was given, and check ``routing`` where it is written."""
        if self.router is None:
            from crew_router_langchain.pool import router_of  # reads files; only a model without a router needs it

            object.__setattr__(self, "router", router_of(self.models, self.config))
        self._standing  # noqa: B018 - reading it checks it
        return self

    @property
    def _router(self) -> Router:
        router: Router = self.router
        return router

    @cached_property
    def _standing(self) -> Standing:
        return standing(
            model=self.model, routing=self.routing, parameters={name: getattr(self, name) for name in _SENT},
            stop=self.stop, timeout=self.timeout, max_retries=self.max_retries,
        )  # fmt: skip

    # Generate

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with as_langchain():
            asked = self._ask(messages, stop, kwargs=kwargs, run=Run.of(run_manager))
            return result_of(self._router.invoke(asked.payload, request=asked.request, options=_options(asked)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with as_langchain():
            asked = self._ask(messages, stop, kwargs=kwargs, run=Run.of(run_manager))
            return result_of(await self._router.ainvoke(asked.payload, request=asked.request, options=_options(asked)))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reader = ChunkReader()
        with as_langchain():
            asked = self._ask(messages, stop, kwargs=kwargs, run=Run.of(run_manager))
            for piece in self._router.stream(asked.payload, request=asked.request, options=_options(asked)):
                chunk = reader.chunk(piece)
                if chunk is not None:
                    yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reader = ChunkReader()
        with as_langchain():
            asked = self._ask(messages, stop, kwargs=kwargs, run=Run.of(run_manager))
            pieces = self._router.astream(asked.payload, request=asked.request, options=_options(asked))
            try:
                async for piece in pieces:
                    chunk = reader.chunk(piece)
                    if chunk is not None:
                        yield chunk
            finally:
                await pieces.aclose()  # a consumer that goes away ends the call at once

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Stream the answer, with the tags and metadata of the run for policies to read."""
        return super().stream(input, config, stop=stop, **_with_run(kwargs, config))

    def astream(
        self,
        input: LanguageModelInput,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Stream the answer, with the tags and metadata of the run for policies to read."""
        return super().astream(input, config, stop=stop, **_with_run(kwargs, config))

    def _ask(self, messages: list[BaseMessage], stop: list[str] | None, *, kwargs: Mapping[str, Any], run: Run) -> Question:
        capture_for(self._router).learn(self._router, messages)
        return question(self._standing, messages, stop=stop, kwargs=kwargs, run=run)

    # Bind

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools, kept provider-neutral and bound anew for whichever model is called.

        Args:
            tools: Functions, Pydantic classes, tools, or dictionaries in OpenAI's format.
            tool_choice: ``"auto"``, ``"none"``, ``"any"``, the name of a tool, or OpenAI's dictionary.
            **kwargs: ``strict`` and ``parallel_tool_calls``, for models that know them, and arguments of the call.
        """
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Method = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that gives what the schema describes; see :func:`crew_router_langchain.structured.structured`.

        Raises:
            ValueError: An argument is not known.
        """
        if kwargs:
            msg = f"with_structured_output does not take {', '.join(sorted(kwargs))}; it takes method, include_raw and strict."
            raise ValueError(msg)
        return structured(self, schema, method=method, include_raw=include_raw, strict=strict)

    def with_routing(self, **routing: Any) -> Self:
        """Return a copy that asks for more in every call, with the keys of :class:`~crew_router.RoutingRequest`.

        Raises:
            InvalidRequestError: A key is unknown or has a value that means nothing.

        Example:
            >>> from crew_router import Router
            >>> from crew_router.testing import ScriptedModel
            >>> chat = ChatCrewRouter(router=Router(models={"lab:a": ScriptedModel(replies=["a"])}, ledger_url="sqlite://"))
            >>> chat.with_routing(quality_requirement=0.2).routing
            {'quality_requirement': 0.2}
        """
        copy = self.model_copy(update={"routing": {**self.routing, **routing}})
        for made in ("_standing", "_serialized"):  # cached properties of the original
            copy.__dict__.pop(made, None)
        copy._standing  # noqa: B018, SLF001 - reading it checks it
        return copy

    def as_runnable(self) -> Runnable[LanguageModelInput, RoutingDecision]:
        """Return the choice only, as a runnable for chains of one's own; no model is called."""
        from crew_router_langchain.runnable import choice  # rarely wanted

        return choice(self._router, self._standing)

    # Describe

    @property
    def _llm_type(self) -> str:
        return "crew-router"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What tells two chat models apart, so that a cached answer of one policy or pool never serves another."""
        params = {name: getattr(self, name) for name in ("model", "routing", *_SENT, "stop")}
        pool = sorted(str(model.ref) for model in self._router.models)
        return {**params, "pool": pool, "policy_version": self._router.policy_version}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = "crew_router"
        return params

    def _resolve_model_profile(self) -> ModelProfile | None:
        reachable = self._router.reachable()
        models = self._router.models
        return common_profile([model for model in models if model.ref in reachable] or models)

    def get_num_tokens(self, text: str) -> int:
        """Return an estimate of the tokens of a text: four characters each."""
        return count_tokens_approximately([text], extra_tokens_per_message=0, count_name=False)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Return an estimate of the tokens of a chat."""
        return count_tokens_approximately(messages, tools=[convert_to_openai_tool(tool) for tool in tools or ()] or None)


def _options(asked: Question) -> Options:
    # LangChain cannot tell a consumer to forget what it got, so a stream is never restarted after its first chunk.
    return Options(resets=False, attempts=asked.attempts, approved_by=asked.approved_by)


def _with_run(kwargs: dict[str, Any], config: RunnableConfig | None) -> dict[str, Any]:
    """Put tags and metadata of the run into ``routing``: LangChain passes no run manager to streams."""
    full = ensure_config(config)
    run = Run.read(full.get("tags"), full.get("metadata"))
    if not run.tags and not run.metadata:
        return kwargs
    routing = dict(kwargs.get("routing") or {})
    session = routing.get("session_id") or (run.metadata or {}).get("session_id") or (run.metadata or {}).get("thread_id")
    told = {"tags": sorted({*routing.get("tags", ()), *run.tags}), "metadata": {**(run.metadata or {}), **routing.get("metadata", {})}}
    return {**kwargs, "routing": {**routing, **told, **({} if session is None else {"session_id": str(session)})}}
