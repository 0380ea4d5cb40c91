"""The transport that speaks to models through LangChain chat models."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from crew_router.errors import CrewRouterError, MissingDependencyError, ModelCallError
from crew_router.types.outcome import Usage
from crew_router.types.transport import Fault, Payload, Piece, Reply
from crew_router.types.vocabulary import ErrorKind, ModelRef
from crew_router_langchain import faults
from crew_router_langchain.clients import ChatModels
from crew_router_langchain.describing import described
from crew_router_langchain.effort import with_effort
from crew_router_langchain.fitting import FINISHING_FAMILIES, Fitted, as_messages, family, fitted
from crew_router_langchain.readings import finish_reason_of, joined, reply_of, usage_of

if TYPE_CHECKING:
    from crew_router.types.model import ModelDefinition

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
        client = self.chat_model(model)
        request = fitted(client, payload, ref=model.ref, prefix=prefix, max_tokens=max_tokens, timeout_s=timeout_s)
        return LangChainCall(with_effort(request, model))

    def join(self, pieces: tuple[Piece, ...]) -> Reply:
        """Put the pieces of a stream together as LangChain would; a piece that was cut to fit a continuation has only its text."""
        chunks = [
            piece.raw if isinstance(piece.raw, ChatGenerationChunk) else ChatGenerationChunk(message=AIMessageChunk(content=piece.text))
            for piece in pieces
            if piece.text or isinstance(piece.raw, ChatGenerationChunk)
        ]
        finish_reason = next((piece.finish_reason for piece in reversed(pieces) if piece.finish_reason is not None), None)
        return joined(chunks, finish_reason=finish_reason)

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
    """One fitted call to one chat model."""

    def __init__(self, fitted_request: Fitted) -> None:
        self._fitted = fitted_request
        self._client = fitted_request.client

    @property
    def notes(self) -> tuple[str, ...]:
        """What this model cannot carry and therefore did not get, in words."""
        return self._fitted.notes

    def complete(self) -> Reply:
        """Return the whole answer, blocking."""
        request = self._fitted
        self._wait()
        if self._streams(async_api=False):
            result = generate_from_stream(self._client._stream(request.messages, stop=request.stop, **request.kwargs))  # noqa: SLF001 - see the class of the transport
        else:
            result = self._client._generate(request.messages, stop=request.stop, **request.kwargs)  # noqa: SLF001 - as above
        return reply_of(result, notes=request.notes)

    async def acomplete(self) -> Reply:
        """Return the whole answer."""
        request = self._fitted
        await self._await()
        result: ChatResult
        if self._streams(async_api=True):
            result = await agenerate_from_stream(self._client._astream(request.messages, stop=request.stop, **request.kwargs))  # noqa: SLF001 - as above
        else:
            result = await self._client._agenerate(request.messages, stop=request.stop, **request.kwargs)  # noqa: SLF001 - as above
        return reply_of(result, notes=request.notes)

    def stream(self) -> Iterator[Piece]:
        """Yield the answer piece by piece, blocking."""
        if not self._streams(async_api=False, stream=True):
            yield whole(self.complete())
            return
        request, reader = self._fitted, _Reader(self._fitted)
        self._wait()
        for chunk in self._client._stream(request.messages, stop=request.stop, **request.kwargs):  # noqa: SLF001 - as above
            yield reader.read(chunk)
        if reader.ends_without_reason:
            yield Piece(finish_reason="stop")

    async def astream(self) -> AsyncIterator[Piece]:
        """Yield the answer piece by piece."""
        if not self._streams(async_api=True, stream=True):
            yield whole(await self.acomplete())
            return
        request, reader = self._fitted, _Reader(self._fitted)
        await self._await()
        opened = self._client._astream(request.messages, stop=request.stop, **request.kwargs)  # noqa: SLF001 - as above
        async with _closed(opened) as chunks:
            async for chunk in chunks:
                yield reader.read(chunk)
        if reader.ends_without_reason:
            yield Piece(finish_reason="stop")

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


@contextlib.asynccontextmanager
async def _closed(chunks: AsyncIterator[ChatGenerationChunk]) -> AsyncGenerator[AsyncIterator[ChatGenerationChunk], None]:
    """Close a stream that is left early at once, and not when the loop gets to it."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


class _Reader:
    """Reads the chunks of one stream; usage is summed, because some providers send it in parts."""

    def __init__(self, request: Fitted) -> None:
        self._structured = request.structured
        self._notes = request.notes
        self._usage: Usage | None = None
        self._finished = False
        self._must_finish = family(request.client) in FINISHING_FAMILIES

    @property
    def ends_without_reason(self) -> bool:
        """Whether the stream ended well although this class of model never gives a finish reason."""
        return not self._finished and not self._must_finish

    def read(self, chunk: ChatGenerationChunk) -> Piece:
        """Return the piece behind a chunk."""
        message = chunk.message
        reason = finish_reason_of(chunk.generation_info, message.response_metadata)
        self._finished = self._finished or reason is not None
        used = usage_of(message)
        if used is not None:
            self._usage = used if self._usage is None else self._usage + used
        if self._notes:
            message.response_metadata["crew_router"] = {"notes": list(self._notes)}
            self._notes = ()
        calls_tool = isinstance(message, AIMessageChunk) and bool(message.tool_call_chunks)
        return Piece(
            str(message.text),
            structured=self._structured or calls_tool,
            usage=self._usage if used is not None else None,
            finish_reason=reason,
            raw=chunk,
        )


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
