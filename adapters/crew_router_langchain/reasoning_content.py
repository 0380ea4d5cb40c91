"""``reasoning_content``, which DeepSeek and Kimi want back and LangChain's clients drop on the way.

While they think, both refuse a call of a tool that comes back without the reasoning that led to it. LangChain's client of DeepSeek reads
it and never sends it; OpenAI's client, over which Kimi is spoken to, does neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_KIMI: Final = re.compile(r"kimi|moonshot", re.IGNORECASE)
_KEY: Final = "reasoning_content"


def with_reasoning(model: BaseChatModel) -> BaseChatModel:
    """Return a client of DeepSeek's or Kimi's that sends reasoning back; every other client is returned as it is.

    A user's instance stays as it is: the copy is given another class.
    """
    packages = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    name = str(getattr(model, "model_name", "") or "")
    if "langchain_deepseek" not in packages and not ("langchain_openai" in packages and _KIMI.search(name)):
        return model
    copy = model.model_copy()
    copy.__class__ = _sending(type(model))
    return copy


@cache
def _sending(kind: type[Any]) -> type[Any]:
    """Return a class of clients that keep ``reasoning_content`` both ways."""

    def _get_request_payload(self: Any, input_: Any, *, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        payload: dict[str, Any] = kind._get_request_payload(self, input_, stop=stop, **kwargs)  # noqa: SLF001 - the only place where the body is made
        put_back(payload.get("messages") or [], self._convert_input(input_).to_messages())
        return payload

    def _create_chat_result(self: Any, response: Any, generation_info: Any = None) -> Any:
        result = kind._create_chat_result(self, response, generation_info)  # noqa: SLF001 - as above
        told = response if isinstance(response, Mapping) else response.model_dump(warnings=False)
        for generation, choice in zip(result.generations, told.get("choices") or [], strict=False):
            keep(generation.message, choice.get("message"))
        return result

    def _convert_chunk_to_generation_chunk(self: Any, chunk: Any, *rest: Any, **more: Any) -> Any:
        made = kind._convert_chunk_to_generation_chunk(self, chunk, *rest, **more)  # noqa: SLF001 - as above
        choices = chunk.get("choices") or []
        if made is not None and choices:
            keep(made.message, choices[0].get("delta"))
        return made

    methods = {"_get_request_payload": _get_request_payload, "_create_chat_result": _create_chat_result}
    methods["_convert_chunk_to_generation_chunk"] = _convert_chunk_to_generation_chunk
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **methods})


def keep(message: Any, told: Any) -> None:
    """Keep the reasoning of an answer where LangChain's own client of DeepSeek does."""
    text = told.get(_KEY) if isinstance(told, Mapping) else None
    if isinstance(text, str) and text and not message.additional_kwargs.get(_KEY):
        message.additional_kwargs[_KEY] = text


def put_back(written: Sequence[dict[str, Any]], messages: Sequence[Any]) -> None:
    """Write reasoning into the answers of a body; an answer of somebody else that calls tools has an empty one, which is taken."""
    answers = [message for message in messages if isinstance(message, AIMessage)]
    for body, message in zip((body for body in written if body.get("role") == "assistant"), answers, strict=False):
        text = message.additional_kwargs.get(_KEY)
        if isinstance(text, str) and text:
            body[_KEY] = text
        elif body.get("tool_calls"):
            body[_KEY] = ""
