"""What LangChain's standard suites are told of :class:`ChatCrewRouter`; each test module names its pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_pools import cascading_router, router_over

from crew_router_langchain import ChatCrewRouter

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class Declared:
    """Features of the chat model; ``names`` and ``provider`` are the pool of a test module."""

    names: tuple[str, ...] = ("fast", "smart")
    provider = "openai"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        """The class under test."""
        return ChatCrewRouter

    @property
    def model_override_value(self) -> str:
        """A model of the pool that a call may name, by its short name."""
        return "smart"

    @property
    def supports_json_mode(self) -> bool:
        """JSON mode is bound for whichever model is called."""
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        """Anthropic's content blocks are read by every provider package in the pools."""
        return True

    @property
    def supports_image_inputs(self) -> bool:
        """Pictures reach the model that is called."""
        return True

    @property
    def supports_image_urls(self) -> bool:
        """So do their addresses."""
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        """So do pictures that a tool returned."""
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        """So do documents."""
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        """So do documents that a tool returned."""
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        """So do recordings."""
        return True


class FromEnvironment(Declared):
    """The environment can name the file that a router comes from."""

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        """The environment names the file."""
        file = f"tests/data/langchain/{self.provider}.yaml"
        return {"CREW_ROUTER_CONFIG": file}, {}, {"config": file}


class OverFile(FromEnvironment):
    """For the unit suite the router comes from a file."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """The file."""
        _, _, params = self.init_from_env_params
        return params


class OverWire(FromEnvironment):
    """The router is over the fake provider."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """A router over the pool of the module."""
        return {"router": router_over(*self.names, provider=self.provider)}


class OverCascade(FromEnvironment):
    """The router is over the fake provider and answers everything by a cascade."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """A router over the pool of the module."""
        return {"router": cascading_router(*self.names, provider=self.provider)}


class Anthropic(Declared):
    """What differs when all models are Anthropic's."""

    provider = "anthropic"

    @property
    def supports_json_mode(self) -> bool:
        """Anthropic knows schemas, but no JSON mode without one."""
        return False

    @property
    def supports_audio_inputs(self) -> bool:
        """Anthropic hears nothing."""
        return False
