"""Reading LangChain's answers: text, tool calls, usage, finish reason, log probabilities."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from crew_router.types.outcome import ToolCall
from crew_router.types.transport import Piece, Reply
from crew_router_langchain.stopping import cut_whole
from crew_router_langchain.usage import corrected, usage_from

# OpenAI, Mistral, Google, Cohere; Anthropic; Amazon; Ollama.
FINISH_KEYS: Final = ("finish_reason", "stop_reason", "stopReason", "done_reason")


def finish_reason_of(*places: Mapping[str, Any] | None) -> str | None:
    """Return the finish reason under whichever key the provider uses."""
    for place in places:
        for key in FINISH_KEYS:
            if place and place.get(key):
                return str(place[key])
        if place and place.get("status") in {"completed", "incomplete"}:  # OpenAI's Responses API
            return _responses_reason(place)
    return None


def _responses_reason(place: Mapping[str, Any]) -> str:
    if place["status"] == "completed":
        return "stop"
    details = place.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, Mapping) else None
    return "length" if reason in {None, "max_output_tokens"} else str(reason)


def reply_of(result: ChatResult, *, notes: Sequence[str] = (), account: str = "", kind: str = "other", cut_at: Sequence[str] = ()) -> Reply:
    """Read a whole answer; the metadata that LangChain's wrapper would add is added here.

    Raises:
        IndexError: The provider gave no choice at all.
    """
    generation = result.generations[0]
    message = generation.message
    if isinstance(message, AIMessageChunk):
        message = message_chunk_to_message(message)
    metadata = {**(result.llm_output or {}), **(generation.generation_info or {}), **message.response_metadata}
    if notes or account:
        metadata["crew_router"] = {"notes": list(notes), "account": account}
    told = corrected(getattr(message, "usage_metadata", None), kind)
    fields: dict[str, Any] = {"response_metadata": metadata}
    if isinstance(message, AIMessage):
        fields["usage_metadata"] = None if told is None or min(told["input_tokens"], told["output_tokens"]) < 0 else told
    message = message.model_copy(update=fields, deep=bool(cut_at))
    stopped = bool(cut_at) and cut_whole(message, cut_at)
    reason = finish_reason_of(metadata)
    if not str(message.text).strip() and (refused := refusal_of(message)) is not None:
        reason = refused
    return Reply(
        str(message.text),
        tool_calls=tool_calls_of(message),
        usage=None if told is None else usage_from(told),
        finish_reason="stop" if stopped else reason,
        raw=message,
        logprobs=_logprobs(metadata),
    )


def refusal_of(message: BaseMessage) -> str | None:
    """Return the reason of an answer that holds nothing but a refusal, wherever the provider writes it; ``None`` for any other."""
    if message.additional_kwargs.get("refusal"):
        return "refusal"
    blocks = message.content if isinstance(message.content, list) else []
    if any(_refuses(block) for block in blocks):
        return "refusal"
    feedback = message.response_metadata.get("prompt_feedback")
    told = feedback.get("block_reason") or feedback.get("blockReason") if isinstance(feedback, Mapping) else None
    return None if not told or "UNSPECIFIED" in str(told).upper() else "content_filter"


def _refuses(block: object) -> bool:
    if not isinstance(block, Mapping):
        return False
    value = block.get("value")  # LangChain's standard content wraps what it has no type for
    return block.get("type") == "refusal" or (isinstance(value, Mapping) and value.get("type") == "refusal")


def joined(chunks: Sequence[ChatGenerationChunk], *, finish_reason: str | None, notes: Sequence[str] = ()) -> Reply:
    """Put the chunks of a stream together as LangChain would."""
    if not chunks:
        return Reply("", finish_reason=finish_reason, raw=AIMessage(""))
    total = chunks[0] + list(chunks[1:]) if len(chunks) > 1 else chunks[0]
    whole = ChatGeneration(message=message_chunk_to_message(total.message), generation_info=total.generation_info)
    reply = reply_of(ChatResult(generations=[whole]), notes=notes)
    reply = replace(reply, tool_calls=_written(total.message) or reply.tool_calls)
    # Finish reasons of several chunks are joined to one word by LangChain; what the pieces told is what counts.
    return reply if finish_reason is None or refusal_of(total.message) else replace(reply, finish_reason=finish_reason)


def _written(message: BaseMessage) -> tuple[ToolCall, ...]:
    """Return the tool calls of a joined stream as the model wrote them; LangChain's own reading repairs what was cut off."""
    chunks = message.tool_call_chunks if isinstance(message, AIMessageChunk) else []
    return tuple(ToolCall(chunk["id"] or "", chunk["name"] or "", chunk["args"] or "{}") for chunk in chunks)


def tool_calls_of(message: BaseMessage) -> tuple[ToolCall, ...]:
    """Return the tool calls, those with unreadable arguments too, as the model wrote them."""
    if not isinstance(message, AIMessage):
        return ()
    good = [ToolCall(call["id"] or "", call["name"], json.dumps(call["args"], ensure_ascii=False)) for call in message.tool_calls]
    bad = [ToolCall(call["id"] or "", call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls]
    return (*good, *bad)


def _logprobs(metadata: Mapping[str, Any]) -> tuple[float, ...] | None:
    reported = metadata.get("logprobs")
    content = reported.get("content") if isinstance(reported, Mapping) else None
    if not content:
        return None
    return tuple(float(token["logprob"]) for token in content)


def mended(reply: Reply, *, text: bool) -> tuple[Reply, Piece]:
    """Return a reply whose message holds its text and calls, and the piece that stands for it in a stream."""
    message = reply.raw if isinstance(reply.raw, AIMessage) else AIMessage(reply.text)
    calls = [
        tool_call(name=call.name, args=json.loads(call.arguments), id=call.id or None) for call in reply.tool_calls if _is_object(call)
    ]
    bad = [
        invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=None) for call in reply.tool_calls if not _is_object(call)
    ]
    content: Any = _with_text(message.content, reply.text) if text else _without_calls(message.content)
    extra = {key: value for key, value in message.additional_kwargs.items() if key not in {"tool_calls", "function_call"}}
    message = message.model_copy(update={"content": content, "tool_calls": calls, "invalid_tool_calls": bad, "additional_kwargs": extra})
    chunks = [
        tool_call_chunk(name=call.name, args=call.arguments, id=call.id or None, index=at) for at, call in enumerate(reply.tool_calls)
    ]
    if text:
        fields = {name: getattr(message, name) for name in ("content", "additional_kwargs", "response_metadata", "usage_metadata")}
        chunk = AIMessageChunk(**fields, tool_call_chunks=chunks)
    else:
        chunk = AIMessageChunk(content="", tool_call_chunks=chunks)
    piece = Piece(
        reply.text if text else "",
        structured=True,
        usage=reply.usage,
        finish_reason=reply.finish_reason,
        raw=ChatGenerationChunk(message=chunk),
    )
    return replace(reply, raw=message), piece


def _is_object(call: ToolCall) -> bool:
    try:
        return isinstance(json.loads(call.arguments), dict)
    except ValueError:
        return False


def _with_text(content: Any, text: str) -> Any:
    if not isinstance(content, list):
        return text
    kept = [block for block in content if isinstance(block, dict) and block.get("type") not in {"text", "output_text"}]
    return [*kept, {"type": "text", "text": text}] if kept else text


def _without_calls(content: Any) -> Any:
    """Return a content without blocks that repeat the calls as they were written; LangChain's clients write the calls of the message."""
    if not isinstance(content, list):
        return content
    return [block for block in content if not (isinstance(block, dict) and block.get("type") in {"tool_use", "tool_call", "function_call"})]
