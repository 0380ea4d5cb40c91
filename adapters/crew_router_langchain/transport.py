"""The transport that speaks to models through LangChain chat models."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from crew_router.config.credential import credential_key
from crew_router.errors import CrewRouterError, MissingDependencyError, ModelCallError
from crew_router.types.clock import SystemClock
from crew_router.types.transport import Fault, Payload, Piece, Reply
from crew_router.types.vocabulary import ErrorKind, ModelCapability, ModelRef
from crew_router_langchain import faults
from crew_router_langchain.chunks import ChunkCleaner
from crew_router_langchain.clients import ChatModels, over_chat_completions
from crew_router_langchain.describing import described
from crew_router_langchain.effort import with_effort
from crew_router_langchain.exchange import Exchange, watching
from crew_router_langchain.faults import before_sending
from crew_router_langchain.fitting import FINISHING_FAMILIES, Fitted, as_messages, family, fitted, speaks_responses
from crew_router_langchain.readings import joined, mended, reply_of
from crew_router_langchain.refusals import Learned, Refusals, refused_in
from crew_router_langchain.waits import window_wait_s

if TYPE_CHECKING:
    from crew_router.types.model import ModelDefinition

_MOST_ROUNDS: Final = 3
_OPTIONAL_FIELDS: Final = (
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "n",
    "service_tier",
    "reasoning_effort",
    "verbosity",
    "store",
)
_MESSAGE_FIELDS: Final = ("content", "additional_kwargs", "response_metadata", "id", "name", "usage_metadata")


class LangChainTransport:
    """Builds and calls LangChain chat models, inside the caller's own run.

    A nested ``invoke`` would start a second run: tokens counted twice, two traces. So the model's ``_generate``,
    ``_agenerate``, ``_stream`` and ``_astream`` are called, and what LangChain's wrapper does around them (rate limiter,
    streaming switches, metadata) is done here.

    Example:
        >>> from crew_router.types import ModelDefinition, ModelRef
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = ModelDefinition(ModelRef("lab:a"), provider="lab", model="a", instance=FakeListChatModel(responses=["hi"]))
        >>> LangChainTransport().fit(Payload(("hello",)), model).complete().text
        'hi'
    """

    def __init__(self) -> None:
        self._models = ChatModels()
        self._refusals = Refusals()

    def chat_model(self, model: ModelDefinition) -> BaseChatModel:
        """Return the chat model behind an entry, its own retries off.

        Raises:
            ModelCallError: The chat model cannot be built: a package or a key is missing, a setting means nothing.
        """
        try:
            return self._models.of(model)
        except MissingDependencyError as missing:
            raise ModelCallError(model.ref, ErrorKind.NOT_FOUND, str(missing)) from missing
        except CrewRouterError:
            raise
        except Exception as refused:  # whatever the provider's class raises while it is built
            kind = faults.classify(refused).kind
            told = kind if kind is ErrorKind.NOT_FOUND else ErrorKind.AUTH
            raise ModelCallError(model.ref, told, f"the client cannot be built: {refused}") from refused

    def warm(self, model: ModelDefinition) -> None:
        """Import and build the chat model behind an entry; see :class:`crew_router.types.transport.Warming`."""
        self.chat_model(model)

    def fit(
        self,
        payload: Payload,
        model: ModelDefinition,
        *,
        prefix: str = "",
        max_tokens: int | None = None,
        timeout_s: float | None = None,
    ) -> LangChainCall:
        """Fit the payload to a model; see :class:`crew_router.types.transport.Transport`.

        Raises:
            ModelCallError: The client cannot be built, or cannot take the tools or the response format.
        """
        client, account = self.chat_model(model), credential_key(model)
        sees = ModelCapability.VISION in model.capabilities if model.capabilities else None

        def fit(learned: Learned) -> Fitted:
            chosen = over_chat_completions(client) if learned.chat_only else client
            request = fitted(
                chosen,
                payload,
                ref=model.ref,
                prefix=prefix,
                max_tokens=max_tokens,
                timeout_s=timeout_s,
                learned=learned,
                account=account,
                sees=sees,
            )
            return with_effort(request, model)

        return LangChainCall(fit, model.ref, self._refusals, account=account)

    def join(self, pieces: tuple[Piece, ...]) -> Reply:
        """Put the pieces of a stream together as LangChain would; a piece that was cut to fit a continuation has only its text."""
        chunks = [
            piece.raw if isinstance(piece.raw, ChatGenerationChunk) else ChatGenerationChunk(message=AIMessageChunk(content=piece.text))
            for piece in pieces
            if piece.text or isinstance(piece.raw, ChatGenerationChunk)
        ]
        finish_reason = next((piece.finish_reason for piece in reversed(pieces) if piece.finish_reason is not None), None)
        wait_s = next((piece.retry_after_s for piece in reversed(pieces) if piece.retry_after_s is not None), None)
        return replace(joined(chunks, finish_reason=finish_reason), retry_after_s=wait_s)

    def mended(self, reply: Reply, *, text: bool) -> tuple[Reply, Piece]:
        """Write text or calls that were read as they were meant into the message; ``text`` tells whether it was the text."""
        return mended(reply, text=text)

    def classify(self, error: BaseException) -> Fault:
        """Tell what an exception of LangChain or a provider's SDK means; never raises."""
        return faults.classify(error)

    def count(self, payload: Payload) -> int:
        """Return an estimate of the input tokens: four characters a token, a fixed price an image."""
        tools: list[Any] = [dict(tool) for tool in payload.tools]
        return count_tokens_approximately(as_messages(payload.messages), tools=tools or None)

    def describe(self, ref: ModelRef, instance: object) -> ModelDefinition:
        """Return the registry entry of a chat model that was given in code; unknown figures stay ``None``."""
        assert isinstance(instance, BaseChatModel)
        return described(ref, instance)

    def close(self) -> None:
        """Close the blocking connections of the chat models that were built here."""
        self._models.close()

    async def aclose(self) -> None:
        """Close all connections that were opened on the running loop, and the blocking ones."""
        await self._models.aclose()


class LangChainCall:
    """One call to one chat model, fitted to it; fitted once more without a parameter that the model refuses.

    Args:
        fit: Fits the request to the model, given what it was seen to refuse.
        ref: The model.
        refusals: What all models were seen to refuse.
        account: Name of the credential, which goes with the answer.
    """

    def __init__(self, fit: Callable[[Learned], Fitted], ref: ModelRef, refusals: Refusals, *, account: str = "") -> None:
        self._fit, self._ref, self._refusals, self._account = fit, ref, refusals, account
        self._known = refusals.of(ref)
        self._fitted = fit(self._known)
        self._rounds = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What this model cannot carry and therefore did not get, in words."""
        return self._fitted.notes

    def complete(self) -> Reply:
        """Return the whole answer, blocking."""
        while True:
            exchange = Exchange()
            try:
                with watching(exchange):
                    return self._replied(self._complete(), exchange)
            except Exception as error:  # noqa: BLE001 - raised again unless it is the refusal of a parameter
                self._fit_again(error, exchange)

    async def acomplete(self) -> Reply:
        """Return the whole answer."""
        while True:
            exchange = Exchange()
            try:
                with watching(exchange):
                    return self._replied(await self._acomplete(), exchange)
            except Exception as error:  # noqa: BLE001 - raised again unless it is the refusal of a parameter
                self._fit_again(error, exchange)

    def stream(self) -> Iterator[Piece]:
        """Yield the answer piece by piece, blocking."""
        if not self._streams(async_api=False, stream=True):
            yield whole(self.complete())
            return
        while True:
            exchange, started = Exchange(), False
            cleaner = self._cleaner(exchange)
            opened = self._opened()
            try:
                self._wait()
                while (chunk := _next(opened, exchange)) is not None:
                    started = True
                    yield cleaner.read(chunk)
                    if cleaner.stopped:
                        break
                yield from self._ended(cleaner, exchange)
                return  # noqa: TRY300 - what is told at the end of a stream may fail too
            except Exception as error:
                if started:
                    raise
                self._fit_again(error, exchange)
            finally:
                opened.close()

    async def astream(self) -> AsyncIterator[Piece]:
        """Yield the answer piece by piece."""
        if not self._streams(async_api=True, stream=True):
            yield whole(await self.acomplete())
            return
        while True:
            exchange, started = Exchange(), False
            cleaner = self._cleaner(exchange)
            try:
                await self._await()
                async with _closed(self._aopened()) as opened:
                    while (chunk := await _anext(opened, exchange)) is not None:
                        started = True
                        yield cleaner.read(chunk)
                        if cleaner.stopped:
                            break
                for piece in self._ended(cleaner, exchange):
                    yield piece
                return  # noqa: TRY300 - what is told at the end of a stream may fail too
            except Exception as error:
                if started:
                    raise
                self._fit_again(error, exchange)

    def _complete(self) -> ChatResult:
        request = self._fitted
        self._wait()
        if self._streams(async_api=False):
            return generate_from_stream(self._client._stream(request.messages, stop=request.stop, **self._stream_kwargs()))  # noqa: SLF001 - see the class of the transport
        return self._client._generate(request.messages, stop=request.stop, **request.kwargs)  # noqa: SLF001 - as above

    async def _acomplete(self) -> ChatResult:
        request = self._fitted
        await self._await()
        if self._streams(async_api=True):
            return await agenerate_from_stream(self._client._astream(request.messages, stop=request.stop, **self._stream_kwargs()))  # noqa: SLF001 - as above
        return await self._client._agenerate(request.messages, stop=request.stop, **request.kwargs)  # noqa: SLF001 - as above

    def _opened(self) -> Generator[ChatGenerationChunk, None, None]:
        request = self._fitted
        yield from self._client._stream(request.messages, stop=request.stop, **self._stream_kwargs())  # noqa: SLF001 - as above

    def _aopened(self) -> AsyncIterator[ChatGenerationChunk]:
        request = self._fitted
        return self._client._astream(request.messages, stop=request.stop, **self._stream_kwargs())  # noqa: SLF001 - as above

    def _stream_kwargs(self) -> dict[str, Any]:
        """Ask servers behind an address of one's own for the usage of a stream too, unless the user or the server does not want it."""
        kwargs, client = self._fitted.kwargs, self._client
        asks = family(client) == "openai" and getattr(client, "stream_usage", None) is None and "stream_usage" not in self._known.refused
        return {**kwargs, "stream_usage": True} if asks else kwargs

    def _replied(self, result: ChatResult, exchange: Exchange) -> Reply:
        request = self._fitted
        reply = reply_of(result, account=self._account, notes=request.notes, kind=family(request.client), cut_at=request.cut_at)
        wait_s = window_wait_s(exchange.headers, now=SystemClock().now())
        return reply if wait_s is None else replace(reply, retry_after_s=wait_s)

    def _cleaner(self, exchange: Exchange) -> ChunkCleaner:
        request, kind = self._fitted, family(self._client)
        return ChunkCleaner(
            kind,
            account=self._account,
            structured=request.structured,
            notes=request.notes,
            stop=request.cut_at,
            must_finish=kind in FINISHING_FAMILIES,
            exchange=exchange,
        )

    def _ended(self, cleaner: ChunkCleaner, exchange: Exchange) -> Iterator[Piece]:
        yield from cleaner.end()
        wait_s = window_wait_s(exchange.headers, now=SystemClock().now())
        if wait_s is not None:
            yield Piece(retry_after_s=wait_s)

    def _fit_again(self, error: Exception, exchange: Exchange) -> None:
        """Fit the request without what the model refuses; raise the error where that is not what happened."""
        sent = {**self._fitted.kwargs, "use_responses_api": speaks_responses(self._client, self._fitted.kwargs)}
        if self._fitted.stop:
            sent["stop"] = self._fitted.stop
        for name in ("temperature", "top_p", "top_k", "stream_usage", *_OPTIONAL_FIELDS):
            sent.setdefault(name, getattr(self._client, name, None))
        sent = {name: value for name, value in sent.items() if value is not None} | _opened_up(sent)
        known = None if self._rounds >= _MOST_ROUNDS else refused_in(error, sent, self._known)
        if known is None:
            if not exchange.sent and before_sending(error):
                raise ModelCallError(
                    self._ref, ErrorKind.REFUSED, f"the client cannot write the request: {type(error).__name__}: {error}"[:500]
                ) from error
            raise error
        self._rounds += 1
        self._known = known
        self._refusals.learn(self._ref, known)
        self._fitted = self._fit(known)

    @property
    def _client(self) -> BaseChatModel:
        return self._fitted.client

    def _streams(self, *, async_api: bool, stream: bool | None = None) -> bool:
        kwargs: dict[str, Any] = {key: value for key, value in self._fitted.kwargs.items() if key != "stream"}
        if stream is not None:
            kwargs["stream"] = stream
        return self._client._should_stream(async_api=async_api, **kwargs)  # noqa: SLF001 - as above

    def _wait(self) -> None:
        if self._client.rate_limiter is not None:
            self._client.rate_limiter.acquire(blocking=True)

    async def _await(self) -> None:
        if self._client.rate_limiter is not None:
            await self._client.rate_limiter.aacquire(blocking=True)


def _opened_up(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was sent as part of the body under its own name too, so that a refusal finds it."""
    body = sent.get("extra_body")
    return dict(body) if isinstance(body, Mapping) else {}


def _next(chunks: Iterator[ChatGenerationChunk], exchange: Exchange) -> ChatGenerationChunk | None:
    with watching(exchange):
        return next(chunks, None)


async def _anext(chunks: AsyncIterator[ChatGenerationChunk], exchange: Exchange) -> ChatGenerationChunk | None:
    with watching(exchange):
        return await anext(chunks, None)


@contextlib.asynccontextmanager
async def _closed(chunks: AsyncIterator[ChatGenerationChunk]) -> AsyncGenerator[AsyncIterator[ChatGenerationChunk], None]:
    """Close a stream that is left early at once, and not when the loop gets to it."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def whole(reply: Reply) -> Piece:
    """Return a whole answer as the only piece of a stream, for models that do not stream."""
    message = reply.raw
    calls = [tool_call_chunk(name=call.name, args=call.arguments, id=call.id, index=at) for at, call in enumerate(reply.tool_calls)]
    fields = {name: getattr(message, name) for name in _MESSAGE_FIELDS}
    chunk = AIMessageChunk(**fields, tool_call_chunks=calls, chunk_position="last")
    return Piece(
        reply.text,
        structured=bool(calls),
        usage=reply.usage,
        finish_reason=reply.finish_reason or "stop",
        raw=ChatGenerationChunk(message=chunk),
    )
