"""A conversation as one client can send it, whoever wrote its answers.

An answer goes back as it is to the client and the account that gave it, unless something in it cannot go back at all. Everything else is
written anew from what it comes to: text, tool calls, pictures. Ids are rewritten call and result alike, every call has its result, no
turn is empty, and what a wire has no place for is named in a note.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from crew_router_langchain.foreign_blocks import picture_of, substance_of

_KEEPS_CACHE_MARKERS: Final = frozenset({"anthropic", "bedrock_converse", "openrouter"})
_SYSTEM_FIRST: Final = frozenset({"anthropic", "google_genai", "bedrock_converse"})
_PICTURES_IN_RESULTS: Final = frozenset({"anthropic", "google_genai", "bedrock_converse", "openai_responses"})
# Mistral takes an answer with text or with calls; its client drops the text of one that has both.
_TEXT_OR_CALLS: Final = frozenset({"mistralai"})
# … and no user right after the result of a tool.
_ANSWER_AFTER_RESULT: Final = frozenset({"mistralai"})
_MARKS_FAILURES: Final = frozenset({"anthropic", "bedrock_converse"})
_RESPONSES_ONLY: Final = frozenset({
    "function_call", "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call", "mcp_call",
    "mcp_list_tools", "mcp_approval_request", "custom_tool_call", "local_shell_call", "refusal", "output_text", "reasoning", "compaction",
})  # fmt: skip
_IDS: Final[Mapping[str, re.Pattern[str]]] = {"mistralai": re.compile(r"[a-zA-Z0-9]{9}")}
_ANY_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_ALIASES: Final = {
    "amazon_bedrock": "bedrock_converse",
    "bedrock": "bedrock_converse",
    "google_vertexai": "google_genai",
    "azure": "openai",
    "mistral": "mistralai",
}
# What a client drops without a word.
_DROPPED: Final[Mapping[str, frozenset[str]]] = {
    "cohere": frozenset({"file", "audio", "video", "input_audio", "input_file"}),
    "ollama": frozenset({"file", "audio", "video", "input_audio", "input_file"}),
    "openai_responses": frozenset({"audio", "input_audio"}),
    "deepseek": frozenset({"file", "audio", "video", "input_audio"}),
}
# Amazon and Ollama take data only; Google's client downloads an address itself, in our process.
_FETCH_OR_REFUSE: Final = frozenset({"google_genai", "bedrock_converse", "ollama"})
_EMPTY: Final = "[no answer]"
_NO_RESULT: Final = "[the tool gave no result]"
_UNSEEN: Final = "[a picture stands here that this model cannot see]"


class UnsendableError(ValueError):
    """A part of a conversation that a client would drop in silence, or fetch by itself; another model is to be asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who a conversation is sent to.

    Args:
        kind: Family of the client; ``openai_responses`` where OpenAI's client speaks that API.
        account: Name of the credential, without the secret.
        sees: Whether the model takes pictures; ``None`` when nobody knows.
    """

    kind: str
    account: str = ""
    sees: bool | None = None

    @property
    def family(self) -> str:
        """The name that the client writes into ``model_provider``."""
        return "openai" if self.kind == "openai_responses" else self.kind


@dataclass(slots=True)
class _Crossing:
    target: Target
    notes: list[str]
    ids: dict[str, str] = field(default_factory=dict)
    open: deque[tuple[str, str]] = field(default_factory=deque)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    out: list[BaseMessage] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def crossed(messages: Sequence[BaseMessage], target: Target, notes: list[str]) -> list[BaseMessage]:
    """Return a conversation as a target's client can send it.

    Args:
        messages: The conversation, as LangChain's messages.
        target: Who it is sent to.
        notes: Takes a sentence for whatever the target has no place for.
    """
    work = _Crossing(target, notes)
    for message in _system_first(messages, work):
        if isinstance(message, AIMessage):
            _close(work)
            _show(work)
            _answer(message, work)
        elif isinstance(message, ToolMessage):
            _result(message, work)
        else:
            _close(work)
            _spoken(message, work)
    _close(work)
    _show(work)
    return [_unmarked(message, target.kind) for message in work.out]


def _system_first(messages: Sequence[BaseMessage], work: _Crossing) -> list[BaseMessage]:
    """Move system messages that come late to the front, where the wire has no place for them."""
    at = next((at for at, message in enumerate(messages) if not isinstance(message, SystemMessage)), len(messages))
    late = [message for message in messages[at:] if isinstance(message, SystemMessage)]
    if not late or work.target.family not in _SYSTEM_FIRST:
        return list(messages)
    work.note(f"{work.target.family} takes system messages at the beginning only; later ones were moved there")
    rest = [message for message in messages[at:] if not isinstance(message, SystemMessage)]
    return [*messages[:at], *late, *rest]


# Answers


def _answer(message: AIMessage, work: _Crossing) -> None:
    calls = _calls(message, work)
    work.open.extend((call["id"] or "", call["name"]) for call in calls)
    if _goes_back(message, work):
        changed = [dict(call) for call in calls] != [dict(call) for call in message.tool_calls]
        sent = _with_calls(message, calls) if changed or message.invalid_tool_calls else message
        if calls and work.target.family in _TEXT_OR_CALLS and str(message.text).strip():
            work.out.append(AIMessage(str(message.text)))
        work.out.append(sent)
        return
    found = substance_of(message)
    if found.pictures and work.target.sees is False:
        work.note(f"{work.target.family} cannot see the pictures of this conversation; a sentence stands for each")
        found.text = f"{found.text}\n{_UNSEEN}".strip()
    elif found.pictures:
        work.pictures += found.pictures
        found.text = found.text or "[the picture that was made here follows]"
    text = found.text or ("" if calls else _EMPTY)
    if text and calls and work.target.family in _TEXT_OR_CALLS:
        work.out.append(AIMessage(text))
        text = ""
    plain = {key: value for key, value in message.response_metadata.items() if key == "crew_router"}
    work.out.append(AIMessage(text, tool_calls=[dict(call) for call in calls], name=message.name, response_metadata=plain))


def _goes_back(message: AIMessage, work: _Crossing) -> bool:
    """Tell whether an answer may be sent as it is: its author is asked again, and nothing in it was damaged."""
    author = message.response_metadata.get("model_provider")
    author = _ALIASES.get(str(author), author)
    blocks = message.content if isinstance(message.content, list) else []
    kinds = {str(block.get("type")) for block in blocks if isinstance(block, Mapping)}
    if author is None and not kinds - {"text"}:
        return bool(str(message.text).strip() or message.tool_calls) and not message.additional_kwargs.get("audio")
    if author not in {None, work.target.family}:
        return False
    if author is None and kinds & _RESPONSES_ONLY - {"refusal"} and work.target.kind != "openai_responses":
        return False
    if work.target.kind == "openai_responses" and any(_foreign_reasoning(block) for block in blocks):
        return False
    told = message.response_metadata.get("crew_router")
    account = told.get("account") if isinstance(told, Mapping) else None
    if account and work.target.account and account != work.target.account:
        return False
    if author == "openai" and not _same_api(message, kinds, work.target.kind):
        return False
    if any(isinstance(block, Mapping) and picture_of(block) is not None for block in blocks) and author != "google_genai":
        return False
    if message.additional_kwargs.get("refusal") or message.additional_kwargs.get("audio"):
        return False
    return bool(str(message.text).strip() or message.tool_calls or message.invalid_tool_calls or kinds - {"text", "thinking", "reasoning"})


def _foreign_reasoning(block: Any) -> bool:
    """Tell whether a block of reasoning is none of OpenAI's, which have an id or are sealed."""
    if not isinstance(block, Mapping) or block.get("type") not in {"reasoning", "thinking", "redacted_thinking"}:
        return False
    extras = block.get("extras") if isinstance(block.get("extras"), Mapping) else {}
    return not (str(block.get("id") or "").startswith("rs_") or block.get("encrypted_content") or extras.get("encrypted_content"))  # type: ignore[union-attr]  # a mapping


def _same_api(message: AIMessage, kinds: set[str], kind: str) -> bool:
    """Tell whether an answer of OpenAI's was given over the API that it goes to; blocks of one mean nothing to the other."""
    by_responses = (
        bool(kinds & _RESPONSES_ONLY)
        or str(message.id or "").startswith(("resp_", "msg_"))
        or message.response_metadata.get("object") == "response"
    )
    if message.response_metadata.get("output_version") == "v1":
        return kind == "openai_responses" if by_responses or kinds - {"text", "tool_call"} else True
    return by_responses == (kind == "openai_responses") or not kinds - {"text"}


def _calls(message: AIMessage, work: _Crossing) -> list[dict[str, Any]]:
    """Return the calls of an answer, each with an id that the target takes; arguments that are no JSON are kept as a text."""
    calls: list[dict[str, Any]] = [dict(call) for call in message.tool_calls]
    calls += [
        dict(tool_call(name=bad["name"] or "unknown", args=_repaired(bad["args"]), id=bad["id"])) for bad in message.invalid_tool_calls
    ]
    for at, call in enumerate(calls):
        given = str(call.get("id") or "")
        new = _id(given, work) if given else _made_up(f"{len(work.out)}:{at}:{call['name']}")
        if given:
            work.ids[given] = new
        call["id"] = new
        call["name"] = str(call["name"] or "unknown")
    return calls


def _repaired(written: str | None) -> dict[str, Any]:
    try:
        value = json.loads(written or "{}")
    except ValueError:
        return {"arguments": written}
    return value if isinstance(value, dict) else {"arguments": value} if value is not None else {}


def _id(given: str, work: _Crossing) -> str:
    known = work.ids.get(given)
    if known is not None:
        return known
    fits = _IDS.get(work.target.family, _ANY_ID).fullmatch(given)
    return given if fits else _made_up(given)


def _made_up(text: str) -> str:
    """Return nine letters and digits, which every provider takes for an id."""
    return hashlib.sha256(text.encode()).hexdigest()[:9]


def _with_calls(message: AIMessage, calls: Sequence[Mapping[str, Any]]) -> AIMessage:
    """Return an answer with other calls; those that its content or its extras repeat are written from the message by the client."""
    ids = {
        str(old.get("id")): new["id"]
        for old, new in zip([*message.tool_calls, *message.invalid_tool_calls], calls, strict=False)
        if old.get("id")
    }
    content: Any = message.content
    if isinstance(content, list):
        content = [_renamed(block, ids) for block in content]
        content = [
            block
            for block in content
            if not (
                isinstance(block, Mapping)
                and block.get("type") in {"tool_use", "function_call", "invalid_tool_call"}
                and not _readable(block)
            )
        ]
    extra = {key: value for key, value in message.additional_kwargs.items() if key not in {"tool_calls", "function_call"}}
    return message.model_copy(
        update={"content": content, "additional_kwargs": extra, "tool_calls": [dict(call) for call in calls], "invalid_tool_calls": []}
    )


def _renamed(block: Any, ids: Mapping[str, str]) -> Any:
    if not isinstance(block, Mapping):
        return block
    return {**block, **{key: ids[str(block[key])] for key in ("id", "call_id") if str(block.get(key)) in ids}}


def _readable(block: Mapping[str, Any]) -> bool:
    try:
        return isinstance(block.get("input"), Mapping) or isinstance(json.loads(block.get("arguments") or "null"), dict)
    except ValueError:
        return False


# Results of tools


def _result(message: ToolMessage, work: _Crossing) -> None:
    """Send a result under the id of its call; one without a call is told as a text."""
    given = str(message.tool_call_id or "")
    call = work.ids.get(given) if given else (work.open[0][0] if work.open else None)
    waiting = [pair for pair in work.open if pair[0] == call]
    if not waiting:
        work.out.append(HumanMessage(f"[a tool answered: {message.text}]"))
        work.note("a tool's result without its call was sent as text")
        return
    work.open.remove(waiting[0])
    content = _result_content(message, work)
    fields = {"content": content, "tool_call_id": waiting[0][0], "name": message.name or waiting[0][1]}
    work.out.append(message.model_copy(update=fields))


def _result_content(message: ToolMessage, work: _Crossing) -> Any:
    failed = message.status == "error" and work.target.family not in _MARKS_FAILURES
    if isinstance(message.content, str):
        return _failure(message.content, failed=failed)
    blocks = [block for block in message.content if isinstance(block, str) or not picture_of(block)]
    pictures = [picture for block in message.content if isinstance(block, Mapping) and (picture := picture_of(block)) is not None]
    if pictures and work.target.kind in _PICTURES_IN_RESULTS and work.target.sees is not False:
        return message.content
    text = "\n".join(
        block if isinstance(block, str) else str(block.get("text") or json.dumps(dict(block), ensure_ascii=False, default=str))
        for block in blocks
    )
    if pictures and work.target.sees is False:
        work.note(f"{work.target.family} cannot see the pictures of this conversation; a sentence stands for each")
        text = f"{text}\n{_UNSEEN}".strip()
    elif pictures:
        work.pictures += pictures
        work.note(f"{work.target.family} takes pictures from users only; those of a tool follow its result")
        text = text or "[the picture follows]"
    return _failure(text, failed=failed)


def _failure(text: str, *, failed: bool) -> str:
    return f"Error: {text}" if failed and not text.lower().lstrip().startswith("error") else text or "[empty]"


def _close(work: _Crossing) -> None:
    """Give every call that is left without one a result: a wire takes no call without it."""
    while work.open:
        call, name = work.open.popleft()
        work.out.append(ToolMessage(_NO_RESULT, tool_call_id=call, name=name, status="error"))


# What users and systems say


def _spoken(message: BaseMessage, work: _Crossing) -> None:
    if work.pictures and isinstance(message, HumanMessage):
        shown, work.pictures = work.pictures, []
        own = [{"type": "text", "text": message.content}] if isinstance(message.content, str) else list(message.content)
        message = message.model_copy(update={"content": [*_pictures(shown, work), *own]})
    else:
        _show(work)
    if isinstance(message, HumanMessage) and isinstance(message.content, list):
        message = message.model_copy(update={"content": [_for_target(block, work) for block in message.content]})
    _answered(message, work)
    work.out.append(message)


def _answered(message: BaseMessage, work: _Crossing) -> None:
    """Put an answer between the result of a tool and a user, where the wire wants one there."""
    if (
        work.target.family in _ANSWER_AFTER_RESULT
        and isinstance(message, HumanMessage)
        and work.out
        and isinstance(work.out[-1], ToolMessage)
    ):
        work.out.append(AIMessage(_EMPTY))


def _show(work: _Crossing) -> None:
    """Show the pictures of answers and tools as a user does, because no other wire takes them elsewhere."""
    if work.pictures:
        shown, work.pictures = work.pictures, []
        told = HumanMessage([{"type": "text", "text": "[the picture from above]"}, *_pictures(shown, work)])
        _answered(told, work)
        work.out.append(told)


def _pictures(pictures: Sequence[Mapping[str, Any]], work: _Crossing) -> list[Any]:
    return [_for_target(picture, work) for picture in pictures]


def _for_target(block: Any, work: _Crossing) -> Any:
    """Write a block of a user's in a form that the target's client reads."""
    if not isinstance(block, Mapping):
        return block
    kind = block.get("type")
    if kind == "text-plain" or (
        kind == "file" and str(block.get("mime_type", "")).startswith("text/") and block.get("source_type") == "text"
    ):
        return {"type": "text", "text": str(block.get("text") or "")}
    picture = picture_of(block)
    if picture is None:
        read = _document(block) if kind in {"document", "media"} else block
        medium = str(read.get("type"))
        if medium in _DROPPED.get(work.target.kind, ()):
            message = f"{work.target.family}'s client drops content of type {medium!r}"
            raise UnsendableError(message)
        return read
    if "base64" not in picture and work.target.family in _FETCH_OR_REFUSE and work.target.sees is not False:
        message = f"{work.target.family} takes no picture by its address, and its client would fetch it from here; send the data"
        raise UnsendableError(message)
    if work.target.sees is False:
        work.note(f"{work.target.family} cannot see the pictures of this conversation; a sentence stands for each")
        return {"type": "text", "text": _UNSEEN}
    if kind == "image_url":
        return block
    url = picture.get("url") or f"data:{picture['mime_type']};base64,{picture['base64']}"
    return {"type": "image_url", "image_url": {"url": url}}


def _document(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return Anthropic's document or Google's media as LangChain's standard file, which the other clients read."""
    source = block.get("source") if isinstance(block.get("source"), Mapping) else block
    assert isinstance(source, Mapping)
    data, mime = source.get("data"), source.get("media_type") or source.get("mime_type") or "application/pdf"
    if source.get("type") == "text" and isinstance(data, str):
        return {"type": "text", "text": data}
    if not data:
        return block
    return {"type": "file", "base64": data, "mime_type": mime, "filename": block.get("title") or "document"}


def _unmarked(message: BaseMessage, kind: str) -> BaseMessage:
    content = message.content
    if kind in _KEEPS_CACHE_MARKERS or not isinstance(content, list):
        return message
    if not any(isinstance(block, dict) and "cache_control" in block for block in content):
        return message
    kept = [
        {key: value for key, value in block.items() if key != "cache_control"} if isinstance(block, dict) else block for block in content
    ]
    return message.model_copy(update={"content": kept})
