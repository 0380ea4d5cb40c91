"""The chunks of one stream, cleaned so that they add up: usage once, one finish reason, each name once, text up to a stop word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessageChunk

from crew_router.types.transport import Piece
from crew_router_langchain.exchange import Exchange
from crew_router_langchain.readings import FINISH_KEYS, finish_reason_of
from crew_router_langchain.stopping import StopCutter
from crew_router_langchain.usage import RunningUsage

if TYPE_CHECKING:
    from langchain_core.messages.tool import ToolCallChunk
    from langchain_core.outputs import ChatGenerationChunk

# Texts that LangChain joins where they come on several chunks of one stream.
_SAID_ONCE: Final = (*FINISH_KEYS, "model_name", "model", "system_fingerprint", "service_tier", "native_finish_reason", "object", "status")
_WORSE: Final = ("error", "content_filter", "length")


class ChunkCleaner:
    """Reads the chunks of one stream.

    Args:
        kind: Family of the client.
        account: Name of the credential, which the first chunk carries.
        structured: Whether the text is the JSON that was asked for.
        notes: Sentences that the first chunk carries.
        stop: Words before which the text ends, whatever the provider does with them.
        must_finish: Whether the client puts a finish reason on every stream that is whole.
        exchange: What the wire tells.
    """

    def __init__(
        self,
        kind: str,
        *,
        account: str = "",
        structured: bool,
        notes: Sequence[str],
        stop: Sequence[str] = (),
        must_finish: bool,
        exchange: Exchange,
    ) -> None:
        self._structured, self._notes, self._must_finish, self._exchange = structured, tuple(notes), must_finish, exchange
        self._account = account
        self._usage = RunningUsage(kind)
        self._reason: str | None = None
        self._told: dict[str, Any] = {}
        self._names: dict[Any, str] = {}
        self._ids: dict[Any, str] = {}
        self._slots: dict[Any, int] = {}
        self._stop = StopCutter(stop)

    @property
    def stopped(self) -> bool:
        """Whether a stop word has come, so that nothing more is wanted."""
        return self._stop.found

    def read(self, chunk: ChatGenerationChunk) -> Piece:
        """Return the piece behind a chunk; the chunk is changed in place."""
        message = chunk.message
        reason = self._finish(chunk)
        used = self._usage.take(getattr(message, "usage_metadata", None))
        if isinstance(message, AIMessageChunk):
            message.usage_metadata = used
            self._name_once(message)
            self._cut(message)
        if self._notes or self._account:
            message.response_metadata["crew_router"] = {"notes": list(self._notes), "account": self._account}
            self._notes, self._account = (), ""
        calls_tool = isinstance(message, AIMessageChunk) and bool(message.tool_call_chunks)
        return Piece(
            str(message.text), structured=self._structured or calls_tool, usage=self._usage.total if used is not None else None,
            finish_reason=reason, raw=chunk,
        )  # fmt: skip

    def end(self) -> Iterator[Piece]:
        """Yield what is left once the stream is over: text that was held back, and the finish reason that the wire shows."""
        held = self._stop.rest()
        if held:
            yield Piece(held, structured=self._structured, raw=None)
        if self._exchange.refused and self._reason in {None, "stop", "completed"}:
            self._reason = "refusal"
            yield Piece(finish_reason="refusal")
        elif self._reason is None and (not self._must_finish or self._exchange.done or self.stopped):
            self._reason = "stop"
            yield Piece(finish_reason="stop")

    def _finish(self, chunk: ChatGenerationChunk) -> str | None:
        """Return the finish reason of the stream where this chunk tells it; what was told before is taken off the chunk."""
        told = finish_reason_of(chunk.generation_info, chunk.message.response_metadata)
        places = [place for place in (chunk.generation_info, chunk.message.response_metadata) if place]
        for place in places:
            for key in [key for key in _SAID_ONCE if isinstance(place.get(key), str)]:
                if key in self._told:
                    del place[key]
                else:
                    self._told[key] = place[key]
        if told is None or told == self._reason:
            return None
        if self._reason is not None and told.lower() not in _WORSE:
            return None
        self._reason = told
        return told

    def _name_once(self, message: AIMessageChunk) -> None:
        """Let each call have its name and id once, and every call a place of its own, so that LangChain joins what belongs together."""
        if not message.tool_call_chunks:
            return
        before = [dict(call) for call in message.tool_call_chunks]
        for call in message.tool_call_chunks:
            call["index"] = at = self._slot(call)
            name, known = call.get("name"), self._names.get(at)
            if name and known is None:
                self._names[at] = name
            elif name and known is not None:
                call["name"] = None if known.startswith(name) or known.endswith(name) else name
                if call["name"] is not None and name.startswith(known):  # the name so far, and more of it
                    call["name"] = name[len(known) :]
                self._names[at] = known + (call["name"] or "")
            if call.get("id") and self._ids.setdefault(at, str(call["id"])) == call["id"] and known is not None:
                call["id"] = None
        if before != message.tool_call_chunks:
            message.tool_calls, message.invalid_tool_calls = [], []
            message.init_tool_calls()  # type: ignore[operator]  # a validator that is a method too; the calls were read when the chunk was made

    def _slot(self, call: ToolCallChunk) -> Any:
        """Return the place of a call among those of the answer; servers leave it out, or give two calls the same."""
        told, own_id = call.get("index"), call.get("id")
        if own_id and own_id in self._slots:
            return self._slots[own_id]
        latest = max((at for at in self._names if isinstance(at, int)), default=-1)
        if told is None:
            at = latest + 1 if (own_id or (call.get("name") and call.get("name") != self._names.get(latest))) or latest < 0 else latest
        elif not isinstance(told, int):
            at = told
        else:
            at = self._slots.get(("index", told), told)
            other = self._ids.get(at)
            if own_id and other is not None and other != own_id:
                at = latest + 1
        if isinstance(told, int):
            self._slots["index", told] = at
        if own_id:
            self._slots[own_id] = at
        return at

    def _cut(self, message: AIMessageChunk) -> None:
        if not self._stop.words:
            return
        if isinstance(message.content, str):
            message.content = self._stop.take(message.content)
            return
        for block in message.content:
            if isinstance(block, dict) and isinstance(block.get("text"), str) and block.get("type") in {"text", "output_text", None}:
                block["text"] = self._stop.take(block["text"])
