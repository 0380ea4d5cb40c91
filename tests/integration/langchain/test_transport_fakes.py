"""The transport over LangChain's own fake models: what needs no provider."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from crew_router.errors import ModelCallError
from crew_router.types import ErrorKind, ModelDefinition, ModelRef
from crew_router.types.transport import Payload
from crew_router_langchain.transport import LangChainTransport


def given(client: object) -> ModelDefinition:
    """Return a registry entry of an instance that a user gave."""
    return ModelDefinition(ModelRef("mine:model"), provider="mine", model="model", instance=client)


def test_a_stream_of_a_class_without_finish_reasons_ends_well() -> None:
    """A user's own class that ends its stream is not taken for a cut connection."""
    client = GenericFakeChatModel(messages=iter([AIMessage("one two")]))
    transport = LangChainTransport()

    joined = transport.join(tuple(transport.fit(Payload(("hi",)), given(client)).stream()))

    assert (joined.text, joined.finish_reason) == ("one two", "stop")


def test_a_class_that_cannot_stream_gives_one_piece() -> None:
    """Without a ``_stream`` of its own a class answers in one piece, awaited too."""
    client = FakeListChatModel(responses=["whole"])

    async def pieces() -> list[str]:
        return [piece.text async for piece in LangChainTransport().fit(Payload(("hi",)), given(client)).astream() if piece.text]

    assert "".join(asyncio.run(pieces())) == "whole"


def test_tools_for_a_class_without_tools_cannot_be_fitted() -> None:
    """A model that cannot call tools says so before it is called, so that another one can answer."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}

    with pytest.raises(ModelCallError, match="cannot call tools") as raised:
        LangChainTransport().fit(Payload(("hi",), tools=(tool,)), given(FakeListChatModel(responses=["x"])))

    assert raised.value.kind is not ErrorKind.INVALID_REQUEST


def test_a_missing_key_is_an_error_of_the_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that cannot be built without its key reads as a failure of the credential."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = ModelDefinition(ModelRef("openai:gpt"), provider="openai", model="gpt")

    with pytest.raises(ModelCallError, match="cannot be built") as raised:
        LangChainTransport().fit(Payload(("hi",)), model)

    assert raised.value.kind is ErrorKind.AUTH


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    """A provider whose package is absent names the extra to install."""
    model = ModelDefinition(ModelRef("together:m"), provider="together", model="m")

    with pytest.raises(ModelCallError, match="pip install") as raised:
        LangChainTransport().fit(Payload(("hi",)), model)

    assert raised.value.kind is ErrorKind.NOT_FOUND


def test_texts_dictionaries_and_messages_count_alike() -> None:
    """The three ways to write a request have the same size."""
    transport = LangChainTransport()

    sizes = {transport.count(Payload((one,))) for one in ("hello you", {"role": "user", "content": "hello you"}, HumanMessage("hello you"))}

    assert len(sizes) == 1


def test_an_image_counts_as_an_image_not_as_its_letters() -> None:
    """A megabyte of base64 is not counted as a quarter of a million tokens."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}

    assert LangChainTransport().count(Payload((HumanMessage([image]),))) < 1_000


class TellingError(Exception):
    """An exception as a client library without LangChain's family raises it."""

    def __init__(self, text: str = "x", *, status_code: int | None = None, body: object = None) -> None:
        super().__init__(text)
        self.status_code, self.body = status_code, body


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError("late"), ErrorKind.TIMEOUT),
        (ConnectionResetError("gone"), ErrorKind.CONNECTION),
        (asyncio.CancelledError(), ErrorKind.CANCELLED),
        (TypeError("null value for `choices`"), ErrorKind.MALFORMED),
        (TellingError(status_code=402), ErrorKind.AUTH),
        (TellingError(status_code=413), ErrorKind.CONTEXT_OVERFLOW),
        (TellingError(status_code=504), ErrorKind.TIMEOUT),
        (TellingError(body={"error": {"type": "overloaded_error"}}), ErrorKind.OVERLOAD),
        (TellingError("something else"), ErrorKind.UNKNOWN),
        (ModelCallError(ModelRef("a:b"), ErrorKind.EMPTY), ErrorKind.EMPTY),
    ],
)
def test_exceptions_are_told_by_class_status_and_code(error: BaseException, kind: ErrorKind) -> None:
    """Whatever a client raises gets a kind, and classifying never raises."""
    assert LangChainTransport().classify(error).kind is kind
