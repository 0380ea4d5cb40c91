# ruff: noqa: E501 - the table of readers
"""The content of an answer as what every model reads: text, pictures, and nothing that only its author understands.

Blocks are read whichever client wrote them and whichever version of LangChain's content they are in. What has no other form becomes
text: a search and what it found, code and what it printed, citations, a refusal, the transcript of what was spoken.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage


Block = Mapping[str, Any]
_MOST_CHARS: Final = 4000
_DEEPEST: Final = 4
_SILENT: Final = frozenset({
    "thinking", "redacted_thinking", "reasoning", "reasoning_content", "thought", "signature", "tool_use", "tool_call", "function_call",
    "tool_call_chunk", "invalid_tool_call", "tool_plan", "input_json_delta", "cachePoint", "cache_point", "ping",
})  # fmt: skip


@dataclass(slots=True)
class Substance:
    """What an answer comes to.

    Args:
        text: All that can be read.
        pictures: Pictures that were made, as LangChain's standard blocks.
        sealed: Whether reasoning was left out that only its author can open.
    """

    text: str = ""
    pictures: list[dict[str, Any]] = field(default_factory=list)
    sealed: bool = False


def substance_of(message: AIMessage) -> Substance:
    """Return what an answer comes to, without its tool calls."""
    found, sources = Substance(), dict[str, str]()
    content = [message.content] if isinstance(message.content, str) else message.content
    texts = [text for block in content for text in _read(block, found, sources)]
    extra = message.additional_kwargs
    joined = "".join(texts).strip()
    if not joined:
        refusal, audio = extra.get("refusal"), extra.get("audio")
        spoken = audio.get("transcript") if isinstance(audio, Mapping) else None
        joined = str(refusal or spoken or "")
    for output in extra.get("tool_outputs") or ():
        joined += "".join(_read(output, found, sources))
    _cite_metadata(message, sources)
    unseen = [f"[{at}] {title} {url}".strip() for at, (url, title) in enumerate(sources.items(), 1) if url not in joined]
    if unseen:
        joined = f"{joined}\n\nSources:\n" + "\n".join(unseen)
    found.text = joined.strip()
    return found


def _read(block: Any, found: Substance, sources: dict[str, str], depth: int = 0) -> Iterator[str]:  # noqa: C901 - one kind of block a branch
    """Yield the texts of a block; pictures and sources are kept aside."""
    if isinstance(block, str):
        yield block
        return
    if not isinstance(block, Mapping) or depth > _DEEPEST:
        return
    kind = str(block.get("type") or _untyped(block))
    if kind in _SILENT:
        found.sealed = found.sealed or any(block.get(key) for key in ("signature", "encrypted_content", "data", "thought_signature"))
        return
    if kind in {"non_standard", "provider_specific"} and isinstance(block.get("value"), Mapping):
        yield from _read(block["value"], found, sources, depth + 1)
        return
    picture = picture_of(block)
    if picture is not None:
        found.pictures.append(picture)
        return
    reader = _READERS.get(kind)
    if reader is not None:
        yield from reader(block)
        if kind.endswith("tool_result") or kind == "server_tool_result":
            _cite_results(block.get("content") or block.get("output"), sources)
        return
    _cite(block, sources)
    text = block.get("text") or block.get("refusal") or block.get("transcript")
    if isinstance(text, str):
        yield text
    elif kind == "message" and isinstance(block.get("content"), list):
        for inner in block["content"]:
            yield from _read(inner, found, sources, depth + 1)
    elif kind not in {"text", "output_text", "refusal", "audio", "input_audio"}:
        yield _said(
            kind,
            {key: value for key, value in block.items() if key not in {"type", "id", "index", "status", "signature", "encrypted_content"}},
        )


def _untyped(block: Block) -> str:
    """Return the type of a block of Amazon's or Google's, which is its only key."""
    keys = [key for key in block if key not in {"index", "id"}]
    return (
        {"executableCode": "executable_code", "codeExecutionResult": "code_execution_result", "inlineData": "image"}.get(keys[0], keys[0])
        if keys
        else "text"
    )


def _said(name: str, value: Any) -> str:
    """Return what was done by a provider's own tool as text."""
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"\n[{name}: {plain[:_MOST_CHARS]}]\n" if plain not in {"", "{}", "[]", "null"} else ""


def _server_call(block: Block) -> Iterator[str]:
    name, given = (
        block.get("name") or block.get("type"),
        block.get("input") or block.get("args") or block.get("arguments") or block.get("action") or {},
    )
    if isinstance(given, Mapping):
        code = given.get("code") or given.get("command")
        if isinstance(code, str):
            yield _code(code)
            return
        given = given.get("query") or given.get("queries") or given.get("url") or {key: value for key, value in given.items() if value}
    if given:
        yield _said(str(name), given)


def _results(block: Block) -> Iterator[str]:
    content = block.get("content") if block.get("content") is not None else block.get("output")
    if isinstance(content, Mapping):
        told = content.get("stdout") or content.get("output") or content.get("error_code") or content.get("content") or content
        yield _said("result", told)
    elif isinstance(content, list):
        found = [
            " ".join(str(item.get(key)) for key in ("title", "url", "text") if item.get(key))
            for item in content
            if isinstance(item, Mapping)
        ]
        texts = [text for text in found if text] or [item for item in content if isinstance(item, str)]
        yield _said("result", "; ".join(texts))
    elif content:
        yield _said("result", content)


def _code_call(block: Block) -> Iterator[str]:
    yield _code(str(block.get("code") or ""))
    for output in block.get("outputs") or ():
        if isinstance(output, Mapping):
            yield _said("result", output.get("logs") or output.get("text") or "")


def _executable(block: Block) -> Iterator[str]:
    inner = block.get("executableCode") if isinstance(block.get("executableCode"), Mapping) else block
    assert isinstance(inner, Mapping)
    yield _code(str(inner.get("executable_code") or inner.get("code") or ""), str(inner.get("language") or "python").lower())


def _execution(block: Block) -> Iterator[str]:
    inner = block.get("codeExecutionResult") if isinstance(block.get("codeExecutionResult"), Mapping) else block
    assert isinstance(inner, Mapping)
    yield _said("result", inner.get("code_execution_result") or inner.get("output") or "")


def _search_call(block: Block) -> Iterator[str]:
    action = block.get("action")
    query = action.get("query") or action.get("queries") if isinstance(action, Mapping) else block.get("queries") or block.get("query")
    if query:
        yield _said(str(block.get("type")).removesuffix("_call"), query)
    for result in block.get("results") or ():
        if isinstance(result, Mapping):
            yield _said("result", " ".join(str(result.get(key)) for key in ("title", "filename", "url", "text") if result.get(key)))


def _code(text: str, language: str = "python") -> str:
    language = language if language.isalnum() and not language.isdigit() else "python"
    return f"\n```{language}\n{text.strip()}\n```\n" if text.strip() else ""


def _no_picture(block: Block) -> Iterator[str]:  # noqa: ARG001 - a picture whose data are gone
    yield "[a picture was made here]"


def _file(block: Block) -> Iterator[str]:
    yield _said("file", block.get("filename") or block.get("name") or block.get("mime_type") or "a file")


_READERS: Final[Mapping[str, Callable[[Block], Iterator[str]]]] = {
    "server_tool_use": _server_call, "server_tool_call": _server_call, "server_tool_call_chunk": _server_call, "mcp_tool_use": _server_call,
    "mcp_call": _server_call, "computer_call": _server_call, "local_shell_call": _server_call, "custom_tool_call": _server_call,
    "web_search_call": _search_call, "file_search_call": _search_call, "web_search": _search_call, "tool_search_call": _search_call,
    "server_tool_result": _results, "web_search_tool_result": _results, "web_fetch_tool_result": _results, "code_execution_tool_result": _results,
    "bash_code_execution_tool_result": _results, "text_editor_code_execution_tool_result": _results, "mcp_tool_result": _results,
    "web_search_result": _results, "custom_tool_call_output": _results, "tool_search_tool_result": _results,
    "code_interpreter_call": _code_call, "executable_code": _executable, "code_execution_result": _execution, "image_generation_call": _no_picture,
    "image": _no_picture, "image_url": _no_picture, "file": _file, "document": _file, "container_upload": _file, "media": _file,
}  # fmt: skip


def picture_of(block: Block) -> dict[str, Any] | None:
    """Return a picture as LangChain's standard block, whichever client wrote it; ``None`` for anything else, or where its data are gone."""
    kind = block.get("type")
    if kind == "image_generation_call" and isinstance(block.get("result"), str):
        return _inline(block["result"], f"image/{block.get('output_format') or 'png'}")
    if kind == "image_url":
        told = block.get("image_url")
        url = told.get("url") if isinstance(told, Mapping) else told
        return _from_url(str(url)) if url else None
    if kind == "media" and str(block.get("mime_type", "")).startswith("image/") and block.get("data"):
        return _inline(block["data"], block["mime_type"])
    if kind == "input_image" and block.get("image_url"):
        return _from_url(str(block["image_url"]))
    if kind != "image" and "image" not in block and "inlineData" not in block:
        return None
    return _image(block)


def _image(block: Block) -> dict[str, Any] | None:
    inner = block.get("image") or block.get("inlineData") or block
    source = inner.get("source") if isinstance(inner, Mapping) else None
    if isinstance(source, Mapping):  # Anthropic's and Amazon's
        if source.get("url"):
            return _from_url(str(source["url"]))
        data = source.get("data") or source.get("bytes")
        mime = source.get("media_type") or f"image/{inner.get('format') or 'png'}"
        return _inline(data, mime) if data else None
    data = inner.get("base64") or inner.get("data")
    if data:
        return _inline(data, inner.get("mime_type") or inner.get("mimeType") or "image/png")
    return _from_url(str(inner["url"])) if inner.get("url") else None


def _inline(data: Any, mime: str) -> dict[str, Any]:
    plain = base64.b64encode(data).decode() if isinstance(data, (bytes, bytearray)) else str(data)
    return {"type": "image", "base64": plain, "mime_type": mime}


def _from_url(url: str) -> dict[str, Any]:
    if url.startswith("data:") and "," in url:
        head, _, data = url.partition(",")
        return _inline(data, head.removeprefix("data:").partition(";")[0] or "image/png")
    return {"type": "image", "url": url}


def _cite(block: Block, sources: dict[str, str]) -> None:
    """Keep the sources that a text names in its annotations."""
    listed: Sequence[Any] = block.get("annotations") or block.get("citations") or ()
    for each in listed if isinstance(listed, Sequence) else ():
        if isinstance(each, Mapping):
            value = each.get("value")
            _source(value if isinstance(value, Mapping) else each, sources)


def _source(each: Mapping[str, Any], sources: dict[str, str]) -> None:
    nested = each.get("url_citation")
    each = nested if isinstance(nested, Mapping) else each
    url = each.get("url") or each.get("document_title") or each.get("filename") or each.get("title") or each.get("source")
    if isinstance(url, str) and url:
        title = each.get("title") or each.get("document_title") or ""
        sources.setdefault(url, str(title) if title != url else "")


def _cite_results(content: Any, sources: dict[str, str]) -> None:
    for each in content if isinstance(content, list) else ():
        if isinstance(each, Mapping) and each.get("url"):
            _source(each, sources)


def _cite_metadata(message: AIMessage, sources: dict[str, str]) -> None:
    """Keep the sources that a provider writes beside the content: Google's grounding, Cohere's and xAI's citations."""
    for place in (message.additional_kwargs, message.response_metadata):
        for each in place.get("citations") or () if isinstance(place.get("citations"), (list, tuple)) else ():
            if isinstance(each, str):
                sources.setdefault(each, "")
            elif isinstance(each, Mapping):
                _source(each, sources)
        grounding = place.get("grounding_metadata") or {}
        chunks = grounding.get("grounding_chunks") or grounding.get("groundingChunks") or () if isinstance(grounding, Mapping) else ()
        for each in chunks:
            web = each.get("web") if isinstance(each, Mapping) else None
            if isinstance(web, Mapping) and web.get("uri"):
                sources.setdefault(str(web["uri"]), str(web.get("title") or ""))
