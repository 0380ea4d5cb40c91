"""The server: one event loop in one thread, HTTP/1.1 with persistent connections."""

# pyright: basic
# JSON of any shape comes from clients, so strict typing would only add casts.

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from crew_router.testing.fault_server.bodies import Reply, last_user_text, reply_to, tokens_of
from crew_router.testing.fault_server.faults import MID, REFUSED, TEXTLESS, FaultKind
from crew_router.types.model import Price

_PIECE_CHARS: Final = 8
_MID_PIECES: Final = 5
Plan = Callable[[str, int], FaultKind | None]


@dataclass(frozen=True, slots=True)
class Served:
    """One request as the server served it.

    Args:
        model: The model named in the request.
        fault: The fault it was served with.
        input_tokens: Tokens of the prompt.
        output_tokens: Tokens of the answer that are billed.
        cost_nano: What is billed, in nano-dollars.
        reported: Whether the usage was sent; a cancelled client may not have read it.
        asked: Text of the user's last message.
    """

    model: str
    fault: FaultKind | None
    input_tokens: int
    output_tokens: int
    cost_nano: int
    reported: bool
    asked: str = ""


class FaultServer:
    """Serves ``/v1/chat/completions`` and ``/v1/models`` on loopback, with planned faults.

    Args:
        prices: (input, output) in USD per million tokens by model; other models are free.
        seed: Decides random faults, and whether a continuation repeats the last words.
        retry_after_s: Seconds in the Retry-After header of a 429.
        hang_s: Seconds that a hanging or stalling answer takes.
        port: Port to listen on; 0 for any free one.
    """

    def __init__(
        self,
        *,
        prices: Mapping[str, tuple[float, float]] | None = None,
        seed: int = 0,
        retry_after_s: float = 1.0,
        hang_s: float = 30.0,
        port: int = 0,
    ) -> None:
        self._prices = {model: Price(*pair) for model, pair in (prices or {}).items()}
        self._rng = random.Random(seed)  # noqa: S311 - repeatable faults, no secret
        self._plans: dict[str, Plan] = {}
        self._counts: dict[str, int] = {}
        self._retry_after_s, self._hang_s = retry_after_s, hang_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-server", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self.served: list[Served] = []
        self.listing_status = 200
        self.port = port

    @property
    def url(self) -> str:
        """The base URL for OpenAI clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and close every connection."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def fail(self, model: str, *kinds: FaultKind | None) -> None:
        """Plan the faults of a model: one kind for all calls; or several, one for each of the next calls, ``None`` for none."""
        first = self._counts.get(model, -1) + 1
        if len(kinds) == 1:
            self._plans[model] = lambda _model, _number: kinds[0]
        else:
            self._plans[model] = lambda _model, number: kinds[number - first] if number - first < len(kinds) else None

    def fail_randomly(self, models: Sequence[str], rate: float, kinds: Sequence[FaultKind]) -> None:
        """Plan random faults: a share ``rate``, 0..1, of the calls of some models fails with a random kind."""
        for model in models:
            self._plans[model] = lambda _model, _number: self._rng.choice(kinds) if self._rng.random() < rate else None

    def heal(self) -> None:
        """Clear all planned faults and the list of served requests."""
        self._plans.clear()
        self.served.clear()
        self.listing_status = 200

    def calls(self, model: str) -> int:
        """Return the number of calls of a model."""
        return sum(each.model == model for each in self.served)

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _stop(self) -> None:
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass  # the server stops; asyncio would log the cancellation if it left the task
        finally:
            self._connections.discard(task)
            writer.transport.abort() if task.cancelling() else writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request and tell whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        body = await reader.readexactly(_content_length(head))
        if head.startswith("GET"):
            listed = [{"id": model, "object": "model"} for model in self._prices]
            writer.write(_http(self.listing_status, json.dumps({"object": "list", "data": listed}).encode()))
            return True
        request: dict[str, Any] = json.loads(body)
        model = str(request.get("model"))
        number = self._counts[model] = self._counts.get(model, -1) + 1
        fault = self._plans[model](model, number) if model in self._plans else None
        reply = reply_to(request, restate=self._rng)
        if fault is not None and fault in REFUSED:
            self._bill(request, fault, (0, 0), reported=False)
            return self._refuse(writer, fault)
        if fault is not None and fault in {FaultKind.DROP, FaultKind.HANG, FaultKind.HTML_502}:
            return await self._drop_or_hang(writer, request, fault)
        if request.get("stream"):
            return await self._stream(writer, request, reply, fault)
        return await self._answer_plain(writer, request, reply, fault)

    def _refuse(self, writer: asyncio.StreamWriter, fault: FaultKind) -> bool:
        refused = REFUSED[fault]
        error = {"error": {"message": refused.message, "type": refused.type, "code": refused.code or None, "param": None}}
        extra = f"retry-after: {self._retry_after_s:g}\r\n" if fault is FaultKind.RATE_LIMIT else ""
        writer.write(_http(refused.status, json.dumps(error).encode(), extra=extra))
        return True

    async def _drop_or_hang(self, writer: asyncio.StreamWriter, request: Mapping[str, Any], fault: FaultKind) -> bool:
        self._bill(request, fault, (0, 0), reported=False)
        if fault is FaultKind.HANG:
            await asyncio.sleep(self._hang_s)
        if fault is FaultKind.HTML_502:
            writer.write(_http(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", content_type="text/html"))
            return True
        return False

    async def _answer_plain(self, writer: asyncio.StreamWriter, request: Mapping[str, Any], reply: Reply, fault: FaultKind | None) -> bool:
        model = str(request["model"])
        data = json.dumps(_completion(model, reply, fault)).encode()
        broken = fault in MID or fault in {FaultKind.MALFORMED, FaultKind.NO_CHOICES}
        self._bill(request, fault, (reply.input_tokens, _output_tokens(reply, fault)), reported=not broken)
        if fault is FaultKind.MALFORMED or fault in {FaultKind.MALFORMED_MID, FaultKind.ERROR_MID}:
            writer.write(_http(200, b'{"id": "x", "choices": [{"index": 0, "mess'))
            return True
        if fault in MID:
            writer.write(_http(200, data)[: -len(data) // 2])
            await writer.drain()
            if fault is FaultKind.STALL_MID:
                await asyncio.sleep(self._hang_s)
            return False
        writer.write(_http(200, data))
        return True

    async def _stream(self, writer: asyncio.StreamWriter, request: Mapping[str, Any], reply: Reply, fault: FaultKind | None) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        sent, model = 0, str(request["model"])
        try:
            async for event, text in self._events(model, reply, fault):
                sent += len(text)
                writer.write(_chunk(event))
                await writer.drain()
                if fault in MID and text:
                    await asyncio.sleep(0.001)
        except ConnectionError:  # the client closed the connection; what was sent until then is billed
            self._bill(request, fault, (reply.input_tokens, tokens_of("x" * sent)), reported=False)
            raise
        if fault in MID or fault is FaultKind.MALFORMED:
            self._bill(request, fault, (reply.input_tokens, tokens_of("x" * sent)), reported=False)
            return await self._break_stream(writer, fault)
        tokens = (reply.input_tokens, _output_tokens(reply, fault))
        usage_sent = bool((request.get("stream_options") or {}).get("include_usage")) and fault is not FaultKind.NO_CHOICES
        if usage_sent:
            writer.write(_chunk(_event(model, usage=_usage(*tokens))))
        self._bill(request, fault, tokens, reported=usage_sent)
        writer.write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _events(self, model: str, reply: Reply, fault: FaultKind | None) -> AsyncIterator[tuple[bytes, str]]:
        if fault in {FaultKind.MALFORMED, FaultKind.NO_CHOICES}:
            return
        yield _event(model, delta={"role": "assistant", "content": "" if reply.tool is None else None}), ""
        texts = [reply.text[start : start + _PIECE_CHARS] for start in range(0, len(reply.text), _PIECE_CHARS)]
        if fault in TEXTLESS:
            texts = []
        if fault is FaultKind.REFUSAL:
            yield _event(model, delta={"refusal": "I cannot help with that."}), ""
        for text in texts[:_MID_PIECES] if fault in MID or fault is FaultKind.ERROR_TWICE else texts:
            yield _event(model, delta={"content": text}), text
        if reply.tool is not None and fault not in TEXTLESS:
            for delta, text in _tool_deltas(reply.tool, fault):
                yield _event(model, delta=delta), text
        if fault not in MID:
            yield _event(model, delta={}, finish=_finish(reply, fault)), ""
        if fault is FaultKind.ERROR_TWICE:
            yield _event(model, delta={}, finish="error"), ""

    async def _break_stream(self, writer: asyncio.StreamWriter, fault: FaultKind | None) -> bool:
        """End a stream as its fault demands and tell whether the connection stays open."""
        await writer.drain()
        match fault:
            case FaultKind.STALL_MID:
                await asyncio.sleep(self._hang_s)
            case FaultKind.MALFORMED | FaultKind.MALFORMED_MID:
                writer.write(_chunk(b'data: {"id": "x", "choices": [{"ind\n\n'))
            case FaultKind.ERROR_MID:
                error = {"error": {"message": "The server had an error.", "type": "server_error", "code": "internal_error"}}
                writer.write(_chunk(b"data: " + json.dumps(error).encode() + b"\n\n"))
            case FaultKind.TRUNCATED_MID:
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return True
            case _:
                await asyncio.sleep(0.005)  # lets the client read what was sent before the connection is aborted
                writer.transport.abort()
                return False
        await writer.drain()
        return False

    def _bill(self, request: Mapping[str, Any], fault: FaultKind | None, tokens: tuple[int, int], *, reported: bool) -> None:
        model = str(request.get("model"))
        price = self._prices.get(model)
        cost = price.cost_nano(input_tokens=tokens[0], output_tokens=tokens[1]) if price is not None and any(tokens) else 0
        self.served.append(Served(model, fault, *tokens, cost, reported, last_user_text(request)))


def _content_length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


def _http(status: int, body: bytes, *, content_type: str = "application/json", extra: str = "") -> bytes:
    return (f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n{extra}\r\n").encode() + body


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _event(model: str, *, delta: object = None, finish: str | None = None, usage: object = None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices, "usage": usage}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _tool_deltas(tool: tuple[str, str], fault: FaultKind | None) -> list[tuple[object, str]]:
    name, arguments = tool
    half = len(arguments) // 2
    parts = [arguments[:half], arguments[half:-1] if fault is FaultKind.BAD_ARGUMENTS else arguments[half:]]
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
    deltas = [(call, ""), *(({"index": 0, "function": {"arguments": part}}, part) for part in (parts[:1] if fault in MID else parts))]
    return [({"tool_calls": [part]}, text) for part, text in deltas]


def _completion(model: str, reply: Reply, fault: FaultKind | None) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": reply.text}
    if fault in TEXTLESS:
        message["content"] = None if fault is FaultKind.REFUSAL else ""
        if fault is FaultKind.REFUSAL:
            message["refusal"] = "I cannot help with that."
    elif reply.tool is not None:
        name, arguments = reply.tool
        sent_arguments = arguments[:-1] if fault is FaultKind.BAD_ARGUMENTS else arguments
        message = {
            "role": "assistant", "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": name, "arguments": sent_arguments}}],
        }  # fmt: skip
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply, fault)}
    return {
        "id": "x", "object": "chat.completion", "created": 1, "model": model,
        "choices": [] if fault is FaultKind.NO_CHOICES else [choice],
        "usage": _usage(reply.input_tokens, _output_tokens(reply, fault)),
    }  # fmt: skip


def _finish(reply: Reply, fault: FaultKind | None) -> str:
    if fault is FaultKind.CONTENT_FILTER:
        return "content_filter"
    if fault is FaultKind.ERROR_TWICE:
        return "error"
    return "stop" if reply.tool is None else "tool_calls"


def _output_tokens(reply: Reply, fault: FaultKind | None) -> int:
    return 0 if fault in TEXTLESS | {FaultKind.NO_CHOICES} else reply.output_tokens


def _usage(input_tokens: int, output_tokens: int) -> dict[str, int]:
    return {"prompt_tokens": input_tokens, "completion_tokens": output_tokens, "total_tokens": input_tokens + output_tokens}
