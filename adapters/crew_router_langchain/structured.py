"""Structured output in its three methods, each re-bound for the model that is called."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from crew_router.errors import InvalidRequestError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Method = Literal["function_calling", "json_schema", "json_mode"]
Schema = dict[str, Any] | type


def structured(chat: BaseChatModel, schema: Schema | None, *, method: Method, include_raw: bool, strict: bool | None) -> Runnable[Any, Any]:
    """Return a runnable that gives what the schema describes.

    Args:
        chat: The chat model.
        schema: A Pydantic class, a TypedDict class, a JSON schema or an OpenAI function; ``None`` only in JSON mode.
        method: ``function_calling`` (a forced tool), ``json_schema`` (the provider's own) or ``json_mode`` (any JSON).
        include_raw: Give ``raw``, ``parsed`` and ``parsing_error`` instead of the parsed answer alone.
        strict: Whether providers that can shall enforce the schema.

    Raises:
        InvalidRequestError: The method is not known, or no schema is given where one is needed.
    """
    if method not in {"function_calling", "json_schema", "json_mode"}:
        raise InvalidRequestError("method", method, expected="function_calling, json_schema or json_mode")
    if schema is None and method != "json_mode":
        raise InvalidRequestError("schema", None, expected="a schema, unless the method is json_mode")
    bound, parser = _by_tool(chat, schema, strict) if method == "function_calling" and schema is not None else _by_format(
        chat, schema, method=method, strict=strict
    )  # fmt: skip
    return _with_raw(bound, parser) if include_raw else bound | parser


def _by_tool(chat: BaseChatModel, schema: Schema, strict: bool | None) -> tuple[Runnable[Any, Any], Runnable[Any, Any]]:
    options: dict[str, Any] = {} if strict is None else {"strict": strict}
    traced = {"kwargs": {"method": "function_calling"}, "schema": schema}
    bound = chat.bind_tools([schema], tool_choice="any", ls_structured_output_format=traced, **options)
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return bound, PydanticToolsParser(tools=[schema], first_tool_only=True)
    name = convert_to_openai_tool(schema)["function"]["name"]
    return bound, JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _by_format(
    chat: BaseChatModel, schema: Schema | None, *, method: Method, strict: bool | None
) -> tuple[Runnable[Any, Any], Runnable[Any, Any]]:
    traced = {"kwargs": {"method": method}, "schema": schema}
    options = {} if schema is None else {"ls_structured_output_format": traced}
    bound = chat.bind(response_format=_response_format(schema, method, strict), **options)
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return bound, PydanticOutputParser(pydantic_object=schema)
    return bound, JsonOutputParser()


def _response_format(schema: Schema | None, method: Method, strict: bool | None) -> dict[str, Any]:
    if method == "json_mode" or schema is None:
        return {"type": "json_object"}
    body = convert_to_json_schema(schema)
    wanted = {"name": body.get("title", "answer"), "description": body.get("description", ""), "schema": body}
    return {"type": "json_schema", "json_schema": wanted if strict is None else {**wanted, "strict": strict}}


def _with_raw(bound: Runnable[Any, Any], parser: Runnable[Any, Any]) -> Runnable[Any, Any]:
    parsed = RunnablePassthrough.assign(parsed=RunnableLambda(itemgetter("raw")) | parser, parsing_error=lambda _: None)
    nothing = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableParallel(raw=bound) | parsed.with_fallbacks([nothing], exception_key="parsing_error")
